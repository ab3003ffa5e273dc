"""A ranking as one picture to pass on: 1080 x 1350, in both languages, drawn with the report's own font.

The SVG carries the glyphs it needs, so it looks the same wherever it is opened. On made-up data the mark stands above
the title, across every row and below them: no way of cutting the picture leaves a claim without it.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from smi_pipeline.registry.models import Platform
from smi_pipeline.report import typeface
from smi_pipeline.report.content import TOP, City, Entry, Names, Ranking, ReportContext
from smi_pipeline.report.fonts.cut import FAMILY
from smi_pipeline.report.formats import Formats, Language
from smi_pipeline.report.palette import LIGHT
from smi_pipeline.report.rankings import COMPOSITE, marked
from smi_pipeline.report.wording import Catalogue, catalogue

WIDTH: Final = 1080
HEIGHT: Final = 1350
_THUMBNAIL: Final = 0.25
_MARGIN: Final = 64
_FIRST_ROW: Final = 252
_ROW: Final = 96
_BAR_LEFT: Final = 394
_BAR_WIDTH: Final = 356
_NAME_WIDTH: Final = 226
_WITHIN: Final = WIDTH - 2 * _MARGIN
_TITLE_SIZE: Final[Mapping[Language, int]] = {"zh": 50, "en": 42}
_SUBTITLE_SIZE: Final = 28
_NAME_SIZE: Final = 34
_LISTED_WIDTH: Final = 460
_OTHER_SIZE: Final = 20
_CHANGE_SIZE: Final = 27
_CHANGE_RIGHT: Final = 1010
_SHAPE: Final = 22
_LEAST: Final = 0.6
"""How small a text may become before it is cut, as a share of its size."""
_MARK_SIZE: Final[Mapping[Language, int]] = {"zh": 58, "en": 42}
_MARKS: Final = tuple((350 if place % 2 else 730, 345 + 198 * place) for place in range(5))
"""Where the marks of made-up data stand: each slants over two rows, so that no row is without."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One city's line, every text fitted to its place.

    `change` is the number beside a shape, the word of a badge, a dash for an unchanged rank, or nothing where the two
    months do not compare. `shape` is the left end of the shape.
    """

    top: int
    rank: str
    first: bool
    marked: bool
    name: str
    name_size: int
    other: str
    other_size: int
    bar: float
    score: str
    change: str
    kind: str
    shape: float


@dataclass(frozen=True, slots=True)
class _Listed:
    """One city of a card without ranks: its two names side by side, on the lines of the others."""

    top: int
    name: str
    name_size: int
    other: str
    other_size: int


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
    face = Markup(typeface.page_css(html.unescape("".join(bare.values()))))  # noqa: S704  our own rules
    return {name: Card(_template().render(blanks, face=face), bare[name]) for name, blanks in told.items()}


def thumbnail(context: ReportContext) -> str:
    """The composite's card as a small picture in a data URI, for pages that have no files beside them."""
    card = _template().render(_blanks(context, COMPOSITE, "zh"), face="")
    return f"data:image/png;base64,{base64.b64encode(typeface.png(card, scale=_THUMBNAIL)).decode()}"


def _blanks(context: ReportContext, index_name: str, language: Language) -> dict[str, Any]:
    ranking, listed = _ranking(context, index_name), _leading(context, index_name)
    text, formats = catalogue(language), Formats(language)
    part = "_quantitative" if index_name == COMPOSITE and context.quantitative_only else ""
    title, size = _shrunk(text(f"card_title_{index_name}{part}"), _TITLE_SIZE[language], _WITHIN, weight=700)
    subtitle = _subtitle(context, ranking, language)
    withheld = "" if context.withheld is None else text("card_withheld", reason=context.withheld.reason[language])
    synthetic = text("card_synthetic") if context.synthetic else ""
    chosen, names = marked(ranking), context.names[language]
    return {
        "title": title,
        "subtitle": subtitle,
        "lines": [_line(entry, place, names, chosen=chosen) for place, entry in enumerate(ranking.top[:TOP])],
        "listed": [_listed(city, place, names) for place, city in enumerate(listed[:TOP])],
        "withheld": typeface.fitted(withheld, _OTHER_SIZE, _WITHIN) if listed else "",
        # A ranking that was not computed is said to be so: an empty card would look like one that failed.
        "nothing": _nothing(context, index_name, text),
        "heads": [text(f"card_{name}") for name in ("rank", "city", "score")],
        "change": text("card_change") if ranking.compared else "",
        "badge": text("card_entered"),
        "notes": _notes(context, index_name, ranking, text, formats),
        "synthetic": synthetic,
        "tag_width": round(typeface.width(synthetic, 20, weight=700)) + 32,
        "marks": _MARKS,
        "description": _description(context, ranking, subtitle, synthetic, language),
        "language": "zh-CN" if language == "zh" else "en",
        "colour": LIGHT,
        "family": FAMILY,
        "bar_left": _BAR_LEFT,
        "bar_width": _BAR_WIDTH,
        "size": size,
        "mark_size": _MARK_SIZE[language],
    }


