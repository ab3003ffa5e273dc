"""A lake's backup: its catalog as of one instant, every file the catalog refers to, and what else is in its folder.

Parquet files never change, so one that the backup has already is not copied again. Nothing in a backup is written over:
a new state lies beside the old one until its manifest takes the old one's place, in one step. Restoring reads every
file against the checksum it had.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from smi_pipeline.lake.catalog import data_files
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.faults import damaged_catalog, place

MANIFEST = "manifest.json"
# Of the folder itself: locks and rates belong to running processes; Dagster's history says who ran what, and no figure.
_LEFT_OUT = (".locks", ".dagster", ".rates.sqlite", "catalog.sqlite", "tables")
_PART = ".part"
_REFERRED = """
select s.path || t.path || f.path, f.file_size_bytes, s.path_is_relative and t.path_is_relative and f.path_is_relative
from (
    select table_id, path, path_is_relative, file_size_bytes from ducklake_data_file
    union all
    select table_id, path, path_is_relative, file_size_bytes from ducklake_delete_file
) as f
join ducklake_table as t on t.table_id = f.table_id
join ducklake_schema as s on s.schema_id = t.schema_id
group by f.path
"""

OnFile = Callable[[int, int], None]


def _quiet(_done: int, _of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Kept:
    """A file as a backup has it: where in the backup, and the original's own time in nanoseconds."""

    stored: str
    bytes: int
    sha256: str
    changed_at: int


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: the catalog, the lake's Parquet files and its other files, by their paths in the lake.

    `catalog` is null in a backup whose first run has not ended.
    """

    snapshot: int
    catalog: Kept | None
    tables: Mapping[str, Kept]
    others: Mapping[str, Kept]

    @property
    def stored(self) -> set[str]:
        """The names of all its files in the backup's folder."""
        kept = [*self.tables.values(), *self.others.values(), *([self.catalog] if self.catalog else [])]
        return {one.stored for one in kept}


@dataclass(frozen=True)
class Copied:
    """What was done: the snapshot, all files it has, those copied this time with their bytes, those dropped."""

    snapshot: int
    files: int
    copied: int
    bytes: int
    dropped: int


def back_up(lake: Lake, folder: Path, on_file: OnFile = _quiet) -> Copied:
    """Bring a backup up to date with the lake, or begin one; readers and writers go on meanwhile.

    Files that the lake no longer needs leave the backup with it.

    Raises:
        LakeError: the lake is not all in files; a file it needs is lost or not whole; the folder is something else, or
            cannot be written. What the backup held before it still holds.
    """
    catalog, tables = _in_files(lake)
    folder = folder.resolve()
    if folder == lake.path or lake.path in folder.parents:
        raise LakeError(f"the backup {folder} would be inside the lake {lake.path}; give another folder")
    lake.snapshot()  # opened, so it is brought up to date and can be read
    with _told(folder, f"the backup {folder} is as it was before"):
        before = _begun(folder)
        with lake.lock("files"):  # nothing deletes a file while it is copied
            with lake.lock("write"):
                copy = folder / f"catalog{_PART}"
                snapshot, referred = _copy_catalog(catalog, copy)
            others = _others(lake.path)
            kept_tables: dict[str, Kept] = {}
            kept_others: dict[str, Kept] = {}
            copied, count = [], len(referred) + len(others)
            for path, size in sorted(referred.items()):
                known = before.tables.get(path)
                if known is None or not _has(folder, known) or known.bytes != size:
                    known = _store(tables / path, folder, partial(_as_it_is, path), size)
                    copied.append(known)
                kept_tables[path] = known
                on_file(len(kept_tables), count)
            for path, source in sorted(others.items()):
                known = before.others.get(path)
                about = source.stat()
                if known is None or not _has(folder, known) or known.changed_at != about.st_mtime_ns:
                    known = _store(source, folder, lambda sha256: f"others/{sha256}")
                    copied.append(known)
                kept_others[path] = known
                on_file(len(kept_tables) + len(kept_others), count)
        whole = _store(copy, folder, lambda sha256: f"catalog-{snapshot}-{sha256[:8]}.sqlite")
        copy.unlink()
        now = Manifest(snapshot, whole, kept_tables, kept_others)
        _write(folder, now)
        dropped = [folder / stored for stored in before.stored - now.stored]
        for file in dropped:
            file.unlink(missing_ok=True)
    size = sum(one.bytes for one in copied) + whole.bytes
    return Copied(snapshot, len(now.stored), len(copied) + 1, size, len(dropped))


