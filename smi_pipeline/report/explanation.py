"""From the frames of a month to why one city has its rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import fsum
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from smi_pipeline.index.contributions import EXPERT
from smi_pipeline.index.method import Method
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.report.content import AccountGap, City, Experts
from smi_pipeline.report.explained import (
    AccountPart,
    Amount,
    BestPost,
    ChangePart,
    Effect,
    EffectPart,
    ExpertPart,
    Explanation,
    Gaps,
    Incomparable,
    IndicatorGaps,
    IndicatorPart,
    IndicatorState,
    Interval,
    Movement,
    PlatformAccounts,
    PlatformPart,
    PlatformState,
    ScoreChange,
    Standing,
)
from smi_pipeline.report.formats import apportioned, rounded
from smi_pipeline.report.platforms import DETAIL_LENGTH, NAME_LENGTH, post_of
from smi_pipeline.report.rankings import COMPOSITE, change, city_of
from smi_pipeline.report.untrusted import clean
from smi_pipeline.report.weights import weights

POSTS: Final = 5
NEAR: Final = 3
EFFECTS: Final[tuple[Effect, ...]] = ("performance", "weight", "expert")
_OF_REACTIONS: Final = ("interactions", "engagement_rate")
_OF_VIEWS: Final = ("views", "view_rate")
# Said in sentences of their own: by account, by indicator, or with the change of rank.
_TOLD: Final = frozenset(
    {
        "no_account", "suspended", "carried", "missing", "private", "renamed", "unavailable", "permission", "failed",
        "deferred", "new", "common_set", "changed_set", "status_changed",
    }
)  # fmt: skip
_AS_ASKED: Final = "answered"
Row = Mapping[str, Any]


class UnknownCityError(LookupError):
    """No city of the month, or more than one, is meant by what was typed."""


@dataclass(frozen=True, kw_only=True)
class ExplanationInput:
    """One month's tables; of those by city at least the city's rows. Rows may come in any order."""

    month: Month
    zone: ZoneInfo
    method: Method
    synthetic: bool
    withheld: bool
    """Whether the month is published without ranks."""
    city: City
    cities: pl.DataFrame
    """index.city, all rows."""
    accounts: pl.DataFrame
    """index.account."""
    composite: pl.DataFrame
    """index.composite, all rows."""
    platform_index: pl.DataFrame
    """index.platform_index, all rows."""
    platform_weight: pl.DataFrame
    """index.platform_weight."""
    rank_interval: pl.DataFrame
    """index.rank_interval, all rows."""
    indicator_score: pl.DataFrame
    """index.indicator_score."""
    contribution: pl.DataFrame
    """index.contribution."""
    account_contribution: pl.DataFrame
    """index.account_contribution."""
    score_change: pl.DataFrame
    """index.score_change."""
    expert_city: pl.DataFrame
    """index.expert_city."""
    experts: pl.DataFrame
    """index.expert_agreement."""
    collections: pl.DataFrame
    """staging.stg_collections: the platforms that were collected."""
    account_metrics: pl.DataFrame
    """metrics.account_month."""
    city_metrics: pl.DataFrame
    """metrics.city_platform_month."""
    outcomes: pl.DataFrame
    """staging.stg_account_outcomes."""
    posts: pl.DataFrame
    """staging.stg_posts of the city's accounts in the index; reposts are left out here unless the method has them."""


