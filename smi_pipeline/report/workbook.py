"""The edition as an Excel workbook: a sheet a ranking, one of all indicators, one of the method.

Every cell is written as what it is, a number or a text: nothing is a formula or a link, whatever it looks like.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import xlsxwriter

from smi_pipeline.report import typeface
from smi_pipeline.report.content import City, Entry, Measure, Profile, Ranking, ReportContext
from smi_pipeline.report.formats import Formats, Language
from smi_pipeline.report.gaps import flags_by_name
from smi_pipeline.report.palette import LIGHT
from smi_pipeline.report.rankings import COMPOSITE
from smi_pipeline.report.untrusted import clean
from smi_pipeline.report.wording import Catalogue, catalogue

NAMES: Final[Mapping[Language, str]] = {"zh": "report.xlsx", "en": "report.en.xlsx"}
HEAD_ROW: Final = 3
"""Rows above the head: the title, what the sheet is, and the mark of made-up data."""

_CELL_LENGTH: Final = 2000
_NUMBERS: Final[Mapping[str, str]] = {
    "count": "#,##0",
    "score": "0.00",
    "signed": "+0;-0;0",
    "share": "0.0%",
    "any": "#,##0.00",
}
_WIDEST: Final = 60
_NARROWEST: Final = 8
_WHOLE: Final = frozenset({"posts", "videos", "interactions", "followers", "follower_growth", "views"})


@dataclass(frozen=True)
class _Column:
    """Head and kind of a column: text, wrapped text, or a kind of number."""

    head: str
    kind: str = "text"


class _Share(float):
    """A number shown in percent, wherever it stands."""

    @classmethod
    def of(cls, value: float | None) -> _Share | None:
        """Null stays null."""
        return None if value is None else cls(value)


@dataclass
class _Book:
    """A workbook in the making, with the formats it uses."""

    context: ReportContext
    language: Language
    out: io.BytesIO = field(default_factory=io.BytesIO)

    def __post_init__(self) -> None:
        self.text: Catalogue = catalogue(self.language)
        self.formats = Formats(self.language)
        self.book = xlsxwriter.Workbook(
            self.out,
            {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False},
        )
        font = {"font_size": 10, "valign": "top"}
        self.styles = {kind: self.book.add_format({**font, "num_format": number}) for kind, number in _NUMBERS.items()}
        self.styles["text"] = self.book.add_format(font)
        self.styles["wrapped"] = self.book.add_format({**font, "text_wrap": True})
        self.styles["note"] = self.book.add_format({**font, "font_color": LIGHT["muted"]})
        self.styles["title"] = self.book.add_format(
            {**font, "font_size": 14, "bold": True, "font_color": LIGHT["accent"]}
        )
        self.styles["mark"] = self.book.add_format(
            {**font, "bold": True, "bg_color": LIGHT["ochre"], "font_color": LIGHT["on_ochre"]}
        )
        self.styles["head"] = self.book.add_format(
            {**font, "bold": True, "text_wrap": True, "bg_color": LIGHT["grid"], "bottom": 1, "valign": "vcenter"}
        )

    def sheet(self, name: str, note: str, columns: Sequence[_Column], rows: Sequence[Sequence[Any]]) -> None:
        """One sheet: head frozen and filtered, columns as wide as their content."""
        page = self.book.add_worksheet(name)
        page.write_string(0, 0, self._title(), self.styles["title"])
        page.write_string(1, 0, _words(note), self.styles["note"])
        if self.context.synthetic:
            page.write_string(
                2, 0, f"{self.text('synthetic_label')} {self.text('synthetic_text')}", self.styles["mark"]
            )
        for place, column in enumerate(columns):
            page.write_string(HEAD_ROW, place, column.head, self.styles["head"])
            for number, row in enumerate(rows, HEAD_ROW + 1):
                self._cell(page, number, place, row[place], column.kind)
            longest = max([_wide(column.head), *(_wide(self._shown(row[place])) for row in rows)])
            page.set_column(place, place, min(max(longest + 2.5, _NARROWEST), _WIDEST))
        page.freeze_panes(HEAD_ROW + 1, min(2, len(columns) - 1))
        if rows:
            page.autofilter(HEAD_ROW, 0, HEAD_ROW + len(rows), len(columns) - 1)
        page.set_landscape()
        page.set_paper(9)
        page.fit_to_pages(1, 0)
        page.repeat_rows(HEAD_ROW)
        page.set_footer("&C&P / &N")
        if self.context.synthetic:
            page.set_header(f"&C&B{self.text('print_mark')}")

    def bytes(self) -> bytes:
        """The finished file, dated as the edition."""
        self.book.set_properties(
            {
                "title": self._title(),
                "comments": self.text("print_mark") if self.context.synthetic else "",
                "created": self.context.dated.replace(tzinfo=None),
            }
        )
        self.book.close()
        return self.out.getvalue()

    def _title(self) -> str:
        title = self.context.sentences[self.language].title
        return _words(self.text("page_title", title=title, month=self.formats.month(self.context.month)))

    def _cell(self, page: Any, row: int, column: int, value: Any, kind: str) -> None:
        style = self.styles[kind]
        if value is None:
            page.write_blank(row, column, None, style)
        elif isinstance(value, str):
            page.write_string(row, column, _words(value), self.styles["wrapped" if kind == "wrapped" else "text"])
        else:
            page.write_number(row, column, value, self.styles["share"] if isinstance(value, _Share) else style)

    def _shown(self, value: Any) -> str:
        return (
            ""
            if value is None
            else value
            if isinstance(value, str)
            else f"{value:,.2f}"
            if isinstance(value, float)
            else f"{value:,d}"
        )


def workbook(context: ReportContext, language: Language) -> bytes:
    """The workbook of one language; equal contexts give equal bytes.

    Sheets: the composite and each platform by rank, all indicators of all cities, method and sources. An edition
    without ranks has the leading cities in their drawn order, then the others, and no indicators.
    """
    book = _Book(context, language)
    _ranking_sheet(book, book.text("sheet_composite"), context.composite)
    for section in context.sections:
        _ranking_sheet(book, book.text(f"platform_{section.platform}"), section.ranking)
    if context.profiles:
        _indicators_sheet(book)
    _method_sheet(book)
    return book.bytes()


def _ranking_sheet(book: _Book, name: str, ranking: Ranking) -> None:
    text, context = book.text, book.context
    index = _index_name(book, ranking.index_name)
    about = {"month": book.formats.month(context.month), "index": index}
    if context.withheld is not None:
        note = text("sheet_listed", reason=context.withheld.reason[book.language], **about)
        _listed_sheet(book, name, note, ranking)
        return
    whole = ranking.index_name == COMPOSITE
    columns = [
        _Column(text("head_rank"), "count"),
        _Column(text("head_city")),
        _Column("English" if book.language == "zh" else "中文"),
        _Column(text("head_code")),
        _Column(text("head_province")),
        _Column(text("head_score"), "score"),
        _Column(text("sheet_previous_rank"), "count"),
        _Column(text("head_change"), "signed"),
        *([_Column(text("sheet_low"), "any"), _Column(text("sheet_high"), "any")] if whole else []),
        _Column(text("head_notes"), "wrapped"),
    ]

    def row(entry: Entry) -> list[Any]:
        span = context.intervals.get(entry.city.city_id) or (None, None)
        return [
            entry.rank,
            *_names(book, entry.city),
            entry.score,
            entry.previous_rank,
            entry.change.places,
            *(span if whole else ()),
            _flags(book, entry.flags),
        ]

    status = text(f"status_{context.status}")
    note = text("sheet_ranked", status=status, version=context.method_version, **about)
    book.sheet(name, note, columns, [row(entry) for entry in ranking.entries])


def _listed_sheet(book: _Book, name: str, note: str, ranking: Ranking) -> None:
    """The leading cities as they were drawn, then the others by code: a list that says nothing about order."""
    text, withheld = book.text, book.context.withheld
    leading = withheld.leading.get(ranking.index_name, ()) if withheld is not None else ()
    leads = {city.city_id for city in leading}
    flags = {entry.city.city_id: entry.flags for entry in ranking.entries}
    others = [entry.city for entry in ranking.entries if entry.city.city_id not in leads]
    columns = [
        _Column(text("sheet_leading")),
        _Column(text("head_city")),
        _Column("English" if book.language == "zh" else "中文"),
        _Column(text("head_code")),
        _Column(text("head_province")),
        _Column(text("head_notes"), "wrapped"),
    ]
    rows = [
        [
            text("sheet_yes" if city.city_id in leads else "sheet_no"),
            *_names(book, city),
            _flags(book, flags.get(city.city_id, ())),
        ]
        for city in (*leading, *others)
    ]
    book.sheet(name, note, columns, rows)


def _indicators_sheet(book: _Book) -> None:
    text, context = book.text, book.context
    indicators = list(context.method["indicators"])
    columns = [
        _Column(text("head_city")),
        _Column(text("head_platform")),
        _Column(text("head_code")),
        _Column(text("head_rank"), "count"),
        _Column(text("head_score"), "score"),
        _Column(text("sheet_contribution"), "score"),
        _Column(text("sheet_accounts"), "count"),
        *(_Column(text(f"indicator_{one}"), "count" if one in _WHOLE else "any") for one in indicators),
        *(_Column(text("sheet_points", indicator=text(f"indicator_{one}")), "score") for one in indicators),
        _Column(text("head_notes"), "wrapped"),
    ]
    rows = [row for profile in context.profiles for row in _indicator_rows(book, profile, indicators)]
    note = text("sheet_indicators_note", month=book.formats.month(context.month))
    book.sheet(text("sheet_indicators"), note, columns, rows)


def _indicator_rows(book: _Book, profile: Profile, indicators: Sequence[str]) -> Iterator[list[Any]]:
    """A row a platform the city has figures or points on, and one of the experts' part."""
    name = book.context.names[book.language](profile.city)
    for section in book.context.sections:
        measures: dict[str, Measure] = {m.indicator: m for m in profile.measures if m.platform == section.platform}
        figures = profile.figures.get(section.platform)
        if not measures and figures is None:
            continue
        entry = next((e for e in section.ranking.entries if e.city.city_id == profile.city.city_id), None)
        points = [m.contribution for m in measures.values() if m.contribution is not None]
        yield [
            name,
            book.text(f"platform_{section.platform}"),
            profile.city.city_id,
            entry.rank if entry else None,
            entry.score if entry else None,
            sum(points) if points else None,
            figures.accounts if figures else None,
            *(_whole(measures[one].value) if one in measures else None for one in indicators),
            *(measures[one].points if one in measures else None for one in indicators),
            _flags(
                book,
                sorted({flag for m in measures.values() for flag in m.flags} | set(figures.flags if figures else ())),
            ),
        ]
    if profile.expert is not None:
        empty = [None] * (2 * len(indicators))
        yield [name, book.text("sheet_expert"), profile.city.city_id, None, None, profile.expert, None, *empty, ""]


