"""Why one city has its rank, as plain values: what the terminal and the page of a city are made from.

Scores are unrounded. `shown` is what is printed of a part: printed parts add up to the printed whole, which figures
rounded one by one do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from smi_pipeline.months import Month
from smi_pipeline.registry.models import Platform
from smi_pipeline.report.content import AccountGap, Change, City, Experts, Post, Weight
from smi_pipeline.report.inputs import Status

PlatformState = Literal["counted", "left_out", "not_observed", "not_collected", "no_account"]
IndicatorState = Literal["observed", "carried", "silent", "suspended", "not_observed"]
Effect = Literal["performance", "weight", "expert"]
Incomparable = Literal["unranked", "new", "status_changed", "changed_set", "no_month_before"]


@dataclass(frozen=True)
class Amount:
    """Points, and the two decimals that are printed of them."""

    value: float
    shown: float


@dataclass(frozen=True)
class Standing:
    """The city's row of the composite. `ranked` cities take part; a null rank is not ranked, and `flags` say why."""

    rank: int | None
    tied: bool
    ranked: int
    score: float | None
    quantitative: float | None
    qualitative: float | None
    observed_weight: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """Where the rank lies in draws with other choices. `others` share the tier, those with the nearest ranks first."""

    median: float
    low: float
    high: float
    top_probability: float
    tier: int
    others: tuple[City, ...]
    draws: int


@dataclass(frozen=True)
class IndicatorPart:
    """An indicator on a platform. `contribution` is null where it puts nothing into the composite by rule."""

    indicator: str
    state: IndicatorState
    value: float | None
    points: float | None
    contribution: Amount | None


@dataclass(frozen=True)
class PlatformPart:
    """A platform's part of the score; its indicators with the largest part first.

    `weight` is the platform's of the month (null where there is none), `effective` what it is for this city, to which
    the weights of its unobserved platforms go.
    """

    platform: Platform
    state: PlatformState
    score: float | None
    rank: int | None
    ranked: int
    weight: Weight | None
    effective: float | None
    contribution: Amount | None
    indicators: tuple[IndicatorPart, ...]
    flags: tuple[str, ...]

    @property
    def eligible(self) -> bool:
        """Whether the platform counts in the composite this month."""
        return self.weight is not None and self.weight.eligible


@dataclass(frozen=True)
class ExpertPart:
    """The experts' part: of the city, and of the whole round. `contribution` is null while it does not count."""

    raters: int
    mean: float | None
    sd: float | None
    qualitative: float | None
    carried: int | None
    contribution: Amount | None
    flags: tuple[str, ...]
    round: Experts | None


@dataclass(frozen=True)
class ChangePart:
    """What one part did to the score; the indicator is null for a platform's weight and for the experts."""

    platform: str
    indicator: str | None
    change: Amount


@dataclass(frozen=True)
class EffectPart:
    """What performance, weights or experts did to the score; the largest parts first. They add up to it."""

    effect: Effect
    change: Amount
    parts: tuple[ChangePart, ...]


@dataclass(frozen=True)
class ScoreChange:
    """From last month's score, under this month's method and on the indicators of both, to this one's."""

    before: Amount
    now: Amount
    change: Amount
    effects: tuple[EffectPart, ...]


@dataclass(frozen=True)
class Movement:
    """The rank against the month before. `apart`: within the common cities it moved otherwise than the ranks printed.

    `reweighted` is the rank under last month's platform weights, null where there were none.
    """

    change: Change
    previous_rank: int | None
    apart: bool
    reweighted: int | None
    score: ScoreChange | None
    incomparable: Incomparable | None


@dataclass(frozen=True)
class AccountPart:
    """An account's share of what its platform contributes."""

    account_id: str
    handle: str
    contribution: Amount


@dataclass(frozen=True)
class PlatformAccounts:
    """A platform on which the points come from several accounts; the largest first."""

    platform: Platform
    contribution: Amount
    accounts: tuple[AccountPart, ...]


@dataclass(frozen=True)
class BestPost:
    """A post and the points of the composite that it stands for."""

    platform: Platform
    post: Post
    is_video: bool
    by_views: bool
    """Whether part of its points come from views."""
    points: float


@dataclass(frozen=True)
class IndicatorGaps:
    """Indicators of a platform that are suspended, not observed, or carried from the month before."""

    platform: Platform
    state: IndicatorState
    indicators: tuple[str, ...]


@dataclass(frozen=True)
class Gaps:
    """What is not known of the city."""

    no_account: tuple[Platform, ...]
    not_collected: tuple[Platform, ...]
    accounts: tuple[AccountGap, ...]
    """Accounts that did not answer, or not under the handle they were asked by."""
    indicators: tuple[IndicatorGaps, ...]
    flags: tuple[tuple[str, str], ...]
    """(composite or platform, flag) of what the above does not say."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Everything that explains one city's month."""

    month: Month
    zone: str
    status: Status
    synthetic: bool
    withheld: bool
    quantitative_only: bool
    method: Mapping[str, Any]
    counted_to: date | None
    """The day the newest of its figures were taken; null where none were."""
    city: City
    cities: tuple[City, ...]
    """All that are monitored in the month."""
    standing: Standing
    score: Amount | None
    interval: Interval | None
    platforms: tuple[PlatformPart, ...]
    experts: ExpertPart
    movement: Movement
    accounts: tuple[PlatformAccounts, ...]
    posts: tuple[BestPost, ...]
    gaps: Gaps

    @property
    def method_version(self) -> str:
        """Name of the method version."""
        return str(self.method["version"])
