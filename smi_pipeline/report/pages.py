"""One self-contained page a language: nothing is fetched, nothing runs but the script whose hash the policy names."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.report import typeface
from smi_pipeline.report.charts import Chart, charts
from smi_pipeline.report.content import City, Moved, ReportContext
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import Formats, Language, rounded
from smi_pipeline.report.gaps import flags_by_name
from smi_pipeline.report.palette import DARK, LIGHT
from smi_pipeline.report.pdf import NAMES as PDFS
from smi_pipeline.report.rankings import COMPOSITE, marked
from smi_pipeline.report.untrusted import host
from smi_pipeline.report.wording import catalogue, counted
from smi_pipeline.report.workbook import NAMES as WORKBOOKS

PAGES: Final[Mapping[Language, str]] = {"zh": "index.html", "en": "index.en.html"}
LATIN: Final[Mapping[Platform, str]] = {
    "facebook": "Facebook",
    "x": "X",
    "instagram": "Instagram",
    "youtube": "YouTube",
    "tiktok": "TikTok",
}
CITIES: Final = "cities"
POSTS_SHOWN: Final = 5
HASHTAGS_SHOWN: Final = 10
MOVED_SHOWN: Final = 20

LANG: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
OTHER: Final[Mapping[Language, Language]] = {"zh": "en", "en": "zh"}
_PARTS: Final = ("users", "activity", "relevance", "previous", "cap")


def page(context: ReportContext, language: Language) -> str:
    """The edition as HTML.

    Everything that is not a template is escaped on its way in; a blank nobody filled is an error, not an empty place.
    """
    drawn = _rendered(context, language, faces="")
    return _rendered(context, language, faces=typeface.page_css(html.unescape(drawn)))


def _rendered(context: ReportContext, language: Language, *, faces: str) -> str:
    """The page with these font faces: first without any, to learn which characters it has."""
    text, formats = catalogue(language), Formats(language)
    style, code = faces + style_sheet(language, synthetic=context.synthetic), script()
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            c=context,
            s=context.sentences[language],
            t=text,
            f=formats,
            lang=LANG[language],
            other_lang=LANG[OTHER[language]],
            other_page=PAGES[OTHER[language]],
            policy=policy(style, code),
            style=Markup(style),  # noqa: S704  our own style sheet; escaping would break the hash
            script=Markup(code),  # noqa: S704  our own script, likewise
            name=context.names[language],
            other_name=lambda city: city.called(OTHER[language]),
            host=host,
            bar=bar,
            charts=charts(context, language),
            plot=plot,
            city_page=lambda city: city_page(city, language),
            pdf=PDFS[language],
            workbook=WORKBOOKS[language],
            posts_collected=posts_collected(context),
            zone=ZoneInfo(context.zone),
            editorial=context.editorial.get(language),
            latin=LATIN,
            index_name=text("index_quantitative" if context.quantitative_only else "index_composite"),
            counted=counted(context.counted_from, context.counted_to, language),
            sources=_sources(context),
            marked={section.platform: marked(section.ranking) for section in context.sections},
            marked_composite=marked(context.composite),
            places={
                section.platform: {entry.city.city_id: entry.rank for entry in section.ranking.entries}
                for section in context.sections
            },
            parts=_PARTS,
            leading={} if context.withheld is None else context.withheld.leading,
            moved_first=_moved_first(context),
            moved_counts=moved_counts(context, language),
            flags=flags_by_name(context, language),
            posts_shown=POSTS_SHOWN,
            hashtags_shown=HASHTAGS_SHOWN,
        )
    )


def city_page(city: City, language: Language) -> str:
    """Where a city's own page lies in the edition."""
    return f"{CITIES}/{city.city_id}.{language}.html"


def policy(style: str, code: str) -> str:
    """Content security policy of a page: this style sheet, this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(code)}'; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def bar(score: float | None) -> str:
    """Length of a score's bar in percent: from zero, so that lengths compare as scores do."""
    return f"{rounded(min(max(score or 0.0, 0.0), 100.0), 2):f}"


def plot(chart: Chart) -> Markup:
    """A chart in the page's own colours, light or dark as the reader has it."""
    return Markup(chart.plot({name: f"var(--{name})" for name in LIGHT}))  # noqa: S704  escaped by the plot's template


def posts_collected(context: ReportContext) -> int | None:
    """Posts of all collected platforms; null where none told."""
    counts = [section.coverage.posts for section in context.sections if section.coverage.posts is not None]
    return sum(counts) if counts else None


def moved_counts(context: ReportContext, language: Language) -> list[str]:
    """How many cities each index ranks or scores otherwise than the edition before, in words; nothing of the others."""
    moved = () if context.revision is None else context.revision.moved
    text, formats, said = catalogue(language), Formats(language), []
    for index_name in dict.fromkeys(one.index_name for one in moved):
        rows = [one for one in moved if one.index_name == index_name]
        ranks = sum(one.rank != one.rank_before for one in rows)
        index = text("nav_composite") if index_name == COMPOSITE else text(f"platform_{index_name}")
        said.append(text("revision_count", index=index, cities=formats.count(len(rows)), ranks=formats.count(ranks)))
    return said


def _moved_first(context: ReportContext) -> list[Moved]:
    """The composite's largest moves."""
    moved = () if context.revision is None else context.revision.moved
    return [one for one in moved if one.index_name == COMPOSITE][:MOVED_SHOWN]


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def drawable(value: object) -> object:
    """What a template prints, every character the font lacks replaced by a box: no font of the host steps in for it."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isascii():
        return value
    return typeface.drawable(value)


@cache
def environment() -> Environment:
    """The templates: everything printed is escaped, and drawn with the report's own font or marked."""
    return Environment(
        loader=PackageLoader("smi_pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=drawable,
    )


@cache
def style_sheet(language: Language, *, synthetic: bool) -> str:
    """The style sheet without font faces; printed pages of made-up data carry a mark in the language."""
    mark = catalogue(language)("print_mark") if synthetic else ""
    template = environment().get_template("page.css.j2")
    return template.render(light=LIGHT, dark=DARK, family=FAMILY, print_mark=mark)


@cache
def script() -> str:
    """What sorts and searches a page's long table."""
    return environment().get_template("table.js.j2").render()


def _sources(context: ReportContext) -> list[str]:
    told = {source for row in context.composition for source in row.points}
    return [source for source in (*PLATFORMS, "expert") if source in told]
