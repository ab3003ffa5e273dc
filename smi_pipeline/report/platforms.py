"""What an edition says about one platform: its ranking, the figures behind it, its best posts and hashtags."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, Final

import polars as pl

from smi_pipeline.index.method import Method
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.report.content import (
    TOP,
    AccountGap,
    City,
    Coverage,
    Entry,
    Figures,
    Hashtag,
    PlatformSection,
    Post,
    Suspension,
    Weight,
)
from smi_pipeline.report.inputs import ReportInput
from smi_pipeline.report.rankings import highlighted, ranking
from smi_pipeline.report.untrusted import clean, host, link

NAME_LENGTH: Final = 80
CASES: Final = 3
DETAIL_LENGTH: Final = 160


class Accounts:
    """City and handle of an account of the month: from the outcomes, then from the registry."""

    def __init__(self, given: ReportInput, cities: Mapping[str, City]) -> None:
        self._handles: dict[tuple[str, str], str] = {}
        self._cities: dict[tuple[str, str], City] = {}
        registry = given.accounts.sort("platform", "account_id", "city_id")
        for row in registry.iter_rows(named=True):
            key = (row["platform"], row["account_id"])
            self._handles[key] = row["handle"]
            if row["city_id"] in cities:
                self._cities[key] = cities[row["city_id"]]
        for row in given.outcomes.iter_rows(named=True):
            self._handles[row["platform"], row["account_id"]] = row["handle"]

    def city(self, platform: str, account_id: str) -> City | None:
        """The monitored city the account belongs to; null where the registry of this month has none."""
        return self._cities.get((platform, account_id))

    def handle(self, platform: str, account_id: str) -> str:
        """The handle it was asked by, made harmless; the account's id where no handle is known."""
        return clean(self._handles.get((platform, account_id)) or account_id, length=NAME_LENGTH)


def section(platform: Platform, given: ReportInput, *, accounts: Accounts, weight: Weight | None) -> PlatformSection:
    """Everything of one platform. Where it was not collected the section is there, and says so."""
    covered = coverage(given.coverage, platform)
    ranked = ranking(given.rankings, platform)
    chosen = highlighted(ranked)
    rows = _of(given.top_posts, platform)
    best = posts(rows, platform, accounts, synthetic=given.synthetic)
    tags = hashtags(_of(given.hashtags, platform))
    texts = {(row["account_id"], row["post_id"]): row["text"] or "" for row in rows.iter_rows(named=True)}
    return PlatformSection(
        platform=platform,
        collected=covered.collection_id is not None,
        by_views=rated_by_views(given.method, platform),
        ranking=ranked,
        figures=figures(_of(given.city_metrics, platform), ranked.top),
        posts=tuple(post for post in best if post.position <= TOP),
        cases=tuple(
            replace(post, hashtags=tagged(texts[post.account_id, post.post_id], tags))
            for post in best
            if chosen is not None and post.city == chosen.city and post.city_position <= CASES
        ),
        hashtags=tags,
        weight=weight,
        coverage=covered,
        flagged=dict(_of(given.city_metrics, platform)["flags"].list.explode().drop_nulls().value_counts().iter_rows()),
    )


def rated_by_views(method: Method, platform: Platform) -> bool:
    """Whether the method scores views there."""
    rule = method.indicators.get("views")
    return rule is not None and platform in rule.applies


def coverage(frame: pl.DataFrame, platform: Platform) -> Coverage:
    """The platform's row of marts.coverage; all null where there is none."""
    names = (
        "cities_monitored", "cities_with_account", "coverage", "accounts_asked", "accounts_answered", "posts",
        "collection_id", "cut",
    )  # fmt: skip
    rows = _of(frame, platform).to_dicts()
    return Coverage(platform=platform, **{name: rows[0][name] if rows else None for name in names})


def figures(frame: pl.DataFrame, top: Sequence[Entry]) -> tuple[Figures, ...]:
    """The counts of the ranked cities, in the ranking's order."""
    rows = {row["city_id"]: row for row in frame.iter_rows(named=True)}
    return tuple(figures_of(entry.city, rows[entry.city.city_id]) for entry in top if entry.city.city_id in rows)


