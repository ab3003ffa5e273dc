"""Figures of a day, the ledger of requests, payloads read again, posts that are gone: a lake's own view of them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from lake.test_lake_collections import MAY, SEEN, UTC_ZONE, Script, account, answered, run, table

from smi_pipeline.collectors.records import Deferred
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.ingest import take_snapshot
from smi_pipeline.lake.reparse import reparse_month

DAY = date(2025, 6, 9)


def snapshot(lake, script, names="ab", day=DAY):
    accounts = [account(name) for name in names]
    return asyncio.run(take_snapshot(lake, "x", lambda: nullcontext(script), day, UTC_ZONE, accounts, synthetic=True))


def test_a_days_figures_are_a_collection_of_their_own_and_taken_once(lake):
    figures = [replace(answered(name), posts=[]) for name in "ab"]
    snapshot(lake, Script(*figures))
    again = Script(*figures)
    assert snapshot(lake, again).requests == 0
    assert again.asked == []
    assert table(lake, "select collection_id, cut, day, month, status from raw.collection") == [
        ("2025-06-09.x.0001", "snapshot", DAY, date(2025, 6, 1), "finished")
    ]
    assert table(lake, "select count(*), sum(followers_count)::bigint from raw.x_accounts") == [(2, 10)]


def test_a_snapshot_is_no_month_that_was_collected(lake):
    snapshot(lake, Script(replace(answered("a"), posts=[])), "a", date(2025, 5, 31))
    run(lake, Script(answered("a")), "a")
    assert table(lake, "select collection_id from raw.collection order by 1") == [
        ("2025-05-31.x.0001",),
        ("2025-05.x.0001",),
    ]


def test_the_ledger_keeps_what_each_run_spent_and_tells_the_others(lake):
    run(lake, Script(answered("a"), answered("b")), "ab")
    second = Script(answered("c"))
    run(lake, second, "c", cut="provisional")
    assert [(row.requests, row.usd) for row in second.others] == [(2, pytest.approx(0.01))]
    assert table(
        lake, "select endpoint, sum(requests)::bigint, round(sum(usd), 3) from raw.request_ledger group by 1"
    ) == [("timeline", 3, 0.015)]


def test_a_quota_that_is_used_up_at_the_first_request_is_recorded_with_its_end(lake):
    put_off = Deferred("x: quota", resume_at=SEEN + timedelta(days=1))
    with pytest.raises(Deferred):
        run(lake, Script(then=put_off), "a")
    assert table(lake, "select status, resume_at from raw.collection") == [("deferred", SEEN + timedelta(days=1))]


def payload(number, at, likes):
    body = {"id": str(number), "created_at": at, "text": "t", "public_metrics": {"like_count": likes}}
    row = {"id": str(number), "created_at": at, "like_count": None, "platform_account_id": "9", "observed_at": SEEN}
    return row | {"account_id": "a", "payload": json.dumps(body)}


def test_payloads_are_read_again_without_a_request_and_say_where_they_come_from(lake):
    """The stored count is wrong on purpose: only what the payload says may come back."""
    user = {"id": "9", "username": "a", "public_metrics": {"followers_count": 77}}
    seen = {"account_id": "a", "platform_account_id": "9", "observed_at": SEEN, "payload": json.dumps(user)}
    posts = [payload(1, "2025-05-03T00:00:00.000Z", 41), payload(2, "2025-06-01T00:00:00.000Z", 5)]
    run(lake, Script(replace(answered("a"), accounts=[seen], posts=posts)), "a")

    summary = reparse_month(lake, "x", MAY, ZoneInfo("UTC"))

    assert (summary.collection_id, summary.requests, summary.posts) == ("2025-05.x.0002", 0, 1)
    assert table(
        lake, "select requests, status, reparsed_from from raw.collection where collection_id = '2025-05.x.0002'"
    ) == [(0, "finished", "2025-05.x.0001")]
    assert table(lake, "select id, like_count from raw.x_posts where collection_id = '2025-05.x.0002'") == [("1", 41)]
    assert table(lake, "select followers_count from raw.x_accounts where collection_id = '2025-05.x.0002'") == [(77,)]


def test_a_month_nobody_collected_has_no_payloads_to_read(lake):
    assert reparse_month(lake, "x", MAY, ZoneInfo("UTC")) is None


def test_a_lake_of_an_earlier_version_gets_its_new_columns_and_keeps_its_rows(tmp_path):
    lake = Lake.of(tmp_path / "lake")
    run(lake, Script(answered("a")), "a")
    with lake.write("as it was before") as transaction:
        for column in ("requests_least", "day", "resume_at", "source", "reparsed_from"):
            transaction.cursor.execute(f"alter table raw.collection_log drop column {column}")
        transaction.cursor.execute("drop table raw.request_ledger")
    code = (
        "import sys; from smi_pipeline.lake.connection import Lake\n"
        "with Lake.of(sys.argv[1]).read() as cursor:\n"
        "    print(cursor.execute('select requests, requests_least, day from raw.collection').fetchall())\n"
        "    print(cursor.execute('select count(*) from raw.request_ledger').fetchall())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(lake.path)], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["[(1, None, None)]", "[(0,)]"], done.stderr
