"""Bounds: the least and the greatest value of a column, which DuckLake keeps by table and by file and plans reads with.

DuckLake 1.5.5 loses the bounds of a table, and the next commit then takes those of its own rows for the whole table's:
filters, min, max and group by pass over earlier rows in silence, in any DuckDB shell. They are lost where a table's
first commit has a file without a value before one with values, where the first row group of a file has no value, and
where a text has a NUL. What is not kept cannot be lost: here a table has no bounds. Those of its files stay; they are
written once, with the file, and decide which files are read.

That DuckLake begins none by itself rests on a row of zeros in ducklake_table_stats for each table without rows: it then
updates statistics, and updates none that are not there. With that row a read is planned faster, too: without it the
catalog is asked once a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

import duckdb

from smi_pipeline.lake.storage import parquet, quoted
from smi_pipeline.lake.tables import SCHEMAS

# DuckLake's names of the types that have bounds, and DuckDB's; a list has those of its elements.
_TYPES = {
    "boolean": "boolean",
    "int8": "tinyint",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "uint8": "utinyint",
    "uint16": "usmallint",
    "uint32": "uinteger",
    "uint64": "ubigint",
    "float32": "float",
    "float64": "double",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "varchar": "varchar",
    "json": "varchar",
}
_FLOATS = ("float", "double")
_WITHOUT_STATISTICS = """
    select table_id from {own}.ducklake_table
    where end_snapshot is null and table_id not in (select table_id from {own}.ducklake_table_stats)
"""
_COLUMNS = """
with named as (
    select t.table_id, s.schema_name || '.' || t.table_name as name
    from {own}.ducklake_table as t
    join {own}.ducklake_schema as s using (schema_id)
    qualify row_number() over (partition by t.table_id order by t.begin_snapshot desc, s.begin_snapshot desc) = 1
),
latest as (
    from {own}.ducklake_column
    qualify row_number() over (partition by table_id, column_id order by begin_snapshot desc) = 1
)
select c.table_id, c.column_id, named.name, coalesce(list.column_name, c.column_name), c.column_type, c.parent_column
from latest as c
join named using (table_id)
left join latest as list on list.table_id = c.table_id and list.column_id = c.parent_column
where c.parent_column is null or (list.column_type = 'list' and list.parent_column is null)
order by c.table_id, c.column_id
"""
# `value_count` is the number of values that are not null.
_FILES_OUTSIDE = """
    select f.table_id, f.column_id
    from {own}.ducklake_file_column_stats as f
    join {own}.ducklake_table_column_stats as t using (table_id, column_id)
    where (f.min_value is null and f.value_count > 0 and not coalesce(f.contains_nan::boolean, false))
        or (f.min_value is not null and t.min_value is null)
        or {outside}
"""
SHOWN = 40  # characters of a bound in a message, and in the catalog where it is put right


@dataclass(frozen=True)
class Column:
    """A column that can have bounds, as the catalog names it now, with its type; `of_list`: the list it is within."""

    table_id: int
    column_id: int
    table: str
    name: str
    kind: str
    of_list: int | None


@dataclass(frozen=True)
class Range:
    """Least and greatest value as text; null where there is none, or none is known."""

    least: str | None = None
    greatest: str | None = None

    def __str__(self) -> str:
        if self.least is None and self.greatest is None:
            return "none"
        return f"{_shown(self.least)} to {_shown(self.greatest)}"


@dataclass(frozen=True)
class Wrong:
    """Bounds that the catalog keeps and that do not hold, the rows' own, and the months whose rows lie outside.

    `file`: id and path of the file they are of; null where they are its table's.
    """

    column: Column
    kept: Range
    rows: Range
    months: tuple[date, ...]
    file: tuple[int, str] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the catalog keeps none although there are values: reads are right until the table's next commit."""
        return self.kept == Range()

    def __str__(self) -> str:
        months = f" {', '.join(f'{month:%Y-%m}' for month in self.months)}" if self.months else ""
        whose = f"of {self.file[1]}" if self.file else "of the table"
        return (
            f"{self.column.table}.{self.column.name}{months}: the bounds {whose} are {self.kept}, its rows' {self.rows}"
        )


def lines(found: Iterable[Wrong]) -> list[str]:
    """What to say of bounds that do not hold: a line each, and a line a table of those that are lost."""
    said, lost = [], dict[str, list[str]]()
    for one in found:
        if one.is_lost:
            lost.setdefault(one.column.table, []).append(one.column.name)
        else:
            said.append(f"{one}: reads pass over rows")
    for table, names in lost.items():
        said.append(f"{table}: the bounds of {', '.join(names)} are lost: the next commit to it would hide rows")
    return said


