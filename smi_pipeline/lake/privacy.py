"""What is removed on purpose: payloads that have been kept long enough, and the posts of an account that is forgotten.

The figures stay. A table's columns say what was read from a payload; the sums of a forgotten account's posts are kept
in raw.forgotten_sums, and staging gives them to the month in place of the posts. raw.removed tells what was removed.

Earlier snapshots still hold what was removed, and so do those that editions name: `purge` lets them go. An edition
whose snapshot is gone cannot be rebuilt any more; its files stay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import duckdb

from smi_pipeline.lake.care import CARE, delete_unneeded_now, flush, let_go
from smi_pipeline.lake.catalog import snapshots
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.editions import edition_snapshots
from smi_pipeline.lake.tables import DECLARED
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Platform

# What stays of a payload because a figure rests on it: on Facebook, whether a share count was sent at all; of a refused
# record without an id, that it was another one than the next.
_SHARES = """case when json_exists(payload, '$.shares') then '{"shares":{}}'::json else '{}'::json end"""
_MARK = """to_json('removed ' || md5(payload::varchar))"""
_IS_MARK = """payload::varchar like '"removed %'"""
_SUMS = (
    *("posts", "videos", "likes", "comments", "shares", "views"),
    *(
        "complete_posts",
        "complete_videos",
        "complete_likes",
        "complete_comments",
        "complete_shares",
        "viewed_videos",
        "likes_above_views",
    ),
)
# Other tables that name or quote single posts.
_QUOTING = ("intermediate.int_deleted_posts", "marts.top_posts", "raw.moved_post")


@dataclass(frozen=True)
class Removal:
    """A row of raw.removed. `account_id` is null where the payloads of all accounts went."""

    kind: Literal["payloads", "account"]
    platform: str
    account_id: str | None
    month: date
    collection_id: str
    reason: str
    removed_at: datetime

    def __str__(self) -> str:
        what = "payloads" if self.account_id is None else f"posts and payloads of {self.account_id}"
        return f"{self.collection_id}: {what} were removed on {self.removed_at:%Y-%m-%d} ({self.reason})"


@dataclass(frozen=True)
class Removed:
    """What went: rows that lost their payload or are gone themselves, and the months they were of."""

    rows: int
    months: list[date]


@dataclass(frozen=True)
class Held:
    """Snapshots in which something removed can still be read, and those of them that editions name."""

    snapshots: list[int]
    editions: list[int]


def removals(cursor: duckdb.DuckDBPyConnection, collection_id: str, account_id: str | None = None) -> list[Removal]:
    """What was removed from a collection; with an account, what concerns it."""
    rows = cursor.execute(
        "select kind, platform, account_id, month, collection_id, reason, removed_at from raw.removed"
        " where collection_id = $1 and ($2 is null or account_id is null or account_id = $2)"
        " order by removed_at, kind, account_id",
        [collection_id, account_id],
    ).fetchall()
    return [Removal(*row) for row in rows]


def accounts_called(cursor: duckdb.DuckDBPyConnection, platform: Platform, name: str) -> list[str]:
    """The ids of the platform's accounts that have this id in the registry, or were ever asked under this handle."""
    rows = cursor.execute(
        "select distinct account_id from raw.collection_account"
        " where platform = $1 and (account_id = $2 or lower(handle) = lower($2)) order by account_id",
        [platform, name],
    ).fetchall()
    return [account_id for (account_id,) in rows]


def months_with_posts(cursor: duckdb.DuckDBPyConnection, platform: Platform, account_id: str) -> list[date]:
    """The months of which the lake has posts of an account, finished collections or not."""
    found: set[date] = set()
    for table in _tables(platform, "posts"):
        found |= {
            month
            for (month,) in cursor.execute(
                f"select distinct month from {table} where account_id = $1{_of(table)}",
                _bound(table, account_id, platform),
            ).fetchall()
        }
    return sorted(found)


