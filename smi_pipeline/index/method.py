"""The method file: every parameter of the index, read once, checked, and never defaulted in code."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from importlib import resources
from importlib.resources.abc import Traversable
from math import isclose
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from smi_pipeline.metrics.rates import RateRule
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Platform

Indicator = Literal[
    "posts", "videos", "interactions", "engagement_rate", "followers", "follower_growth", "views", "view_rate"
]
Group = Literal["generate", "interactive", "utilize"]
Factor = Literal["users", "activity", "relevance"]
TransformName = Literal["ln1p", "asinh100"]
Normalisation = Literal["goalposts", "min_max", "z_score", "percentile"]
Aggregation = Literal["arithmetic", "geometric"]
ManyAccounts = Literal["sum", "largest"]
Unobserved = Literal["rule", "platform_median"]
Parsed = TypeVar("Parsed", bound=BaseModel)
_SHARE = re.compile(r"[0-9]+(\.[0-9]+)?|[0-9]+/[1-9][0-9]*")
_PLACEHOLDER = re.compile(r"\{\w+\}")
_NO_VERSION = "months.toml"  # says which version a month has; beside them
INDICATORS: tuple[Indicator, ...] = get_args(Indicator)
FACTORS: tuple[Factor, ...] = get_args(Factor)
METHODS: Traversable = resources.files("smi_pipeline.index") / "methods"


class MethodError(ValueError):
    """A method file that cannot be used: names the file and the key.

    Attributes:
        mistakes: each mistake by itself, without the file's name.
    """

    def __init__(self, message: str, mistakes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.mistakes = list(mistakes) or [message]


def _fraction(value: object) -> object:
    """`"2/3"` to a float: a third cannot be written as a decimal."""
    if isinstance(value, str):
        if not _SHARE.fullmatch(value):
            raise ValueError(f"expected a number or a fraction like 2/3, got {value!r}")
        return float(Fraction(value))
    return value


Share = Annotated[float, BeforeValidator(_fraction), Field(ge=0, le=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Reasoned(_Table):
    unit: str = Field(min_length=1, description="What the table's numbers are in.")
    source: str = Field(min_length=1, description="Where the numbers come from, or that they are judgement.")
    reason: str = Field(min_length=1, description="Why they are what they are, in a reader's words.")


class CountingRule(_Reasoned):
    """What is counted, and when. The code follows one value of each: another one is refused, not ignored."""

    provisional_day: Literal[3]
    final_day: Literal[10]
    snapshot_reach: Literal[3]
    x_shares: tuple[Literal["reposts"], Literal["quotes"]]
    replies: Literal["counted"]
    views_of: Literal["videos"]
    many_accounts: Literal["sum"]


class GroupRule(_Reasoned):
    """One group of the indicator tree."""

    weight: Share


class IndicatorRule(_Reasoned):
    """One indicator: its group, its weight there, its transform, and the platforms it applies to."""

    group: Group
    weight: Share
    transform: TransformName
    applies: tuple[Platform, ...] = Field(min_length=1)


class Goalposts(_Reasoned):
    """[lo, hi] for each indicator that applies to a platform, in the indicator's own unit.

    A platform in `frozen_from` came later: its goalposts are preliminary until that month, and it does not enter the
    composite before.
    """

    frozen_from: dict[Platform, str]
    facebook: dict[Indicator, tuple[float, float]]
    x: dict[Indicator, tuple[float, float]]
    instagram: dict[Indicator, tuple[float, float]]
    youtube: dict[Indicator, tuple[float, float]]
    tiktok: dict[Indicator, tuple[float, float]]

    def of(self, platform: Platform) -> dict[Indicator, tuple[float, float]]:
        """The goalposts of one platform."""
        return {
            "facebook": self.facebook,
            "x": self.x,
            "instagram": self.instagram,
            "youtube": self.youtube,
            "tiktok": self.tiktok,
        }[platform]

    def are_frozen(self, platform: Platform, month: Month) -> bool:
        """Whether a platform's goalposts are frozen in a month, not preliminary."""
        return platform not in self.frozen_from or self.frozen_from[platform] <= month.key

    @field_validator("frozen_from")
    @classmethod
    def _months_are_months(cls, months: dict[Platform, str]) -> dict[Platform, str]:
        return _month_keys(months)

    @model_validator(mode="after")
    def _lo_lies_below_hi(self) -> Self:
        for platform in PLATFORMS:
            for indicator, (lo, hi) in self.of(platform).items():
                if not lo < hi:
                    raise ValueError(f"{platform}.{indicator}: expected lo < hi, got [{lo:g}, {hi:g}]")
        return self