Kept = Mapping[tuple[int, int], Range]  # by the id of a table or file, and of a column


def are_kept(cursor: duckdb.DuckDBPyConnection, own: str) -> bool:
    """Whether a table has bounds, or would get some with its first rows. `own`: the schema of DuckLake's own tables."""
    row = cursor.execute(
        f"select exists (from {own}.ducklake_table_column_stats) or exists ({_WITHOUT_STATISTICS.format(own=own)})"
    ).fetchone()
    return bool(row and row[0])


def remove(cursor: duckdb.DuckDBPyConnection, own: str, wrong: Iterable[Wrong] = ()) -> None:
    """Take the bounds of all tables out of the catalog and put right the `wrong` ones of files, in one transaction.

    Hold the lake's lock `write`.
    """
    cursor.execute("begin")
    try:
        missing = _WITHOUT_STATISTICS.format(own=own)
        cursor.execute(f"insert into {own}.ducklake_table_stats select table_id, 0, 0, 0 from ({missing})")
        cursor.execute(f"delete from {own}.ducklake_table_column_stats")
        for one in wrong:
            if one.file is not None:
                cursor.execute(
                    f"update {own}.ducklake_file_column_stats set min_value = $1, max_value = $2"
                    " where data_file_id = $3 and column_id = $4",
                    [*_storable(one.rows, one.column), one.file[0], one.column.column_id],
                )
        cursor.execute("commit")
    except BaseException:
        with suppress(duckdb.Error):  # after a failed COMMIT there is nothing left to roll back
            cursor.execute("rollback")
        raise


def columns(cursor: duckdb.DuckDBPyConnection, own: str) -> list[Column]:
    """Every column that can have bounds, of every table there is or was."""
    return [
        Column(table_id, column_id, table, name, _TYPES.get(kind, kind), of_list)
        for table_id, column_id, table, name, kind, of_list in cursor.execute(_COLUMNS.format(own=own)).fetchall()
        if kind in _TYPES or kind.startswith("decimal")
    ]


def of_tables(cursor: duckdb.DuckDBPyConnection, own: str) -> Kept:
    """The bounds the catalog keeps of tables."""
    rows = cursor.execute(
        f"select table_id, column_id, min_value, max_value from {own}.ducklake_table_column_stats"
    ).fetchall()
    return {(table, column): Range(least, greatest) for table, column, least, greatest in rows}


def of_files(cursor: duckdb.DuckDBPyConnection, own: str) -> Kept:
    """The bounds the catalog keeps of files; a file without any is merely read."""
    rows = cursor.execute(
        f"select data_file_id, column_id, min_value, max_value from {own}.ducklake_file_column_stats"
        " where min_value is not null or max_value is not null"
    ).fetchall()
    return {(file, column): Range(least, greatest) for file, column, least, greatest in rows}


def doubtful(cursor: duckdb.DuckDBPyConnection, own: str) -> list[Column]:
    """The columns whose table's bounds may not hold, as far as the catalog alone tells; no file is read."""
    tables = of_tables(cursor, own)
    if not tables:
        return []
    listed = [one for one in columns(cursor, own) if one.table.partition(".")[0] in SCHEMAS]  # not a user's own
    found = []
    for kind in sorted({column.kind for column in listed}):
        outside = _outside("f.min_value", "f.max_value", "t.min_value", "t.max_value", kind)
        rows = cursor.execute(f"{_FILES_OUTSIDE.format(own=own, outside=outside)} group by all").fetchall()
        found += [one for one in listed if one.kind == kind and (one.table_id, one.column_id) in rows]
    return found + [one.column for one in in_catalog(cursor, own, listed, tables) if one.column not in found]


def in_catalog(cursor: duckdb.DuckDBPyConnection, own: str, listed: Sequence[Column], tables: Kept) -> list[Wrong]:
    """The bounds of tables that do not hold for the rows in the catalog itself: small commits make no file."""
    found: list[Wrong] = []
    if not tables:
        return found
    named = f"select table_id, table_name from {own}.ducklake_inlined_data_tables order by all"
    for table_id, name in cursor.execute(named).fetchall():
        relation = f'{own}."{name}"'
        stored = dict(cursor.execute(f"select column_name, column_type from (describe {relation})").fetchall())
        mine = [one for one in listed if one.table_id == table_id and one.name in stored]
        values = [_ends(_text(one.name, stored[one.name]), one) for one in mine]
        for column, rows, _, outside in _compared(cursor, relation, mine, values, {}, tables):
            if outside:
                found.append(Wrong(column, tables[table_id, column.column_id], rows, ()))
    return found


