"""What people must be told, in `<lake>/notices.jsonl`: one line a cause, however often it comes again.

A cause is open from its first line until it is closed: while it is open it is not told again. Whatever carries the
lines on (a chat's webhook) remembers the number of the last one it has sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from smi_pipeline.lake.connection import Lake, LakeError

# A proposal waits for a person's decision; news is never told twice; resolved closes what was open.
Kind = Literal["failure", "warning", "deferral", "proposal", "news", "resolved"]
FILE = "notices.jsonl"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something to tell. Two notices of one `cause` are the same news; `link` is where to look, a URL or a path."""

    cause: str
    kind: Kind
    title: str
    text: str = ""
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class Told(Notice):
    """A line of the file. `number` counts from 1, without a gap."""

    number: int
    at: datetime


def tell(lake: Lake, notice: Notice, at: datetime) -> bool:
    """Write a notice down unless its cause is open already; whether it was written."""
    with lake.lock("notices"):
        lines = told(lake)
        if notice.cause in _open(lines):
            return False
        _append(lake, lines, [notice], at)
    return True


def close(lake: Lake, begins: str, title: str, at: datetime) -> bool:
    """Close every open cause that begins so; one line says it, `title`, if there was any."""
    with lake.lock("notices"):
        lines = told(lake)
        open_ = [line.cause for line in _open(lines).values() if line.cause.startswith(begins) and line.kind != "news"]
        if not open_:
            return False
        resolved = Notice(cause=open_[0], kind="resolved", title=title)
        # The others are closed without a word.
        _append(lake, lines, [resolved, *(Notice(cause=cause, kind="resolved", title="") for cause in open_[1:])], at)
    return True


def told(lake: Lake, after: int = 0) -> list[Told]:
    """The notices after number `after`, the oldest first.

    Raises:
        LakeError: a line of the file is not one of ours.
    """
    path = _path(lake)
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(_lines(path), start=1):
        if number > after:
            try:
                row = json.loads(line)
                found.append(Told(**row | {"number": number, "at": datetime.fromisoformat(row["at"])}))
            except (ValueError, TypeError, KeyError) as error:
                raise LakeError(f"{path}, line {number}: not a notice ({error}); mend or remove the file") from error
    return found


def open_notices(lake: Lake) -> list[Told]:
    """What is still so: failures not mended, proposals not decided."""
    return [line for line in _open(told(lake)).values() if line.kind != "news"]


def _open(lines: Iterable[Told]) -> dict[str, Told]:
    standing: dict[str, Told] = {}
    for line in lines:
        if line.kind == "resolved":
            standing.pop(line.cause, None)
        else:
            standing[line.cause] = line
    return standing


def _append(lake: Lake, lines: list[Told], notices: Iterable[Notice], at: datetime) -> None:
    path = _path(lake)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for number, notice in enumerate(notices, start=len(lines) + 1):
            row = {"number": number, "at": at.isoformat(timespec="seconds"), **asdict(notice)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _path(lake: Lake) -> Path:
    return lake.path / FILE


def _lines(path: Path) -> list[str]:
    """By line feeds alone: a text may have other things that Python takes for the end of a line."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