def remove_payloads(lake: Lake, before: date, *, reason: str, removed_at: datetime) -> Removed:
    """Take the payloads out of all rows of months before `before`; every column stays, and what staging says of them.

    Raises:
        LakeError: staging would say something else without the payloads; nothing was removed.
    """
    with lake.read() as cursor:
        if not any(_payload_months(cursor, table, before) for table in _with_payload()):
            return Removed(0, [])
    flush(lake)  # what is in files can be deleted whole
    rows = 0
    months: set[date] = set()
    with _whole_files(lake), lake.write(f"payloads before {before:%Y-%m} removed", over=[CARE]) as transaction:
        cursor = transaction.cursor
        told = _Told(cursor)
        for table in _with_payload():
            touched = _payload_months(cursor, table, before)
            if not touched:
                continue
            view = f"staging.stg_{table.removeprefix('raw.')}"
            said = _digest(cursor, view, touched)
            counted = cursor.execute(
                f"select {_platform(table)}, month, collection_id, count(*) from {table}"
                f" where {_in(touched)} and not ({_is_removed(table)}) group by all"
            ).fetchall()
            _rewrite(cursor, table, touched, {"payload": _rest(table)}, "true", "false")
            if _digest(cursor, view, touched) != said:
                raise LakeError(f"{view} would say something else without payloads; nothing was removed")
            for platform, month, collection_id, count in counted:
                told.add(table, platform, None, month, collection_id, count)
                rows, months = rows + count, months | {month}
        told.write("payloads", reason, removed_at)
    return Removed(rows, sorted(months))


def forgotten(cursor: duckdb.DuckDBPyConnection, platform: Platform, account_id: str) -> tuple[datetime, str] | None:
    """When and why an account was last forgotten; null where it never was."""
    found: tuple[datetime, str] | None = cursor.execute(
        "select removed_at, reason from raw.removed where kind = 'account' and platform = $1 and account_id = $2"
        " order by removed_at desc limit 1",
        [platform, account_id],
    ).fetchone()
    return found


def remove_old_payloads(lake: Lake, months: int, now: datetime) -> tuple[Month, Removed]:
    """Take the payloads out of months that ended more than so many months ago; give the first month that keeps them."""
    first = Month(now.date().replace(day=1)).plus(-months)
    return first, remove_payloads(lake, first.first, reason=f"older than {months} months", removed_at=now)


def forget(lake: Lake, platform: Platform, account_id: str, *, reason: str, removed_at: datetime) -> Removed:
    """Delete an account's posts, and the payloads of whatever else it answered; its sums and follower counts stay.

    The intermediate tables of its months must be up to date: the sums that stay are those. Where nothing is left to
    remove, because it was forgotten before, nothing is written and no row is counted.

    Raises:
        LakeError: the lake has nothing of the account, or no sums of a month it has posts of.
    """
    tables = [*_tables(platform, "posts"), *_tables(platform, "accounts"), "raw.rejected"]
    with lake.read() as cursor:
        months = months_with_posts(cursor, platform, account_id)
        known = accounts_called(cursor, platform, account_id)
        left = any(_is_left(cursor, table, platform, account_id) for table in tables)
    if account_id not in known:
        raise LakeError(f"no account of {platform} was ever asked as {account_id!r}; nothing was removed")
    if not left:
        return Removed(0, [])
    flush(lake)  # what is in files can be deleted whole
    rows = 0
    with _whole_files(lake), lake.write(f"{platform} {account_id} forgotten", over=[CARE]) as transaction:
        cursor = transaction.cursor
        told = _Told(cursor)
        _keep_sums(cursor, platform, account_id, months)
        for table in tables:
            mine = f"account_id = $1{_of(table)}"
            bound = _bound(table, account_id, platform)
            counted = cursor.execute(
                f"select month, collection_id, count(*) from {table} where {mine} group by all", bound
            ).fetchall()
            changed = _changed(table)
            gone = mine if table.endswith("_posts") else "false"
            _rewrite(cursor, table, sorted({month for month, *_ in counted}), changed, mine, gone, bound)
            for month, collection_id, count in counted:
                told.add(table, platform, account_id, month, collection_id, count)
                rows += count
        for table in _QUOTING:
            _forget_quotes(cursor, table, platform, account_id)
        told.write("account", reason, removed_at)
    return Removed(rows, months)


def still_held(cursor: duckdb.DuckDBPyConnection) -> Held:
    """The snapshots from before a removal that are still there."""
    row = cursor.execute("select max(last_snapshot) from raw.removed").fetchone()
    if row is None or row[0] is None:
        return Held([], [])
    held = [number for number in snapshots(cursor)[:-1] if number <= row[0]]
    return Held(held, sorted(set(held).intersection(edition_snapshots(cursor))))


