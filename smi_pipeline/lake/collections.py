"""Collections: one asking of one platform about one month, or about the figures of one day; resumable, append-only.

Batches of whole accounts are committed as they come. What a broken collection has is kept; the next run asks only for
the accounts that are not done. Staging looks at finished collections alone, so half of one is never counted.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

import duckdb
import polars as pl

from smi_pipeline.collectors.records import READ, TERMINAL, AccountResult, Spent
from smi_pipeline.lake.connection import Lake, LakeError, attempts
from smi_pipeline.lake.frames import Frame, frame_of
from smi_pipeline.lake.tables import DECLARED, LOG_ORDER
from smi_pipeline.registry.models import Account, Platform, handle_key, platform_id

Cut = Literal["provisional", "final"]
Taking = Literal["provisional", "final", "snapshot"]  # a snapshot has figures of accounts and no posts
Status = Literal["running", "finished", "deferred", "failed"]


@dataclass(frozen=True)
class State:
    """One row of raw.collection_log: how far a collection was at `recorded_at`.

    `repeated_posts`: rows of posts beyond the first of each post, and readings of accounts that another took the place
    of, once it is finished; null where nobody has counted.
    `sequence`: the row's number in the order of the lake's commits; null in rows of older lakes.
    """

    collection_id: str
    platform: Platform
    month: date
    cut: Taking
    status: Status
    started_at: datetime
    recorded_at: datetime
    finished_at: datetime | None
    requests: int
    accounts_asked: int
    accounts_answered: int
    accounts_failed: int
    synthetic: bool
    requests_least: int | None = None
    day: date | None = None
    resume_at: datetime | None = None
    source: str | None = None
    reparsed_from: str | None = None
    repeated_posts: int | None = None
    sequence: int | None = None


@dataclass(frozen=True)
class Asking:
    """What asking took in this run: requests, the fewest that were needed, and what is new for the ledger."""

    requests: int = 0
    least: int = 0
    spent: Sequence[Spent] = ()


@dataclass(frozen=True)
class Subject:
    """What a collection is about. `day`: of a snapshot, null for a month. `source`: the API, or files of a vendor."""

    platform: Platform
    month: date
    cut: Taking
    synthetic: bool
    day: date | None = None
    source: str = "api"

    @property
    def tables(self) -> str:
        """What the raw tables of its rows begin with."""
        return "vendor" if self.source == "files" else self.platform

    @property
    def post_key(self) -> str:
        """The column of its posts' table that names a post."""
        return "post_id" if self.source == "files" else "id"

    def __str__(self) -> str:
        return f"{self.day or format(self.month, '%Y-%m')} {self.platform}"


