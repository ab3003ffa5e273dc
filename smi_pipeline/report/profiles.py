"""Each monitored city by itself: its figures, indicators and contributions of the month, its best posts, its year."""

from __future__ import annotations

from collections.abc import Sequence

from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.report.content import City, Figures, Measure, Post, Profile
from smi_pipeline.report.inputs import ReportInput
from smi_pipeline.report.platforms import CASES, Accounts, figures_of, posts
from smi_pipeline.report.rankings import EXPERT
from smi_pipeline.report.year import platform_ranks


def profiles(given: ReportInput, cities: Sequence[City], accounts: Accounts) -> tuple[Profile, ...]:
    """One a city, in the order given. A platform the city has nothing on is not among its figures and measures."""
    known = {city.city_id: city for city in cities}
    measures, experts = _measures(given)
    figures: dict[str, dict[Platform, Figures]] = {}
    for row in given.city_metrics.iter_rows(named=True):
        if row["city_id"] in known:
            figures.setdefault(row["city_id"], {})[row["platform"]] = figures_of(known[row["city_id"]], row)
    best, ranks = _posts(given, accounts), platform_ranks(given)
    return tuple(
        Profile(
            city=city,
            figures=_in_order(figures.get(city.city_id, {})),
            measures=tuple(measures.get(city.city_id, ())),
            expert=experts.get(city.city_id),
            posts=best.get(city.city_id, {}),
            ranks=ranks.get(city.city_id, {}),
        )
        for city in cities
    )


def _measures(given: ReportInput) -> tuple[dict[str, list[Measure]], dict[str, float]]:
    """Every indicator of every city, and the experts' part of each."""
    points: dict[tuple[str, str, str], float] = {}
    experts: dict[str, float] = {}
    for row in given.contribution.iter_rows(named=True):
        if row["contribution"] is None:
            continue
        if row["platform"] == EXPERT:
            experts[row["city_id"]] = row["contribution"]
        else:
            points[row["city_id"], row["platform"], row["indicator"]] = row["contribution"]
    order = {indicator: place for place, indicator in enumerate(given.method.indicators)}
    rows = sorted(
        given.indicator_score.iter_rows(named=True),
        key=lambda row: (PLATFORMS.index(row["platform"]), order.get(row["indicator"], len(order)), row["indicator"]),
    )
    measures: dict[str, list[Measure]] = {}
    for row in rows:
        measures.setdefault(row["city_id"], []).append(
            Measure(
                platform=row["platform"],
                indicator=row["indicator"],
                value=row["value"],
                points=row["score"],
                contribution=points.get((row["city_id"], row["platform"], row["indicator"])),
                flags=tuple(sorted(row["flags"] or ())),
            )
        )
    return measures, experts


def _posts(given: ReportInput, accounts: Accounts) -> dict[str, dict[Platform, tuple[Post, ...]]]:
    told: dict[str, dict[Platform, tuple[Post, ...]]] = {}
    for platform in given.method.platforms(given.month):
        rows = given.top_posts.filter(platform=platform)
        for post in posts(rows.sort("city_position"), platform, accounts, synthetic=given.synthetic):
            if post.city is not None and post.city_position <= CASES:
                of_city = told.setdefault(post.city.city_id, {})
                of_city[platform] = (*of_city.get(platform, ()), post)
    return told


def _in_order(figures: dict[Platform, Figures]) -> dict[Platform, Figures]:
    return {platform: figures[platform] for platform in PLATFORMS if platform in figures}
