"""Reading a lake in a folder that cannot be written: another person's, an archive, a read-only disk.

SQLite keeps an index of its log beside the catalog (`-shm`) and cannot read a catalog in WAL mode where it may not make
one. While a writer has the catalog open the index is there; else the catalog is read from a copy in the folder for
temporary files, which goes with the process.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def is_read_only(catalog: Path) -> bool:
    """Whether a catalog is there and this process may read and not write it."""
    if not catalog.exists():
        return False
    locks = catalog.parent / ".locks"
    needed = [catalog.parent, catalog, *([locks] if locks.exists() else [])]
    return not all(os.access(path, os.W_OK) for path in needed)


def readable(catalog: Path) -> Path:
    """The catalog itself where it can be read in place, else a copy with all that was committed."""
    index, log = Path(f"{catalog}-shm"), Path(f"{catalog}-wal")
    if index.exists() and log.exists():
        return catalog
    folder = Path(tempfile.mkdtemp(prefix="smi-catalog-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / catalog.name
    shutil.copyfile(catalog, copy)
    if log.exists():
        shutil.copyfile(log, Path(f"{copy}-wal"))
    return copy
