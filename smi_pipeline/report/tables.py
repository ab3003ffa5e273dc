"""The rankings as tables for machines and for Excel: one content, four ways of writing it down."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from smi_pipeline.report.content import ReportContext, Revision

FLAG_SEPARATOR: Final = "|"
# What Excel and its kin take for a formula when a text begins with it, white space before it or not.
_FORMULA_STARTS: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_TYPES: Final[Mapping[str, pl.DataType | type[pl.DataType]]] = {
    "month": pl.Date,
    "rank": pl.Int64,
    "previous_rank": pl.Int64,
    "rank_change": pl.Int64,
    "score": pl.Float64,
    "flags": pl.List(pl.String),
    "leading": pl.Boolean,
    "synthetic": pl.Boolean,
}


def rankings_csv(context: ReportContext) -> str:
    """marts.rankings for machines: RFC 4180, UTF-8, floats in full, a null as nothing, flags joined by `|`.

    A last column says whether the data are made up. Values are untouched: a name that begins with `=` stays as it is,
    so open it as data, not by double click.
    """
    return _rankings(context, "\n", _cell)


def excel_csv(context: ReportContext) -> bytes:
    """The same rows to open by double click: with a byte order mark, and a `'` before a text Excel might compute."""

    def cell(value: object) -> object:
        return _cell(value) if isinstance(value, float) else harmless(_cell(value))  # -0.5 is a number

    return _rankings(context, "\r\n", cell).encode("utf-8-sig")


def changes_csv(revision: Revision, *, synthetic: bool) -> str:
    """A row for each city whose rank or score in an index is not what the edition before said; for machines."""
    names = ["index_name", "city_id", "name_zh", "name_en"]
    figures = ["rank_before", "rank", "score_before", "score"]
    rows = [
        (
            *(one.index_name, one.city.city_id, one.city.name_zh, one.city.name_en),
            *(getattr(one, figure) for figure in figures),
            synthetic,
        )
        for one in revision.moved
    ]
    return _csv([*names, *figures, "synthetic"], rows, "\n", _cell)


def harmless(value: object) -> object:
    """A text that a spreadsheet takes as a text: with `'` before it where it might be taken for a formula."""
    if not isinstance(value, str):
        return value
    return f"'{value}" if value.lstrip(" \u3000\xa0\ufeff")[:1] in _FORMULA_STARTS else value


def rankings_parquet(context: ReportContext) -> bytes:
    """The same rows with their types; flags as lists."""
    rows = [{**row, "synthetic": context.synthetic} for row in context.rankings]
    names = list(rows[0]) if rows else ["synthetic"]
    columns = [pl.Series(name, [row[name] for row in rows], dtype=_type(name, rows)) for name in names]
    out = io.BytesIO()
    pl.DataFrame(columns).write_parquet(out, compression="zstd", statistics=True)
    return out.getvalue()


def _type(name: str, rows: list[dict[str, Any]]) -> pl.DataType | type[pl.DataType] | None:
    """A column without any value has no type of its own; one this room does not know is text then."""
    if name in _TYPES:
        return _TYPES[name]
    return None if any(row[name] is not None for row in rows) else pl.String


def _rankings(context: ReportContext, ending: str, cell: Callable[[object], object]) -> str:
    names = [*context.rankings[0], "synthetic"] if context.rankings else ["synthetic"]
    return _csv(names, [(*row.values(), context.synthetic) for row in context.rankings], ending, cell)


def _csv(names: Sequence[str], rows: Iterable[Sequence[object]], ending: str, cell: Callable[[object], object]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=ending)
    writer.writerow(names)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return FLAG_SEPARATOR.join(value) if isinstance(value, list) else value
