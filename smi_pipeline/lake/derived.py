"""Derived tables: one month replaced at a time, whole or not at all, and not at all when nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from smi_pipeline.lake.connection import Lake, LakeError, Transaction, attempts
from smi_pipeline.lake.frames import Frame
from smi_pipeline.lake.tables import DECLARED

Gate = Callable[[duckdb.DuckDBPyConnection, str], None]
_TABLE = re.compile(r"(intermediate|metrics|index|marts)\.[a-z][a-z0-9_]*")
_STAGED = "temp.main.staged"
_UNTYPED = "INTEGER"  # also what a column of nothing but null is staged as


@dataclass(frozen=True)
class Replaced:
    """What a replacement did. `snapshot` is null when the month already held these rows."""

    rows: int
    changed: bool
    snapshot: int | None


def replace_month(
    lake: Lake, table: str, month: date, source: pl.DataFrame | str, *, gates: Sequence[Gate] = ()
) -> Replaced:
    """Make `source` the rows of `month` in `table`, created at first use, in one transaction.

    Args:
        lake: the lake.
        table: `schema.name` of a derived table.
        month: the month's first day; every row must carry it in its column `month`.
        source: a frame, or a SELECT that may use `getvariable('month')`.
        gates: each gets the cursor and the name of the staged rows, and raises to keep the old month.

    Returns:
        How many rows the month has now, and whether that is a change. Equal rows commit nothing.

    Raises:
        LakeError: rows of another month, or a column of the table is missing in the source.
    """
    if not _TABLE.fullmatch(table):
        raise ValueError(f"not a derived table: {table!r}")
    done = _replaced(lake, table, month, source, gates)
    if done is None:
        _create(lake, table, month, source)
        done = _replaced(lake, table, month, source, gates)
    if done is None:
        raise LakeError(f"{table} was dropped while its month {month:%Y-%m} was replaced; run the same command again")
    return done


def _replaced(
    lake: Lake, table: str, month: date, source: pl.DataFrame | str, gates: Sequence[Gate]
) -> Replaced | None:
    """Replace the month; null, and nothing is done, where there is no such table yet."""
    for attempt in attempts():
        with (
            attempt,
            lake.write(
                f"replace {month:%Y-%m} of {table}",
                over=table,
                prepare=lambda cursor: _stage(cursor, month, source),
                table=table,
                month=month,
            ) as transaction,
        ):
            done = _replace(transaction, table, month, gates)
    return None if done is None else Replaced(*done, snapshot=transaction.snapshot)


def _create(lake: Lake, table: str, month: date, source: pl.DataFrame | str) -> None:
    """Create the table without a row, in a commit of its own: it must have no bounds before it has rows.

    Under the lock of whoever replaces a month in it, on every kind of lake: nobody may bring rows in between.
    """
    schema, name = table.split(".")
    first = source.clear() if isinstance(source, pl.DataFrame) else f"select * from ({source}) limit 0"

    def stage(cursor: duckdb.DuckDBPyConnection) -> None:
        _stage(cursor, month, first)

    with lake.lock(f"replace {table}"):
        for attempt in attempts():
            with attempt, lake.write(f"{table} created", prepare=stage, table=table) as transaction:
                if _columns(transaction.cursor, "lake", schema, name):
                    transaction.discard()
                    continue
                transaction.cursor.execute(f'create table {schema}."{name}" as from {_STAGED} limit 0')
                transaction.cursor.execute(f'alter table {schema}."{name}" set partitioned by (month)')
        lake.remove_bounds()


def _replace(transaction: Transaction, table: str, month: date, gates: Sequence[Gate]) -> tuple[int, bool] | None:
    """Put the staged rows in place of the month's; give their number, and whether that is a change."""
    cursor = transaction.cursor
    schema, name = table.split(".")
    there = _columns(cursor, "lake", schema, name)
    if not there:
        transaction.discard()
        return None
    rows = _count(cursor, f"select count(*) from {_STAGED}")
    if strangers := _count(cursor, f"select count(*) from {_STAGED} where month is distinct from $1", month):
        raise LakeError(f"{table}: {strangers} of {rows} rows are not of {month:%Y-%m}; nothing was written")
    for gate in gates:
        gate(cursor, _STAGED)
    _evolve(cursor, table, there)
    if _same(cursor, table, month):
        transaction.discard()
        return rows, False
    cursor.execute(f"delete from {table} where month = $1", [month])
    cursor.execute(f"insert into {table} by name from {_STAGED}")
    return rows, True


