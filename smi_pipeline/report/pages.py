"""One self-contained page a language: nothing is fetched, nothing runs but the script whose hash the policy names."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.report import typeface
from smi_pipeline.report.content import City, Composition, Moved, ReportContext
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import Formats, Language, rounded
from smi_pipeline.report.gaps import flags_by_name, gap_sentences
from smi_pipeline.report.palette import DARK, LIGHT
from smi_pipeline.report.rankings import COMPOSITE, EXPERT, marked
from smi_pipeline.report.untrusted import host
from smi_pipeline.report.wording import catalogue

PAGES: Final[Mapping[Language, str]] = {"zh": "index.html", "en": "index.en.html"}
LATIN: Final[Mapping[Platform, str]] = {
    "facebook": "Facebook",
    "x": "X",
    "instagram": "Instagram",
    "youtube": "YouTube",
    "tiktok": "TikTok",
}
GROUPS: Final = ("generate", "interactive", "utilize", EXPERT)
POSTS_SHOWN: Final = 5
HASHTAGS_SHOWN: Final = 10
MOVED_SHOWN: Final = 20

_LANG: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
_OTHER: Final[Mapping[Language, Language]] = {"zh": "en", "en": "zh"}
_NAME: Final[Mapping[Language, Callable[[City], str]]] = {"zh": attrgetter("name_zh"), "en": attrgetter("name_en")}
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
    style, script = faces + style_sheet(language, synthetic=context.synthetic), _script()
    return (
        environment(language)
        .get_template("page.html.j2")
        .render(
            c=context,
            s=context.sentences[language],
            t=text,
            f=formats,
            lang=_LANG[language],
            other_lang=_LANG[_OTHER[language]],
            other_page=PAGES[_OTHER[language]],
            policy=policy(style, script),
            style=Markup(style),  # noqa: S704  our own style sheet; escaping would break the hash
            script=Markup(script),  # noqa: S704  our own script, likewise
            name=_NAME[language],
            other_name=_NAME[_OTHER[language]],
            host=host,
            bar=bar,
            stack=stack,
            groups=GROUPS,
            posts_collected=posts_collected(context),
            zone=ZoneInfo(context.zone),
            latin=LATIN,
            index_name=text("index_quantitative" if context.quantitative_only else "index_composite"),
            counted=_counted(context, formats),
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
            gaps=gap_sentences(context, language),
            flags=flags_by_name(context, language),
            posts_shown=POSTS_SHOWN,
            hashtags_shown=HASHTAGS_SHOWN,
        )
    )


def policy(style: str, script: str) -> str:
    """Content security policy of a page: this style sheet, this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def bar(score: float | None) -> str:
    """Length of a score's bar in percent: from zero, so that lengths compare as scores do."""
    return f"{rounded(min(max(score or 0.0, 0.0), 100.0), 2):f}"


def stack(composition: Composition) -> list[tuple[str, str, str]]:
    """Name, begin and length of each part of a score's bar, in percent of a full score."""
    parts, begin = [], Decimal(0)
    for group in GROUPS:
        length = rounded(max(composition.groups.get(group, 0.0), 0.0), 2)
        parts.append((group, f"{begin:f}", f"{length:f}"))
        begin += length
    return parts


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
def environment(language: Language) -> Environment:
    """The templates of a language: everything printed is escaped, and drawn with the report's own font or marked."""
    made = Environment(
        loader=PackageLoader("smi_pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=drawable,
    )
    made.filters["city_name"] = _NAME[language]
    return made


@cache
def style_sheet(language: Language, *, synthetic: bool) -> str:
    """The style sheet without font faces; printed pages of made-up data carry a mark in the language."""
    mark = catalogue(language)("print_mark") if synthetic else ""
    template = environment(language).get_template("page.css.j2")
    return template.render(light=LIGHT, dark=DARK, family=FAMILY, print_mark=mark)


@cache
def _script() -> str:
    return environment("en").get_template("table.js.j2").render()


def _counted(context: ReportContext, formats: Formats) -> str:
    first, last = context.counted_from, context.counted_to
    if first is None or last is None:
        return ""
    if first == last:
        return formats.day(last)
    return catalogue(formats.language)("range", low=formats.day(first), high=formats.day(last))


def _sources(context: ReportContext) -> list[str]:
    told = {source for row in context.composition for source in row.points}
    return [source for source in (*PLATFORMS, "expert") if source in told]
