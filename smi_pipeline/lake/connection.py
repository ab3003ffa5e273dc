"""One door to the lake: DuckLake over Parquet files, its catalog in SQLite or PostgreSQL.

A process opens one database and takes a cursor per use, because loading the extensions and attaching costs half a
second and a transaction a fiftieth. On SQLite every commit happens under an exclusive file lock: without it, concurrent
commits are lost as "database is locked". PostgreSQL lets appends pass each other; what is replaced there is locked by
table. Readers need no lock; they see one snapshot from begin to end.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import duckdb
import stamina

from smi_pipeline.lake import bounds
from smi_pipeline.lake.faults import explained, interruptible, lost_catalog
from smi_pipeline.lake.locks import Held, advisory_locks, file_lock, guard_commits, reach
from smi_pipeline.lake.reading import is_read_only, readable
from smi_pipeline.lake.schema import SchemaError, bring_up_to_date
from smi_pipeline.lake.storage import LakeError, Storage, lake_name, quoted
from smi_pipeline.settings import Settings

__all__ = ["Lake", "LakeError", "Transaction", "attempts", "extension_path", "quoted"]

CONFLICTS = 20
FLUSHED_ROWS = 16_384  # rows of a month that a thread gathers before they go to the row group; DuckDB's own: 524,288
Prepare = Callable[[duckdb.DuckDBPyConnection], None]
# What DuckLake says in the second line of a message, and PostgreSQL at its end, of commits that forbid each other.
_CONFLICT = ("Transaction conflict - ", "Exceeded the maximum retry count ")
# The locks that are held where this code runs, with the folder of their lake; threads that it starts inherit them.
_HELD: ContextVar[tuple[tuple[Path, Held], ...]] = ContextVar("held", default=())
_SERIALIZATION = ("could not serialize access", "deadlock detected")


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


@dataclass
class Transaction:
    """A write in progress. `snapshot` is the committed snapshot's id, known after the block ends.

    A write that changes no table (removing orphans, merging where nothing is small) makes none: then it is the one
    this process made last, or null.
    """

    cursor: duckdb.DuckDBPyConnection
    snapshot: int | None = None
    wanted: bool = field(default=True)

    def discard(self) -> None:
        """Commit nothing at the end: the write would not change a thing."""
        self.wanted = False


@dataclass(frozen=True)
class Lake:
    """The lake in `path`. Cheap to make: the database behind it is opened once a process.

    `version`: as it was at that snapshot, views too, and read-only (see `history.at_snapshot`); null: as it is.
    `doubted`: open it although bounds of its tables may not hold and reads pass over rows (see lake/bounds.py): only to
    check it and to repair it.
    """

    path: Path
    storage: Storage = field(default_factory=Storage)
    version: int | None = None
    doubted: bool = False

    @classmethod
    def of(cls, path: str | Path, storage: Storage | None = None) -> Lake:
        """The lake in a folder, whichever way the folder was written: one folder is one lake, and one database."""
        return cls(Path(path).resolve(), storage or Storage())

    @classmethod
    def configured(cls, settings: Settings) -> Lake:
        """The lake that the settings name.

        Raises:
            LakeError: they contradict each other.
        """
        return cls.of(settings.lake, Storage.of(settings))

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on one consistent snapshot of the lake, in UTC; nothing it does is kept."""
        cursor = self._cursor()
        try:
            with self._told(cursor):
                cursor.execute("begin")
                yield cursor
        finally:
            _roll_back(cursor)
            cursor.close()

    @contextmanager
    def write(
        self, message: str, *, over: Collection[str] = (), prepare: Prepare | None = None, **extra: object
    ) -> Iterator[Transaction]:
        """A transaction, committed whole, or not at all. Do requests and computations before, not inside.

        Args:
            message: kept with the snapshot.
            over: the tables whose rows are replaced, one writer at a time. What only appends needs none. On SQLite
                every transaction has the catalog for itself, whatever it does.
            prepare: gets the transaction's cursor before any lock is held: what takes long goes to temporary tables.
            extra: kept with the snapshot as JSON.

        Raises:
            duckdb.Error: another writer's commit forbids this one, among others: see `attempts`.
            LakeError: this is the lake as it was at a snapshot.
        """
        if self.version is not None:
            raise LakeError(f"{self.path} is open as it was at snapshot {self.version}: nothing can be written to it")
        cursor = self._cursor()  # opened before the lock is held: creating the lake's tables takes the same
        try:
            if prepare is not None:
                with self._told(cursor):
                    prepare(cursor)
            with self._alone(over):
                transaction = Transaction(cursor)
                try:
                    with self._told(cursor):
                        cursor.execute("begin")
                        yield transaction
                        if transaction.wanted:
                            told = extra | self._locks()
                            cursor.execute(
                                "call lake.set_commit_message('smi', $message, extra_info => $extra)",
                                {"message": message, "extra": json.dumps(told, default=str)},
                            )
                            cursor.execute("commit")
                            # null where there was nothing to commit, as after expiry, and nothing was before
                            [(transaction.snapshot,)] = cursor.execute("from lake.last_committed_snapshot()").fetchall()
                        else:
                            cursor.execute("rollback")
                except BaseException:
                    _roll_back(cursor)
                    raise
        finally:
            cursor.close()

    def remove_bounds(self, wrong: Iterable[bounds.Wrong] = ()) -> None:
        """Take the bounds of all tables out of the catalog, and put right those of files that are `wrong`, at once.

        After each creation of a table; see lake/bounds.py.
        """
        listed = list(wrong)
        cursor = self._cursor()
        try:
            for attempt in attempts():
                with attempt, self.lock("write"), self._told(cursor):
                    bounds.remove(cursor, self.storage.catalog_schema(self.path), listed)
        finally:
            cursor.close()

    def has_bounds(self, cursor: duckdb.DuckDBPyConnection) -> bool:
        """Whether a table has bounds, or would get some with its first rows: to be seen to before rows are written."""
        return bounds.are_kept(cursor, self.storage.catalog_schema(self.path))

    @contextmanager
    def lock(self, *names: str) -> Iterator[None]:
        """Hold the lake's locks of these names; waits for them. They are free again when the process dies.

        What is written meanwhile is committed only while the lock is still held.

        Raises:
            LakeError: the lake's folder cannot be written, its catalog's database cannot be reached, or the lock was
                lost meanwhile.
        """
        with ExitStack() as stack:
            if self.storage.conninfo is not None:
                schema = lake_name(self.path)
                locks = advisory_locks(self.storage.conninfo, self.storage.password, schema, names)
                held = stack.enter_context(locks)
            else:
                try:  # in one order, whoever asks: two writers never wait for each other
                    held = [stack.enter_context(file_lock(self.path / ".locks", name)) for name in sorted(names)]
                except OSError as error:
                    raise self._not_writable(error) from error
            before = _HELD.set((*_HELD.get(), *((self.path, one) for one in held)))
            try:
                yield
            finally:
                _HELD.reset(before)
            for one in held:
                one.check()

    def exists(self) -> bool:
        """Whether the lake has been created; one whose catalog is lost from beside its files has been."""
        if self.storage.conninfo is None:
            return (self.path / "catalog.sqlite").exists() or lost_catalog(self.path) is not None
        with reach(self.storage.conninfo, self.storage.password) as connection:
            row = connection.execute(
                "select 1 from pg_tables where schemaname = %s and tablename = 'ducklake_snapshot'",
                [lake_name(self.path)],
            ).fetchone()
        return row is not None

    @property
    def catalog_file(self) -> Path | None:
        """The file of a SQLite catalog; null where it is in PostgreSQL."""
        return self.path / "catalog.sqlite" if self.storage.conninfo is None else None

    def snapshot(self) -> int:
        """The id of the newest snapshot."""
        with self.read() as cursor:
            return _one(cursor.execute("select max(snapshot_id) from ducklake_snapshots('lake')"))

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with interruptible():
            cursor = database(os.getpid(), self).cursor()  # it inherits none of the settings
            cursor.execute(f"use lake; set TimeZone='UTC'; set partitioned_write_flush_threshold={FLUSHED_ROWS}")
            return cursor

    def _locks(self) -> dict[str, list[tuple[str, int]]]:
        """The locks this process holds while it commits, for the server that counts them.

        Raises:
            LakeError: one of them is lost.
        """
        mine = [held for path, held in _HELD.get() if path == self.path]
        for held in mine:
            held.check()
        numbered = [(held.name, held.number) for held in mine if held.number is not None]
        return {"locks": numbered} if numbered else {}

    def _alone(self, over: Collection[str]) -> AbstractContextManager[None]:
        if isinstance(over, str):
            raise TypeError(f"tables are given as a list: [{over!r}]")
        if self.storage.conninfo is None:
            return self.lock("write")
        names = [f"replace {one}" for one in over]
        return self.lock(*names) if names else nullcontext()

    @contextmanager
    def _told(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Say which file is broken, and the remedy; every other error of a statement is its author's and passes."""
        try:
            with interruptible(cursor):
                yield
        except duckdb.Error as error:
            if (said := explained(error, self.path)) is None:
                raise
            raise LakeError(said) from error

    def _not_writable(self, error: Exception) -> LakeError:
        return LakeError(f"the lake {self.path} cannot be written ({error}); give a folder you may write with --lake")


def attempts() -> Iterable[stamina.Attempt]:
    """Attempts at a whole transaction, for as long as another writer's commit forbids this one's: `with attempt, ...`.

    Only where nothing holds a lock can that happen: two hosts create the same table, a table that is replaced is
    compacted meanwhile, or gets a column while others append to it, or rows leave the catalog for a file while they are
    replaced. Appends have no conflict with each other, nor with compaction.
    """
    return stamina.retry_context(
        on=_is_conflict, attempts=CONFLICTS, timeout=None, wait_initial=0.05, wait_max=2.0, wait_jitter=0.5
    )


def _is_conflict(error: Exception) -> bool:
    """Whether another writer's commit is the reason. Between the two places are statements, with data in them."""
    if not isinstance(error, duckdb.Error):
        return False
    second = str(error).splitlines()[1:2]
    last = str(error).rpartition("ERROR:")[2].lstrip()
    return any(line.startswith(_CONFLICT) for line in second) or last.startswith(_SERIALIZATION)


def _roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error), interruptible(cursor):  # after a failed commit there is nothing left to roll back
        cursor.execute("rollback")


