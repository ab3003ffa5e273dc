"""Locks by name, freed by themselves when their holder dies: of files on one host, of PostgreSQL between hosts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from smi_pipeline.lake.storage import LakeError


@contextmanager
def file_lock(folder: Path, name: str) -> Iterator[None]:
    """Hold an exclusive lock on `folder`/`name`.lock; waits for it.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
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
def advisory_lock(conninfo: str, password: SecretStr | None, name: str) -> Iterator[None]:
    """Hold an advisory lock of the catalog's database; waits for it. The server frees it when the connection ends.

    Raises:
        LakeError: the database cannot be reached.
    """
    with reach(conninfo, password) as connection:
        connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [name])
        yield


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
            f"the catalog's database cannot be reached ({' '.join(str(error).split())});"
            " check SMI_CATALOG and SMI_CATALOG_PASSWORD"
        ) from None
