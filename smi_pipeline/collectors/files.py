"""Vendor files: a licensed provider's export in the neutral format, read in place of a platform's API.

A folder a month (or a day, for figures alone) with accounts.csv and posts.csv, and followers.csv where the provider has
earlier counts; each may be gzipped. Columns as in docs/datasets.md, and `observed_at` in posts.csv where the provider
says when it counted; otherwise the account's `followers_at`, else the time of the file. Values are held to the same
rules as an API's: a bad count is null and rejected, a post of an unreadable time or id is rejected whole. A row that
does not say whose it is ends the collection before anything is read from the files.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections import Counter, defaultdict
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
from smi_pipeline.collectors.reader import same_owner
from smi_pipeline.collectors.records import AccountResult, CollectionError, Outcome, Spent, Window
from smi_pipeline.collectors.verdict import Refusal
from smi_pipeline.file_names import entries, folded, not_read
from smi_pipeline.registry.models import PLATFORMS, Account, Platform, handle_key, platform_id

ACCOUNTS = ("platform", "account_id", "handle", "display_name", "followers", "followers_at")
POSTS = (
    *("platform", "account_id", "post_id", "created_at", "kind", "text", "permalink"),
    *("likes", "comments", "shares", "views"),
)
FOLLOWERS = ("platform", "account_id", "observed_at", "followers")
NAMES = ("platform", "account_id", "handle")  # what says whose a row is: never empty, never with blanks around it
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
    """A row of a file: where it stands, the account it is about, and its cells by column; an empty cell is null."""

    where: str
    platform: str
    account_id: str
    cells: dict[str, str | None]


class _Listed(NamedTuple):
    """The platform's rows of accounts.csv, by the ids and by the handles in it; and the ids of all platforms'."""

    by_id: dict[str, _Row]
    by_handle: dict[str, _Row]
    ids: set[tuple[str, str]]

    def of(self, account: Account) -> _Row | None:
        """The row of an account: by its platform's id, else by its handle, else by the registry's own key for it.

        Raises:
            Refusal: the handle leads to another id than the registry has.
        """
        if (own := self.by_id.get(account.platform_account_id or "")) is not None:
            return own
        own = self.by_handle.get(handle_key(account.platform, account.handle)) or self.by_id.get(account.account_id)
        if own is not None and (found := platform_id(account.platform, own.account_id)) is not None:
            same_owner(account, found)
        return own


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
            CollectionError: a file or column is missing, a file is not CSV, or a row is of no account that is known;
                names the file and the line.
        """
        self._refuse_other_names()
        listed = self._listed()
        posts = self._by_account("posts", POSTS, listed, required=True)
        counts = self._by_account("followers", FOLLOWERS, listed, required=False)
        for account in accounts:
            yield self._result(Harvest(account, window), listed, counts, posts)

    async def look(self, accounts: Sequence[Account], at: Window) -> AsyncGenerator[AccountResult, None]:
        """Yield one result an account with its figures: see `records.Collector`."""
        self._refuse_other_names()
        listed = self._listed()
        counts = self._by_account("followers", FOLLOWERS, listed, required=False)
        for account in accounts:
            yield self._result(Harvest(account, at), listed, counts, {})

    def _listed(self) -> _Listed:
        """The platform's accounts in the files.

        Raises:
            CollectionError: an id or a handle stands there twice.
        """
        listed = _Listed({}, {}, set())
        for row in self._rows("accounts", ACCOUNTS, required=True):
            listed.ids.add((row.platform, row.account_id))
            if row.platform != self.platform:
                continue
            handle = row.cells["handle"] or ""
            key = handle_key(self.platform, handle.removeprefix("@"))
            for column, first in (
                ("account_id", listed.by_id.setdefault(row.account_id, row)),
                ("handle", listed.by_handle.setdefault(key, row)),
            ):
                if first is not row:
                    raise CollectionError(
                        f"{row.where}: {column}: expected each {self.platform} account once, found"
                        f" {row.cells[column]!r} again, first at {first.where}"
                    )
        return listed

    def _by_account(
        self, stem: str, columns: Sequence[str], listed: _Listed, *, required: bool
    ) -> dict[str, list[_Row]]:
        """The platform's rows of a file by account id, in the file's order.

        Raises:
            CollectionError: a row, of whatever platform, is of an account that accounts.csv does not have there.
        """
        rows: dict[str, list[_Row]] = defaultdict(list)
        for row in self._rows(stem, columns, required=required):
            if (row.platform, row.account_id) not in listed.ids:
                raise CollectionError(
                    f"{row.where}: account_id: expected one that {self._path('accounts').name} has for"
                    f" {row.platform}, found {row.account_id!r}"
                )
            if row.platform == self.platform:
                rows[row.account_id].append(row)
        return rows

    def _result(
        self, harvest: Harvest, listed: _Listed, counts: dict[str, list[_Row]], posts: dict[str, list[_Row]]
    ) -> AccountResult:
        written = datetime.fromtimestamp(self._path("accounts").stat().st_mtime, UTC).replace(microsecond=0)
        try:
            result = harvest.result(self._read(harvest, listed.of(harvest.account), counts, posts, written))
        except Refusal as refusal:
            result = harvest.refused(refusal, written)
        self.clock = max(result.observed_at, self.clock or result.observed_at)
        return result

    def _read(
        self,
        harvest: Harvest,
        own: _Row | None,
        counts: dict[str, list[_Row]],
        posts: dict[str, list[_Row]],
        written: datetime,
    ) -> Outcome:
        """Read one account from its row of accounts.csv and its rows of the other files.

        Raises:
            Refusal: none of its posts can be placed.
        """
        if own is None:
            harvest.observed_at = written
            harvest.notes.append(f"not in {self._path('accounts').name} of the vendor's {self._folder.name}")
            return "unavailable"
        harvest.platform_account_id = own.account_id
        at = _instant(own, "followers_at") or written
        harvest.observe(ACCOUNT.validate_python(own.cells), own.cells, at)
        for row in counts.get(own.account_id, ()):
            seen = _instant(row, "observed_at")
            if seen is None:
                raise CollectionError(f"{row.where}: observed_at: expected a time with its zone, found nothing")
            if harvest.window.start - BORDER <= seen <= harvest.window.end + BORDER:
                harvest.observe(ACCOUNT.validate_python(row.cells), row.cells, seen)
        default = harvest.observed_at or at
        for row in posts.get(own.account_id, ()):
            harvest.add([POST.validate_python(row.cells)], [row.cells], _instant(row, "observed_at") or default)
        harvest.require_placed()
        return "answered"

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
        mine, other = (re.findall(r"[0-9]+", text) for text in (self._folder.name, folded(name)))
        return bool(mine) and ("".join(mine) == "".join(other) or [*map(int, mine)] == [*map(int, other)])

    def _path(self, stem: str) -> Path:
        plain, packed = self._folder / f"{stem}.csv", self._folder / f"{stem}.csv.gz"
        return packed if packed.is_file() and not plain.is_file() else plain

    def _rows(self, stem: str, columns: Sequence[str], *, required: bool) -> Iterator[_Row]:
        """The rows of one file; every row must be of a platform there is.

        Raises:
            CollectionError: the file is not there, not CSV or lacks a column, or a row does not say whose it is.
        """
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
                found = reader.fieldnames or []
                if missing := [column for column in columns if column not in found]:
                    raise CollectionError(f"{path} line 1: expected the columns {', '.join(missing)} as well")
                if twice := [name for name, number in Counter(found).items() if number > 1]:
                    raise CollectionError(f"{path} line 1: expected each column once, found {', '.join(twice)} again")
                names = [name for name in NAMES if name in columns]
                for cells in reader:
                    where = f"{path} line {reader.line_num}"
                    if "" in cells or None in cells.values():
                        raise CollectionError(f"{where}: expected {len(found)} cells")
                    _says_whose(cells, names, where)
                    kept = {name: cell or None for name, cell in cells.items()}
                    yield _Row(where, cells["platform"], cells["account_id"], kept)
        except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            raise CollectionError(f"{path}: expected readable UTF-8 CSV, found: {error}") from error
        finally:
            csv.field_size_limit(before)


def _says_whose(cells: dict[str, str], names: Sequence[str], where: str) -> None:
    """Make sure that a row names a platform and an account.

    Raises:
        CollectionError: a name is empty or has blanks around it, or the platform is none.
    """
    for name in names:
        if not cells[name] or cells[name] != cells[name].strip():
            raise CollectionError(f"{where}: {name}: expected a name without blanks around it, found {cells[name]!r}")
    if cells["platform"] not in PLATFORMS:
        expected = ", ".join(PLATFORMS)
        raise CollectionError(f"{where}: platform: expected one of {expected}, found {cells['platform']!r}")


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
