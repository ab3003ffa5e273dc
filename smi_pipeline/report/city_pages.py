"""A page a city: its rank and year, its platforms, what its score is made of, its best posts.

Each is complete in itself like the edition's page, without a script. An edition without ranks has none: a city's
figures are its score.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from decimal import Decimal
from math import fsum
from typing import Any, Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from smi_pipeline.registry.models import Platform
from smi_pipeline.report import typeface
from smi_pipeline.report.charts import city_year
from smi_pipeline.report.content import City, Entry, Measure, Profile, ReportContext
from smi_pipeline.report.formats import Formats, Language, apportioned, rounded
from smi_pipeline.report.pages import LANG, OTHER, PAGES, bar, city_page, environment, plot, policy, style_sheet
from smi_pipeline.report.untrusted import host
from smi_pipeline.report.wording import catalogue, counted

ARCHIVE: Final = "../../index.html"


@dataclass(frozen=True)
class _Sums:
    """Contributions to a city's score as printed: they add up, along rows and columns, to the printed score.

    A cell is null where the platform puts nothing into the score by that indicator.
    """

    platforms: tuple[Platform, ...]
    rows: tuple[tuple[str, tuple[Decimal | None, ...], Decimal], ...]
    """Indicator, its points by platform, their sum."""
    expert: Decimal | None
    totals: tuple[Decimal, ...]
    score: Decimal


def city_pages(context: ReportContext, language: Language) -> dict[str, str]:
    """The pages of one language by their path in the edition, in the order of the cities' ids."""
    return {city_page(profile.city, language): _page(context, profile, language) for profile in context.profiles}


def _page(context: ReportContext, profile: Profile, language: Language) -> str:
    bare = _rendered(context, profile, language, faces="")
    return _rendered(context, profile, language, faces=typeface.page_css(html.unescape(bare)))


def _rendered(context: ReportContext, profile: Profile, language: Language, *, faces: str) -> str:
    style = faces + style_sheet(language, synthetic=context.synthetic)
    other = OTHER[language]
    return (
        environment()
        .get_template("city.html.j2")
        .render(
            c=context,
            p=profile,
            t=catalogue(language),
            f=Formats(language),
            lang=LANG[language],
            other_lang=LANG[other],
            other_page=city_page(profile.city, other).rsplit("/", 1)[-1],
            edition=f"../{PAGES[language]}",
            archive=ARCHIVE,
            policy=policy(style, ""),
            style=Markup(style),  # noqa: S704  our own style sheet; escaping would break the hash
            name=context.names[language],
            other_name=lambda city: city.called(other),
            index=catalogue(language)("index_quantitative" if context.quantitative_only else "index_composite"),
            entry=_entry(context.composite.entries, profile.city),
            ranked=sum(entry.rank is not None for entry in context.composite.entries),
            interval=context.intervals.get(profile.city.city_id),
            platforms=_platforms(context, profile),
            sums=_sums(context, profile),
            chart=city_year(context, profile, language),
            zone=ZoneInfo(context.zone),
            counted=counted(context.counted_from, context.counted_to, language),
            bar=bar,
            host=host,
            plot=plot,
        )
    )


def _entry(entries: tuple[Entry, ...], city: City) -> Entry | None:
    return next((entry for entry in entries if entry.city.city_id == city.city_id), None)


def _platforms(context: ReportContext, profile: Profile) -> list[tuple[Platform, Entry | None, Any]]:
    """The platforms on which something is known of the city: its place in the ranking, its figures."""
    told = []
    for section in context.sections:
        entry, figures = _entry(section.ranking.entries, profile.city), profile.figures.get(section.platform)
        if entry is not None or figures is not None:
            told.append((section.platform, entry, figures))
    return told


def _sums(context: ReportContext, profile: Profile) -> _Sums | None:
    """What the score is made of; null without a score. Rounding is shared out so that what is printed adds up."""
    entry = _entry(context.composite.entries, profile.city)
    parts: list[Measure] = [measure for measure in profile.measures if measure.contribution is not None]
    if entry is None or entry.score is None or not (parts or profile.expert is not None):
        return None
    values = [measure.contribution or 0.0 for measure in parts]
    if profile.expert is not None:
        values.append(profile.expert)
    shown = apportioned(values, rounded(fsum(values), 2))
    cells = {(m.indicator, m.platform): points for m, points in zip(parts, shown, strict=False)}
    platforms = tuple(dict.fromkeys(measure.platform for measure in parts))
    indicators = [one for one in context.method["indicators"] if any(measure.indicator == one for measure in parts)]
    rows = []
    for indicator in indicators:
        row = tuple(cells.get((indicator, platform)) for platform in platforms)
        rows.append((indicator, row, _added(row)))
    totals = tuple(_added([row[place] for _, row, _ in rows]) for place in range(len(platforms)))
    expert = shown[-1] if profile.expert is not None else None
    return _Sums(platforms, tuple(rows), expert, totals, sum(shown, Decimal(0)))


def _added(cells: Any) -> Decimal:
    return sum((cell for cell in cells if cell is not None), Decimal(0))