@dataclass
class Collection:
    """A collection being written. Made by `open_collection`; hold the lake's lock of the platform-month meanwhile.

    `asked`: how many accounts it is about: with an outcome of each it is finished. One that was finished once stays so
    while accounts are added to it: what it has is whole without them.
    """

    lake: Lake
    subject: Subject
    asked: int
    state: State | None
    outcomes: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)  # by the platform's own id, the key of the account read
    reads: dict[str, str] = field(default_factory=dict)  # by the key of an account, the platform's own id read before
    before: Asking = field(default_factory=Asking)  # what earlier attempts took
    reparsed_from: str | None = None  # the collection whose payloads were read again
    run: str = field(default_factory=lambda: uuid.uuid4().hex)

    def each_once(self, results: Sequence[AccountResult]) -> list[AccountResult]:
        """The results; one that leads to the same account of the platform as an earlier one has failed, and says so.

        Whose its posts are could only be guessed, and the other of the two would have a zero. An account that was read
        before and has only got another name keeps what was read then.
        """
        return [self._once(result) for result in results]

    def _once(self, result: AccountResult) -> AccountResult:
        key, own_id = result.account.account_id, _own_id(result)
        if own_id is None or result.outcome not in READ:
            return result
        first = self.owners.setdefault(_comparable(self.subject.platform, own_id), key)
        if first != key:
            said = (
                f"leads to {own_id}, as {first} does: two rows of accounts.csv are one account;"
                " correct them and collect again"
            )
            return AccountResult(result.account, "failed", said, result.observed_at)
        if (before := self.reads.get(key)) and _comparable(self.subject.platform, before) == _comparable(
            self.subject.platform, own_id
        ):
            return replace(result, accounts=[], posts=[], rejected=[])
        return result

    def append(self, results: Sequence[AccountResult], asking: Asking, *, last: bool = False) -> None:
        """Commit a batch of accounts: their rows, rejects and outcomes, what they cost, and the collection's new state.

        With the last batch the collection ends: finished when every account has a terminal outcome, else failed.
        """
        for attempt in attempts():
            with attempt, self.lake.write(f"{self.subject}: {len(results)} accounts") as transaction:
                self._append(transaction.cursor, results, asking, last=last)

    def _append(
        self, cursor: duckdb.DuckDBPyConnection, results: Sequence[AccountResult], asking: Asking, *, last: bool
    ) -> None:
        platform = self.subject.platform
        if self.state is None:
            self.state = self._begin(cursor, min(result.observed_at for result in results))
        key = {"collection_id": self.state.collection_id, "month": self.subject.month}
        for kind in ("posts", "accounts"):
            rows = [{**row, **key} for result in results for row in getattr(result, kind)]
            _insert(cursor, f"raw.{self.subject.tables}_{kind}", rows)
        about = {**key, "platform": platform}
        _insert(cursor, "raw.rejected", [{**vars(r), **about} for result in results for r in result.rejected])
        _insert(cursor, "raw.collection_account", [{**self._outcome(result), **about} for result in results])
        self.outcomes |= {result.account.account_id: result.outcome for result in results}
        status = self._end() if last else "running"
        self._log(cursor, status, max(result.observed_at for result in results), asking)

    def _outcome(self, result: AccountResult) -> dict[str, Any]:
        own_id = _own_id(result) or self.reads.get(result.account.account_id)
        return {
            "account_id": result.account.account_id,
            "handle": result.account.handle,
            "outcome": result.outcome,
            "detail": result.detail,
            "observed_at": result.observed_at,
            "left_out": list(result.left_out),
            "platform_account_id": own_id if result.outcome in READ else None,
        }

    def close(self) -> None:
        """End a collection that was broken off after its last batch: nothing is left to ask."""
        self.stop(self._end(), Asking(), at=None)

    def stop(self, status: Status, asking: Asking, *, at: datetime | None, resume_at: datetime | None = None) -> None:
        """Record that the collection ended before its end (deferred, failed).

        `at`: the platform's time of its last answer; null where it has answered nothing, and then a collection that
        has not begun leaves no trace.
        """
        if self.state is None and at is None:
            return
        for attempt in attempts():
            with attempt, self.lake.write(f"{self.subject}: {status}") as transaction:
                if self.state is None and at is not None:
                    self.state = self._begin(transaction.cursor, at)
                self._log(transaction.cursor, status, at or self._begun().recorded_at, asking, resume_at)

    def spent_by_others(self) -> list[Spent]:
        """What all other runs have spent on the platform, by quota day and endpoint."""
        return spent(self.lake, self.subject.platform, but=self.run)

    def _end(self) -> Status:
        done = [outcome for outcome in self.outcomes.values() if outcome in TERMINAL]
        return "finished" if len(done) >= self.asked else "failed"

    def _begun(self) -> State:
        if self.state is None:
            raise LakeError(f"{self.subject}: no account was asked")
        return self.state

    def _begin(self, cursor: duckdb.DuckDBPyConnection, at: datetime) -> State:
        about = self.subject
        row = cursor.execute(
            "select count(distinct collection_id) from raw.collection_log"
            " where platform = $1 and month = $2 and day is not distinct from $3",
            [about.platform, about.month, about.day],
        ).fetchone()
        number = (row[0] if row else 0) + 1
        return State(
            collection_id=f"{about.day or format(about.month, '%Y-%m')}.{about.platform}.{number:04d}",
            platform=about.platform,
            month=about.month,
            cut=about.cut,
            status="running",
            started_at=at,
            recorded_at=at,
            finished_at=None,
            requests=0,
            accounts_asked=self.asked,
            accounts_answered=0,
            accounts_failed=0,
            synthetic=about.synthetic,
            requests_least=0,
            day=about.day,
            source=about.source,
            reparsed_from=self.reparsed_from,
        )

    def _log(
        self,
        cursor: duckdb.DuckDBPyConnection,
        status: Status,
        at: datetime,
        asking: Asking,
        resume_at: datetime | None = None,
    ) -> None:
        outcomes = list(self.outcomes.values())
        if self._begun().status == "finished":
            status, resume_at = "finished", None
        [[next_]] = cursor.execute(f"select coalesce(max({LOG_ORDER}), -1) + 1 from raw.collection_log").fetchall()
        self.state = replace(
            self._begun(),
            status=status,
            recorded_at=max(at, self._begun().recorded_at),
            finished_at=at if status == "finished" else None,
            requests=self.before.requests + asking.requests,
            requests_least=self.before.least + asking.least,
            accounts_asked=self.asked,
            accounts_answered=sum(outcome in READ for outcome in outcomes),
            accounts_failed=sum(outcome not in TERMINAL for outcome in outcomes),
            resume_at=resume_at,
            repeated_posts=self._repeated(cursor) if status == "finished" else None,
            sequence=next_,
        )
        _insert(cursor, "raw.collection_log", [vars(self.state)])
        if status == "finished" and self.subject.day is None:
            self._note_moved(cursor)
        about = {
            "platform": self.subject.platform,
            "collection_id": self.state.collection_id,
            "run": self.run,
            "recorded_at": at,
        }
        _insert(cursor, "raw.request_ledger", [{**row._asdict(), **about} for row in asking.spent])

    def _repeated(self, cursor: duckdb.DuckDBPyConnection) -> int:
        """How much of the posts staging may have to leave out: counted once here, not by every reader of the month.

        Rows on top of one a post, and readings of an account that another reading took the place of (see
        staging.stg_superseded_readings).
        """
        row = cursor.execute(
            f"""
            with readings as (
                select distinct account_id, platform_account_id from raw.collection_account
                where collection_id = $1 and month = $2 and platform_account_id is not null
            )
            select count(*) - count(distinct {self.subject.post_key}) + (
                select count(*) - least(count(distinct account_id), count(distinct platform_account_id)) from readings
            )
            from raw.{self.subject.tables}_posts where collection_id = $1 and month = $2
            """,
            [self._begun().collection_id, self.subject.month],
        ).fetchone()
        return int(row[0]) if row else 0

    def _note_moved(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Note the posts that a collection of another month has as well, in raw.moved_post.

        Whoever dated a post has changed its date, and so it stands in two months. It counts in the one whose
        collection read it last; of two that did so in one instant, in the one that ended last. What was once noted of
        two collections holds.
        """
        about = self.subject
        cursor.execute(
            f"""
            insert into raw.moved_post by name
            with own as (
                select {about.post_key}::varchar as post_id, min(account_id) as account_id, month, collection_id,
                    max(observed_at) as observed_at
                from raw.{about.tables}_posts where collection_id = $1 and month = $2 group by all
            ),
            finished as (
                select collection_id from raw.collection
                where platform = $3 and month <> $2 and status = 'finished' and cut <> 'snapshot'
            ),
            beside as (
                select id::varchar as post_id, month, collection_id, observed_at from raw.{about.platform}_posts
                union all
                select post_id, month, collection_id, observed_at from raw.vendor_posts where platform = $3
            ),
            theirs as (
                select post_id, month, collection_id, max(observed_at) as observed_at
                from beside semi join own using (post_id) semi join finished using (collection_id) group by all
            ),
            noted as (
                select post_id, collection_id as one, left_collection_id as other from raw.moved_post
                union all
                select post_id, left_collection_id, collection_id from raw.moved_post
            ),
            pairs as (
                select own.*, theirs.month as their_month, theirs.collection_id as their_collection,
                    theirs.observed_at as their_observed_at
                from own join theirs using (post_id)
                anti join noted on noted.post_id = own.post_id
                    and noted.one = own.collection_id and noted.other = theirs.collection_id
            )
            select $3 as platform, account_id, post_id, month, collection_id, their_month as left_month,
                their_collection as left_collection_id, observed_at
            from pairs where observed_at >= their_observed_at
            union all
            select $3, account_id, post_id, their_month, their_collection, month, collection_id, their_observed_at
            from pairs where observed_at < their_observed_at
            """,
            [self._begun().collection_id, about.month, about.platform],
        )


def open_collection(
    lake: Lake, subject: Subject, accounts: Iterable[Account], *, force: bool
) -> tuple[Collection, list[Account]]:
    """A collection to write to, and the accounts still to be requested: none when this cut is collected already.

    A collection of the same cut goes on, whether it was broken off or lacks accounts of today's registry; `force`
    begins a new one.

    Raises:
        LakeError: the lake holds real collections and this one is synthetic, or the reverse, and there is something
            to request.
    """
    wanted = list(accounts)
    needed = {account.account_id for account in wanted}
    with lake.read() as cursor:
        found = None if force else _latest(cursor, subject)
        known, missing = _left(cursor, found, wanted)
        if missing:
            _refuse_a_mixture(lake, cursor, synthetic=subject.synthetic)
    # A failed account that the registry does not have any more holds nothing up.
    outcomes = {key: one.outcome for key, one in known.items() if key in needed or one.outcome in TERMINAL}
    read = {key: one.own_id for key, one in known.items() if one.own_id is not None and key in needed}
    again = {account.account_id for account in missing}
    owners = {_comparable(subject.platform, own_id): key for key, own_id in read.items() if key not in again}
    reads = {key: own_id for key, own_id in read.items() if key in again}
    collection = Collection(lake, subject, len(needed | outcomes.keys()), found, outcomes, owners, reads)
    if found is not None:
        collection.before = Asking(found.requests, found.requests_least or 0)
    return collection, missing


def accounts_left(lake: Lake, subject: Subject, accounts: Sequence[Account]) -> list[Account]:
    """Those of the accounts whose answers this cut does not have yet."""
    with lake.read() as cursor:
        _, missing = _left(cursor, _latest(cursor, subject), accounts)
    return missing


def _left(
    cursor: duckdb.DuckDBPyConnection, found: State | None, accounts: Sequence[Account]
) -> tuple[dict[str, _Known], list[Account]]:
    """What a collection knows, by account, and those of the accounts it does not have yet; all where there is none."""
    known = {} if found is None else _known(cursor, found)
    return known, [account for account in accounts if not _is_settled(account, known.get(account.account_id))]


class _Known(NamedTuple):
    """What became of an account in a collection, by the last that was committed about it.

    `own_id`: what the platform itself calls the account that was read last; null where none was, and in older lakes.
    """

    handle: str
    outcome: str
    detail: str | None
    own_id: str | None


def _known(cursor: duckdb.DuckDBPyConnection, found: State) -> dict[str, _Known]:
    rows = cursor.execute(
        "select account_id, last(handle order by rowid), last(outcome order by rowid), last(detail order by rowid),"
        " last(platform_account_id order by rowid) filter (platform_account_id is not null)"
        " from raw.collection_account where collection_id = $1 and month = $2 group by account_id",
        [found.collection_id, found.month],
    ).fetchall()
    return {account_id: _Known(*rest) for account_id, *rest in rows}


# What a 404 page of something in between was stored as, without a word of the platform's own.
_NO_WORDS = re.compile(r"(.*: )?HTTP (404|410)", re.DOTALL)


def _is_settled(account: Account, known: _Known | None) -> bool:
    """Whether what is known of an account need not be requested again.

    It need where the account failed or was put off; where its handle has been corrected since, unless what was read
    bears the registry's own id of it, or none (in older lakes); and where it was called missing without a word of the
    platform's.
    """
    if known is None or known.outcome not in TERMINAL:
        return False
    if known.outcome in READ and known.own_id in (None, account.platform_account_id):
        return True
    unfounded = known.outcome in ("missing", "unavailable") and _NO_WORDS.fullmatch(known.detail or "") is not None
    one_handle = handle_key(account.platform, known.handle) == handle_key(account.platform, account.handle)
    return one_handle and not unfounded


def spent(lake: Lake, platform: Platform, *, but: str = "") -> list[Spent]:
    """What all runs `but` one have spent on a platform, by quota day and endpoint."""
    with lake.read() as cursor:
        rows = cursor.execute(
            "select day, endpoint, sum(requests), sum(units), sum(records), sum(usd)"
            " from raw.request_ledger where platform = $1 and run <> $2 group by day, endpoint",
            [platform, but],
        ).fetchall()
    return [Spent(*row) for row in rows]


def spent_on(lake: Lake, collection_id: str) -> tuple[int, int, float]:
    """Units, records and dollars that a collection has taken in all its attempts; a vendor's files take none."""
    with lake.read() as cursor:
        row = cursor.execute(
            "select sum(units), sum(records), sum(usd) from raw.request_ledger where collection_id = $1",
            [collection_id],
        ).fetchone()
    units, records, usd = row or (None, None, None)
    return units or 0, records or 0, usd or 0.0


def moved_posts(lake: Lake, months: Sequence[date]) -> list[tuple[str, date, date, int]]:
    """Of posts that two months have: the platform, the month that counts them, the other one, and how many.

    Those of the newest collections, where the month that counts them is one of `months`.
    """
    with lake.read() as cursor:
        return cursor.execute(
            "with newest as (select collection_id from raw.collection where status = 'finished' and cut <> 'snapshot'"
            " qualify row_number() over (partition by platform, month order by collection_id desc) = 1)"
            " select platform, month, left_month, count(distinct post_id) from raw.moved_post"
            " where list_contains($1, month) and collection_id in (from newest) and left_collection_id in (from newest)"
            " group by all order by all",
            [list(months)],
        ).fetchall()


def permissions_lacked(lake: Lake, platform: Platform) -> list[tuple[str, str]]:
    """Handle and the platform's words of each account that the newest collection was not allowed to read."""
    with lake.read() as cursor:
        return cursor.execute(
            "select handle, coalesce(detail, '') from raw.collection_account where outcome = 'permission'"
            " and collection_id = (select collection_id from raw.collection_log where platform = $1"
            f" order by {LOG_ORDER} desc limit 1) order by handle",
            [platform],
        ).fetchall()


def collected(lake: Lake, month: date, day: date | None = None) -> bool:
    """Whether any platform of a month (or of a day's figures) has a finished collection."""
    with lake.read() as cursor:
        row = cursor.execute(
            "select 1 from raw.collection where status = 'finished' and month = $1 and day is not distinct from $2"
            " limit 1",
            [month, day],
        ).fetchone()
    return row is not None


def deferrals(lake: Lake) -> dict[str, datetime]:
    """When a platform of a month (`2025-05`) or day (`2025-05-31`) may be asked again, where one put us off.

    Of several platforms the earliest; an instant is the platform's own time.
    """
    with lake.read() as cursor:
        rows = cursor.execute(
            "select coalesce(day::varchar, strftime(month, '%Y-%m')) as period, min(resume_at) from ("
            " from raw.collection qualify"
            " row_number() over (partition by month, day, platform order by collection_id desc) = 1"
            ") where status = 'deferred' and resume_at is not null group by period"
        ).fetchall()
    return dict(rows)


def _latest(cursor: duckdb.DuckDBPyConnection, subject: Subject) -> State | None:
    """The last begun collection of that cut of a platform-month (or of that day), finished or not."""
    rows = cursor.execute(
        "select * from raw.collection where platform = $1 and month = $2 and cut = $3 and day is not distinct from $4"
        " order by collection_id desc limit 1",
        [subject.platform, subject.month, subject.cut, subject.day],
    )
    names = [column[0] for column in rows.description or []]
    row = rows.fetchone()
    return None if row is None else State(**dict(zip(names, row, strict=True)))


def _refuse_a_mixture(lake: Lake, cursor: duckdb.DuckDBPyConnection, *, synthetic: bool) -> None:
    other = cursor.execute(
        "select collection_id from raw.collection_log where synthetic <> $1 limit 1", [synthetic]
    ).fetchone()
    if other is not None:
        now, then = ("sandbox", "real services") if synthetic else ("real services", "the sandbox")
        raise LakeError(
            f"the lake {lake.path} holds data of {then} ({other[0]}) and would be mixed with {now} data;"
            " give another lake with --lake"
        )


def _own_id(result: AccountResult) -> str | None:
    """What the platform calls the account that was read; null where nothing of it came."""
    return next((row["platform_account_id"] or None for rows in (result.accounts, result.posts) for row in rows), None)


def _comparable(platform: Platform, own_id: str) -> str:
    """A platform's own id as it is; what stands in for one, such as TikTok's handle, as the platform compares it."""
    return platform_id(platform, own_id) or handle_key(platform, own_id)


def _insert(cursor: duckdb.DuckDBPyConnection, table: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    frame: pl.DataFrame = frame_of(rows, DECLARED[table])
    stream = Frame(frame)  # noqa: F841  DuckDB finds it by its name
    cursor.execute(f"insert into {table} by name from stream")
