"""Caring for a lake: what it takes, small files into larger ones, history let go, files that are lost, files left over.

Nothing here changes what a table says today, or in an edition's snapshot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import duckdb

from smi_pipeline.lake import bounds
from smi_pipeline.lake.bounds import Column, Range, Wrong
from smi_pipeline.lake.catalog import (
    DataFile,
    data_files,
    inlined_rows,
    meta,
    older_than,
    orphans,
    scheduled,
    snapshots,
    versions,
)
from smi_pipeline.lake.connection import Lake, LakeError, attempts
from smi_pipeline.lake.editions import edition_snapshots
from smi_pipeline.lake.faults import damaged_catalog, is_lost, store_fault
from smi_pipeline.lake.reading import is_read_only, readable
from smi_pipeline.lake.storage import parquet

KEPT_DAYS = 30  # how old a snapshot is that nothing names when it is let go
A_DAY = 24  # hours a file that nothing refers to is left alone: it may belong to a write that has not ended
_TABLES = "select schema_name, table_name from duckdb_tables() where database_name = 'lake' order by all"
CARE = "care"  # one of these at a time, also where writers need no lock


@dataclass(frozen=True)
class TableSize:
    """What a table takes: files and bytes of its newest state, rows still in the catalog, files only history needs."""

    table: str
    files: int
    size: int
    inlined: int
    earlier_files: int
    earlier_size: int


@dataclass(frozen=True)
class Sizes:
    """What a lake takes. `kept`: snapshots that expiry leaves; `unneeded`: files that wait to be deleted."""

    tables: list[TableSize]
    snapshots: list[int]
    kept: list[int]
    orphans: list[str]
    unneeded: int
    catalog: int | None


@dataclass(frozen=True)
class Broken:
    """A file that cannot be read as it was written: `lost`, `damaged`, or with other rows than the catalog counts."""

    file: DataFile
    state: str
    reason: str


@dataclass(frozen=True)
class Checked:
    """What a check has read, what is broken, and what is wrong with the catalog itself (null: nothing).

    `bounds`: those that do not hold for their rows (see lake/bounds.py); `doubtful`: whether some might not have.
    """

    files: int
    rows: int
    broken: list[Broken]
    catalog: str | None
    bounds: list[Wrong]
    doubtful: bool


@dataclass(frozen=True)
class Merged:
    """What compaction did to a table: files before and after, rows that left the catalog for a file."""

    table: str
    before: int
    after: int
    flushed: int


@dataclass(frozen=True)
class Expired:
    """Snapshots let go, snapshots kept although they are old, and files deleted that nothing needs any more."""

    gone: list[int]
    kept: list[int]
    files: int


def sizes(lake: Lake) -> Sizes:
    """Count files, bytes, snapshots and orphans; reads no data file."""
    with lake.read() as cursor:
        files, inlined = data_files(lake, cursor), inlined_rows(lake, cursor)
        names = sorted({file.table for file in files} | inlined.keys())
        tables = [_size(name, [file for file in files if file.table == name], inlined.get(name, 0)) for name in names]
        tables = [one for one in tables if one.files or one.inlined or one.earlier_files]
        there = snapshots(cursor)
        return Sizes(
            tables=tables,
            snapshots=there,
            kept=sorted(kept_snapshots(cursor) & set(there)),
            orphans=orphans(cursor),
            unneeded=scheduled(lake, cursor),
            catalog=None if lake.catalog_file is None else lake.catalog_file.stat().st_size,
        )


def kept_snapshots(cursor: duckdb.DuckDBPyConnection) -> set[int]:
    """The snapshots that an edition names, or that one could still be made to name, and the newest.

    An edition names the commit that brought the last of its inputs: the end of a collection, or an input file.
    """
    rows = cursor.execute(
        "select max(snapshot_id) from raw.collection_log group by collection_id"
        " union select distinct snapshot_id from raw.input_file"
    ).fetchall()
    newest = snapshots(cursor)[-1:]
    return {number for (number,) in rows} | set(edition_snapshots(cursor)) | set(newest)


def compact(lake: Lake) -> list[Merged]:
    """Write rows that are in the catalog to files, and small files of a table and month into one; no row changes.

    Each keeps the snapshot that brought it, so earlier states read as before. The small files are deleted once they
    have been unneeded for a day.
    """
    flushed = flush(lake)
    for attempt in attempts():
        with attempt, lake.write("small files into larger ones", over=[CARE]) as transaction:
            merged = transaction.cursor.execute("call ducklake_merge_adjacent_files('lake')").fetchall()
    _delete_unneeded(lake, least_hours=A_DAY)
    done: dict[str, Merged] = {}
    for table, rows in flushed.items():
        done[table] = Merged(table, 0, 0, rows)
    for schema, name, before, after in merged:
        table = f"{schema}.{name}"
        so_far = done.get(table, Merged(table, 0, 0, 0))
        done[table] = Merged(table, so_far.before + before, so_far.after + after, so_far.flushed)
    return [done[table] for table in sorted(done)]


def flush(lake: Lake) -> dict[str, int]:
    """Write rows that are in the catalog to files, and give their number by table.

    Table by table: of many at once, two that another writer's commit forbids would end the process in DuckLake.
    """
    for attempt in attempts():
        with attempt, lake.write("rows of the catalog to files", over=[CARE]) as transaction:
            flushed: dict[str, int] = {}
            for schema, name in transaction.cursor.execute(_TABLES).fetchall():
                call = "call ducklake_flush_inlined_data('lake', schema_name => $schema, table_name => $name)"
                done = transaction.cursor.execute(call, {"schema": schema, "name": name}).fetchall()
                flushed |= {f"{schema}.{name}": rows for _schema, _name, rows in done}
    return flushed


def expire(lake: Lake, days: int, *, dry_run: bool = False) -> Expired:
    """Let go of snapshots older than `days`, but never of one that an edition names or could name.

    Files that only those needed are deleted a day later, by the next call: someone may still be reading them.
    """
    with lake.read() as cursor:
        old, keep = older_than(cursor, days), kept_snapshots(cursor)
    gone = [number for number in old if number not in keep]
    kept = [number for number in old if number in keep]
    if dry_run:
        return Expired(gone, kept, 0)
    let_go(lake, gone)
    return Expired(gone, kept, _delete_unneeded(lake, least_hours=A_DAY))


def let_go(lake: Lake, numbers: list[int]) -> None:
    """Expire these snapshots, whatever names them; there is no way back."""
    if numbers:
        with lake.write("snapshots expired", over=[CARE]) as transaction:
            transaction.cursor.execute(f"call ducklake_expire_snapshots('lake', {versions(numbers)})")


def delete_unneeded_now(lake: Lake) -> int:
    """Delete every file that no snapshot needs, also where someone may be reading it still; give their number."""
    return _delete_unneeded(lake, least_hours=0)


def remove_orphans(lake: Lake) -> list[str]:
    """Delete orphans that are older than a day; give their paths.

    Raises:
        LakeError: a file the catalog refers to is listed as an orphan; nothing was deleted.
    """
    with lake.write("orphans removed", over=[CARE]) as transaction:
        listed = orphans(transaction.cursor, least_hours=A_DAY)
        needed = {file.path for file in data_files(lake, transaction.cursor)}
        if mistaken := sorted(needed.intersection(listed)):
            raise LakeError(f"{mistaken[0]} is listed as an orphan, but the catalog refers to it; nothing was deleted")
        transaction.cursor.execute(
            f"call ducklake_delete_orphaned_files('lake', older_than => now() - to_hours({A_DAY}))"
        )
    return listed


def check(lake: Lake, on_file: Callable[[int, int], None] = lambda _done, _of: None) -> Checked:
    """Read every column of every file the catalog refers to, count its rows and compare bounds; look at the catalog.

    Args:
        lake: the lake, opened as `doubted`: otherwise one whose bounds may be wrong refuses.
        on_file: told how many files of how many have been read.

    Raises:
        LakeError: the store that has them cannot be asked.
    """
    wrong = None if lake.catalog_file is None else _integrity(lake.catalog_file)
    with lake.read() as cursor:
        own = meta(lake)
        kept = _Bounds(cursor, own)
        files = data_files(lake, cursor)
        broken, rows = [], 0
        for done, file in enumerate(files, 1):
            try:
                # A count alone is answered from the footer: the hash of a row needs every column of it.
                found = cursor.execute(f"select count(*), bit_xor(hash(f)) from {parquet(file.path)} as f").fetchone()
                kept.compare(file)
            except duckdb.Error as error:
                if (said := store_fault(error)) is not None:
                    raise LakeError(said) from error
                broken.append(Broken(file, "lost" if is_lost(error) else "damaged", str(error).splitlines()[0]))
                cursor.execute("rollback")
                cursor.execute("begin")
            else:
                rows += found[0] if found else 0
                if found is None or found[0] != file.rows:
                    counted = found[0] if found else 0
                    broken.append(Broken(file, "damaged", f"{counted} rows, the catalog counts {file.rows}"))
            on_file(done, len(files))
        return Checked(len(files), rows, broken, wrong, kept.wrong(), bool(bounds.doubtful(cursor, own)))


def repair_bounds(lake: Lake, wrong: Sequence[Wrong]) -> None:
    """Put right the bounds that a check found wrong, in one transaction of the catalog, and record what they were.

    Tables have none afterwards, files those of their rows.

    Raises:
        LakeError: the lake cannot be written.
    """
    if lake.catalog_file is not None and is_read_only(lake.catalog_file):
        raise LakeError(
            f"the lake {lake.path} cannot be written: its bounds stay as they are; repair it where it may be written,"
            " or copy the folder to such a place"
        )
    lake.remove_bounds(wrong)
    # Whoever has the lake open keeps the old bounds until the next commit: this is one.
    with lake.write("bounds repaired") as transaction:
        transaction.cursor.execute(
            "insert into raw.lake_version by name select max(version) as version, $code as code, $said as added,"
            " now() as recorded_at from raw.lake_version",
            {"code": version("smi-pipeline"), "said": [f"repaired: {line}" for line in bounds.lines(wrong)]},
        )


class _Bounds:
    """The bounds of tables and files, compared with the rows of one file after the other."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, own: str) -> None:
        self._cursor = cursor
        self._columns: dict[int, list[Column]] = {}
        for column in bounds.columns(cursor, own):
            self._columns.setdefault(column.table_id, []).append(column)
        self._tables = bounds.of_tables(cursor, own)
        self._files: dict[int, dict[int, Range]] = {}
        for (file, column_id), kept in bounds.of_files(cursor, own).items():
            self._files.setdefault(file, {})[column_id] = kept
        listed = [column for columns in self._columns.values() for column in columns]
        self._of_tables: dict[Column, list[Wrong]] = {}
        for one in bounds.in_catalog(cursor, own, listed, self._tables):
            self._of_tables.setdefault(one.column, []).append(one)
        self._of_files: list[Wrong] = []

    def compare(self, file: DataFile) -> None:
        if file.id is None:
            return
        of_file = self._files.get(file.id, {})
        columns = self._columns.get(file.table_id, [])
        months = () if file.month is None else (file.month,)
        for column, rows, outside_file, outside_table in bounds.in_file(
            self._cursor, file.path, columns, of_file, self._tables
        ):
            if outside_file:
                kept = of_file[column.column_id]
                self._of_files.append(Wrong(column, kept, rows, months, (file.id, file.path)))
            if outside_table:
                kept = self._tables[column.table_id, column.column_id]
                self._of_tables.setdefault(column, []).append(Wrong(column, kept, rows, months))

    def wrong(self) -> list[Wrong]:
        """What does not hold: one a column of a table, then one a column of a file."""
        merged = []
        for column, found in self._of_tables.items():
            rows = bounds.widest(self._cursor, [one.rows for one in found], column.kind)
            merged.append(replace(found[0], rows=rows, months=tuple(sorted({m for one in found for m in one.months}))))
        return [*merged, *self._of_files]


def _integrity(catalog: Path) -> str | None:
    """What SQLite finds wrong with a catalog; null where it is whole."""
    file = readable(catalog) if is_read_only(catalog) else catalog
    try:
        with closing(sqlite3.connect(file)) as connection:
            [(found,), *_] = connection.execute("pragma integrity_check").fetchall()
    except sqlite3.DatabaseError as error:
        return damaged_catalog(catalog, str(error))
    return None if found == "ok" else damaged_catalog(catalog, found.splitlines()[0])


def _size(table: str, files: Sequence[DataFile], inlined: int) -> TableSize:
    now, earlier = ([file for file in files if (file.end is None) is current] for current in (True, False))
    return TableSize(
        table, len(now), sum(file.size for file in now), inlined, len(earlier), sum(file.size for file in earlier)
    )


def _delete_unneeded(lake: Lake, *, least_hours: int) -> int:
    when = f"older_than => now() - to_hours({least_hours:d})" if least_hours else "cleanup_all => true"
    with lake.lock("files"), lake.write("unneeded files deleted", over=[CARE]) as transaction:
        return len(transaction.cursor.execute(f"call ducklake_cleanup_old_files('lake', {when})").fetchall())