def restore(folder: Path, lake: Lake, *, force: bool = False, on_file: OnFile = _quiet) -> Copied:
    """Make a lake what it was when the backup was made. Nothing may have it open meanwhile.

    The whole backup is read first, so a damaged one changes nothing. Files the lake has as they were are left alone;
    the catalog that was there stays beside the new one as `catalog.sqlite.replaced`.

    Raises:
        LakeError: the backup is not whole; or there is a lake already and `force` is not given.
    """
    catalog, tables = _in_files(lake)
    manifest, whole = _finished(folder)
    if not force and lake.exists():
        raise LakeError(f"there is a lake in {lake.path} already; --force replaces it by the backup")
    wanted = [(tables / path, kept) for path, kept in sorted(manifest.tables.items())]
    wanted += [(lake.path / path, kept) for path, kept in sorted(manifest.others.items())]
    for done, kept in enumerate([whole, *(kept for _, kept in wanted)]):
        _verify(folder, kept)
        on_file(done, 2 * len(wanted))
    copied = []
    with _told(lake.path, "run the same command again"), lake.lock("files"), lake.lock("write"):
        for done, (target, kept) in enumerate(wanted, 1):
            if not _is(target, kept):
                _bring(folder, kept, target)
                copied.append(kept)
            on_file(len(wanted) + done, 2 * len(wanted))
        part = catalog.with_name(catalog.name + _PART)
        _bring(folder, whole, part)
        for suffix in ("-wal", "-shm", ""):  # the old catalog's log must not be read into the new one
            if (old := Path(f"{catalog}{suffix}")).exists():
                old.replace(f"{catalog}.replaced{suffix}")
        part.replace(catalog)
    size = sum(kept.bytes for kept in copied) + whole.bytes
    return Copied(manifest.snapshot, len(manifest.stored), len(copied) + 1, size, 0)


def restore_files(folder: Path, lake: Lake, on_file: OnFile = _quiet) -> list[str]:
    """Bring back the Parquet files that are lost or not as they were, and nothing else; give their paths.

    What was committed since the backup stays: a file of a name is always the same file.
    """
    _, tables = _in_files(lake)
    manifest, _ = _finished(folder)
    with lake.read() as cursor:
        needed = {file.path for file in data_files(lake, cursor)}
    brought = []
    with _told(lake.path, "run the same command again"), lake.lock("files"):
        for done, (path, kept) in enumerate(sorted(manifest.tables.items()), 1):
            target = tables / path
            if str(target) in needed and not _is(target, kept):
                _verify(folder, kept)
                _bring(folder, kept, target)
                brought.append(str(target))
            on_file(done, len(manifest.tables))
    return brought


def _in_files(lake: Lake) -> tuple[Path, Path]:
    """Catalog and folder of the Parquet files, of a lake that is all in files.

    Raises:
        LakeError: it is not; the message says how such a lake is backed up.
    """
    if lake.catalog_file is None or "://" in lake.storage.tables(lake.path):
        where = "another database" if lake.catalog_file is None else str(lake.catalog_file)
        raise LakeError(
            f"this lake's catalog is in {where} and its files are in {lake.storage.tables(lake.path)};"
            " this command copies files only. Back up the catalog with pg_dump first"
            " and copy the bucket after it; restore the bucket first, then the catalog (docs/operations.md, Backup)"
        )
    return lake.catalog_file, Path(lake.storage.tables(lake.path))


@contextmanager
def _told(where: Path, remedy: str) -> Iterator[None]:
    """Say which file an operation of the system failed at."""
    try:
        yield
    except OSError as error:
        raise LakeError(f"{error.filename or where}: {error.strerror}; {remedy}") from error