def _ranking(context: ReportContext, index_name: str) -> Ranking:
    if index_name == COMPOSITE:
        return context.composite
    found = [section.ranking for section in context.sections if section.platform == index_name]
    return found[0] if found else Ranking(index_name, compared=False, entries=())


def _leading(context: ReportContext, index_name: str) -> tuple[City, ...]:
    """Whom the card of an edition without ranks lists; nobody where there are ranks."""
    return () if context.withheld is None else context.withheld.leading.get(index_name, ())


def _nothing(context: ReportContext, index_name: str, text: Catalogue) -> str:
    """What stands in the place of the ten cities where no city has a rank."""
    if any(section.platform == index_name and not section.collected for section in context.sections):
        return text("gap_not_collected", platform=text(f"platform_{index_name}"))
    return text("card_nothing")


def _subtitle(context: ReportContext, ranking: Ranking, language: Language) -> str:
    """The longest finding that fits on a line with the month and the status, which are never cut."""
    text = catalogue(language)
    status = text("card_provisional") if context.status == "provisional" else ""
    month = Formats(language).month(context.month)
    room = _WITHIN - typeface.width(text("card_subtitle", finding="", month=month, status=status), _SUBTITLE_SIZE)
    listed = _leading(context, ranking.index_name)
    counted = Formats(language).numeral(len(listed))
    findings = [text("card_finding_withheld", count=counted)] if listed else _findings(ranking, context.names[language])
    fitting = next((said for said in findings if typeface.width(said, _SUBTITLE_SIZE) <= room), findings[-1])
    finding = typeface.fitted(fitting, _SUBTITLE_SIZE, room)
    return text("card_subtitle", finding=finding, month=month, status=status)


def _findings(ranking: Ranking, names: Names) -> list[str]:
    """Who leads, and who came into the ten, said only where it is so; the most said first."""
    text, formats = catalogue(names.language), Formats(names.language)
    leaders = [names(entry.city) for entry in ranking.top if entry.rank == 1]
    entered = [names(entry.city) for entry in ranking.top if entry.change.entered and entry.rank != 1]
    if not leaders:
        return [text("card_finding_none")]
    key = "card_finding_leads" if len(leaders) == 1 else "card_finding_tied"
    blanks = {"leader": formats.names(leaders), "entered": formats.names(entered)}
    findings = [text(f"{key}_entered", **blanks)] if entered else []
    findings.append(text(key, **blanks))
    if len(leaders) > 1:
        findings.append(text("card_finding_many", count=formats.numeral(len(leaders))))
    return findings


def _listed(city: City, place: int, names: Names) -> _Listed:
    name, name_size = _shrunk(names.beside(city), _NAME_SIZE, _LISTED_WIDTH, weight=700)
    second, second_size = _shrunk(_other(city, names.language), _OTHER_SIZE, _LISTED_WIDTH)
    return _Listed(_FIRST_ROW + place * _ROW, name, name_size, second, second_size)


