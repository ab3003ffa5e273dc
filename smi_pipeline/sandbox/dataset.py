"""A data set directory in the neutral format: accounts, posts and, where there are any, repeated observations.

    accounts    platform, account_id, handle, display_name, followers, followers_at
                optional: suspended_at, renamed_at, former_handle
    posts       platform, account_id, post_id, created_at, kind, text, permalink, likes, comments, shares, views
                optional: deleted_at, added_at
    followers   platform, account_id, observed_at, followers                                       (optional)
    snapshots   platform, account_id, post_id, observed_at, likes, comments, shares, views         (optional)
                optional: text, the words it was edited to; empty where they stayed

Each is `<name>.csv` or `<name>.csv.gz`, UTF-8, comma, `"` quotes; texts may contain line breaks. Columns come in any
order and unknown ones are ignored. An empty cell means "not in the data", never zero. Counts are taken as they stand,
impossible ones (-41 comments) included: finding those is the reader's business, not the platform's.
"""

from __future__ import annotations

import csv
import gzip
import io
import operator
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

Platform = Literal["facebook", "x", "instagram", "youtube", "tiktok"]
Kind = Literal["photo", "video", "short", "link", "text", "event", "note", "music", "repost", "album", ""]

PLATFORMS: tuple[Platform, ...] = get_args(Platform)
KINDS: tuple[Kind, ...] = get_args(Kind)

COLUMNS: dict[str, tuple[str, ...]] = {
    "accounts": ("platform", "account_id", "handle", "display_name", "followers", "followers_at"),
    "posts": (
        "platform",
        "account_id",
        "post_id",
        "created_at",
        "kind",
        "text",
        "permalink",
        "likes",
        "comments",
        "shares",
        "views",
    ),
    "followers": ("platform", "account_id", "observed_at", "followers"),
    "snapshots": ("platform", "account_id", "post_id", "observed_at", "likes", "comments", "shares", "views"),
}
OPTIONAL_COLUMNS: dict[str, tuple[str, ...]] = {
    "accounts": ("suspended_at", "renamed_at", "former_handle"),
    "posts": ("deleted_at", "added_at"),
    "followers": (),
    "snapshots": ("text",),
}
_LARGEST_CELL = 10_000_000


class DatasetError(Exception):
    """The directory is not a data set: one line that names the file, the line and what was expected there."""


class Counts(NamedTuple):
    """What came back on a post at one instant. `None` = not in the data, 0 = zero."""

    likes: int | None
    comments: int | None
    shares: int | None
    views: int | None