class CalibrationRule(_Reasoned):
    """How goalposts follow from the metrics of a baseline (see `calibration`)."""

    quantile: Share
    quantile_type: Literal[7]
    steps: tuple[Annotated[float, Field(ge=1, lt=10)], ...] = Field(min_length=1)
    zero_floor: tuple[Indicator, ...]
    growth_floor: float = Field(lt=0)
    baseline_months: int = Field(ge=1)
    least_months: int = Field(ge=1)
    active_posts: int = Field(ge=0)
    rebased_after: int = Field(ge=1, description="Months.")

    @model_validator(mode="after")
    def _steps_and_months_are_in_order(self) -> Self:
        if self.steps[0] != 1 or sorted(set(self.steps)) != list(self.steps):
            raise ValueError(f"steps: expected rising numbers that begin with 1, got {list(self.steps)}")
        if not self.least_months <= self.baseline_months:
            raise ValueError(f"least_months: expected at most {self.baseline_months}, got {self.least_months}")
        return self


class AuditRule(_Reasoned):
    """When an indicator's distribution, after its transform, is reported as a problem."""

    clipped_above: Share
    skew: float = Field(gt=0)
    kurtosis: float = Field(gt=0)
    alpha: Share = Field(description="Cronbach's alpha of a group's indicators; below it the group is noted.")


class MissingRule(_Reasoned):
    """How much may be unobserved before an indicator, a platform score or a rank is withheld."""

    suspended_above: Share
    partial_from: Share
    ranked_from: Share
    carry_months: int = Field(ge=0, le=1)
    no_account_points: Literal[0]
    no_post_points: Literal[0]


class PlatformWeightRule(_Reasoned):
    """How the month's platform weights follow from dated inputs and the registry."""

    factors: dict[Factor, Share]
    start: dict[Platform, Share]
    smoothing: Share
    floor: Share
    cap: Share
    enter_from: Share
    leave_below: Share
    months: int = Field(ge=1)
    stale_after: int = Field(ge=0, description="Days.")
    per_user_unit: str

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        _adds_up_to_one("factors", self.factors.values())
        _adds_up_to_one("start", self.start.values())
        if set(self.factors) != set(FACTORS):
            raise ValueError(f"factors: expected {', '.join(FACTORS)}, got {', '.join(self.factors)}")
        if not self.floor * len(PLATFORMS) <= 1:
            raise ValueError(f"floor: {len(PLATFORMS)} platforms of at least {self.floor:g} exceed 1")
        if not self.floor < self.cap:
            raise ValueError(f"floor: expected less than the cap {self.cap:g}, got {self.floor:g}")
        if not self.leave_below <= self.enter_from:
            raise ValueError(f"leave_below: expected at most enter_from {self.enter_from:g}, got {self.leave_below:g}")
        return self


class CompositeRule(_Reasoned):
    """Weights of the measured and of the judged part."""

    quantitative: Share
    qualitative: Share

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        _adds_up_to_one("quantitative, qualitative", (self.quantitative, self.qualitative))
        return self


