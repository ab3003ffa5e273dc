"""Reading a collected month again from its stored payloads, without a request: a restatement by today's models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from smi_pipeline.collectors.payloads import Stored, read_again
from smi_pipeline.collectors.records import TERMINAL, Window
from smi_pipeline.collectors.verdict import Refusal
from smi_pipeline.lake.collections import Asking, Collection, State, Subject
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.ingest import Summary
from smi_pipeline.lake.privacy import removals
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Account, Platform

Rows = dict[str, list[Stored]]


def reparse_month(lake: Lake, platform: Platform, month: Month, zone: ZoneInfo) -> Summary | None:
    """Append a collection with the records of the newest finished one of a platform's month, read again; null if none.

    Raises:
        LakeError: a stored payload does not fit the models, or payloads were removed; nothing was written.
    """
    with lake.lock(f"collect-{platform}-{month}"):
        with lake.read() as cursor:
            found = _newest(cursor, platform, month)
            if found is None:
                return None
            if gone := removals(cursor, found.collection_id):
                raise LakeError(
                    f"{platform} {month}: {gone[0]}; what was read from them is there, and cannot be read again"
                )
            subject = Subject(platform, month.first, found.cut, found.synthetic, source=found.source or "api")
            outcomes = cursor.execute(
                "select account_id, handle, outcome, detail, observed_at, left_out from raw.collection_account"
                " where collection_id = $1 and month = $2 and list_contains($3, outcome)"
                " qualify row_number() over (partition by account_id order by rowid desc, observed_at desc) = 1"
                " order by rowid",
                [found.collection_id, month.first, sorted(TERMINAL)],
            ).fetchall()
            accounts = _stored(cursor, f"raw.{subject.tables}_accounts", found, month)
            posts = _stored(cursor, f"raw.{subject.tables}_posts", found, month)
            for account_id, rejected in _stored(cursor, "raw.rejected", found, month).items():
                posts[account_id] += rejected
        window = Window(month.start(zone), month.end(zone))
        results = []
        for account_id, handle, outcome, detail, observed_at, left_out in outcomes:
            account = Account.model_construct(
                city_id="", platform=platform, handle=handle, account_id=account_id, role="", in_index=True
            )
            try:
                again = read_again(
                    subject.tables,
                    account,
                    window,
                    outcome,
                    detail,
                    observed_at,
                    accounts=accounts[account_id],
                    posts=posts[account_id],
                )
            except Refusal as refusal:
                raise LakeError(f"{platform} {month} {handle}: {refusal.detail}; nothing was written") from None
            results.append(replace(again, left_out=tuple(left_out or ())))
        collection = Collection(lake, subject, len(results), None, reparsed_from=found.collection_id)
        collection.append(results, Asking(), last=True)
        summary = Summary(platform, found.cut, asked=len(results), status="finished")
        summary.note(results)
        summary.collection_id = collection.state.collection_id if collection.state is not None else None
        return summary


def _newest(cursor: duckdb.DuckDBPyConnection, platform: Platform, month: Month) -> State | None:
    rows = cursor.execute(
        "select * from raw.collection where platform = $1 and month = $2 and status = 'finished' and cut <> 'snapshot'"
        " order by collection_id desc limit 1",
        [platform, month.first],
    )
    names = [column[0] for column in rows.description or []]
    row = rows.fetchone()
    return None if row is None else State(**dict(zip(names, row, strict=True)))


def _stored(cursor: duckdb.DuckDBPyConnection, table: str, found: State, month: Month) -> Rows:
    """Payloads of a table by account, as they were read; of the rejected only those of posts that are nowhere else.

    Without those of readings that others took the place of.
    """
    rejected = table == "raw.rejected"
    whole = "'' as platform_account_id" if rejected else "platform_account_id"
    only = "and reason = 'malformed'" if rejected else ""
    of_another = "read_at >= stored.observed_at" if rejected else "own_id = stored.platform_account_id"
    rows: Iterable[tuple[str, Any, datetime, str]] = cursor.execute(
        f"""
        with readings as (
            select account_id, platform_account_id as own_id, max(rowid) as number, max(observed_at) as read_at
            from raw.collection_account
            where collection_id = $1 and month = $2 and platform_account_id is not null group by all
        ),
        superseded as (
            from readings qualify number < max(number) over (partition by account_id)
        )
        select account_id, {whole}, observed_at, payload::varchar from {table} as stored
        anti join superseded on superseded.account_id = stored.account_id and {of_another}
        where collection_id = $1 and month = $2 {only} order by observed_at, payload::varchar
        """,
        [found.collection_id, month.first],
    ).fetchall()
    by_account: Rows = defaultdict(list)
    for account_id, platform_account_id, observed_at, payload in rows:
        by_account[account_id].append(Stored(platform_account_id or "", observed_at, payload))
    return by_account