def _whole(value: float | None) -> float | None:
    """A count is stored as a float among rates; as a number of the sheet it is whole again."""
    return int(value) if value is not None and float(value).is_integer() else value


def _method_sheet(book: _Book) -> None:
    text = book.text
    columns = [_Column(text("sheet_item")), _Column(text("sheet_parameter")), _Column(text("head_value"), "wrapped")]
    book.sheet(text("sheet_method"), text("sheet_parameters_note"), columns, list(_method_rows(book)))


def _method_rows(book: _Book) -> Iterator[list[Any]]:
    text, context, formats = book.text, book.context, book.formats
    told = context.sentences[book.language]
    zone = ZoneInfo(context.zone)
    yield [text("fact_status"), "", text(f"status_{context.status}")]
    yield [text("provenance_method"), "", context.method_version]
    yield [text("provenance_snapshot"), "", context.snapshot]
    yield [text("provenance_code"), "", context.code_version]
    yield [text("provenance_zone"), "", context.zone]
    for row in context.collections:
        finished = formats.moment(row.finished_at, zone)
        yield [text("head_collection"), text(f"platform_{row.platform}"), f"{row.collection_id}, {finished}"]
    for said in told.circumstances:
        yield [text("circumstances_title", month=formats.month(context.month)), "", said]
    for said in told.gaps:
        yield [text("gaps_title"), "", said]
    for indicator, rule in context.method["indicators"].items():
        yield [text("head_group"), text(f"indicator_{indicator}"), text(f"group_{rule['group']}")]
        yield [text("head_definition"), text(f"indicator_{indicator}"), text(f"definition_{indicator}")]
    for weight in context.weights:
        platform = text(f"platform_{weight.platform}")
        yield [text("head_coverage"), platform, _Share.of(weight.coverage)]
        yield [text("head_weight"), platform, _Share(weight.weight) if weight.eligible else text("left_out")]
        for given in weight.inputs:
            source = f"{given.unit}; {given.source or '—'}; {given.as_of}"
            yield [text.or_code("factor", given.factor), platform, given.value]
            yield [text("head_source"), platform, source]
    for flag, where in flags_by_name(context, book.language):
        yield [text("head_flag"), flag, f"{text.or_code('flag', flag)} ({where})"]
    for name, value in _parameters(context.method):
        yield [text("sheet_parameter"), name, value]


