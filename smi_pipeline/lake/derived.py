"""Derived tables: months replaced whole or not at all, and not at all when nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from smi_pipeline.lake.connection import Lake, LakeError, attempts
from smi_pipeline.lake.frames import Frame
from smi_pipeline.lake.tables import DECLARED

Gate = Callable[[duckdb.DuckDBPyConnection, str], None]
_TABLE = re.compile(r"(intermediate|metrics|index|marts)\.[a-z][a-z0-9_]*")
_UNTYPED = "INTEGER"  # also what a column of nothing but null is staged as


@dataclass(frozen=True)
class Replaced:
    """What a replacement did to a month. `snapshot` is null when it already held these rows."""

    rows: int
    changed: bool
    snapshot: int | None


def replace_month(
    lake: Lake, table: str, month: date, source: pl.DataFrame | str, *, gates: Sequence[Gate] = ()
) -> Replaced:
    """Make `source` the rows of `month` in `table`; see `replace_months`."""
    return replace_months(lake, [month], {table: source}, gates=gates)[table][month]


def replace_months(
    lake: Lake, months: Sequence[date], sources: Mapping[str, pl.DataFrame | str], *, gates: Sequence[Gate] = ()
) -> dict[str, dict[date, Replaced]]:
    """Make each source the rows of `months` in its table, created at first use, all in one transaction.

    A commit costs as much as the rows of a year: what is made together is written together.

    Args:
        lake: the lake.
        months: the months' first days.
        sources: by table, `schema.name` of a derived one: a frame of all the months' rows, or a SELECT that may use
            `getvariable('month')` and is run once a month. Every row carries one of the months in its column `month`.
        gates: each gets the cursor and the name of a table's staged rows, and raises to keep all as it was.

    Returns:
        By table and month, how many rows the month has now, and whether that is a change. Equal rows commit nothing.

    Raises:
        LakeError: rows of another month, or a column of the table is missing in the source.
    """
    if strange := [table for table in sources if not _TABLE.fullmatch(table)]:
        raise ValueError(f"not a derived table: {strange[0]!r}")
    done = _replaced(lake, months, sources, gates)
    if done is None:
        _create(lake, months, sources)
        done = _replaced(lake, months, sources, gates)
    if done is None:
        raise LakeError(f"a table of {', '.join(sources)} was dropped meanwhile; run the same command again")
    return done


def _replaced(
    lake: Lake, months: Sequence[date], sources: Mapping[str, pl.DataFrame | str], gates: Sequence[Gate]
) -> dict[str, dict[date, Replaced]] | None:
    """Replace the months; null, and nothing is done, where a table is not there yet, or has or would get bounds."""

    def stage(cursor: duckdb.DuckDBPyConnection) -> None:
        for table, source in sources.items():
            _stage(cursor, _staged(table), months, source)

    span = f"{min(months):%Y-%m}" if len(months) == 1 else f"{min(months):%Y-%m} to {max(months):%Y-%m}"
    for attempt in attempts():
        with (
            attempt,
            lake.write(
                f"replace {span} of {', '.join(sources)}",
                over=sources,
                prepare=stage,
                tables=list(sources),
                months=months,
            ) as transaction,
        ):
            cursor = transaction.cursor
            rows = {table: _passed(cursor, table, months, gates) for table in sources}
            if lake.has_bounds(cursor) or not all(_columns(cursor, "lake", *table.split(".")) for table in sources):
                transaction.discard()
                return None
            done = {table: (rows[table], _replace(cursor, table, months)) for table in sources}
            if not any(altered for _, altered in done.values()):
                transaction.discard()
    return {
        table: {
            month: Replaced(counted.get(month, 0), month in altered, transaction.snapshot if month in altered else None)
            for month in months
        }
        for table, (counted, altered) in done.items()
    }


def _create(lake: Lake, months: Sequence[date], sources: Mapping[str, pl.DataFrame | str]) -> None:
    """Create the tables that are not there, without a row, in a commit of their own: bounds go before rows come.

    Whoever is killed in between leaves it to the next: nobody brings rows to a table that would get bounds.
    """

    def stage(cursor: duckdb.DuckDBPyConnection) -> None:
        for table, source in sources.items():
            none = source.clear() if isinstance(source, pl.DataFrame) else f"select * from ({source}) limit 0"
            _stage(cursor, _staged(table), months[:1], none)

    with lake.lock(*(f"replace {table}" for table in sources)):
        for attempt in attempts():
            with attempt, lake.write(f"{', '.join(sources)} created", prepare=stage) as transaction:
                cursor = transaction.cursor
                missing = [table for table in sources if not _columns(cursor, "lake", *table.split("."))]
                for table in missing:
                    schema, name = table.split(".")
                    cursor.execute(f'create table {schema}."{name}" as from {_staged(table)} limit 0')
                    cursor.execute(f'alter table {schema}."{name}" set partitioned by (month)')
                if not missing:
                    transaction.discard()
        lake.remove_bounds()


def _passed(
    cursor: duckdb.DuckDBPyConnection, table: str, months: Sequence[date], gates: Sequence[Gate]
) -> dict[date, int]:
    """Let the staged rows through the gates; give their number by month."""
    staged = _staged(table)
    rows = dict(cursor.execute(f"select month, count(*) from {staged} group by month").fetchall())
    if strangers := sum(number for month, number in rows.items() if month not in months):
        span = ", ".join(f"{month:%Y-%m}" for month in months)
        raise LakeError(f"{table}: {strangers} of {sum(rows.values())} rows are not of {span}; nothing was written")
    for gate in gates:
        gate(cursor, staged)
    return rows


def _replace(cursor: duckdb.DuckDBPyConnection, table: str, months: Sequence[date]) -> set[date]:
    """Put the staged rows in place of the months'; give the months that this changes."""
    staged = _staged(table)
    schema, name = table.split(".")
    there, new = _columns(cursor, "lake", schema, name), _columns(cursor, "temp", "main", f"staged {table}")
    _evolve(cursor, table, there, new)
    if changed := _changed(cursor, table, staged, list(new), months):
        listed = _listed(changed)
        cursor.execute(f"delete from {table} where month in ({listed})")
        cursor.execute(f"insert into {table} by name from {staged} where month in ({listed})")
    return changed


