"""A score walked down to what the platforms sent: every level with the rows it is made of, and whether they add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from math import fsum, isclose
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from smi_pipeline.index.method import Method
from smi_pipeline.metrics.account_month import last_of_collection, nearest
from smi_pipeline.metrics.rates import COMPLETE, REACTIONS, VIDEO_PLATFORMS, under
from smi_pipeline.months import Month
from smi_pipeline.report.content import City
from smi_pipeline.report.rankings import EXPERT

_TOLERANCE: Final = 1e-9
_SUMMED: Final = ("posts", "reposts", "videos", *REACTIONS, "interactions", "views", "followers", "follower_growth")
_RATES: Final = ("engagement_rate", "view_rate")
_COUNTED: Final = ("posts", "reposts", "videos", *REACTIONS, "interactions", "views")

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TraceInput:
    """The rows of one city's month, as the tables have them; of the accounts in the index alone.

    Attributes:
        month: the month.
        zone: where it begins and ends.
        city: the city.
        method: what the month was scored with.
        reported: platform, is_repost, likes, comments, shares, views: what the platform reports of any post of the
            month, reposts apart.
        composite: index.composite; likewise contribution, platform_index, indicator_score and accounts.
        city_metrics: metrics.city_platform_month of the month and of the one before, whose figures may be carried.
        account_metrics: metrics.account_month.
        outcomes: staging.stg_account_outcomes.
        posts: staging.stg_posts.
        observations: staging.stg_accounts, of the month and near its borders.
        raw_posts: platform, account_id, collection_id, observed_at, id, payload_sha256, payload of each record.
        raw_accounts: the same; `id` is null.
        collections: collection_id, platform, cut, source, started_at, finished_at, reparsed_from, requests (a list of
            `endpoint xN`, null where nothing was asked).
    """

    month: Month
    zone: ZoneInfo
    city: City
    method: Method
    reported: pl.DataFrame
    composite: pl.DataFrame
    contribution: pl.DataFrame
    platform_index: pl.DataFrame
    indicator_score: pl.DataFrame
    accounts: pl.DataFrame
    city_metrics: pl.DataFrame
    account_metrics: pl.DataFrame
    outcomes: pl.DataFrame
    posts: pl.DataFrame
    observations: pl.DataFrame
    raw_posts: pl.DataFrame
    raw_accounts: pl.DataFrame
    collections: pl.DataFrame


@dataclass(frozen=True)
class Record:
    """One record as a platform sent it: in which collection, when, the checksum of its JSON, and the JSON."""

    collection_id: str
    observed_at: datetime
    payload_sha256: str
    payload: str


@dataclass(frozen=True)
class PostTrace:
    """A post and the record it was read from; null where the lake has none, which is a failed check."""

    post_id: str
    published_at: datetime | None
    kind: str | None
    counted: bool
    counts: Mapping[str, int | None]
    record: Record | None


@dataclass(frozen=True)
class FollowersTrace:
    """A follower count and the record it was read from. `at` is start, end (of the month) or collection."""

    at: str
    followers: int
    record: Record | None


@dataclass(frozen=True)
class AccountTrace:
    """An account's month: its counts, and the posts and observations they are made of."""

    account_id: str
    handle: str
    outcome: str | None
    collection_id: str | None
    counts: Mapping[str, float | None]
    followers: tuple[FollowersTrace, ...]
    posts: tuple[PostTrace, ...]


@dataclass(frozen=True)
class IndicatorTrace:
    """An indicator: contribution = weight * score. `of_month` is the month before where the value was carried."""

    indicator: str
    of_month: str
    value: float | None
    score: float | None
    share: float | None
    weight: float | None
    contribution: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class PlatformTrace:
    """A platform's part: contribution = weight * score; both are null where it is outside the composite."""

    platform: str
    score: float | None
    rank: int | None
    weight: float | None
    contribution: float | None
    indicators: tuple[IndicatorTrace, ...]
    accounts: tuple[AccountTrace, ...]


