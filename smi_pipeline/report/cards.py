"""A ranking as one picture to pass on: 1080 x 1350, in both languages, drawn with the report's own font.

The SVG carries the glyphs it needs, so it looks the same wherever it is opened. On made-up data the mark stands across
the ranking itself: no way of cutting the picture leaves the numbers without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from smi_pipeline.registry.models import Platform
from smi_pipeline.report import typeface
from smi_pipeline.report.content import TOP, Entry, Ranking, ReportContext
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import Formats, Language
from smi_pipeline.report.pages import UNDRAWN
from smi_pipeline.report.palette import LIGHT
from smi_pipeline.report.rankings import COMPOSITE, marked
from smi_pipeline.report.wording import Catalogue, catalogue

WIDTH: Final = 1080
HEIGHT: Final = 1350
_MARGIN: Final = 64
_FIRST_ROW: Final = 252
_ROW: Final = 96
_BAR_LEFT: Final = 394
_BAR_WIDTH: Final = 356
_NAME_WIDTH: Final = 226
_TITLE_SIZE: Final[Mapping[Language, int]] = {"zh": 50, "en": 42}
_MARK_SIZE: Final[Mapping[Language, int]] = {"zh": 100, "en": 70}
_ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class _Line:
    """One city's line, every text fitted to its place. `change` is a mark and a number, or a badge, or a dash."""

    top: int
    rank: str
    first: bool
    marked: bool
    name: str
    other: str
    bar: float
    score: str
    change: str
    kind: str


@dataclass(frozen=True, slots=True)
class Card:
    """One card as SVG: `svg` carries its glyphs, `bare` is for whoever has the font."""

    svg: str
    bare: str

    def png(self) -> bytes:
        """The picture, 1080 x 1350."""
        return typeface.png(self.bare)


def cards(context: ReportContext, language: Language) -> dict[str, Card]:
    """A card each of the composite and of every platform; all of a language carry the same glyphs."""
    names = (COMPOSITE, *(section.platform for section in context.sections))
    told = {name: _blanks(context, name, language) for name in names}
    bare = {name: _template().render(blanks, face="") for name, blanks in told.items()}
    face = Markup(typeface.page_css("".join(bare.values())))  # noqa: S704  our own rules
    return {name: Card(_template().render(blanks, face=face), bare[name]) for name, blanks in told.items()}


def _blanks(context: ReportContext, index_name: str, language: Language) -> dict[str, Any]:
    ranking = _ranking(context, index_name)
    text, formats = catalogue(language), Formats(language)
    title = text(f"card_title_{index_name}")
    finding = _finding(context, ranking, language)
    month = formats.month(context.month)
    # A ranking that was not computed is said to be so: an empty card would look like one that failed.
    chosen = marked(ranking)
    lines = [_line(entry, place, language, chosen=chosen) for place, entry in enumerate(ranking.top[:TOP])]
    return {
        "title": _fitted(title, _TITLE_SIZE[language], WIDTH - 2 * _MARGIN, weight=700),
        "subtitle": _fitted(text("card_subtitle", finding=finding, month=month), 28, WIDTH - 2 * _MARGIN),
        "lines": lines,
        "nothing": text("card_nothing"),
        "heads": [text(f"card_{name}") for name in ("rank", "city", "score", "change")],
        "badge": text("card_entered"),
        "notes": _notes(context, index_name, ranking, text, formats),
        "synthetic": text("card_synthetic") if context.synthetic else "",
        "description": text("card_description", title=title, month=month),
        "language": "zh-CN" if language == "zh" else "en",
        "colour": LIGHT,
        "family": FAMILY,
        "bar_left": _BAR_LEFT,
        "bar_width": _BAR_WIDTH,
        "size": _TITLE_SIZE[language],
        "mark_size": _MARK_SIZE[language],
    }


def _ranking(context: ReportContext, index_name: str) -> Ranking:
    if index_name == COMPOSITE:
        return context.composite
    found = [section.ranking for section in context.sections if section.platform == index_name]
    return found[0] if found else Ranking(index_name, compared=False, entries=())


def _finding(context: ReportContext, ranking: Ranking, language: Language) -> str:
    """Who leads, and who came into the ten: said only where it is so."""
    text, formats = catalogue(language), Formats(language)
    top = ranking.top[:TOP]
    if not top:
        return text("card_finding_none")
    leaders = [entry for entry in top if entry.rank == 1]
    entered = [entry for entry in top if entry.change.entered and entry.rank != 1]
    said = "card_finding_leads" if len(leaders) == 1 else "card_finding_tied"
    key = f"{said}_entered" if 0 < len(entered) <= 2 else said  # noqa: PLR2004  more names do not fit one line
    names = [[_name(entry, language) for entry in group] for group in (leaders, entered)]
    status = text("card_provisional") if context.status == "provisional" else ""
    return text(key, leader=formats.names(names[0]), entered=formats.names(names[1])) + status


def _line(entry: Entry, place: int, language: Language, *, chosen: str | None) -> _Line:
    formats = Formats(language)
    own, other = _name(entry, language), _name(entry, "en" if language == "zh" else "zh")
    change, kind = _change(entry, language)
    return _Line(
        top=_FIRST_ROW + place * _ROW,
        rank=formats.count(entry.rank),
        first=entry.rank is not None and entry.rank <= 3,  # noqa: PLR2004  the podium
        marked=entry.city.city_id == chosen,
        name=_fitted(own, 34, _NAME_WIDTH, weight=700),
        other=_fitted(other, 20, _NAME_WIDTH) if other != own else "",
        bar=round(_BAR_WIDTH * min(max(entry.score or 0.0, 0.0), 100.0) / 100, 1),
        score=formats.score(entry.score),
        change=change,
        kind=kind,
    )


def _change(entry: Entry, language: Language) -> tuple[str, str]:
    change, formats = entry.change, Formats(language)
    if change.entered:
        return catalogue(language)("card_entered"), "entered"
    if change.kind in {"up", "down"}:
        return formats.count(abs(change.places or 0)), change.kind
    return "–", "same"


def _notes(
    context: ReportContext, index_name: str, ranking: Ranking, text: Catalogue, formats: Formats
) -> tuple[str, str]:
    window = text("card_window", days=formats.days(context.month), cities=formats.count(len(context.cities)))
    if len(ranking.top) > TOP:
        window += text("card_tied", count=formats.count(len(ranking.top)))
    source = text("card_source", version=context.method_version)
    left_out: list[Platform] = [weight.platform for weight in context.weights if not weight.eligible]
    if index_name == COMPOSITE and left_out:
        names = formats.names([text(f"platform_{platform}") for platform in left_out])
        source += text("card_left_out", platforms=names)
    elif index_name != COMPOSITE and index_name in left_out:
        source += text("card_not_counted")
    return tuple(_fitted(line, 20, WIDTH - 2 * _MARGIN) for line in (window, source))  # type: ignore[return-value]


def _name(entry: Entry, language: Language) -> str:
    return entry.city.name_zh if language == "zh" else entry.city.name_en


def _fitted(text: str, size: float, width: float, *, weight: int = 400) -> str:
    """The text as the font can draw it, cut with an ellipsis where it would run out of its place."""
    undrawn = typeface.missing(text)
    line = "".join(UNDRAWN if character in undrawn else character for character in text)
    if typeface.width(line, size, weight=weight) <= width:
        return line
    while line and typeface.width(line + _ELLIPSIS, size, weight=weight) > width:
        line = line[:-1]
    return line.rstrip() + _ELLIPSIS


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("smi_pipeline.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("card.svg.j2")