def drop_derived(lake: Lake, table: str) -> None:
    """Drop a derived table, all its months: to derive them anew where a file of it is lost. History keeps it.

    Raises:
        LakeError: there is no such table, or it is none that is derived: what it holds would be gone.
    """
    schema, _, name = table.partition(".")
    with lake.write(f"{table} dropped", over=table) as transaction:
        if table in DECLARED or not _TABLE.fullmatch(table):
            raise LakeError(f"{table} is no derived table: nothing could make its rows again")
        if not _columns(transaction.cursor, "lake", schema, name):
            raise LakeError(f"there is no table {table} in {lake.path}")
        transaction.cursor.execute(f'drop table {schema}."{name}"')


def has_month(cursor: duckdb.DuckDBPyConnection, table: str, month: date) -> bool:
    """Whether a derived table exists and holds any row of the month."""
    schema, name = table.split(".")
    if not _columns(cursor, "lake", schema, name):
        return False
    return bool(_count(cursor, f"select count(*) from (from {table} where month = $1 limit 1)", month))


def _stage(cursor: duckdb.DuckDBPyConnection, month: date, source: pl.DataFrame | str) -> None:
    cursor.execute("set variable month = $1::date", [month])
    if isinstance(source, str):
        cursor.execute(f"create or replace temp table staged as {source}")
        return
    frame = Frame(source)  # noqa: F841  DuckDB finds it by its name
    cursor.execute("create or replace temp table staged as from frame")


def _evolve(cursor: duckdb.DuckDBPyConnection, table: str, there: dict[str, str]) -> None:
    """Add the columns that are new in the source; earlier months have null in them.

    A column never changes its type: the insert would cast in silence, and round what does not fit.
    """
    staged = _columns(cursor, "temp", "main", "staged")
    if lost := there.keys() - staged.keys():
        raise LakeError(f"{table} has columns {sorted(lost)} that the new rows lack; a column is never dropped")
    for column, kind in there.items():
        if staged[column] not in (kind, _UNTYPED):
            raise LakeError(
                f"{table}.{column} is {kind} in the lake and {staged[column]} in the new rows; nothing was written."
                " A type is never changed in place: give the new values a column of their own"
            )
    for column in staged.keys() - there.keys():
        cursor.execute(f'alter table {table} add column "{column}" {staged[column]}')


def _same(cursor: duckdb.DuckDBPyConnection, table: str, month: date) -> bool:
    columns = ", ".join(f'"{c}"' for c in _columns(cursor, "temp", "main", "staged"))
    staged, stored = f"select {columns} from {_STAGED}", f"select {columns} from {table} where month = $1"
    return not _count(
        cursor,
        f"select count(*) from ((({staged}) except all ({stored})) union all (({stored}) except all ({staged})))",
        month,
    )


def _columns(cursor: duckdb.DuckDBPyConnection, database: str, schema: str, name: str) -> dict[str, str]:
    rows = cursor.execute(
        "select column_name, data_type from duckdb_columns()"
        " where database_name = $1 and schema_name = $2 and table_name = $3 order by column_index",
        [database, schema, name],
    ).fetchall()
    return dict(rows)


def _count(cursor: duckdb.DuckDBPyConnection, sql: str, *parameters: object) -> int:
    row = cursor.execute(sql, list(parameters)).fetchone()
    return int(row[0]) if row else 0