class ExpertRule(_Reasoned):
    """When expert scores are released, and what stands in for a missing one."""

    scale: tuple[float, float]
    raters: int = Field(ge=1)
    raters_aimed_at: int = Field(ge=1)
    release_share: Share
    alpha_release: Share
    alpha_good: Share
    rerate_above_sd: float = Field(gt=0)
    severity_correction: Literal[False]
    severity_overlap: int = Field(ge=1)
    carry_months: int = Field(ge=0)
    criteria: dict[str, Annotated[float, Field(gt=0)]]

    @field_validator("scale")
    @classmethod
    def _scale_rises(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not scale[0] < scale[1]:
            raise ValueError(f"expected the lower end first, got {list(scale)}")
        return scale

    @model_validator(mode="after")
    def _thresholds_are_in_order(self) -> Self:
        if not self.alpha_release <= self.alpha_good:
            raise ValueError(f"alpha_release: expected at most {self.alpha_good:g}, got {self.alpha_release:g}")
        if not self.raters <= self.raters_aimed_at:
            raise ValueError(f"raters: expected at most raters_aimed_at {self.raters_aimed_at}, got {self.raters}")
        return self


class RankRule(_Reasoned):
    """Scores are rounded to `decimals` before they are ranked."""

    decimals: int = Field(ge=0, le=12)
    ties: Literal["best"]
    shown_decimals: Literal[2]


class UncertaintyRule(_Reasoned):
    """How far ranks depend on choices that could have been made otherwise.

    The first of each list of alternatives is the choice of the official index.
    """

    draws: int = Field(ge=1)
    seed: str
    platform_weights: Share = Field(description="Each weight varies by up to this share, up and down.")
    tree_weights: Share = Field(description="Likewise the weights of groups and of indicators in them.")
    normalisations: tuple[Normalisation, ...]
    aggregations: tuple[Aggregation, ...]
    geometric_range: tuple[float, float]
    z_centre: float
    z_spread: float = Field(gt=0)
    many_accounts: tuple[ManyAccounts, ...]
    missing: tuple[Unobserved, ...]
    expert_bootstrap: bool
    interval: tuple[Share, Share]
    top: int = Field(ge=1)
    sobol_n: int = Field(ge=1)
    sobol_replicates: int = Field(ge=1)

    def seed_text(self, month: Month, version: str) -> str:
        """What the random numbers of a month begin from: the same month and version draw the same."""
        return self.seed.replace("{month}", month.key).replace("{version}", version)

    @model_validator(mode="after")
    def _alternatives_begin_with_the_official_choice(self) -> Self:
        for name, given, official in (
            ("normalisations", self.normalisations, "goalposts"),
            ("aggregations", self.aggregations, "arithmetic"),
            ("many_accounts", self.many_accounts, "sum"),
            ("missing", self.missing, "rule"),
        ):
            if given[:1] != (official,) or len(set(given)) < len(given):
                raise ValueError(f"{name}: expected {official!r} first and none twice, got {list(given)}")
        for name, (low, high) in (("geometric_range", self.geometric_range), ("interval", self.interval)):
            if not low < high:
                raise ValueError(f"{name}: expected the lower end first, got [{low:g}, {high:g}]")
        if not self.geometric_range[0] > 0:
            raise ValueError(f"geometric_range: expected an end above 0, got {self.geometric_range[0]:g}")
        if not {"{month}", "{version}"} <= set(_PLACEHOLDER.findall(self.seed)):
            raise ValueError(f"seed: expected a text with {{month}} and {{version}}, got {self.seed!r}")
        return self


class Method(_Table):
    """One version of the method. Two months compare only under the same one."""

    version: str = Field(pattern=r"^[a-z][a-z0-9._-]{0,31}$")
    zone: str
    include_reposts: bool
    rates: RateRule = "all"
    counting: CountingRule
    platforms_from: dict[Platform, str]
    groups: dict[Group, GroupRule]
    indicators: dict[Indicator, IndicatorRule]
    goalposts: Goalposts
    calibration: CalibrationRule
    audit: AuditRule
    missing: MissingRule
    platform_weights: PlatformWeightRule
    composite: CompositeRule
    experts: ExpertRule
    ranks: RankRule
    uncertainty: UncertaintyRule

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"expected an IANA time zone like Asia/Shanghai, got {zone!r}") from None
        return zone

    @field_validator("platforms_from")
    @classmethod
    def _months_are_months(cls, months: dict[Platform, str]) -> dict[Platform, str]:
        return _month_keys(months)

    @model_validator(mode="after")
    def _tree_is_whole(self) -> Self:
        _adds_up_to_one("groups", (rule.weight for rule in self.groups.values()))
        for group in self.groups:
            weights = (rule.weight for rule in self.indicators.values() if rule.group == group)
            _adds_up_to_one(f"indicators of {group}", weights)
        for name, rule in self.indicators.items():
            if rule.group not in self.groups:
                raise ValueError(f"indicators.{name}.group: there is no group {rule.group!r}")
        for platform in PLATFORMS:
            applies = {name for name, rule in self.indicators.items() if platform in rule.applies}
            given = set(self.goalposts.of(platform))
            if applies != given:
                raise ValueError(f"goalposts.{platform}: expected exactly {sorted(applies)}, got {sorted(given)}")
            for name, (lo, _) in self.goalposts.of(platform).items():
                if self.indicators[name].transform == "ln1p" and lo < 0:
                    raise ValueError(f"goalposts.{platform}.{name}: ln1p needs lo >= 0, got {lo:g}")
        return self

    def platforms(self, month: Month) -> tuple[Platform, ...]:
        """The platforms that are measured in a month, in the project's order."""
        return tuple(p for p in PLATFORMS if p not in self.platforms_from or self.platforms_from[p] <= month.key)