def _parameters(method: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The method file flat: `platform_weights.floor`, its value; lists in one cell."""
    for name, value in method.items():
        if isinstance(value, Mapping):
            yield from _parameters(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{name}", ", ".join(str(one) for one in value)
        elif isinstance(value, bool) or value is None:
            yield f"{prefix}{name}", str(value).lower()
        else:
            yield f"{prefix}{name}", value


def _index_name(book: _Book, index_name: str) -> str:
    if index_name == COMPOSITE:
        return book.text("index_quantitative" if book.context.quantitative_only else "index_composite")
    return book.text("index_of", platform=book.text(f"platform_{index_name}"))


def _names(book: _Book, city: City) -> tuple[str, str, str, str]:
    other: Language = "en" if book.language == "zh" else "zh"
    return (city.called(book.language), city.called(other), city.city_id, city.province)


def _flags(book: _Book, flags: Sequence[str]) -> str:
    return book.text("list_separator").join(book.text.or_code("flag", flag) for flag in flags)


def _words(value: str) -> str:
    """A text a cell may hold: no control characters, which the format forbids, and not longer than anyone reads."""
    return clean(value, length=_CELL_LENGTH)


def _wide(value: str) -> float:
    """How many digits of the standard font a text takes."""
    return typeface.width(value[:_WIDEST], 1) / 0.56
