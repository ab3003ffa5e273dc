"""Names of files that people drop: what was meant by another spelling, so that none is passed over without a word."""

from __future__ import annotations

import unicodedata
from pathlib import Path


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, by name; nothing where there is none. Hidden entries and locks of offices are left out."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "~$")))


def folded(name: str) -> str:
    """A name without what differs between spellings of it: case, width and composition of letters, blanks."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def not_read(path: Path, expected: str) -> str:
    """Why an entry is not read, and what was expected in its place."""
    came = "another name"
    if path.is_dir():
        came = "a folder"
    elif not path.is_file():
        came = "neither a file nor a folder"
    return f"{path}: expected {expected}; this is {came} and is not read: rename it, or move it elsewhere"