def purge(lake: Lake) -> Held:
    """Let go of every snapshot from before the last removal, editions' too, and delete the files at once.

    What was removed cannot be read any more, nor those editions rebuilt; their files stay as they were published.
    Backups are not touched: those made before hold it all.
    """
    with lake.read() as cursor:
        held = still_held(cursor)
    let_go(lake, held.snapshots)
    delete_unneeded_now(lake)
    if lake.catalog_file is not None:
        with lake.lock("write"), closing(sqlite3.connect(lake.catalog_file, timeout=30)) as catalog:
            catalog.execute("vacuum")  # what is deleted from a page of SQLite's stays legible in it
            catalog.execute("pragma wal_checkpoint(truncate)")
    return held


class _Told:
    """What a removal takes, gathered by collection, to be written as rows of raw.removed."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._last = snapshots(cursor)[-1]
        self._counts: dict[tuple[str, str | None, date, str], dict[str, int]] = {}

    def add(self, table: str, platform: str, account_id: str | None, month: date, collection: str, count: int) -> None:
        """So many rows of a table."""
        kind = table.rpartition("_")[2] if table != "raw.rejected" else "rejected"
        counts = self._counts.setdefault((platform, account_id, month, collection), {})
        counts[kind] = counts.get(kind, 0) + count

    def write(self, kind: str, reason: str, removed_at: datetime) -> None:
        """One row a collection."""
        for (platform, account_id, month, collection), counts in sorted(self._counts.items(), key=str):
            numbers = [counts.get(one, 0) for one in ("posts", "accounts", "rejected")]
            self._cursor.execute(
                "insert into raw.removed values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                [kind, platform, account_id, month, collection, *numbers, reason, removed_at, self._last],
            )


def _keep_sums(cursor: duckdb.DuckDBPyConnection, platform: str, account_id: str, months: Sequence[date]) -> None:
    """Keep the sums of the newest finished collections, which are what the months' figures rest on."""
    counted = dict(
        cursor.execute(
            "select month, count(*) from staging.stg_posts where platform = $1 and account_id = $2 group by month",
            [platform, account_id],
        ).fetchall()
    )
    listed = ", ".join(f"sums.{name}" for name in _SUMS)
    cursor.execute(
        f"insert into raw.forgotten_sums (collection_id, platform, account_id, month, is_repost, {', '.join(_SUMS)})"
        f" select newest.collection_id, sums.platform, sums.account_id, sums.month, sums.is_repost, {listed}"
        " from intermediate.int_account_month_posts as sums join staging.stg_collections as newest"
        " using (platform, month) where sums.platform = $1 and sums.account_id = $2"
        f" and {_in(months, 'sums.month')} and (newest.collection_id, sums.account_id) not in"
        " (select (collection_id, account_id) from raw.forgotten_sums)",
        [platform, account_id],
    )
    kept = dict(
        cursor.execute(
            "select kept.month, sum(kept.posts) from raw.forgotten_sums as kept join staging.stg_collections as newest"
            " using (platform, month, collection_id) where kept.platform = $1 and kept.account_id = $2 group by all",
            [platform, account_id],
        ).fetchall()
    )
    for month in months:
        posts = counted.get(month, 0)
        if kept.get(month, 0) != posts:
            raise LakeError(
                f"{platform} {account_id} {month:%Y-%m}: {posts} posts, sums of {kept.get(month, 0)};"
                f" nothing was removed. Derive the month first: smi run {month:%Y-%m} --to metrics"
            )


def _changed(table: str) -> dict[str, str]:
    """What the columns of a forgotten account's rows become, as SQL."""
    changed = {"payload": _rest(table)}
    if table == "raw.rejected":
        changed |= {
            "value": "case when reason = 'bad count' then value end",
            "platform_post_id": "case when platform_post_id like 'removed %' then platform_post_id"
            " else 'removed ' || md5(platform_post_id) end",
        }
    return changed


def _is_left(cursor: duckdb.DuckDBPyConnection, table: str, platform: str, account_id: str) -> bool:
    """Whether a table has rows of an account that forgetting it would delete or change."""
    would = [f"{column} is distinct from ({new})" for column, new in _changed(table).items()]
    left = "true" if table.endswith("_posts") else " or ".join(would)
    rows = cursor.execute(
        f"select 1 from {table} where account_id = $1{_of(table)} and ({left}) limit 1",
        _bound(table, account_id, platform),
    ).fetchall()
    return bool(rows)


