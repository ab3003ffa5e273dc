"""A city's explanation as a page a language, with the report's own look: one file, nothing is fetched, nothing runs."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from markupsafe import Markup

from smi_pipeline.report import typeface
from smi_pipeline.report.content import City
from smi_pipeline.report.explained import Explanation
from smi_pipeline.report.explanation_text import Words
from smi_pipeline.report.files import EditionError
from smi_pipeline.report.formats import LANGUAGES, Formats, Language
from smi_pipeline.report.pages import bar, environment, policy, style_sheet
from smi_pipeline.report.untrusted import host
from smi_pipeline.report.wording import catalogue

_LANG: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en"}
_OTHER: Final[Mapping[Language, Language]] = {"zh": "en", "en": "zh"}


def write_explanation(explanation: Explanation, folder: Path) -> list[Path]:
    """Write the city's two pages into `folder`, each replaced whole; equal explanations give equal bytes.

    Raises:
        EditionError: the folder cannot be written.
    """
    pages = {file_name(explanation.city, language): page(explanation, language) for language in LANGUAGES}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in pages.items():
            aside = folder / f".{name}.{os.getpid()}"
            aside.write_text(text, encoding="utf-8")
            aside.replace(folder / name)
    except OSError as error:
        raise EditionError(f"{folder}: the page cannot be written there: {error.strerror}") from error
    return [folder / name for name in pages]


def file_name(city: City, language: Language) -> str:
    """What a city's page is called."""
    return f"{city.city_id}.{language}.html"


def page(explanation: Explanation, language: Language) -> str:
    """The explanation as HTML; everything that is not a template is escaped on its way in."""
    drawn = _rendered(explanation, language, faces="")
    return _rendered(explanation, language, faces=typeface.page_css(html.unescape(drawn)))


def _rendered(explanation: Explanation, language: Language, *, faces: str) -> str:
    words, formats, text = Words(explanation, language), Formats(language), catalogue(language)
    style, drawn = faces + style_sheet(language, synthetic=explanation.synthetic), explanation.interval
    return (
        environment()
        .get_template("explanation.html.j2")
        .render(
            e=explanation,
            w=words,
            t=text,
            f=formats,
            lang=_LANG[language],
            other_lang=_LANG[_OTHER[language]],
            other_page=file_name(explanation.city, _OTHER[language]),
            policy=policy(style, ""),
            style=Markup(style),  # noqa: S704  our own style sheet; escaping would break the hash
            standing=list(words.standing()),
            firm=list(words.interval()),
            interval=formats.interval(None if drawn is None else (drawn.low, drawn.high)),
            parts=words.sum_parts(),
            experts=list(words.experts()),
            moved=list(words.change()),
            gaps=words.gaps(accounts=False),
            zone=ZoneInfo(explanation.zone),
            bar=bar,
            host=host,
        )
    )
