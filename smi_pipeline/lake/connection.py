"""One door to the lake: DuckLake over Parquet files, its catalog in SQLite.

A process opens one database and takes a cursor per use, because loading the extensions and attaching costs half a
second and a transaction a fiftieth. Every commit happens under an exclusive file lock: without it, concurrent commits
to a SQLite catalog are lost as "database is locked". Readers need no lock; they see one snapshot from begin to end.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import duckdb

from smi_pipeline.lake.tables import DECLARED, SCHEMAS, create_statements

EXTENSIONS = ("ducklake", "sqlite_scanner")
BUSY_TIMEOUT_MS = 30_000


class LakeError(Exception):
    """The lake cannot be opened or written; the message names the folder and the remedy."""


def extension_path(name: str) -> Path:
    """Where the installed wheel keeps a DuckDB extension.

    Raises:
        LakeError: the wheel is not installed, or holds no build for this DuckDB.
    """
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        raise LakeError(f"the package duckdb-extension-{name.replace('_', '-')} is not installed; run `make setup`")
    path = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    if not path.exists():
        raise LakeError(f"no {name} extension for DuckDB {duckdb.__version__} at {path}; the two packages must match")
    return path


def quoted(text: str | Path) -> str:
    """Text between single quotes, for the few statements that take no bound parameter (LOAD, ATTACH)."""
    return "'" + str(text).replace("'", "''") + "'"


@dataclass
class Transaction:
    """A write in progress. `snapshot` is the committed snapshot's id, known after the block ends."""

    cursor: duckdb.DuckDBPyConnection
    snapshot: int | None = None
    wanted: bool = field(default=True)

    def discard(self) -> None:
        """Commit nothing at the end: the write would not change a thing."""
        self.wanted = False


@dataclass(frozen=True)
class Lake:
    """The lake in `path`. Cheap to make: the database behind it is opened once a process."""

    path: Path
    catalog: str | None = None
    data_path: str | None = None

    @classmethod
    def of(cls, path: str | Path, catalog: str | None = None, data_path: str | None = None) -> Lake:
        """The lake in a folder, whichever way the folder was written: one folder is one lake, and one database."""
        return cls(Path(path).resolve(), catalog, data_path)

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on one consistent snapshot of the lake, in UTC; nothing it does is kept."""
        cursor = self._cursor()
        try:
            cursor.execute("begin")
            yield cursor
        finally:
            with suppress(duckdb.Error):
                cursor.execute("rollback")
            cursor.close()

    @contextmanager
    def write(self, message: str, **extra: object) -> Iterator[Transaction]:
        """A transaction under the lake's write lock: committed whole, or not at all.

        `message` and `extra` are kept with the snapshot. Do requests and computations before, not inside.
        """
        with self.lock("write"):
            cursor = self._cursor()
            transaction = Transaction(cursor)
            try:
                cursor.execute("begin")
                yield transaction
                if transaction.wanted:
                    cursor.execute(
                        "call lake.set_commit_message('smi', $message, extra_info => $extra)",
                        {"message": message, "extra": json.dumps(extra, default=str)},
                    )
                    cursor.execute("commit")
                    transaction.snapshot = _one(cursor.execute("from lake.last_committed_snapshot()"))
                else:
                    cursor.execute("rollback")
            except BaseException:
                with suppress(duckdb.Error):  # after a failed COMMIT there is nothing left to roll back
                    cursor.execute("rollback")
                raise
            finally:
                cursor.close()

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lake's lock of that name; waits for it. The kernel frees it when the process dies."""
        folder = self.path / ".locks"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def exists(self) -> bool:
        """Whether the lake has been created (a catalog kept elsewhere counts as there)."""
        return self.catalog is not None or (self.path / "catalog.sqlite").exists()

    def snapshot(self) -> int:
        """The id of the newest snapshot."""
        with self.read() as cursor:
            return _one(cursor.execute("select max(snapshot_id) from ducklake_snapshots('lake')"))

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = _database(os.getpid(), self).cursor()
        cursor.execute("use lake; set TimeZone='UTC'")  # a cursor inherits neither
        return cursor

    def _attach(self) -> str:
        catalog = self.catalog or f"sqlite:{self.path / 'catalog.sqlite'}"
        data = self.data_path or f"{self.path / 'tables'}"
        # The stored data path is absolute: without OVERRIDE a moved lake would write into its old folder.
        options = [f"DATA_PATH {quoted(data)}", "OVERRIDE_DATA_PATH true"]
        if catalog.startswith("sqlite:"):
            options += ["META_JOURNAL_MODE 'WAL'", f"META_BUSY_TIMEOUT {BUSY_TIMEOUT_MS}"]
        return f"attach {quoted('ducklake:' + catalog)} as lake ({', '.join(options)})"

    def _not_writable(self, error: Exception) -> LakeError:
        return LakeError(f"the lake {self.path} cannot be written ({error}); give a folder you may write with --lake")


@functools.cache
def _database(_pid: int, lake: Lake) -> duckdb.DuckDBPyConnection:
    """The process's database, attached to a lake whose declared tables exist. Keyed by process: never across a fork."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    for name in EXTENSIONS:
        connection.execute(f"load {quoted(extension_path(name))}")
    with lake.lock("create"):
        try:
            connection.execute(lake._attach())  # noqa: SLF001
            _create_missing(connection)
        except duckdb.Error as error:
            connection.close()
            first_line = str(error).splitlines()[0]
            raise LakeError(
                f"the lake {lake.path} cannot be opened: {first_line}; check that the folder may be written"
                " and that catalog.sqlite is whole"
            ) from error
    return connection


def _create_missing(connection: duckdb.DuckDBPyConnection) -> None:
    """Create declared schemas, tables and columns that are not there yet, in one commit; none when all are there."""
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name from duckdb_columns() where database_name = 'lake'"
    ).fetchall()
    there = {(str(name), str(column)) for name, column in rows}
    if {(name, column) for name, columns in DECLARED.items() for column in columns} <= there:
        return
    connection.execute("use lake")
    connection.execute("begin")
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    for statement in create_statements(there):
        connection.execute(statement)
    connection.execute("call lake.set_commit_message('smi', 'declared tables')")
    connection.execute("commit")


def _one(result: duckdb.DuckDBPyConnection) -> int:
    row = result.fetchone()
    if row is None:
        raise LakeError("the catalog gave no snapshot id")
    return int(row[0])