def _forget_quotes(cursor: duckdb.DuckDBPyConnection, table: str, platform: str, account_id: str) -> None:
    schema, name = table.split(".")
    there = cursor.execute(
        "select count(*) from duckdb_tables() where database_name = 'lake' and schema_name = $1 and table_name = $2",
        [schema, name],
    ).fetchone()
    if not there or not there[0]:
        return
    mine = "platform = $1 and account_id = $2"
    months = cursor.execute(f"select distinct month from {table} where {mine}", [platform, account_id]).fetchall()
    _rewrite(cursor, table, sorted(month for (month,) in months), {}, "false", mine, [platform, account_id])


def _rewrite(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    months: Sequence[date],
    changed: dict[str, str],
    where: str,
    gone: str,
    bound: Sequence[str] = (),
) -> None:
    """Write the months of a table anew: `changed` columns in the rows `where`, and without the rows that are `gone`.

    Whole months, so that the files with what was removed are no longer part of the table: a delete alone would leave
    it legible in them, listed as gone.
    """
    if not months:
        return
    columns = ", ".join(f"case when {where} then {new} else {name} end as {name}" for name, new in changed.items())
    replaced = f" replace ({columns})" if columns else ""
    cursor.execute(
        f"create or replace temp table rewritten as select *{replaced} from {table}"
        f" where {_in(months)} and not ({gone})",
        list(bound),
    )
    cursor.execute(f"delete from {table} where {_in(months)}")
    cursor.execute(f"insert into {table} by name from temp.main.rewritten")
    cursor.execute("drop table temp.main.rewritten")


@contextmanager
def _whole_files(lake: Lake) -> Iterator[None]:
    """Let go of files all rows of which are deleted, also where they are few.

    By itself DuckLake notes the deletion of up to ten rows in the catalog, and the file stays, with them in it.
    """
    limit = "ducklake_default_data_inlining_row_limit"
    with lake.read() as cursor:
        cursor.execute(f"set global {limit} = 0")
    try:
        yield
    finally:
        with lake.read() as cursor:
            cursor.execute(f"reset global {limit}")


def _with_payload() -> list[str]:
    return [table for table, columns in DECLARED.items() if "payload" in columns]


def _tables(platform: Platform, kind: str) -> list[str]:
    """Where rows of a platform are: its own table and the vendor's."""
    if platform not in PLATFORMS:
        raise LakeError(f"no platform {platform!r}; expected one of {', '.join(PLATFORMS)}")
    return [f"raw.{platform}_{kind}", f"raw.vendor_{kind}"]


def _platform(table: str) -> str:
    """The platform of a table's rows, as SQL."""
    return "platform" if "platform" in DECLARED[table] else f"'{table.removeprefix('raw.').rpartition('_')[0]}'"


def _of(table: str) -> str:
    return " and platform = $2" if "platform" in DECLARED[table] else ""


def _bound(table: str, account_id: str, platform: str) -> list[str]:
    return [account_id, platform] if "platform" in DECLARED[table] else [account_id]


def _rest(table: str) -> str:
    """What stays of a row's payload, as SQL."""
    if table == "raw.rejected":
        return f"case when {_IS_MARK} then payload else {_MARK} end"
    return _SHARES if table == "raw.facebook_posts" else "null"


def _is_removed(table: str) -> str:
    """Whether a row's payload has been removed already, as SQL; also where there was none."""
    if table == "raw.rejected":
        return f"payload is null or {_IS_MARK}"
    if table == "raw.facebook_posts":
        return """payload is null or payload::varchar in ('{}', '{"shares":{}}')"""
    return "payload is null"


def _payload_months(cursor: duckdb.DuckDBPyConnection, table: str, before: date) -> list[date]:
    rows = cursor.execute(
        f"select distinct month from {table} where month < $1 and not ({_is_removed(table)}) order by month", [before]
    ).fetchall()
    return [month for (month,) in rows]


def _digest(cursor: duckdb.DuckDBPyConnection, view: str, months: Sequence[date]) -> tuple[object, ...] | None:
    """What a staging view says of the months, in two numbers; null where the lake has no such view yet."""
    there = cursor.execute(
        "select count(*) from duckdb_views() where database_name = 'lake' and schema_name || '.' || view_name = $1",
        [view],
    ).fetchone()
    if not there or not there[0]:
        return None
    return cursor.execute(f"select count(*), bit_xor(hash(v)) from {view} as v where {_in(months)}").fetchone()


def _in(months: Iterable[date], column: str = "month") -> str:
    listed = ", ".join(f"date '{month}'" for month in months)
    return f"{column} in ({listed})" if listed else "false"