@dataclass(eq=False, slots=True)
class Account:
    """One account. `followers` is accounts.csv's count; `observations` are those of followers.csv, oldest first.

    It was `former_handle` until `renamed_at`, and has not been there since `suspended_at`; `None` = never happened.
    """

    platform: Platform
    account_id: str
    handle: str
    display_name: str
    followers: int | None
    suspended_at: datetime | None = None
    renamed_at: datetime | None = None
    former_handle: str = ""
    observations: list[tuple[datetime, int]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Post:
    """One post. `counts` are those of posts.csv; `snapshots` those of snapshots.csv, oldest first.

    `edits` are the texts it was given later, oldest first. It is gone from `deleted_at` on; `None` = it stayed. It was
    added to its account's list, unseen, at `added_at`; `None` = when it was posted.
    """

    account: Account
    post_id: str
    created_at: datetime
    kind: Kind
    text: str
    permalink: str
    counts: Counts
    deleted_at: datetime | None = None
    added_at: datetime | None = None
    snapshots: list[tuple[datetime, Counts]] = field(default_factory=list)
    edits: list[tuple[datetime, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Everything in the directory; posts are unique by (platform, post_id), the last row winning."""

    accounts: tuple[Account, ...]
    posts: tuple[Post, ...]


class _Row(NamedTuple):
    """Where a row stands, and its cells in the order of COLUMNS, then OPTIONAL_COLUMNS (empty where there is none)."""

    name: str
    line: int
    cells: tuple[str, ...]

    def wrong(self, column: str, expected: str, found: str) -> DatasetError:
        return DatasetError(f"{self.name} line {self.line}: {column}: expected {expected}, found {found!r}")


def load(directory: Path | str) -> Dataset:
    """Read a data set directory.

    Args:
        directory: folder with accounts and posts, and optionally followers and snapshots.

    Returns:
        The data set; all times are aware and in UTC.

    Raises:
        DatasetError: a file or column is missing, or a cell is not what its column holds; one line, naming the place.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a directory with accounts.csv and posts.csv, found none")
    accounts: dict[tuple[str, str], Account] = {}
    for row in _rows(folder, "accounts", required=True):
        account = _account(row)
        accounts[account.platform, account.account_id] = account
    posts: dict[tuple[str, str, str], Post] = {}  # a joint post stands under each of its accounts
    for row in _rows(folder, "posts", required=True):
        post = _post(row, accounts)
        posts[post.account.platform, post.account.account_id, post.post_id] = post
    for row in _rows(folder, "followers", required=False):
        _observe_account(row, accounts)
    for row in _rows(folder, "snapshots", required=False):
        _observe_post(row, posts)
    for account in accounts.values():
        account.observations.sort(key=lambda seen: seen[0])
    for post in posts.values():
        post.snapshots.sort(key=lambda seen: seen[0])
        post.edits.sort(key=lambda edit: edit[0])
    return Dataset(tuple(accounts.values()), tuple(posts.values()))


def _account(row: _Row) -> Account:
    platform, account_id, handle, display_name, followers, followers_at, suspended_at, renamed_at, former = row.cells
    if not account_id:
        raise row.wrong("account_id", "an id", account_id)
    if bool(renamed_at) != bool(former):
        raise row.wrong("former_handle", "a handle where renamed_at is given, and nothing elsewhere", former)
    if followers_at:
        _time(row, "followers_at", followers_at)
    return Account(
        platform=_platform(row, platform),
        account_id=account_id,
        handle=handle or account_id,
        display_name=display_name or handle or account_id,
        followers=_count(row, "followers", followers),
        suspended_at=_time(row, "suspended_at", suspended_at) if suspended_at else None,
        renamed_at=_time(row, "renamed_at", renamed_at) if renamed_at else None,
        former_handle=former,
    )


def _post(row: _Row, accounts: dict[tuple[str, str], Account]) -> Post:
    platform, account_id, post_id, created_at, kind, text, permalink, *counts, deleted_at, added_at = row.cells
    if not post_id:
        raise row.wrong("post_id", "an id", post_id)
    if kind not in KINDS:
        raise row.wrong("kind", f"one of {', '.join(filter(None, KINDS))} or nothing", kind)
    return Post(
        account=_known_account(row, accounts, platform, account_id),
        post_id=post_id,
        created_at=_time(row, "created_at", created_at),
        kind=kind,
        text=text,
        permalink=permalink,
        counts=_counts(row, counts),
        deleted_at=_time(row, "deleted_at", deleted_at) if deleted_at else None,
        added_at=_time(row, "added_at", added_at) if added_at else None,
    )


def _observe_account(row: _Row, accounts: dict[tuple[str, str], Account]) -> None:
    platform, account_id, observed_at, followers = row.cells
    account = _known_account(row, accounts, platform, account_id)
    number = _count(row, "followers", followers)
    if number is not None:
        account.observations.append((_time(row, "observed_at", observed_at), number))


def _observe_post(row: _Row, posts: dict[tuple[str, str, str], Post]) -> None:
    platform, account_id, post_id, observed_at, *counts, text = row.cells
    post = posts.get((_platform(row, platform), account_id, post_id))
    if post is None:
        raise row.wrong("post_id", f"the id of a {platform} post of {account_id} in posts.csv", post_id)
    seen_at = _time(row, "observed_at", observed_at)
    post.snapshots.append((seen_at, _counts(row, counts)))
    if text:
        post.edits.append((seen_at, text))


def _known_account(row: _Row, accounts: dict[tuple[str, str], Account], platform: str, account_id: str) -> Account:
    account = accounts.get((platform, account_id))
    if account is None:
        raise row.wrong("account_id", f"a {_platform(row, platform)} account of accounts.csv", account_id)
    return account


def _platform(row: _Row, text: str) -> Platform:
    if text not in PLATFORMS:
        raise row.wrong("platform", f"one of {', '.join(PLATFORMS)}", text)
    return text


def _time(row: _Row, column: str, text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise row.wrong(column, "a time with its zone like 2025-05-01T08:30:00Z", text)
    return instant.astimezone(UTC)


def _counts(row: _Row, texts: list[str]) -> Counts:
    try:
        return Counts(*[int(text) if text else None for text in texts])
    except ValueError:
        for column, text in zip(Counts._fields, texts, strict=True):
            _count(row, column, text)  # names the one that is wrong
        raise


def _count(row: _Row, column: str, text: str) -> int | None:
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise row.wrong(column, "a whole number or nothing", text) from None


def _rows(folder: Path, stem: str, *, required: bool) -> Iterator[_Row]:
    """Yield the rows of one file, each with the line it begins on."""
    path = next((p for p in (folder / f"{stem}.csv", folder / f"{stem}.csv.gz") if p.is_file()), None)
    if path is None:
        if required:
            raise DatasetError(f"{folder / stem}.csv: expected this file (or {stem}.csv.gz), found neither")
        return
    before = csv.field_size_limit(_LARGEST_CELL)  # the module's own bound of 128 kB is below what a caption may hold
    try:
        with _opened(path) as stream:
            yield from _parsed(path.name, stem, csv.reader(stream))
    except (UnicodeDecodeError, csv.Error, EOFError, OSError, zlib.error) as error:
        raise DatasetError(f"{path}: expected readable UTF-8 CSV, found: {error}") from error
    finally:
        csv.field_size_limit(before)


def _opened(path: Path) -> io.TextIOBase:
    if path.suffix == ".gz":
        return cast("io.TextIOBase", gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _parsed(name: str, stem: str, reader: Iterator[list[str]]) -> Iterator[_Row]:
    columns = COLUMNS[stem]
    header = next(reader, [])
    missing = [column for column in columns if column not in header]
    if missing:
        raise DatasetError(f"{name} line 1: expected the columns {', '.join(columns)}; missing: {', '.join(missing)}")
    wanted = (*columns, *OPTIONAL_COLUMNS[stem])
    pick = operator.itemgetter(*(header.index(column) if column in header else len(header) for column in wanted))
    last = cast("int", reader.line_num)  # type: ignore[attr-defined]
    for cells in reader:
        first, last = last + 1, cast("int", reader.line_num)  # type: ignore[attr-defined]
        if not cells:
            continue
        if len(cells) != len(header):
            raise DatasetError(f"{name} line {first}: expected {len(header)} cells, found {len(cells)}")
        yield _Row(name, first, pick((*cells, "")))
