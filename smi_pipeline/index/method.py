"""The method file: every parameter of the index, read once, checked, and never defaulted in code."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from fractions import Fraction
from importlib import resources
from math import isclose
from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Platform

Indicator = Literal[
    "posts", "videos", "interactions", "engagement_rate", "followers", "follower_growth", "views", "view_rate"
]
Group = Literal["generate", "interactive", "utilize"]
Factor = Literal["users", "activity", "relevance"]
TransformName = Literal["ln1p", "asinh100"]
INDICATORS: tuple[Indicator, ...] = get_args(Indicator)
FACTORS: tuple[Factor, ...] = get_args(Factor)


class MethodError(ValueError):
    """A method file that cannot be used: names the file and the key."""


def _fraction(value: object) -> object:
    """`"2/3"` to a float: a third cannot be written as a decimal."""
    if isinstance(value, str):
        try:
            return float(Fraction(value))
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"expected a number or a fraction like 2/3, got {value!r}") from None
    return value


Share = Annotated[float, BeforeValidator(_fraction), Field(ge=0, le=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Reasoned(_Table):
    source: str = Field(min_length=1, description="Where the numbers come from, or that they are judgement.")
    reason: str = Field(min_length=1, description="Why they are what they are, in a reader's words.")


class GroupRule(_Reasoned):
    """One group of the indicator tree."""

    weight: Share


class IndicatorRule(_Reasoned):
    """One indicator: its group, its weight there, its transform, and the platforms it applies to."""

    group: Group
    weight: Share
    transform: TransformName
    applies: tuple[Platform, ...] = Field(min_length=1)
    unit: str


class Goalposts(_Reasoned):
    """[lo, hi] for each indicator that applies to a platform, in the indicator's own unit."""

    unit: str
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

    @model_validator(mode="after")
    def _lo_lies_below_hi(self) -> Self:
        for platform in PLATFORMS:
            for indicator, (lo, hi) in self.of(platform).items():
                if not lo < hi:
                    raise ValueError(f"{platform}.{indicator}: expected lo < hi, got [{lo:g}, {hi:g}]")
        return self


class MissingRule(_Reasoned):
    """How much may be unobserved before an indicator, a platform score or a rank is withheld."""

    suspended_above: Share
    partial_from: Share
    ranked_from: Share


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
    release_share: Share
    alpha_release: float = Field(ge=-1, le=1)
    alpha_good: float = Field(ge=-1, le=1)
    sd_rerate: float = Field(gt=0, description="Points of the scale.")
    carry_months: int = Field(ge=0)
    criteria: dict[str, Annotated[float, Field(gt=0)]]

    @field_validator("scale")
    @classmethod
    def _scale_rises(cls, scale: tuple[float, float]) -> tuple[float, float]:
        if not scale[0] < scale[1]:
            raise ValueError(f"expected the lower end first, got {list(scale)}")
        return scale

    @model_validator(mode="after")
    def _good_agreement_is_enough_agreement(self) -> Self:
        if not self.alpha_release <= self.alpha_good:
            raise ValueError(
                f"alpha_release: expected at most alpha_good {self.alpha_good:g}, got {self.alpha_release:g}"
            )
        return self


class RankRule(_Reasoned):
    """Scores are rounded to `decimals` before they are ranked."""

    decimals: int = Field(ge=0, le=12)


class Method(_Table):
    """One version of the method. Two months compare only under the same one."""

    version: str = Field(pattern=r"^[a-z][a-z0-9._-]{0,31}$")
    zone: str
    include_reposts: bool
    platforms_from: dict[Platform, str]
    groups: dict[Group, GroupRule]
    indicators: dict[Indicator, IndicatorRule]
    goalposts: Goalposts
    missing: MissingRule
    platform_weights: PlatformWeightRule
    composite: CompositeRule
    experts: ExpertRule
    ranks: RankRule

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
        return {platform: Month.parse(month).key for platform, month in months.items()}

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


def _adds_up_to_one(name: str, weights: Iterable[float]) -> None:
    got = sum(weights)
    if not isclose(got, 1.0, abs_tol=1e-9):
        raise ValueError(f"{name}: expected weights that add up to 1, got {got:.9g}")


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
    bundled = resources.files("smi_pipeline.index") / "methods"
    if not name.endswith(".toml") and "/" not in name:
        file = bundled / f"{name}.toml"
        if not file.is_file():
            known = ", ".join(sorted(f.name.removesuffix(".toml") for f in bundled.iterdir()))
            raise MethodError(f"there is no method {name!r}; expected one of {known}, or the path of a .toml file")
        return file.read_text(encoding="utf-8")
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
    try:
        return Method.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MethodError(f"{name}: not a TOML file: {error}") from None
    except ValidationError as error:
        first, *rest = error.errors(include_url=False)
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        more = f" (and {len(rest)} more)" if rest else ""
        raise MethodError(f"{name}: {key}: {first['msg'].removeprefix('Value error, ')}{more}") from None
