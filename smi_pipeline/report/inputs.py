"""What an edition is made from: the frames of one month, checked at the door.

The report never opens the lake. Whoever calls it reads the tables of one snapshot and hands them over here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from smi_pipeline.index.method import Method
from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import EditionRule
from smi_pipeline.report.editorial import Editorial
from smi_pipeline.report.formats import Language

Status = Literal["provisional", "final"]

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "cities": ("city_id", "name_zh", "name_en", "province"),
    "cities_before": ("city_id",),
    "accounts": ("city_id", "platform", "handle", "account_id"),
    "rankings": (
        "month", "index_name", "city_id", "name_zh", "name_en", "province", "rank", "previous_rank", "rank_change",
        "score", "status", "flags",
    ),
    "movers": ("month", "index_name", "city_id", "rank", "previous_rank", "rank_change", "direction"),
    "top_posts": (
        "month", "platform", "account_id", "post_id", "published_at", "kind", "text", "permalink", "likes", "comments",
        "shares", "views", "interactions", "position", "city_position",
    ),
    "hashtags": ("month", "platform", "hashtag", "posts", "interactions", "reach"),
    "coverage": (
        "month", "platform", "cities_monitored", "cities_with_account", "coverage", "accounts_asked",
        "accounts_answered", "posts", "collection_id", "cut",
    ),
    "outcomes": ("month", "platform", "account_id", "handle", "outcome", "detail"),
    "city_metrics": (
        "month", "platform", "city_id", "accounts", "posts", "reposts", "videos", "interactions", "engagement_rate",
        "views", "view_rate", "followers", "follower_growth", "flags",
    ),
    "indicator_score": ("month", "platform", "city_id", "indicator", "value", "score", "flags"),
    "composite": ("month", "city_id", "quantitative", "qualitative", "score", "rank_p05", "rank_p95"),
    "contribution": ("month", "city_id", "platform", "indicator", "contribution"),
    "platform_weight": ("month", "platform", "weight", "eligible", "coverage", "parts", "flags"),
    "experts": (
        "month", "vintage", "file_sha256", "raters", "cities", "rated_cities", "cities_with_enough", "alpha",
        "icc_single", "icc_average", "released", "flags",
    ),
    "collections": (
        "collection_id", "platform", "month", "cut", "started_at", "finished_at", "requests", "accounts_asked",
        "accounts_answered", "accounts_failed",
    ),
    "composite_year": ("month", "city_id", "rank", "rank_p05", "rank_p95", "status", "method_version"),
    "platform_year": ("month", "platform", "city_id", "rank"),
}  # fmt: skip
YEAR: Final = 12
"""Months a year's ranks are shown over, the edition's own among them."""
_OF_THE_YEAR: Final = frozenset({"composite_year", "platform_year"})


@dataclass(frozen=True, kw_only=True)
class Against:
    """The edition of the same month before this one: what this one is compared with.

    Attributes:
        number: which edition of the month this one is; it follows `number - 1`.
        draft: not published yet.
        reason: why the month is published again; null for a draft, and for a final edition after a provisional one.
        causes: what this edition is made from otherwise, by kind (`Basis.differences`).
        rankings: marts.rankings of the edition before.
        withheld: the edition before has no ranks.
    """

    number: int
    draft: bool
    reason: str | None
    causes: Mapping[str, Sequence[str]]
    rankings: pl.DataFrame
    withheld: bool


@dataclass(frozen=True, kw_only=True)
class ReportInput:
    """One month's tables and what is known about them. Rows may come in any order: the report sorts.

    A frame without rows is allowed everywhere: what is not there is said to be missing, never shown as zero. Columns
    beyond `REQUIRED` are ignored, except in `rankings`, which goes to rankings.csv as it is.

    Raises:
        ValueError: a frame lacks a column, or has rows of a month it should not have.
    """

    month: Month
    """The month reported on."""
    zone: ZoneInfo
    """Where the month begins and ends; dates are shown in it."""
    status: Status
    """The edition's status, as `Edition.status` says it."""
    method: Method
    """The method the index was computed by."""

    cities: pl.DataFrame
    """The cities valid in the month (index.city)."""
    accounts: pl.DataFrame
    """The registry's accounts valid in the month (index.account): city and handle of posts and gaps."""
    rankings: pl.DataFrame
    """marts.rankings: one row per index_name ('composite' or a platform) and city."""
    movers: pl.DataFrame
    """marts.movers."""
    top_posts: pl.DataFrame
    """marts.top_posts."""
    hashtags: pl.DataFrame
    """marts.hashtags."""
    coverage: pl.DataFrame
    """marts.coverage: a platform without a row, or with a null collection_id, is reported as not collected."""
    outcomes: pl.DataFrame
    """staging.stg_account_outcomes of the month: one row per account asked."""
    city_metrics: pl.DataFrame
    """metrics.city_platform_month of the month: the figures behind the scores."""
    indicator_score: pl.DataFrame
    """index.indicator_score."""
    composite: pl.DataFrame
    """index.composite."""
    contribution: pl.DataFrame
    """index.contribution; the expert part has platform 'expert'."""
    platform_weight: pl.DataFrame
    """index.platform_weight; `parts` is its JSON text."""
    cities_before: pl.DataFrame
    """city_id of the cities valid in the month before, by the registry; none before its first month."""
    experts: pl.DataFrame
    """index.expert_agreement: one row; none of a month that was scored before there was such a table."""
    collections: pl.DataFrame
    """raw.collection: the rows whose answers this edition rests on (of the month itself, not of the one before)."""

    composite_year: pl.DataFrame
    """index.composite of the month and of up to eleven before it, as far as computed; never of one after it."""
    platform_year: pl.DataFrame
    """index.platform_index of the same months."""

    code_version: str
    """Version of this software, as it should be printed."""
    snapshot: int
    """The lake's snapshot that holds every input of this edition."""
    synthetic: bool
    """Whether the posts are made up: then every page says so, first of all."""
    method_before: str | None = None
    """Version of the method the month before is bound to; null where nothing is to be said of it."""
    edition: EditionRule | None = None
    """Whether the edition shows ranks; null where no rule names the month: it does."""
    editorial: Mapping[Language, Editorial] = field(default_factory=dict)
    """What editors wrote, by language."""
    withheld_months: frozenset[Month] = frozenset()
    """Months of that year published without ranks: theirs are shown in no later edition's year either."""
    against: Against | None = None
    """The edition of this month before this one; null for the first."""
    title_zh: str | None = None
    """Title of the Chinese page where the ranked entities are not Chinese cities; null takes the index's own."""
    title_en: str | None = None
    """Title of the English page, likewise."""

    def __post_init__(self) -> None:
        for name in (one.name for one in fields(self) if one.name in REQUIRED):
            frame: pl.DataFrame = getattr(self, name)
            missing = [column for column in REQUIRED[name] if column not in frame.columns]
            if missing:
                raise ValueError(f"report, {name}: expected the columns {missing}, got {frame.columns}")
            if name in _OF_THE_YEAR:
                self._holds_only_its_year(name, frame)
            elif "month" in REQUIRED[name]:
                self._holds_only_this_month(name, frame)

    @property
    def year_from(self) -> Month:
        """The first month of the year that ends with this one."""
        return self.month.plus(1 - YEAR)

    def _holds_only_its_year(self, name: str, frame: pl.DataFrame) -> None:
        others = sorted(
            {str(month) for month in frame["month"] if not self.year_from.first <= month <= self.month.first}
        )
        if others:
            span = f"{self.year_from.first} to {self.month.first}"
            raise ValueError(f"report, {name}: expected rows of {span}, got also {', '.join(others)}")

    def _holds_only_this_month(self, name: str, frame: pl.DataFrame) -> None:
        others = sorted(str(month) for month in frame["month"].unique().to_list() if month != self.month.first)
        if others:
            raise ValueError(f"report, {name}: expected rows of {self.month.first} only, got also {', '.join(others)}")