def _line(entry: Entry, place: int, names: Names, *, chosen: str | None) -> _Line:
    language = names.language
    formats = Formats(language)
    name, name_size = _shrunk(names.beside(entry.city), _NAME_SIZE, _NAME_WIDTH, weight=700)
    second, second_size = _shrunk(_other(entry.city, language), _OTHER_SIZE, _NAME_WIDTH)
    change, kind = _change(entry, language)
    return _Line(
        top=_FIRST_ROW + place * _ROW,
        rank=formats.count(entry.rank),
        first=entry.rank is not None and entry.rank <= 3,  # noqa: PLR2004  the podium
        marked=entry.city.city_id == chosen,
        name=name,
        name_size=name_size,
        other=second,
        other_size=second_size,
        bar=round(_BAR_WIDTH * min(max(entry.score or 0.0, 0.0), 100.0) / 100, 1),
        score=formats.score(entry.score),
        change=change,
        kind=kind,
        shape=round(_CHANGE_RIGHT - typeface.width(change, _CHANGE_SIZE, weight=700) - 10 - _SHAPE, 1),
    )


def _change(entry: Entry, language: Language) -> tuple[str, str]:
    change, formats = entry.change, Formats(language)
    if change.entered:
        return catalogue(language)("card_entered"), "entered"
    if change.kind in {"up", "down"}:
        return formats.count(abs(change.places or 0)), change.kind
    # An unchanged rank and one that cannot be compared must not look alike.
    return ("–", "same") if change.kind == "same" else ("", "none")


def _description(context: ReportContext, ranking: Ranking, subtitle: str, synthetic: str, language: Language) -> str:
    """The card in words, for whoever does not see it."""
    text, formats = catalogue(language), Formats(language)
    said = [text("card_description", subtitle=subtitle)]
    if synthetic:
        said.insert(0, text("card_sentence", words=synthetic))
    names = context.names[language]
    listed = names.all(_leading(context, ranking.index_name)[:TOP])
    if listed:
        said.append(text("card_cities", cities=formats.names(listed)))
    for entry in ranking.top[:TOP]:
        kind = "entered" if entry.change.entered else entry.change.kind
        change = text(f"change_{kind}", places=formats.places(abs(entry.change.places or 0)))
        said.append(
            text(
                "card_line" if kind == "not_computed" else "card_line_changed",
                rank=formats.count(entry.rank),
                city=names(entry.city),
                score=formats.score(entry.score),
                change=change,
            )
        )
    return text("between_sentences").join(said)


def _notes(
    context: ReportContext, index_name: str, ranking: Ranking, text: Catalogue, formats: Formats
) -> tuple[str, str]:
    said = [text("card_window", days=formats.days(context.month), cities=formats.count(len(context.cities)))]
    listed = _leading(context, index_name)
    if len(listed) > TOP:
        said.append(text("card_cities_more", count=formats.count(len(listed))))
    elif len(ranking.top) > TOP:
        # More than ten have a rank up to ten only where the last of these ranks is shared.
        ordinal = formats.ordinal(ranking.top[-1].rank or TOP)
        said.append(text("card_tied", ordinal=ordinal, count=formats.count(len(ranking.top))))
    elif ranking.top and not ranking.compared:
        said.append(text("card_not_compared"))
    window = text("between_sentences").join(said)
    source = text("card_source", version=context.method_version)
    left_out: list[Platform] = [weight.platform for weight in context.weights if not weight.eligible]
    if index_name == COMPOSITE and left_out:
        names = formats.names([text(f"platform_{platform}") for platform in left_out])
        source += text("card_left_out", platforms=names)
    elif index_name != COMPOSITE and index_name in left_out:
        source += text("card_not_counted")
    return typeface.fitted(window, 20, _WITHIN), typeface.fitted(source, 20, _WITHIN)


def _other(city: City, language: Language) -> str:
    """The city's name in the other language; empty where it is the same."""
    other = city.called("en" if language == "zh" else "zh")
    return "" if other == city.called(language) else other


def _shrunk(text: str, size: int, width: float, *, weight: int = 400) -> tuple[str, int]:
    """The text and the size at which it keeps to its place: made smaller first, cut only where that is not enough."""
    wide = typeface.width(text, size, weight=weight)
    fitting = size if wide <= width else max(int(size * width / wide), round(size * _LEAST))
    return typeface.fitted(text, fitting, width, weight=weight), fitting


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
