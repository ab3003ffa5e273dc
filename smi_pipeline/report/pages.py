"""One self-contained page a language: nothing is fetched, nothing runs but the script whose hash the policy names."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.report.content import City, ReportContext
from smi_pipeline.report.formats import Formats, Language, rounded
from smi_pipeline.report.gaps import flags_by_name, gap_sentences
from smi_pipeline.report.palette import DARK, LIGHT
from smi_pipeline.report.sentences import marked
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
POSTS_SHOWN: Final = 5
HASHTAGS_SHOWN: Final = 10

_LANG: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
_OTHER: Final[Mapping[Language, Language]] = {"zh": "en", "en": "zh"}
_NAME: Final[Mapping[Language, Callable[[City], str]]] = {"zh": attrgetter("name_zh"), "en": attrgetter("name_en")}
_PARTS: Final = ("users", "activity", "relevance", "previous", "cap")


def page(context: ReportContext, language: Language) -> str:
    """The edition as HTML.

    Everything that is not a template is escaped on its way in; a blank nobody filled is an error, not an empty place.
    """
    text, formats = catalogue(language), Formats(language)
    style, script = _style(), _script()
    return (
        _environment(language)
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
            gaps=gap_sentences(context, language),
            flags=flags_by_name(context, language),
            posts_shown=POSTS_SHOWN,
            hashtags_shown=HASHTAGS_SHOWN,
        )
    )


def policy(style: str, script: str) -> str:
    """Content security policy of a page: this style sheet, this script, and nothing from anywhere."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def bar(score: float | None) -> str:
    """Length of a score's bar in percent: from zero, so that lengths compare as scores do."""
    return f"{rounded(min(max(score or 0.0, 0.0), 100.0), 2):f}"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("smi_pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["city_name"] = _NAME[language]
    return environment


@cache
def _style() -> str:
    return _environment("en").get_template("page.css.j2").render(light=LIGHT, dark=DARK)


@cache
def _script() -> str:
    return _environment("en").get_template("table.js.j2").render()


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
