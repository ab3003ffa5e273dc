"""What broke, said by the file it is about and what to do: DuckDB names its own internals and no remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from smi_pipeline.lake.locks import LOST_LOCK
from smi_pipeline.sums import LARGEST

_NO_ROOM = ("no space left on device", "database or disk is full", "file too large", "disk quota exceeded")
_CATALOG = ("disk image is malformed", "file is not a database", "unsupported file format", "file is encrypted")
_DAMAGED = (
    "no magic bytes",
    "invalid footer",
    "too small to be a parquet",
    "corrupt",
    "thrift",
    "tprotocolexception",
    "decompress",
    "snappy",
    "zstd",
    "unexpected end",
    "past end",
    "out of buffer",
)
_DISK = ("disk i/o error", "input/output error", "unable to open database file")
_NOT_WRITABLE = ("readonly database", "read-only", "permission denied")
# What an S3-compatible store answers, by what is wrong, and the settings to look at.
_STORE = (
    (re.compile(r"nosuchbucket|bucket does not exist"), "has no such bucket", "SMI_DATA_PATH"),
    (re.compile(r"http (code )?40[13]\b"), "refuses the keys", "SMI_S3_KEY_ID, SMI_S3_SECRET and SMI_S3_REGION"),
    (
        re.compile(r"could not (connect|establish connection|resolve host)|connection refused|timeout was reached"),
        "cannot be reached",
        "SMI_S3_ENDPOINT",
    ),
)
# What DuckDB says where a view adds up more than the bigint it casts to holds.
_SUM = re.compile(r"Type INT128 with value (-?[0-9]+) can't be cast .* destination type INT64")
_ITS_WORDS = re.compile(
    r"^[A-Z][A-Za-z]+: .+$", re.MULTILINE
)  # the code and message of its answer, in a line of their own
_INTERRUPTED = "Query interrupted"
_LOST = re.compile(rf"{LOST_LOCK} (.+)")
_PARQUET = re.compile(r"""["']([^"']+\.parquet)["']""")
_PLACE = re.compile(r"([a-z]+)/([a-z][a-z0-9_]*)/(?:month=([0-9]{4}-[0-9]{2})-[0-9]{2}/)?[^/]+\.parquet$")


def explained(error: Exception, lake: Path) -> str | None:
    """One line that names the file (of a sum: the amount) and the remedy; null where the error is the caller's own."""
    return _lost_lock(error) or store_fault(error) or _file_fault(error, lake) or _sum_fault(error)


@contextmanager
def interruptible(cursor: duckdb.DuckDBPyConnection | None = None) -> Iterator[None]:
    """Raise what a signal's handler raises during a statement as it is, and end the statement `cursor` is at.

    DuckDB gives it as the cause of a RuntimeError, which looks like a failure of the statement, and lets the statement
    run on: whoever used the connection next, or closed it, would wait for its end.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) != _INTERRUPTED or error.__cause__ is None:
            raise
        if cursor is not None:
            cursor.interrupt()
        raise error.__cause__ from None


def _lost_lock(error: Exception) -> str | None:
    found = _LOST.search(str(error))
    if found is None:
        return None
    return (
        f"the lock {found[1]} was lost and another process has taken it (its connection to the catalog's database"
        " ended): nothing of this write was kept; run the same command again"
    )


def _file_fault(error: Exception, lake: Path) -> str | None:
    text = str(error)
    low = text.lower()
    file = _PARQUET.search(text)
    if any(sign in low for sign in _NO_ROOM):
        what = f"{file[1]} cannot be written" if file else f"the lake {lake} cannot be written"
        return (
            f"{what}: {_reason(text)}; nothing of this write was kept and what was there is whole."
            " Free some space (`smi lake status` says what the lake takes), then run the same command again"
        )
    if any(sign in low for sign in _CATALOG):
        return damaged_catalog(lake / "catalog.sqlite", _reason(text))
    if any(sign in low for sign in _DISK):
        return (
            f"{file[1] if file else lake / 'catalog.sqlite'}: {_reason(text)}; the disk refuses to read or write it:"
            " see that it is not full and not failing, then run the same command again"
        )
    if any(sign in low for sign in _NOT_WRITABLE):
        return f"the lake {lake} cannot be written ({_reason(text)}); give a folder you may write with --lake"
    lost = is_lost(error)
    if file is not None and (lost or any(sign in low for sign in _DAMAGED)):
        return broken_file(file[1], "is lost" if lost else "is damaged", _reason(text))
    return None


def store_fault(error: Exception) -> str | None:
    """What to say where an object store answers no request as it should; null where one object alone is amiss."""
    if not isinstance(error, duckdb.IOException):
        return None
    text = str(error)
    for sign, what, settings in _STORE:
        if sign.search(text.lower()):
            its_words = _ITS_WORDS.search(text, text.find("\n") + 1) if "\n" in text else None
            reason = its_words[0] if its_words else text.splitlines()[0]
            return f"the object store of the lake's files {what} ({reason.strip()}); see {settings}"
    return None


def _sum_fault(error: Exception) -> str | None:
    if not isinstance(error, duckdb.ConversionException) or (found := _SUM.search(str(error))) is None:
        return None
    return f"counts add up to {found[1]}, and a bigint holds no more than {LARGEST}; `smi sql test MONTH` says whose"


def is_lost(error: Exception) -> bool:
    """Whether an error says that a file, or an object of a store, is not there."""
    low = str(error).lower()
    return any(sign in low for sign in ("no such file", "no files found", "404 (not found)", "http 404"))


def damaged_catalog(catalog: Path, reason: str) -> str:
    """What to say of a catalog that cannot be read."""
    return (
        f"the catalog {catalog} is damaged ({reason}); the Parquet files beside it are useless without it:"
        " bring it back with `smi lake restore BACKUP --force` (docs/operations.md)"
    )


def broken_file(path: str, state: str, reason: str) -> str:
    """What to say of a data file that is gone or cannot be read."""
    whose = place(path)
    return (
        f"{path}{f', rows of {whose},' if whose else ''} {state} ({reason}); `smi lake check` lists every such file:"
        " restore a backup (`smi lake restore BACKUP --force`)"
    )


def place(path: str) -> str | None:
    """Whose rows a data file has, as its path says: `raw.x_posts 2025-05`; null where it is no file of a table."""
    found = _PLACE.search(path)
    if found is None:
        return None
    return f"{found[1]}.{found[2]}" + (f" {found[3]}" if found[3] else "")


def lost_catalog(lake: Path) -> str | None:
    """What to say of a folder with Parquet files and no catalog, or an empty one; null where nothing is amiss.

    Opened as it is, it would become an empty lake, and the files of the old one orphans.
    """
    catalog = lake / "catalog.sqlite"
    kept = [file for file in (catalog, lake / "catalog.sqlite-wal") if file.exists() and file.stat().st_size]
    if kept or next((lake / "tables").rglob("*.parquet"), None) is None:
        return None
    return damaged_catalog(catalog, "empty" if catalog.exists() else "not there")


def _reason(text: str) -> str:
    """The last words of a message that begins with the names of what called what."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].rsplit(": ", 1)[-1].strip(' "') if lines else "no reason given"
