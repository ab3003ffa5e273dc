"""Locks by name, freed by themselves when their holder dies: of files on one host, of PostgreSQL between hosts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from smi_pipeline.lake.storage import LakeError

LOST_LOCK = "smi lost the lock"  # begins what the server says of a commit that it refuses
_AGAIN = "another process may have written meanwhile: look at what is there and run the same command again"
_GUARD = (
    "create table if not exists {schema}.smi_lock (name text primary key, number bigint not null)",
    """
    create or replace function {schema}.smi_guard() returns trigger language plpgsql as $$
    declare held jsonb;
    begin
        for held in select jsonb_array_elements(new.commit_extra_info::jsonb -> 'locks') loop
            perform from {schema}.smi_lock
            where name = held ->> 0 and number = (held ->> 1)::bigint
            for share;
            if not found then
                raise exception 'smi lost the lock %', held ->> 0;
            end if;
        end loop;
        return new;
    end $$
    """,
    """
    create or replace trigger smi_guard before insert on {schema}.ducklake_snapshot_changes
    for each row when (new.author = 'smi' and new.commit_extra_info is not null)
    execute function {schema}.smi_guard()
    """,
)


@dataclass(frozen=True)
class Held:
    """A lock that is held. `number`: of PostgreSQL's, how often the lock has been taken, this time included.

    `check` raises LakeError once the lock is lost: another may hold it by now.
    """

    name: str
    number: int | None
    check: Callable[[], None]


@contextmanager
def file_lock(folder: Path, name: str) -> Iterator[Held]:
    """Hold an exclusive lock on `folder`/`name`.lock; waits for it.

    It is lost when the file is deleted or replaced: whoever comes next locks another file.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / f"{name}.lock"

    def same() -> bool:
        mine = os.fstat(handle)
        try:
            return os.path.samestat(mine, path.stat())
        except FileNotFoundError:
            return False

    def check() -> None:
        if not same():
            raise LakeError(f"{path} was deleted while its lock was held; {_AGAIN}")

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if same():  # otherwise it was deleted while this process waited for it
                yield Held(name, None, check)
                return
        finally:
            os.close(handle)


def held_locks(folder: Path) -> list[str]:
    """The names of the locks in a folder that a process holds now."""
    held = []
    for path in sorted(folder.glob("*.lock")):
        with path.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(path.stem)
    return held


@contextmanager
def advisory_locks(
    conninfo: str, password: SecretStr | None, schema: str, names: Iterable[str]
) -> Iterator[list[Held]]:
    """Hold advisory locks of the catalog's database, taken in the order of their names; waits for them.

    The server frees them when the connection ends.

    Each holder counts the lock's number up in `schema`. Commits carry it, and the server refuses one with an earlier
    number (see `guard_commits`): a holder that lost its connection, and with it the lock, cannot commit after the next.

    Raises:
        LakeError: the database cannot be reached.
    """
    with reach(conninfo, password) as connection:
        listed = sorted(names)
        try:
            for name in listed:
                connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [f"smi {schema} {name}"])
            numbers = _counted_up(connection, schema, listed)
        except psycopg.Error as error:
            raise LakeError(
                f"the lock {', '.join(listed)} cannot be taken ({_line(error)}); run the same command again"
            ) from None

        def check() -> None:
            try:
                connection.execute("select 1")
            except psycopg.Error as error:
                said = f"the connection that held the lock {', '.join(listed)} is gone ({_line(error)}); {_AGAIN}"
                raise LakeError(said) from None

        yield [Held(name, numbers.get(name), check) for name in listed]


def _counted_up(connection: psycopg.Connection, schema: str, names: list[str]) -> dict[str, int]:
    """Count each lock's number up; none where the lake has not been made yet, or this role may only read it."""
    counted = sql.SQL(
        "insert into {} as l select unnest(%s::text[]), 1 on conflict (name) do update set number = l.number + 1"
        " returning name, number"
    ).format(sql.Identifier(schema, "smi_lock"))
    try:
        return dict(connection.execute(counted, [names]).fetchall())
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName, psycopg.errors.InsufficientPrivilege):
        return {}


def guard_commits(conninfo: str, password: SecretStr | None, schema: str) -> None:
    """See that the server itself refuses a commit to the lake in `schema` whose writer no longer holds its locks.

    The message of a commit names each lock with its number. In the commit's own transaction a trigger compares them
    with those counted by `advisory_locks`, and has later holders wait until that transaction has ended.
    """
    with reach(conninfo, password) as connection:
        known = connection.execute(
            "select 1 from pg_trigger as t join pg_class as c on c.oid = t.tgrelid"
            " join pg_namespace as n on n.oid = c.relnamespace where t.tgname = 'smi_guard' and n.nspname = %s",
            [schema],
        ).fetchone()
        if known is not None:
            return
        try:
            with connection.transaction():
                for statement in _GUARD:
                    connection.execute(sql.SQL(statement).format(schema=sql.Identifier(schema)))
        except psycopg.errors.InsufficientPrivilege:
            return  # a role that owns nothing: the owner's next opening sees to it
        except psycopg.Error as error:
            raise LakeError(
                f"commits to the lake {schema} cannot be guarded ({_line(error)}); check SMI_CATALOG"
            ) from None


def reach(conninfo: str, password: SecretStr | None) -> psycopg.Connection:
    """A connection to the catalog's database, each statement its own transaction.

    Raises:
        LakeError: the database cannot be reached.
    """
    secret = None if password is None else password.get_secret_value()
    try:
        return psycopg.connect(make_conninfo(conninfo, password=secret), autocommit=True)
    except psycopg.Error as error:
        raise LakeError(
            f"the catalog's database cannot be reached ({_line(error)}); check SMI_CATALOG and SMI_CATALOG_PASSWORD"
        ) from None


def _line(error: psycopg.Error) -> str:
    """An error's words in one line."""
    return " ".join(str(error).split())
