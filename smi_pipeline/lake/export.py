"""Any table of the lake as CSV, Parquet or JSON."""

from __future__ import annotations

import hashlib
import io
import re
from typing import Literal

import duckdb
import polars as pl

from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month

_NAME = re.compile(r"[a-z]+\.[a-z][a-z0-9_]*")


def export_table(lake: Lake, table: str, month: Month | None, form: Literal["csv", "parquet", "json"]) -> bytes:
    """The rows of a table or view, of one month or all, sorted by all their columns, in the bytes of a file.

    CSV: UTF-8, a list as its items between `;`, null as an empty cell. JSON: an array of objects, instants as ISO 8601.

    Raises:
        LakeError: there is no such table, or it has no months.
    """
    with lake.read() as cursor:
        return _encoded(_rows(cursor, table, month), form)


def month_sha256(cursor: duckdb.DuckDBPyConnection, table: str, month: Month) -> str:
    """SHA-256 of what `export_table` gives of a month as JSON: equal where the rows are, in whatever order they lie."""
    return rows_sha256(_rows(cursor, table, month))


def rows_sha256(rows: pl.DataFrame) -> str:
    """The same of rows that were read `order by all`."""
    return hashlib.sha256(_encoded(rows, "json")).hexdigest()


def _encoded(frame: pl.DataFrame, form: Literal["csv", "parquet", "json"]) -> bytes:
    match form:
        case "csv":
            lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
            return frame.with_columns(pl.col(lists).list.join(";")).write_csv().encode()
        case "parquet":
            buffer = io.BytesIO()
            frame.write_parquet(buffer)
            return buffer.getvalue()
        case "json":
            return frame.write_json().encode()


def _rows(cursor: duckdb.DuckDBPyConnection, table: str, month: Month | None) -> pl.DataFrame:
    schema, _, name = table.partition(".")
    columns = cursor.execute(
        "select column_name from duckdb_columns()"
        " where database_name = 'lake' and schema_name = $1 and table_name = $2",
        [schema, name],
    ).fetchall()
    if not _NAME.fullmatch(table) or not columns:
        listed = cursor.execute(
            "select distinct schema_name || '.' || table_name as name from duckdb_columns()"
            " where database_name = 'lake' and schema_name in"
            " ('raw', 'staging', 'intermediate', 'metrics', 'index', 'marts') order by name"
        ).fetchall()
        raise LakeError(f"no table {table!r} in the lake; it has {', '.join(name for (name,) in listed)}")
    if month is None:
        return read_frame(cursor, f"select * from {table} order by all")
    if ("month",) not in columns:
        raise LakeError(f"{table} has no column month; export it without --month")
    return read_frame(cursor, f"select * from {table} where month = $month order by all", {"month": month.first})
