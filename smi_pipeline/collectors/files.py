"""Vendor files: a licensed provider's export in the neutral format, read in place of a platform's API.

A folder a month (or a day, for figures alone) with accounts.csv and posts.csv, and followers.csv where the provider has
earlier counts; each may be gzipped. Columns as in docs/datasets.md, and `observed_at` in posts.csv where the provider
says when it counted; otherwise the account's `followers_at`, else the time of the file. Values are held to the same
rules as an API's: a bad count is null and rejected, a post of an unreadable time or id is rejected whole.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, NamedTuple

from pydantic import TypeAdapter

from smi_pipeline.collectors.fields import (
    Moment,
    Number,
    PostId,
    PostRecord,
    Record,
    Text,
    Time,
    read_time,
)
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.records import AccountResult, CollectionError, Outcome, Spent, Window
from smi_pipeline.file_names import entries, folded, not_read
from smi_pipeline.registry.models import Account, Platform

ACCOUNTS = ("platform", "account_id", "handle", "display_name", "followers", "followers_at")
POSTS = (
    *("platform", "account_id", "post_id", "created_at", "kind", "text", "permalink"),
    *("likes", "comments", "shares", "views"),
)
FOLLOWERS = ("platform", "account_id", "observed_at", "followers")
# Counts of followers this far from the window may speak for one of its borders.
BORDER = timedelta(days=4)
LARGEST_CELL = 10_000_000  # characters; the module's own bound of 128 kB is below what a caption may hold


class VendorAccount(Record):
    """An account, or one of its follower counts."""

    platform: str
    handle: Text = None
    display_name: Text = None
    followers: Number = None


class VendorPost(PostRecord):
    """A post in the neutral words of all platforms."""

    id_field: ClassVar[str] = "post_id"
    time_field: ClassVar[str] = "created_at"

    platform: str
    post_id: PostId
    created_at: Time
    kind: Text = None
    text: Text = None
    permalink: Text = None
    likes: Number = None
    comments: Number = None
    shares: Number = None
    views: Number = None


ACCOUNT, POST = TypeAdapter(VendorAccount), TypeAdapter(VendorPost)


class _Row(NamedTuple):
    """A row of a file: where it stands, and its cells by column; an empty cell is null."""

    where: str
    cells: dict[str, str | None]


class FileReader:
    """A collector that asks nobody: its answers are in `folder`."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self.platform: Platform = platform
        self.requests = self.least = 0
        self.clock: datetime | None = None
        self._folder = folder

    def known(self, spent: Iterable[Spent]) -> None:
        """Nothing is spent."""

    def spent(self) -> list[Spent]:
        """Nothing."""
        return []

    async def collect(self, accounts: Sequence[Account], window: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account: see `records.Collector`.

        Raises:
            CollectionError: a file or column is missing, or a file is not CSV; names the file and the line.
        """
        self._refuse_other_names()
        posts: dict[str, list[_Row]] = defaultdict(list)
        for row in self._rows("posts", POSTS, required=True):
            posts[row.cells["account_id"] or ""].append(row)
        for harvest, known in self._observed(accounts, window):
            if known is not None:
                default = harvest.observed_at or window.end
                for row in posts[known]:
                    at = _instant(row, "observed_at") or default
                    harvest.add([POST.validate_python(row.cells)], [row.cells], at)
            yield self._result(harvest, known)

    async def look(self, accounts: Sequence[Account], at: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account with its figures: see `records.Collector`."""
        self._refuse_other_names()
        for harvest, known in self._observed(accounts, at):
            yield self._result(harvest, known)

    def _observed(self, accounts: Sequence[Account], window: Window) -> Iterator[tuple[Harvest, str | None]]:
        """Each account with its own counts, and the id it has in the files: null where it is not in them."""
        by_name: dict[str, _Row] = {}
        for row in self._rows("accounts", ACCOUNTS, required=True):
            for name in ("handle", "account_id"):
                by_name[(row.cells[name] or "").casefold()] = row
        counts: dict[str, list[_Row]] = defaultdict(list)
        for row in self._rows("followers", FOLLOWERS, required=False):
            counts[row.cells["account_id"] or ""].append(row)
        written = datetime.fromtimestamp(self._path("accounts").stat().st_mtime, UTC).replace(microsecond=0)
        for account in accounts:
            harvest = Harvest(account, window)
            own = by_name.get((account.platform_account_id or "").casefold()) or by_name.get(account.handle.casefold())
            if own is None:
                harvest.observed_at = written
                yield harvest, None
                continue
            known = own.cells["account_id"] or account.handle
            harvest.platform_account_id = known
            harvest.observe(ACCOUNT.validate_python(own.cells), own.cells, _instant(own, "followers_at") or written)
            for row in counts[known]:
                at = _instant(row, "observed_at")
                if at is None:
                    raise CollectionError(f"{row.where}: observed_at: expected a time with its zone, found nothing")
                if window.start - BORDER <= at <= window.end + BORDER:
                    harvest.observe(ACCOUNT.validate_python(row.cells), row.cells, at)
            yield harvest, known

    def _result(self, harvest: Harvest, known: str | None) -> AccountResult:
        outcome: Outcome = "unavailable" if known is None else "answered"
        if known is None:
            harvest.notes.append(f"not in {self._path('accounts').name} of the vendor's {self._folder.name}")
        result = harvest.result(outcome)
        self.clock = max(result.observed_at, self.clock or result.observed_at)
        return result

    def _refuse_other_names(self) -> None:
        """A file that is called nearly like one of the three is meant to be read, and so is one of two under one name.

        Raises:
            CollectionError: naming each.
        """
        stems, problems = ("accounts", "posts", "followers"), []
        for path in entries(self._folder):
            stem = next((one for one in stems if folded(path.name).startswith(one.rstrip("s"))), None)
            if stem is not None and (path.name not in (f"{stem}.csv", f"{stem}.csv.gz") or not path.is_file()):
                problems.append(not_read(path, f"a file called {stem}.csv or {stem}.csv.gz"))
        problems += [
            f"{self._folder}: expected one of {stem}.csv and {stem}.csv.gz, found both"
            for stem in stems
            if all((self._folder / f"{stem}{suffix}").is_file() for suffix in (".csv", ".csv.gz"))
        ]
        near = [] if self._folder.is_dir() else [p for p in entries(self._folder.parent) if self._is_meant(p.name)]
        problems += [not_read(path, f"a folder called {self._folder.name}") for path in near]
        if problems:
            raise CollectionError("\n".join(problems))

    def _is_meant(self, name: str) -> bool:
        """Whether a name is this folder's in another spelling: 2025-5, 2025_05, 202505."""
        mine, other = (re.findall(r"\d+", text) for text in (self._folder.name, folded(name)))
        return bool(mine) and ("".join(mine) == "".join(other) or [*map(int, mine)] == [*map(int, other)])

    def _path(self, stem: str) -> Path:
        plain, packed = self._folder / f"{stem}.csv", self._folder / f"{stem}.csv.gz"
        return packed if packed.is_file() and not plain.is_file() else plain

    def _rows(self, stem: str, columns: Sequence[str], *, required: bool) -> Iterator[_Row]:
        """The platform's rows of one file."""
        path = self._path(stem)
        if not path.is_file():
            if required:
                raise CollectionError(
                    f"{self.platform}: no vendor file {path}", remedy="put the provider's export there, or use the API"
                )
            return
        before = csv.field_size_limit(LARGEST_CELL)
        try:
            with _opened(path) as stream:
                reader = csv.DictReader(stream, restkey="", strict=True)
                missing = [column for column in columns if column not in (reader.fieldnames or [])]
                if missing:
                    raise CollectionError(f"{path} line 1: expected the columns {', '.join(missing)} as well")
                for cells in reader:
                    where = f"{path} line {reader.line_num}"
                    if "" in cells or None in cells.values():
                        raise CollectionError(f"{where}: expected {len(reader.fieldnames or [])} cells")
                    if cells["platform"] == self.platform:
                        yield _Row(where, {name: cell or None for name, cell in cells.items()})
        except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            raise CollectionError(f"{path}: expected readable UTF-8 CSV, found: {error}") from error
        finally:
            csv.field_size_limit(before)


def _opened(path: Path) -> io.TextIOWrapper:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _instant(row: _Row, column: str) -> datetime | None:
    """A time of the row, null where the cell is empty or the column is not there."""
    text = row.cells.get(column)
    if text is None:
        return None
    read = read_time(text)
    if isinstance(read, Moment):
        return read.instant
    raise CollectionError(f"{row.where}: {column}: expected a time with its zone, found {text!r}")