@functools.cache
def database(_pid: int, lake: Lake) -> duckdb.DuckDBPyConnection:
    """The process's database, attached to a lake whose declared tables exist. Keyed by process: never across a fork."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    for name in lake.storage.extensions():
        connection.execute(f"load {quoted(extension_path(name))}")
    try:
        _attach(connection, lake)
    except (SchemaError, LakeError, duckdb.Error) as error:
        connection.close()
        if isinstance(error, LakeError):
            raise
        if isinstance(error, SchemaError):
            raise LakeError(f"the lake {lake.path} cannot be opened: {error}") from error
        reason = str(error).splitlines()[0]
        said = explained(error, lake.path)
        raise LakeError(said or f"the lake {lake.path} cannot be opened: {reason}; check {_suspect(lake)}") from error
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Attach the lake and see that it has the declared tables; where it cannot be written, attach it for reading."""
    catalog, own = lake.catalog_file, lake.storage.catalog_schema(lake.path)
    if catalog is not None and is_read_only(catalog):
        lake.storage.attach_read_only(connection, lake.path, readable(catalog))
        bring_up_to_date(connection, own, writable=False, doubted=lake.doubted)
        return
    if lake.version is not None:
        lake.storage.attach(connection, lake.path, "lake", f"SNAPSHOT_VERSION {lake.version}")
        return
    with lake.lock("write"):
        if catalog is not None and (lost := lost_catalog(lake.path)) is not None:
            raise LakeError(lost)
        lake.storage.attach(connection, lake.path, "lake")
        if lake.storage.conninfo is not None:
            guard_commits(lake.storage.conninfo, lake.storage.password, lake_name(lake.path))
        for attempt in attempts():  # on PostgreSQL others may be writing meanwhile
            with attempt:
                bring_up_to_date(connection, own, doubted=lake.doubted)


def _suspect(lake: Lake) -> str:
    if lake.storage.conninfo is None:
        return "that the folder may be written and that catalog.sqlite is whole"
    return "SMI_CATALOG, SMI_CATALOG_PASSWORD and SMI_DATA_PATH"


def _one(result: duckdb.DuckDBPyConnection) -> int:
    row = result.fetchone()
    if row is None:
        raise LakeError("the catalog gave no snapshot id")
    return int(row[0])