def _staged(table: str) -> str:
    return f'temp.main."staged {table}"'


def drop_derived(lake: Lake, table: str) -> None:
    """Drop a derived table, all its months: to derive them anew where a file of it is lost. History keeps it.

    Raises:
        LakeError: there is no such table, or it is none that is derived: what it holds would be gone.
    """
    schema, _, name = table.partition(".")
    with lake.write(f"{table} dropped", over=[table]) as transaction:
        if table in DECLARED or not _TABLE.fullmatch(table):
            raise LakeError(f"{table} is no derived table: nothing could make its rows again")
        if not _columns(transaction.cursor, "lake", schema, name):
            raise LakeError(f"there is no table {table} in {lake.path}")
        transaction.cursor.execute(f'drop table {schema}."{name}"')


def months_there(cursor: duckdb.DuckDBPyConnection, table: str, months: Iterable[date]) -> set[date]:
    """Which of `months` a derived table holds any row of; none where the table does not exist."""
    schema, name = table.split(".")
    listed = _listed(months)
    if not listed or not _columns(cursor, "lake", schema, name):
        return set()
    return {
        month for (month,) in cursor.execute(f"select distinct month from {table} where month in ({listed})").fetchall()
    }


def _stage(cursor: duckdb.DuckDBPyConnection, staged: str, months: Sequence[date], source: pl.DataFrame | str) -> None:
    if not isinstance(source, str):
        frame = Frame(source)  # noqa: F841  DuckDB finds it by its name
        cursor.execute(f"create or replace temp table {staged} as from frame")
        return
    for number, month in enumerate(months):
        cursor.execute("set variable month = $1::date", [month])
        into = f"insert into {staged} by name" if number else f"create or replace temp table {staged} as"
        cursor.execute(f"{into} {source}")


def _evolve(cursor: duckdb.DuckDBPyConnection, table: str, there: Mapping[str, str], staged: Mapping[str, str]) -> None:
    """Add the columns that are new in the source; earlier months have null in them.

    A column never changes its type: the insert would cast in silence, and round what does not fit.
    """
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


def _changed(
    cursor: duckdb.DuckDBPyConnection, table: str, staged: str, columns: Sequence[str], months: Sequence[date]
) -> set[date]:
    """The months whose stored rows are others than the staged ones, the order of rows aside."""
    listed = ", ".join(f'"{column}"' for column in columns)
    new, old = f"select {listed} from {staged}", f"select {listed} from {table} where month in ({_listed(months)})"
    rows = cursor.execute(
        f"select distinct month from ((({new}) except all ({old})) union all (({old}) except all ({new})))"
    ).fetchall()
    return {month for (month,) in rows}


def _listed(months: Iterable[date]) -> str:
    return ", ".join(f"date '{month}'" for month in sorted(months))


def _columns(cursor: duckdb.DuckDBPyConnection, database: str, schema: str, name: str) -> dict[str, str]:
    rows = cursor.execute(
        "select column_name, data_type from duckdb_columns()"
        " where database_name = $1 and schema_name = $2 and table_name = $3 order by column_index",
        [database, schema, name],
    ).fetchall()
    return dict(rows)