def _begun(folder: Path) -> Manifest:
    """What the backup has so far; an empty folder becomes one that has nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        return _read(folder)
    if next(folder.iterdir(), None) is not None:
        raise LakeError(
            f"{folder} is not empty and no backup (it has no {MANIFEST}); give an empty folder or a new one"
        )
    empty = Manifest(0, None, {}, {})
    _write(folder, empty)
    return empty


def _copy_catalog(catalog: Path, copy: Path) -> tuple[int, dict[str, int]]:
    """Copy a catalog as of now, what waits in its log included; give its snapshot and the size of every data file."""
    copy.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(catalog)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            target.execute("pragma journal_mode = delete")  # one file, which needs no log beside it
            [(found,)] = target.execute("pragma integrity_check(1)").fetchall()
            [(snapshot,)] = target.execute("select max(snapshot_id) from ducklake_snapshot").fetchall()
            rows = target.execute(_REFERRED).fetchall()
    except sqlite3.OperationalError as error:  # no room, no right to write: nothing is wrong with the catalog
        raise LakeError(f"{copy}: {error}; the backup is as it was before") from error
    except sqlite3.DatabaseError as error:
        raise LakeError(damaged_catalog(catalog, str(error))) from error
    if found != "ok":
        raise LakeError(damaged_catalog(catalog, found.splitlines()[0]))
    if strangers := [path for path, _, relative in rows if not relative]:
        raise LakeError(f"{strangers[0]} is outside the lake's folder and would not be in its backup")
    return snapshot, {path: size for path, size, _ in rows}


def _others(lake: Path) -> dict[str, Path]:
    """Reports, inbox, registry: whatever else is in the lake's folder, by its path in it."""
    return {
        str(file.relative_to(lake)): file
        for top in sorted(lake.iterdir())
        if not top.name.startswith(_LEFT_OUT)
        for file in ([top] if top.is_file() else sorted(top.rglob("*")))
        if file.is_file() and not file.is_symlink()
    }


def _store(source: Path, folder: Path, name: Callable[[str], str], size: int | None = None) -> Kept:
    """Copy a file into the backup under the name its checksum, or its path, gives it."""
    part = folder / f"file{_PART}"
    try:
        sha256 = _copy(source, part)
    except FileNotFoundError as error:
        raise LakeError(_not_whole(source, "is lost")) from error
    about = source.stat()
    if size is not None and about.st_size != size:
        raise LakeError(_not_whole(source, f"has {about.st_size} bytes, not the {size} it was written with"))
    target = folder / name(sha256)
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)
    return Kept(str(target.relative_to(folder)), about.st_size, sha256, about.st_mtime_ns)


def _as_it_is(path: str, _sha256: str) -> str:
    """A Parquet file's name in the backup: it never changes, so its path in the lake names it."""
    return f"tables/{path}"


def _bring(folder: Path, kept: Kept, target: Path) -> None:
    """Copy a file out of the backup, with the time it had; it takes its place once it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".restored")
    _copy(folder / kept.stored, part)
    os.utime(part, ns=(kept.changed_at, kept.changed_at))
    part.replace(target)


def _copy(source: Path, target: Path) -> str:
    """Copy bytes, onto the disk and not only into its cache; give their checksum."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while block := read.read(1 << 20):
            digest.update(block)
            write.write(block)
        write.flush()
        os.fsync(write.fileno())
    return digest.hexdigest()


def _not_whole(source: Path, state: str) -> str:
    whose = place(str(source))
    return (
        f"{source}{f', rows of {whose},' if whose else ''} {state}; `smi lake check` lists every such file and"
        " `smi lake restore BACKUP --files` brings them back from a backup that has them"
    )


def _has(folder: Path, kept: Kept) -> bool:
    file = folder / kept.stored
    return file.exists() and file.stat().st_size == kept.bytes


def _is(file: Path, kept: Kept) -> bool:
    """Whether a file is there with the very bytes the backup has."""
    return file.is_file() and file.stat().st_size == kept.bytes and _sha256(file) == kept.sha256


def _verify(folder: Path, kept: Kept) -> None:
    file = folder / kept.stored
    if not _is(file, kept):
        state = "not as it was backed up" if file.exists() else "missing"
        raise LakeError(f"the backup is not whole: {file} is {state}; nothing was restored, try another backup")


def _finished(folder: Path) -> tuple[Manifest, Kept]:
    manifest = _read(folder)
    if manifest.catalog is None:
        raise LakeError(f"the backup {folder} was begun and never finished; `smi lake backup {folder}` goes on with it")
    return manifest, manifest.catalog


def _read(folder: Path) -> Manifest:
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        catalog = None if told["catalog"] is None else Kept(**told["catalog"])
        tables, others = ({path: Kept(**kept) for path, kept in told[key].items()} for key in ("tables", "others"))
        return Manifest(told["snapshot"], catalog, tables, others)
    except FileNotFoundError:
        raise LakeError(f"{folder} is no backup: it has no {MANIFEST}; `smi lake backup FOLDER` makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LakeError(f"{folder / MANIFEST} cannot be read ({error}); try another backup") from error


def _write(folder: Path, manifest: Manifest) -> None:
    part = folder / f"{MANIFEST}{_PART}"
    with part.open("w", encoding="utf-8") as write:
        json.dump(asdict(manifest), write, indent=1, sort_keys=True)
        write.flush()
        os.fsync(write.fileno())
    part.replace(folder / MANIFEST)


def _sha256(file: Path) -> str:
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()
