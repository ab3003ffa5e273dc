"""Any table of the lake as CSV, Parquet or JSON, or all of them as one DuckDB database."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl

from smi_pipeline.lake.connection import Lake, LakeError, quoted
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month

Comments = Mapping[str, tuple[str | None, Mapping[str, str]]]
_RELATIONS = """
select schema_name, table_name, list(column_name) from duckdb_columns()
where database_name = 'lake'
    and schema_name in ('raw', 'staging', 'intermediate', 'metrics', 'index', 'marts')
group by all
order by all
"""
_NAME = re.compile(r"[a-z]+\.[a-z][a-z0-9_]*")


def export_table(lake: Lake, table: str, month: Month | None, form: Literal["csv", "parquet", "json"]) -> bytes:
    """The rows of a table or view, of one month or all, sorted by all their columns, in the bytes of a file.

    CSV: UTF-8, a list as its items between `;`, null as an empty cell. JSON: an array of objects, instants as ISO 8601.

    Raises:
        LakeError: there is no such table, or it has no months.
    """
    with lake.read() as cursor:
        return _encoded(_rows(cursor, table, month), form)


def month_sha256(
    cursor: duckdb.DuckDBPyConnection, table: str, month: Month, *, columns: Sequence[str] | None = None
) -> str:
    """SHA-256 of what `export_table` gives of a month as JSON: equal where the rows are, in whatever order they lie.

    `columns`: only these, in their order.
    """
    return rows_sha256(_rows(cursor, table, month, columns))


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


def export_all(lake: Lake, file: Path, comments: Comments) -> tuple[int, int]:
    """Write every table, and what every view shows, to a new DuckDB database; give the number of tables and of rows.

    Schemas, names and types are the lake's. The file needs no extension, no lake and no network: any DuckDB of this
    version or a later one opens it.

    Args:
        lake: the lake.
        file: where; it must not be there yet, and is there only once it is whole.
        comments: what is said of a relation, and of its columns by name.

    Raises:
        LakeError: the file is there already, or cannot be written.
    """
    if file.exists():
        raise LakeError(f"{file} is there already; give the name of a new file")
    part, rows = file.with_name(f"{file.name}.part"), 0
    part.unlink(missing_ok=True)
    with lake.read() as cursor:
        try:
            cursor.execute(f"attach {quoted(part)} as export")
            relations = cursor.execute(_RELATIONS).fetchall()
            for schema, name, columns in relations:
                target = f'export."{schema}"."{name}"'
                cursor.execute(f'create schema if not exists export."{schema}"')
                cursor.execute(f'create table {target} as from lake."{schema}"."{name}"')
                counted = cursor.execute(f"select count(*) from {target}").fetchone()
                rows += counted[0] if counted else 0
                about, of_columns = comments.get(f"{schema}.{name}", (None, {}))
                if about is not None:
                    cursor.execute(f"comment on table {target} is {quoted(about)}")
                for column in of_columns.keys() & set(columns):
                    cursor.execute(f'comment on column {target}."{column}" is {quoted(of_columns[column])}')
            cursor.execute("commit")
            cursor.execute("detach export")
        except BaseException:
            with suppress(duckdb.Error):
                cursor.execute("rollback")
                cursor.execute("detach export")
            part.unlink(missing_ok=True)
            raise
    part.replace(file)
    return len(relations), rows


def columns_at(cursor: duckdb.DuckDBPyConnection, table: str, snapshot: int) -> list[str]:
    """The columns a table had at a snapshot, in their order."""
    found = cursor.execute(f"describe from {table} at (version => {snapshot:d})").fetchall()
    return [name for name, *_ in found]


def _rows(
    cursor: duckdb.DuckDBPyConnection, table: str, month: Month | None, only: Sequence[str] | None = None
) -> pl.DataFrame:
    schema, _, name = table.partition(".")
    columns = cursor.execute(
        "select column_name from duckdb_columns()"
        " where database_name = 'lake' and schema_name = $1 and table_name = $2",
        [schema, name],
    ).fetchall()
    if not _NAME.fullmatch(table) or not columns:
        there = cursor.execute(
            "select distinct schema_name || '.' || table_name as name from duckdb_columns()"
            " where database_name = 'lake' and schema_name in"
            " ('raw', 'staging', 'intermediate', 'metrics', 'index', 'marts') order by name"
        ).fetchall()
        raise LakeError(f"no table {table!r} in the lake; it has {', '.join(name for (name,) in there)}")
    if month is None:
        return read_frame(cursor, f"select * from {table} order by all")
    if ("month",) not in columns:
        raise LakeError(f"{table} has no column month; export it without --month")
    listed = "*" if only is None else ", ".join(f'"{name}"' for name in only)
    return read_frame(cursor, f"select {listed} from {table} where month = $month order by all", {"month": month.first})
