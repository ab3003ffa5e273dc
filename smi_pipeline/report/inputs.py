"""What an edition is made from: the frames of one month, checked at the door.

The report never opens the lake. Whoever calls it reads the tables of one snapshot and hands them over here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final, Literal
from zoneinfo import ZoneInfo

import polars as pl

from smi_pipeline.index.method import Method
from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import EditionRule

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
    "indicator_score": ("month", "platform", "city_id", "indicator", "flags"),
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
}  # fmt: skip


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
        ValueError: a frame lacks a column, or has rows of another month.
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
    """index.indicator_score: read for its flags only (which indicators were suspended, and where)."""
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

    code_version: str
    """Version of this software, as it should be printed."""
    snapshot: int
    """The lake's snapshot that holds every input of this edition."""
    synthetic: bool
    """Whether the posts are made up: then every page says so, first of all."""
    edition: EditionRule | None = None
    """Whether the edition shows ranks; null where no rule names the month: it does."""
    against: Against | None = None
    """The edition of this month before this one; null for the first."""
    title_zh: str | None = None
    """Title of the Chinese page where the ranked entities are not Chinese cities; null takes the index's own."""
    title_en: str | None = None
    """Title of the English page, likewise."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name not in REQUIRED:
                continue
            frame: pl.DataFrame = getattr(self, field.name)
            missing = [column for column in REQUIRED[field.name] if column not in frame.columns]
            if missing:
                raise ValueError(f"report, {field.name}: expected the columns {missing}, got {frame.columns}")
            self._holds_only_this_month(field.name, frame)

    def _holds_only_this_month(self, name: str, frame: pl.DataFrame) -> None:
        if "month" not in REQUIRED[name]:
            return
        others = sorted(str(month) for month in frame["month"].unique().to_list() if month != self.month.first)
        if others:
            raise ValueError(f"report, {name}: expected rows of {self.month.first} only, got also {', '.join(others)}")