def _month_keys(months: dict[Platform, str]) -> dict[Platform, str]:
    return {platform: Month.parse(month).key for platform, month in months.items()}


def _adds_up_to_one(name: str, weights: Iterable[float]) -> None:
    got = sum(weights)
    if not isclose(got, 1.0, abs_tol=1e-9):
        raise ValueError(f"{name}: expected weights that add up to 1, got {got:.9g}")


def bundled_versions() -> list[str]:
    """The names of the method versions that come with the package, sorted."""
    return sorted(
        file.name.removesuffix(".toml")
        for file in METHODS.iterdir()
        if file.name.endswith(".toml") and file.name != _NO_VERSION
    )


def load_method(name_or_path: str | Path) -> Method:
    """The method of a bundled name (`m1`) or of a TOML file.

    Raises:
        MethodError: no such name or file, not TOML, an unknown or missing key, or weights that do not add up to 1.
    """
    name = str(name_or_path)
    return parse_method(method_text(name_or_path), name=name if name.endswith(".toml") else f"{name}.toml")


def method_text(name_or_path: str | Path) -> str:
    """The text of a bundled method version, or of a file.

    Raises:
        MethodError: there is no such version, or the file cannot be read.
    """
    name = str(name_or_path)
    if not name.endswith(".toml") and "/" not in name:
        known = bundled_versions()
        if name not in known:
            raise MethodError(
                f"there is no method {name!r}; expected one of {', '.join(known)}, or the path of a .toml file"
            )
        return (METHODS / f"{name}.toml").read_text(encoding="utf-8")
    try:
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise MethodError(f"{name}: the method file cannot be read: {reason}") from None


def parse_method(text: str, *, name: str) -> Method:
    """A method from the text of its file.

    Args:
        text: TOML.
        name: what to call the file in an error.

    Raises:
        MethodError: not TOML, an unknown or missing key, a value out of range, or weights that do not add up to 1.
    """
    return parse_toml(Method, text, name=name)


def parse_toml(model: type[Parsed], text: str, *, name: str) -> Parsed:
    """A TOML file as `model`.

    Raises:
        MethodError: it is none. One line with the first mistake; `mistakes` has all of them.
    """
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MethodError(f"{name}: not a TOML file: {error}", [f"not a TOML file: {error}"]) from None
    except ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_url=False)
        ]
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        raise MethodError(f"{name}: {mistakes[0]}{more}", mistakes) from None