def in_file(
    cursor: duckdb.DuckDBPyConnection,
    path: str,
    listed: Sequence[Column],
    of_file: Mapping[int, Range],
    tables: Kept,
) -> list[tuple[Column, Range, bool, bool]]:
    """Compare the rows of a file, with the columns `listed` of its table, with the bounds of both.

    `of_file`: by column id.

    Returns:
        Each column with the rows' least and greatest, whether one is outside the file's bounds, and whether outside the
        table's. A table that has no bounds of a column with values has lost them.
    """
    named = f"select field_id, name from parquet_schema({quoted(path)}) where field_id is not null"
    names = dict(cursor.execute(named).fetchall())
    there = [one for one in listed if one.column_id in names]
    values = [_ends(_identifier(names[one.of_list or one.column_id]), one) for one in there]
    return _compared(cursor, parquet(path), there, values, of_file, tables)


def widest(cursor: duckdb.DuckDBPyConnection, ranges: Sequence[Range], kind: str) -> Range:
    """The range of several places together."""
    [(least, greatest)] = cursor.execute(
        f"select min(try_cast(least as {kind}))::varchar, max(try_cast(greatest as {kind}))::varchar"
        " from (select unnest($1::varchar[]) as least, unnest($2::varchar[]) as greatest)",
        [[one.least for one in ranges], [one.greatest for one in ranges]],
    ).fetchall()
    return Range(least, greatest)


def _compared(
    cursor: duckdb.DuckDBPyConnection,
    relation: str,
    listed: Sequence[Column],
    values: Sequence[tuple[str, str]],
    of_file: Mapping[int, Range],
    tables: Kept,
) -> list[tuple[Column, Range, bool, bool]]:
    if not listed:
        return []
    selected: list[str] = []
    bound: dict[str, str | None] = {}
    for place, (column, (least, greatest)) in enumerate(zip(listed, values, strict=True)):
        selected += [f"{least}::varchar", f"{greatest}::varchar"]
        of_table = tables.get((column.table_id, column.column_id), Range())
        for whose, kept in (("f", of_file.get(column.column_id, Range())), ("t", of_table)):
            low, high = f"{whose}{place}low", f"{whose}{place}high"
            bound |= {low: kept.least, high: kept.greatest}
            selected.append(_outside(least, greatest, f"${low}", f"${high}", column.kind))
    [row] = cursor.execute(f"select {', '.join(selected)} from {relation}", bound).fetchall()
    found = []
    for place, column in enumerate(listed):
        least, greatest, outside_file, outside_table = row[4 * place : 4 * place + 4]
        lost = least is not None and tables.get((column.table_id, column.column_id)) == Range()
        found.append((column, Range(least, greatest), outside_file, outside_table or lost))
    return found


def _outside(least: str, greatest: str, low: str, high: str, kind: str) -> str:
    """Whether values go beyond bounds that are kept as text, as SQL; false where one of the two is not known."""
    return (
        f"(coalesce(try_cast({least} as {kind}) < try_cast({low} as {kind}), false)"
        f" or coalesce(try_cast({greatest} as {kind}) > try_cast({high} as {kind}), false))"
    )


def _ends(value: str, column: Column) -> tuple[str, str]:
    """The least and the greatest of a column, as SQL: of a list, of all its elements; not-a-number is neither."""
    if column.of_list is not None:
        elements = f"try_cast({value} as {column.kind}[])"
        return f"min(list_min({elements}))", f"max(list_max({elements}))"
    one = f"try_cast({value} as {column.kind})"
    numbers = f" filter (not isnan({one}))" if column.kind in _FLOATS else ""
    return f"min({one}){numbers}", f"max({one}){numbers}"


def _text(name: str, stored: str) -> str:
    """A value that a catalog keeps as text, or, in PostgreSQL, as the bytes of one, as SQL."""
    return f"decode({_identifier(name)})" if stored == "BLOB" else _identifier(name)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _storable(rows: Range, column: Column) -> tuple[str | None, str | None]:
    """Bounds for the catalog: of a text its beginning, which no row goes below, and none above where it is cut."""
    least, greatest = rows.least, rows.greatest
    if column.kind != "varchar" or least is None or greatest is None:
        return least, greatest
    if "\0" in least + greatest:  # neither catalog can hold it
        return None, None
    return least[:SHOWN], greatest if len(greatest) <= SHOWN else greatest[:SHOWN] + "\U0010ffff"


def _shown(value: str | None) -> str:
    if value is None:
        return "unknown"
    return value if len(value) <= SHOWN else f"{value[:SHOWN]}..."