def find_city(cities: pl.DataFrame, asked: str) -> City:
    """The city of that id, Chinese or English name, whatever its case.

    Raises:
        UnknownCityError: there is none, or several; the message names near ones.
    """
    known = [city_of(row) for row in cities.sort("city_id").iter_rows(named=True)]
    wanted = " ".join(asked.split()).casefold()
    found = [city for city in known if wanted in _names(city)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownCityError(f"{asked!r} is the name of {len(found)} cities: {_listed(found)}; give the id")
    by_name = {name: city for city in known for name in _names(city)}
    like = [name for name in by_name if wanted and (wanted in name or name in wanted)]
    like += get_close_matches(wanted, list(by_name), n=NEAR)
    near = list(dict.fromkeys(by_name[name] for name in like))[:NEAR]
    told = f"; near it: {_listed(near)}" if near else "; smi export index.city lists them"
    raise UnknownCityError(f"no monitored city has the id or name {asked!r}{told}")


def _names(city: City) -> tuple[str, ...]:
    return tuple(name.casefold() for name in (city.city_id, city.name_zh, city.name_en))


def _listed(cities: Sequence[City]) -> str:
    return ", ".join(f"{city.name_zh} {city.name_en} ({city.city_id})" for city in cities)


def explain(given: ExplanationInput) -> Explanation:
    """Everything that explains the city's month. Equal input gives an equal explanation, whatever the rows' order."""
    return _Explainer(given).explanation()


class _Explainer:
    """Reads one city out of a month's frames."""

    def __init__(self, given: ExplanationInput) -> None:
        self._given = given
        self._id = given.city.city_id
        self._names = {row["city_id"]: city_of(row) for row in given.cities.iter_rows(named=True)}
        self._row = self._rows(given.composite)[0]
        self._collected = set(given.collections["platform"])
        accounts = self._rows(given.accounts)
        self._has_account = {row["platform"] for row in accounts if row["in_index"]}
        self._handles = {(row["platform"], row["account_id"]): row["handle"] for row in accounts}
        self._handles |= {
            (row["platform"], row["account_id"]): row["handle"] for row in given.outcomes.iter_rows(named=True)
        }
        self._parts = self._rows(given.contribution)
        self._shown = self._shown_parts()

    def explanation(self) -> Explanation:
        given, score = self._given, self._row["score"]
        platforms = tuple(self._platform(platform) for platform in given.method.platforms(given.month))
        counted = given.outcomes["observed_at"].max() if given.outcomes.height else None
        return Explanation(
            month=given.month,
            zone=given.zone.key,
            status=self._row["status"],
            synthetic=given.synthetic,
            withheld=given.withheld,
            quantitative_only=given.composite["qualitative"].drop_nulls().is_empty(),
            method=given.method.model_dump(mode="json"),
            counted_to=counted.astimezone(given.zone).date() if counted is not None else None,  # type: ignore[union-attr]
            city=given.city,
            cities=tuple(self._names.values()),
            standing=self._standing(),
            score=None if score is None else Amount(score, float(rounded(score, 2))),
            interval=self._interval(),
            platforms=platforms,
            experts=self._experts(),
            movement=self._movement(),
            accounts=self._accounts(),
            posts=self._posts(),
            gaps=self._gaps(platforms),
        )

    def _rows(self, frame: pl.DataFrame) -> list[dict[str, Any]]:
        return frame.filter(pl.col("city_id") == self._id).to_dicts()

    def _of(self, frame: pl.DataFrame, platform: str) -> list[dict[str, Any]]:
        return [row for row in self._rows(frame) if row["platform"] == platform]

    def _handle(self, platform: str, account_id: str) -> str:
        return clean(self._handles.get((platform, account_id)) or account_id, length=NAME_LENGTH)

    def _standing(self) -> Standing:
        ranks = self._given.composite["rank"]
        rank = self._row["rank"]
        return Standing(
            rank=rank,
            tied=rank is not None and int((ranks == rank).sum()) > 1,
            ranked=len(ranks.drop_nulls()),
            score=self._row["score"],
            quantitative=self._row["quantitative"],
            qualitative=self._row["qualitative"],
            observed_weight=self._row["observed_weight"],
            flags=tuple(sorted(self._row["flags"] or ())),
        )

    def _interval(self) -> Interval | None:
        rows = self._rows(self._given.rank_interval)
        if not rows:
            return None
        row = rows[0]
        same = self._given.rank_interval.filter(
            (pl.col("tier") == row["tier"]) & (pl.col("city_id") != self._id)
        ).iter_rows(named=True)
        near = sorted(same, key=lambda other: (abs(other["rank"] - row["rank"]), other["rank"], other["city_id"]))
        return Interval(
            median=row["median_rank"],
            low=row["rank_p05"],
            high=row["rank_p95"],
            top_probability=row["top_probability"],
            tier=row["tier"],
            others=tuple(self._names[other["city_id"]] for other in near),
            draws=row["draws"],
        )

    def _shown_parts(self) -> dict[str, Amount]:
        """What each platform and the experts contribute, as printed: they add up to the printed score."""
        values = {
            name: fsum(row["contribution"] for row in self._parts if row["platform"] == name)
            for name in (*PLATFORMS, EXPERT)
            if any(row["platform"] == name for row in self._parts)
        }
        return dict(zip(values, _amounts(list(values.values()), self._row["score"]), strict=True))

    def _platform(self, platform: Platform) -> PlatformPart:
        given = self._given
        weight = next((w for w in weights(given.platform_weight, given.method) if w.platform == platform), None)
        row = next(iter(self._of(given.platform_index, platform)), None)
        score = row["score"] if row is not None else None
        eligible, observed = weight is not None and weight.eligible, self._row["observed_weight"]
        state: PlatformState = "counted" if eligible else "left_out"
        if platform not in self._has_account:
            state = "no_account"
        elif score is None:
            state = "not_observed" if platform in self._collected else "not_collected"
        contributes = self._shown.get(platform)
        if contributes is None and eligible and state == "no_account":
            contributes = Amount(0.0, 0.0)
        ranks = given.platform_index.filter(pl.col("platform") == platform)["rank"].drop_nulls()
        return PlatformPart(
            platform=platform,
            state=state,
            score=score,
            rank=row["rank"] if row is not None else None,
            ranked=len(ranks),
            weight=weight,
            effective=weight.weight / observed if weight is not None and contributes is not None and observed else None,
            contribution=contributes,
            indicators=self._indicators(platform, contributes),
            flags=self._platform_flags(platform, row),
        )

    def _platform_flags(self, platform: Platform, row: Row | None) -> tuple[str, ...]:
        flags = set(row["flags"] or () if row is not None else ())
        for found in self._of(self._given.city_metrics, platform):
            flags |= set(found["flags"] or ())
        return tuple(sorted(flags))

    def _indicators(self, platform: Platform, whole: Amount | None) -> tuple[IndicatorPart, ...]:
        parts = {row["indicator"]: row["contribution"] for row in self._parts if row["platform"] == platform}
        shown: dict[str, Amount] = {}
        if whole is not None and parts:
            shown = dict(zip(parts, _amounts(list(parts.values()), whole.shown), strict=True))
        rows = self._of(self._given.indicator_score, platform)
        order = {row["indicator"]: (row["weight"] or 0.0) * (row["score"] or 0.0) for row in rows}
        names = list(self._given.method.indicators)
        rows.sort(key=lambda row: (-order[row["indicator"]], names.index(row["indicator"])))
        return tuple(
            IndicatorPart(
                indicator=row["indicator"],
                state=_state(row),
                value=row["value"],
                points=row["score"] if row["weight"] is not None else None,
                contribution=shown.get(row["indicator"]),
            )
            for row in rows
        )

    def _experts(self) -> ExpertPart:
        rows, rounds = self._rows(self._given.expert_city), self._given.experts.to_dicts()
        row: Row = rows[0] if rows else {}
        whole = None
        if rounds:
            told = {name: rounds[0][name] for name in Experts.__dataclass_fields__}
            whole = Experts(**(told | {"flags": tuple(told["flags"])}))
        return ExpertPart(
            raters=row.get("raters") or 0,
            mean=row.get("mean"),
            sd=row.get("sd"),
            qualitative=row.get("qualitative"),
            carried=row.get("carried"),
            contribution=self._shown.get(EXPERT),
            flags=tuple(sorted(row.get("flags") or ())),
            round=whole,
        )

    def _movement(self) -> Movement:
        row = self._row
        compared = self._given.composite["previous_rank"].drop_nulls().len() > 0
        moved = change(row, compared=compared)
        score = self._score_change()
        apart = moved.places is not None and row["previous_rank"] - row["rank"] != moved.places
        return Movement(
            change=moved,
            previous_rank=row["previous_rank"],
            apart=apart,
            reweighted=row["rank_at_previous_weights"],
            score=score,
            incomparable=None if score is not None else _incomparable(row),
        )

    def _score_change(self) -> ScoreChange | None:
        rows, now = self._rows(self._given.score_change), self._row["score"]
        if not rows or now is None:
            return None
        total = fsum(row["change"] for row in rows)
        now_shown, before_shown = rounded(now, 2), rounded(now - total, 2)
        whole = now_shown - before_shown
        parts: dict[Effect, list[Row]] = {
            effect: [row for row in rows if row["effect"] == effect] for effect in EFFECTS
        }
        there = [effect for effect in EFFECTS if parts[effect]]
        sums = _amounts([fsum(row["change"] for row in parts[effect]) for effect in there], float(whole))
        return ScoreChange(
            before=Amount(now - total, float(before_shown)),
            now=Amount(now, float(now_shown)),
            change=Amount(total, float(whole)),
            effects=tuple(
                EffectPart(effect, summed, _change_parts(parts[effect], summed))
                for effect, summed in zip(there, sums, strict=True)
            ),
        )

    def _accounts(self) -> tuple[PlatformAccounts, ...]:
        found = []
        for platform in PLATFORMS:
            points: dict[str, list[float]] = {}
            for row in self._of(self._given.account_contribution, platform):
                points.setdefault(row["account_id"], []).append(row["contribution"])
            if len(points) > 1 and platform in self._shown:
                whole = self._shown[platform]
                sums = {account: fsum(parts) for account, parts in sorted(points.items())}
                shown = _amounts(list(sums.values()), whole.shown)
                parts = [
                    AccountPart(account, self._handle(platform, account), amount)
                    for account, amount in zip(sums, shown, strict=True)
                ]
                parts.sort(key=lambda part: -part.contribution.value)
                found.append(PlatformAccounts(platform, whole, tuple(parts)))
        return tuple(found)

    def _posts(self) -> tuple[BestPost, ...]:
        """The posts that stand for the most points: their share of what their account drew, times what that gave.

        An indicator that is carried from the month before owes nothing to the month's posts.
        """
        given = self._given
        carried = {
            (row["platform"], row["indicator"]) for row in self._rows(given.indicator_score) if _state(row) == "carried"
        }
        worth: dict[tuple[str, str, str], float] = {}
        for row in self._rows(given.account_contribution):
            if (row["platform"], row["indicator"]) not in carried:
                worth[row["platform"], row["account_id"], row["indicator"]] = row["contribution"]
        drawn = {(row["platform"], row["account_id"]): row for row in self._rows(given.account_metrics)}
        best = []
        for row in given.posts.iter_rows(named=True):
            if row["is_repost"] and not given.method.include_reposts:
                continue
            key = (row["platform"], row["account_id"])
            sums = drawn.get(key)
            if sums is None:
                continue
            reacted = _worth(row["interactions"], sums["interactions"], [worth.get((*key, i)) for i in _OF_REACTIONS])
            seen = 0.0
            if row["is_video"]:
                seen = _worth(row["views"], sums["views"], [worth.get((*key, i)) for i in _OF_VIEWS])
            if reacted + seen > 0:
                post = post_of(
                    row | {"position": 0, "city_position": 0},
                    city=given.city,
                    handle=self._handle(*key),
                    synthetic=given.synthetic,
                )
                best.append(BestPost(row["platform"], post, row["is_video"], seen > 0, reacted + seen))
        best.sort(key=lambda one: (-one.points, PLATFORMS.index(one.platform), one.post.post_id))
        return tuple(best[:POSTS])

    def _gaps(self, platforms: Sequence[PlatformPart]) -> Gaps:
        own = {(row["platform"], row["account_id"]) for row in self._rows(self._given.accounts)}
        accounts = [
            AccountGap(
                platform=row["platform"],
                city=self._given.city,
                account_id=row["account_id"],
                handle=self._handle(row["platform"], row["account_id"]),
                outcome=row["outcome"],
                detail=clean(row["detail"], length=DETAIL_LENGTH) or None if row["detail"] else None,
            )
            for row in self._given.outcomes.iter_rows(named=True)
            if (row["platform"], row["account_id"]) in own and row["outcome"] != _AS_ASKED
        ]
        states: tuple[IndicatorState, ...] = ("suspended", "not_observed", "carried")
        return Gaps(
            no_account=tuple(part.platform for part in platforms if part.state == "no_account"),
            not_collected=tuple(part.platform for part in platforms if part.platform not in self._collected),
            accounts=tuple(sorted(accounts, key=lambda gap: (PLATFORMS.index(gap.platform), gap.handle))),
            indicators=tuple(
                IndicatorGaps(part.platform, state, names)
                for part in platforms
                for state in states
                if (names := tuple(i.indicator for i in part.indicators if i.state == state))
            ),
            flags=tuple(
                (where, flag)
                for where, flags in (
                    (COMPOSITE, self._row["flags"] or ()),
                    *((part.platform, part.flags) for part in platforms),
                )
                for flag in sorted(flags)
                if flag not in _TOLD
            ),
        )


def _amounts(values: Sequence[float], whole: float | None) -> list[Amount]:
    """Parts as printed, so that they add up to the whole as printed."""
    if whole is None:
        return [Amount(value, float(rounded(value, 2))) for value in values]
    shown = apportioned(values, rounded(whole, 2))
    return [Amount(value, float(part)) for value, part in zip(values, shown, strict=True)]


def _state(row: Row) -> IndicatorState:
    """Why an indicator has its points, or none."""
    flags = row["flags"] or ()
    if "suspended" in flags or "group_suspended" in flags:
        return "suspended"
    if row["score"] is None or row["weight"] is None:
        return "not_observed"
    if "carried" in flags:
        return "carried"
    return "silent" if row["value"] is None else "observed"


def _incomparable(row: Row) -> Incomparable:
    """Why a city's score is not compared with the month before: only ranked cities are."""
    if row["rank"] is None:
        return "unranked"
    reasons: tuple[Incomparable, ...] = ("new", "status_changed", "changed_set")
    return next((reason for reason in reasons if reason in (row["flags"] or ())), "no_month_before")


def _change_parts(rows: Sequence[Row], whole: Amount) -> tuple[ChangePart, ...]:
    ordered = sorted(
        rows, key=lambda row: (-abs(row["change"]), [*PLATFORMS, EXPERT].index(row["platform"]), row["indicator"])
    )
    shown = _amounts([row["change"] for row in ordered], whole.shown)
    return tuple(
        ChangePart(row["platform"], row["indicator"] if row["effect"] == "performance" else None, amount)
        for row, amount in zip(ordered, shown, strict=True)
    )


def _worth(part: int | None, whole: int | None, points: Sequence[float | None]) -> float:
    """What a part of a count stands for, of the points the count gave."""
    if not part or not whole:
        return 0.0
    return fsum(point for point in points if point is not None) * part / whole