@dataclass(frozen=True)
class CollectionTrace:
    """The request behind records: endpoints and how often each was asked, or the files of a vendor."""

    collection_id: str
    cut: str
    source: str
    started_at: datetime
    finished_at: datetime | None
    reparsed_from: str | None
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Failed:
    """A sum that does not agree with its parts."""

    what: str
    stored: float | None
    found: float | None

    def __str__(self) -> str:
        return f"{self.what}: stored {self.stored}, its parts give {self.found}"


@dataclass(frozen=True)
class Trace:
    """A city's month from the composite down. `checked` sums were compared; `failed` are those that do not agree."""

    month: str
    city: City
    status: str | None
    rank: int | None
    score: float | None
    quantitative: float | None
    expert: float | None
    platforms: tuple[PlatformTrace, ...]
    collections: tuple[CollectionTrace, ...]
    checked: int
    failed: tuple[Failed, ...]


def trace(given: TraceInput, platform: str | None = None) -> Trace:
    """Walk the score down, on one platform or on all; every sum is compared with its parts on the way."""
    return _Tracer(given).trace(platform)


@dataclass
class _Tracer:
    given: TraceInput
    checked: int = 0
    failed: list[Failed] = field(default_factory=list)

    def trace(self, only: str | None) -> Trace:
        given = self.given
        composite = next(given.composite.iter_rows(named=True), {})
        parts = {one: self._part(one) for one in sorted(set(given.contribution["platform"]))}
        if composite.get("score") is not None:
            self._check("composite score", composite["score"], _total(parts.values()))
        platforms = [one for one in given.platform_index.sort("platform")["platform"] if only in {None, one}]
        traced = tuple(self._platform(one) for one in platforms)
        return Trace(
            month=given.month.key,
            city=given.city,
            status=composite.get("status"),
            rank=composite.get("rank"),
            score=composite.get("score"),
            quantitative=composite.get("quantitative"),
            expert=parts.get(EXPERT),
            platforms=traced,
            collections=self._collections(traced),
            checked=self.checked,
            failed=tuple(self.failed),
        )

    def _part(self, platform: str) -> float | None:
        return _total(self.given.contribution.filter(platform=platform)["contribution"])

    def _platform(self, platform: str) -> PlatformTrace:
        given = self.given
        [row] = given.platform_index.filter(platform=platform).to_dicts()
        shares = given.contribution.filter(platform=platform)
        weights = dict(shares.select("indicator", "weight").iter_rows())
        points = dict(shares.select("indicator", "contribution").iter_rows())
        indicators = tuple(
            self._indicator(platform, one, weights, points)
            for one in given.indicator_score.filter(platform=platform).iter_rows(named=True)
        )
        counted = [one for one in indicators if one.share is not None and one.score is not None]
        if row["score"] is not None:
            found = _total(one.share * one.score for one in counted if one.share is not None and one.score is not None)
            self._check(f"{platform} score", row["score"], found)
        weight, contribution = _total(weights.values()), _total(points.values())
        if weight is not None and row["score"] is not None:
            self._check(f"{platform} contribution", contribution, weight * row["score"])
        accounts = tuple(self._account(one) for one in given.accounts.filter(platform=platform).iter_rows(named=True))
        self._city(platform)
        return PlatformTrace(platform, row["score"], row["rank"], weight, contribution, indicators, accounts)

    def _indicator(
        self, platform: str, row: Row, weights: Mapping[str, float], points: Mapping[str, float]
    ) -> IndicatorTrace:
        name, flags = row["indicator"], tuple(row["flags"] or ())
        month = self.given.month.previous if "carried" in flags else self.given.month
        cities = under(self.given.method.rates, self.given.city_metrics)
        metrics = cities.filter(platform=platform, month=month.first).to_dicts()
        self._check(f"{platform} {name}", row["value"], metrics[0][name] if metrics else None)
        weight, contribution = weights.get(name), points.get(name)
        if weight is not None and row["score"] is not None:
            self._check(f"{platform} {name} contribution", contribution, weight * row["score"])
        return IndicatorTrace(name, month.key, row["value"], row["score"], row["weight"], weight, contribution, flags)

    def _city(self, platform: str) -> None:
        """The city's counts are the sums of its accounts', its rates the ratios of the sums."""
        for city in self.given.city_metrics.filter(platform=platform, month=self.given.month.first).to_dicts():
            of_accounts = self.given.account_metrics.filter(platform=platform)
            for name in (*_SUMMED, *(COMPLETE if _has_complete(city) else ())):
                self._check(f"{platform} {name} of the city", city[name], _total(of_accounts[name]))
            self._rates(f"{platform} of the city", platform, city)

    def _rates(self, what: str, platform: str, row: Row) -> None:
        divided = "videos" if platform in VIDEO_PLATFORMS else "posts"
        self._check(f"{what}: engagement_rate", row["engagement_rate"], _ratio(row["interactions"], row[divided]))
        self._check(f"{what}: view_rate", row["view_rate"], _ratio(row["views"], row["videos"]))
        if _has_complete(row):
            of_complete = _ratio(row["complete_interactions"], row[f"complete_{divided}"])
            self._check(f"{what}: engagement_rate_reported", row["engagement_rate_reported"], of_complete)
            of_viewed = _ratio(row["views"], row["viewed_videos"])
            self._check(f"{what}: view_rate_reported", row["view_rate_reported"], of_viewed)

    def _account(self, registered: Row) -> AccountTrace:
        key = {"platform": registered["platform"], "account_id": registered["account_id"]}
        what = f"{registered['platform']} account {registered['account_id']}"
        posts = tuple(
            self._post(one) for one in self.given.posts.filter(**key).sort("published_at", "post_id").to_dicts()
        )
        outcome = next(self.given.outcomes.filter(**key).iter_rows(named=True), {})
        rows = self.given.account_metrics.filter(**key)
        row = next(rows.iter_rows(named=True), None)
        followers: tuple[FollowersTrace, ...] = ()
        if row is not None:
            followers = self._followers(key, row, what)
            self._posted(what, registered["platform"], row, posts)
            self._rates(what, registered["platform"], row)
        return AccountTrace(
            registered["account_id"],
            registered["handle"],
            outcome.get("outcome"),
            outcome.get("collection_id"),
            under(self.given.method.rates, rows).select(*_SUMMED, *_RATES).row(0, named=True) if rows.height else {},
            followers,
            posts,
        )

    def _posted(self, what: str, platform: str, row: Row, posts: Iterable[PostTrace]) -> None:
        """An account's counts are those of its posts; of one that did not answer there are none."""
        counted = [post for post in posts if post.counted]
        answered = row["posts"] is not None
        found: dict[str, float | None] = dict.fromkeys(_COUNTED)
        if answered:
            found |= {
                "posts": len(counted),
                "reposts": sum(post.counts["repost"] or 0 for post in posts),
                "videos": sum(post.counts["video"] or 0 for post in counted),
            }
            found |= {name: _total(post.counts[name] for post in counted) for name in REACTIONS}
            found["interactions"] = _total(found[name] for name in REACTIONS)
            found["views"] = _total(post.counts["views"] for post in counted if post.counts["video"])
        for name in _COUNTED:
            self._check(f"{what}: {name}", row[name], found[name])
        if answered and _has_complete(row):
            for name, amount in self._complete(platform, counted).items():
                self._check(f"{what}: {name}", row[name], amount)

    def _complete(self, platform: str, counted: Iterable[PostTrace]) -> dict[str, float | None]:
        """The same of the posts alone that have every count their platform reports."""
        wanted = {bool(one["is_repost"]): one for one in self.given.reported.filter(platform=platform).to_dicts()}

        def has(post: PostTrace, *names: str) -> bool:
            told = wanted[bool(post.counts["repost"])]
            return all(post.counts[name] is not None for name in names if told[name])

        listed = list(counted)
        complete = [post for post in listed if has(post, *REACTIONS)]
        return {
            "complete_posts": len(complete),
            "complete_videos": sum(post.counts["video"] or 0 for post in complete),
            "complete_interactions": _total(post.counts[name] for post in complete for name in REACTIONS),
            "viewed_videos": sum(1 for post in listed if post.counts["video"] and has(post, "views")),
        }

    def _post(self, row: Row) -> PostTrace:
        records = self.given.raw_posts.filter(
            platform=row["platform"],
            account_id=row["account_id"],
            collection_id=row["collection_id"],
            observed_at=row["observed_at"],
            id=row["post_id"],
        ).to_dicts()
        self._check(f"records of {row['platform']} post {row['post_id']}", 1, len(records))
        counts = {name: row[name] for name in (*REACTIONS, "views")}
        return PostTrace(
            row["post_id"],
            row["published_at"],
            row["kind"],
            self.given.method.include_reposts or not row["is_repost"],
            counts | {"video": int(row["is_video"]), "repost": int(row["is_repost"])},
            _record(records),
        )

    def _followers(self, key: Mapping[str, str], row: Row, what: str) -> tuple[FollowersTrace, ...]:
        given, month = self.given, self.given.month
        seen = given.observations.filter(**key).drop_nulls("followers")
        found = {
            "start": nearest(seen, month.start(given.zone)),
            "end": nearest(seen, month.end(given.zone)),
            "collection": last_of_collection(seen).filter(collection_id=row["collection_id"]),
        }
        read = {at: one for at, frame in found.items() for one in frame.iter_rows(named=True)}
        if "end" in read:
            read.pop("collection", None)
        end = read.get("end", read.get("collection"))
        growth = read["end"]["followers"] - read["start"]["followers"] if {"start", "end"} <= read.keys() else None
        self._check(f"{what}: followers", row["followers"], None if end is None else end["followers"])
        self._check(f"{what}: follower_growth", row["follower_growth"], growth)
        return tuple(FollowersTrace(at, one["followers"], self._observed(one, what)) for at, one in read.items())

    def _observed(self, row: Row, what: str) -> Record | None:
        key = {name: row[name] for name in ("platform", "account_id", "collection_id", "observed_at")}
        records = self.given.raw_accounts.filter(**key).to_dicts()
        self._check(f"{what}: records of {row['observed_at']}", 1, len(records))
        return _record(records)

    def _collections(self, traced: Iterable[PlatformTrace]) -> tuple[CollectionTrace, ...]:
        accounts = [account for platform in traced for account in platform.accounts]
        used = {account.collection_id for account in accounts}
        used |= {
            one.record.collection_id for account in accounts for one in account.followers if one.record is not None
        }
        return tuple(
            CollectionTrace(
                collection_id=row["collection_id"],
                cut=row["cut"],
                source=row["source"],
                started_at=row["started_at"],
                finished_at=row["finished_at"],
                reparsed_from=row["reparsed_from"],
                requests=tuple(row["requests"] or ()),
            )
            for row in self.given.collections.iter_rows(named=True)
            if row["collection_id"] in used
        )

    def _check(self, what: str, stored: float | None, found: float | None) -> None:
        self.checked += 1
        if stored is None or found is None:
            agree = stored is found
        else:
            agree = isclose(stored, found, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        if not agree:
            self.failed.append(Failed(what, stored, found))


def _record(rows: list[dict[str, Any]]) -> Record | None:
    if not rows:
        return None
    return Record(*(rows[0][name] for name in ("collection_id", "observed_at", "payload_sha256", "payload")))


def _total(values: Iterable[float | None]) -> float | None:
    """The sum of what was reported; null where nothing was."""
    known = [value for value in values if value is not None]
    return fsum(known) if known else None


def _has_complete(row: Row) -> bool:
    """Whether a row of metrics has sums of complete posts: not before 0.1.2, nor where the account did not answer."""
    return row.get("complete_posts") is not None


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None