def figures_of(city: City, row: Mapping[str, Any]) -> Figures:
    """A city's counts, from its row of metrics.city_platform_month."""
    return Figures(
        city=city,
        accounts=row["accounts"],
        posts=row["posts"],
        videos=row["videos"],
        interactions=row["interactions"],
        engagement_rate=row["engagement_rate"],
        views=row["views"],
        view_rate=row["view_rate"],
        followers=row["followers"],
        follower_growth=row["follower_growth"],
        flags=tuple(sorted(row["flags"] or ())),
    )


def posts(frame: pl.DataFrame, platform: Platform, accounts: Accounts, *, synthetic: bool) -> tuple[Post, ...]:
    """The platform's best posts, by position, their words and links made harmless.

    A made-up post is linked only within `.example`: staging builds addresses of the real platform where it tells none.
    """
    return tuple(
        post_of(
            row,
            city=accounts.city(platform, row["account_id"]),
            handle=accounts.handle(platform, row["account_id"]),
            synthetic=synthetic,
        )
        for row in frame.sort("position", "account_id", "post_id").iter_rows(named=True)
    )


def post_of(row: Mapping[str, Any], *, city: City | None, handle: str, synthetic: bool) -> Post:
    """A post as it may be printed: its words cut and made harmless, its link checked."""
    return Post(
        city=city,
        account_id=row["account_id"],
        handle=handle,
        post_id=row["post_id"],
        position=row["position"],
        city_position=row["city_position"],
        published_at=row["published_at"],
        kind=clean(row["kind"], length=NAME_LENGTH) if row["kind"] else None,
        text=clean(row["text"] or ""),
        link=_link(row["permalink"], synthetic=synthetic),
        likes=row["likes"],
        comments=row["comments"],
        shares=row["shares"],
        views=row["views"],
        interactions=row["interactions"],
    )


def _link(permalink: str | None, *, synthetic: bool) -> str | None:
    address = link(permalink)
    leads_nowhere = address is not None and host(address).endswith(".example")
    return address if leads_nowhere or not synthetic else None


def hashtags(frame: pl.DataFrame) -> tuple[Hashtag, ...]:
    """Hashtags by interactions, then posts, then name; one whose name has nothing visible is left out."""
    rows = sorted(
        frame.iter_rows(named=True),
        key=lambda row: (row["interactions"] is None, -(row["interactions"] or 0), -row["posts"], row["hashtag"]),
    )
    named = ((clean(row["hashtag"].removeprefix("#"), length=NAME_LENGTH), row) for row in rows)
    return tuple(Hashtag(name, row["posts"], row["interactions"], row["reach"]) for name, row in named if name)


def tagged(text: str, known: Sequence[Hashtag]) -> tuple[Hashtag, ...]:
    """The known hashtags a text carries, in its order."""
    by_name = {tag.hashtag: tag for tag in known}
    runs = unicodedata.normalize("NFKC", text).lower().split("#")[1:]
    names = dict.fromkeys("".join(takewhile(_belongs_to_a_tag, run)) for run in runs)
    return tuple(by_name[name] for name in names if name in by_name)


def _belongs_to_a_tag(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LMN"


def account_gaps(outcomes: pl.DataFrame, accounts: Accounts) -> tuple[AccountGap, ...]:
    """Every account that did not answer in full, by platform, outcome and handle; a renamed one did."""
    rows = outcomes.filter(~pl.col("outcome").is_in(["answered", "renamed"])).iter_rows(named=True)
    gaps = [
        AccountGap(
            platform=row["platform"],
            city=accounts.city(row["platform"], row["account_id"]),
            account_id=row["account_id"],
            handle=accounts.handle(row["platform"], row["account_id"]),
            outcome=row["outcome"],
            detail=clean(row["detail"], length=DETAIL_LENGTH) or None if row["detail"] else None,
        )
        for row in rows
    ]
    return tuple(sorted(gaps, key=lambda gap: (PLATFORMS.index(gap.platform), gap.outcome, gap.handle, gap.account_id)))


def suspensions(indicator_score: pl.DataFrame) -> tuple[Suspension, ...]:
    """The indicators flagged `suspended`, by platform and name."""
    found = indicator_score.filter(pl.col("flags").list.contains("suspended")).select("platform", "indicator").unique()
    rows = sorted(found.iter_rows(), key=lambda row: (PLATFORMS.index(row[0]), row[1]))
    return tuple(Suspension(platform, indicator) for platform, indicator in rows)


def _of(frame: pl.DataFrame, platform: Platform) -> pl.DataFrame:
    return frame.filter(pl.col("platform") == platform)
