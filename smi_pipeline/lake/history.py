"""The lake as it was: read at one of its snapshots, or its raw tables of then as the beginning of a lake beside it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from smi_pipeline.lake.connection import Lake, LakeError, database, extension_path, quoted
from smi_pipeline.lake.tables import DECLARED, VIEWS

_THEN = "was"


def at_snapshot(lake: Lake, version: int) -> Lake:
    """The lake as it was at a snapshot, tables and views; nothing can be written to it.

    Raises:
        LakeError: the lake has no such snapshot any more.
    """
    with lake.read() as cursor:
        there = cursor.execute("select 1 from ducklake_snapshots('lake') where snapshot_id = $1", [version]).fetchone()
    if there is None:
        raise LakeError(
            f"the lake {lake.path} has no snapshot {version}: it was expired, or the catalog is older; restore a backup"
            " that has it"
        )
    return replace(lake, version=version)


@contextmanager
def raw_of(lake: Lake, version: int) -> Iterator[Lake]:
    """A lake of its own whose raw tables are those of `lake` at a snapshot, and nothing is derived yet.

    Nothing is copied: its raw tables are views. What is derived in it is in a temporary folder and gone at the end.

    Raises:
        LakeError: the lake has no such snapshot any more.
    """
    at_snapshot(lake, version)
    with tempfile.TemporaryDirectory(prefix="smi-edition-") as folder:
        beside = Lake.of(Path(folder) / "lake")
        connection = database(os.getpid(), beside)
        try:
            for name in lake.storage.extensions():
                connection.execute(f"load {quoted(extension_path(name))}")
            lake.storage.attach(connection, lake.path, _THEN, f"SNAPSHOT_VERSION {version}")
            columns = _columns(connection)
            with beside.write(f"raw tables of snapshot {version}") as transaction:
                for name, declared in DECLARED.items():
                    if name.startswith("raw."):
                        _show(transaction.cursor, name, declared, columns)
                for view in VIEWS:
                    transaction.cursor.execute(view)
            yield beside
        finally:
            connection.close()


def _columns(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() where database_name = $1", [_THEN]
    ).fetchall()
    return {(name, column) for name, column in rows}


def _show(cursor: duckdb.DuckDBPyConnection, name: str, declared: dict[str, str], there: set[tuple[str, str]]) -> None:
    """Put a view of the earlier table in the place of an empty one; columns that came later are null in it.

    It also has what a view does not have by itself: the table's `snapshot_id`, the commit that brought each row, and
    its `rowid`, which orders the rows by their commits.
    """
    if not any(name == table for table, _ in there):
        return  # the table came later: it was as good as empty
    listed = [
        f'"{column}"' if (name, column) in there else f'null::{kind} as "{column}"' for column, kind in declared.items()
    ]
    cursor.execute(f"drop table {name}")
    cursor.execute(f"create view {name} as select {', '.join(listed)}, snapshot_id, rowid from {_THEN}.{name}")
