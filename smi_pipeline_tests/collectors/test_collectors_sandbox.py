"""The collectors against the sandbox, over a real socket: two readings of one contract that share no code."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections import defaultdict
from datetime import UTC, datetime
from math import ceil
from zoneinfo import ZoneInfo

import pytest
from smi import SAMPLE

from smi_pipeline.collectors.collect import collector, probe
from smi_pipeline.collectors.records import CollectionError, Window
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Account
from smi_pipeline.sandbox.process import SandboxProcess, environment
from smi_pipeline.settings import Settings

ZONE = ZoneInfo("Asia/Shanghai")
MAY = Month.parse("2025-05")
COUNTS = {  # the data set's names, and the platforms' for the same
    "facebook": {"likes": "reactions_total_count", "comments": "comments_total_count", "shares": "shares_count"},
    "x": {"likes": "like_count", "comments": "reply_count", "shares": "retweet_count", "views": "impression_count"},
    "instagram": {"likes": "like_count", "comments": "comments_count", "views": "view_count"},
    "youtube": {"likes": "likeCount", "comments": "commentCount", "views": "viewCount"},
    "tiktok": {"likes": "like_count", "comments": "comment_count", "shares": "share_count", "views": "view_count"},
}


def table(path):
    """The rows of a csv of the sample."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def accounts(platform):
    """The sample registry's accounts of a platform."""
    rows = table(SAMPLE / "registry" / "accounts.csv")
    return [
        Account.model_validate({name: value for name, value in row.items() if value})
        for row in rows
        if row["platform"] == platform
    ]


def names(platform):
    """The registry's key by the data set's: the registry knows some accounts by their handle alone."""
    ours = {account.handle: account.account_id for account in accounts(platform)}
    rows = [row for row in table(SAMPLE / "accounts.csv") if row["platform"] == platform and row["handle"] in ours]
    return {row["account_id"]: ours[row["handle"]] for row in rows}


def expected(platform, window):
    """The posts of the window by account, as the sample's own file has them: the last row of an id wins."""
    found, ours = defaultdict(dict), names(platform)
    for row in table(SAMPLE / "posts.csv"):
        if row["platform"] == platform and datetime.fromisoformat(row["created_at"]) in window:
            found[ours.get(row["account_id"], row["account_id"])][row["post_id"]] = row
    return found


@pytest.fixture(scope="module")
def sandbox():
    with SandboxProcess(SAMPLE, now=MAY.cut(ZONE, 10)) as process:
        yield process


@pytest.fixture
def settings(sandbox, monkeypatch):
    for name, value in environment(sandbox.base_url).items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


def gather(platform, settings, some, window):
    async def run():
        async with collector(platform, settings) as reader:
            results = [result async for result in reader.collect(some, window)]
            return {result.account.account_id: result for result in results}, reader.requests

    return asyncio.run(run())


def test_every_post_of_the_month_arrives_with_its_counts(platform, settings):
    window = Window(MAY.start(ZONE), MAY.end(ZONE))
    some = accounts(platform)
    found, _ = gather(platform, settings, some, window)
    truth = expected(platform, window)

    assert some
    assert {name: result.outcome for name, result in found.items()} == {a.account_id: "answered" for a in some}
    for account in some:
        rows = found[account.account_id].posts
        assert len(rows) == len(truth[account.account_id]), account.handle
        for name, column in COUNTS[platform].items():
            total = sum(int(row[column]) for row in rows if row[column] is not None)
            said = [row[name] for row in truth[account.account_id].values() if row[name]]
            assert total == sum(map(int, said)), (account.handle, name)
            if name != "shares":  # Facebook leaves shares out for none
                assert sum(row[column] is not None for row in rows) == len(said), (account.handle, name)


def test_no_more_requests_than_a_correct_reading_needs(platform, settings, sandbox):
    """The least number by the contracts, reckoned from the sample's file, and as the sandbox itself counted them."""
    window = Window(MAY.start(ZONE), MAY.end(ZONE))
    some = accounts(platform)
    truth = expected(platform, window)
    wanted = [truth[account.account_id] for account in some]
    # Listings without a window go from the newest post back to the first page wholly before it, or to the last page.
    back = []
    for account in some:
        mine = {theirs for theirs, ours in names(platform).items() if ours == account.account_id}
        rows = {r["post_id"]: r for r in table(SAMPLE / "posts.csv") if r["account_id"] in mine}
        times = sorted((datetime.fromisoformat(r["created_at"]) for r in rows.values()), reverse=True)
        times = [at for at in times if at <= MAY.cut(ZONE, 10)]
        pages = [times[first : first + 50] for first in range(0, len(times), 50)] or [[]]
        whole = next((n for n, page in enumerate(pages, 1) if page and page[0] < window.start), len(pages))
        back.append(whole)
    groups = ceil(len(some) / 50)
    least = {
        "facebook": sum(max(1, ceil(len(posts) / 100)) for posts in wanted),
        "x": ceil(len(some) / 100) + sum(max(1, ceil(len(posts) / 100)) for posts in wanted),
        "instagram": sum(back),
        "youtube": ceil(len(some) / 50) + sum(back) + ceil(sum(map(len, wanted)) / 50),
        "tiktok": 1 + len(some) + 2 * groups,  # 34 days with one more on each side: two spans, each below a hundred
    }
    sandbox.reset_requests()
    _, requests = gather(platform, settings, some, window)

    assert requests == least[platform]
    assert sandbox.requests()[platform] == requests


def test_the_time_of_an_observation_is_the_sandboxs_own(platform, settings, sandbox):
    cut = MAY.cut(ZONE, 10)
    sandbox.set_clock(cut)
    found, _ = gather(platform, settings, accounts(platform), Window(MAY.start(ZONE), MAY.end(ZONE)))

    for result in found.values():
        assert 0 <= (result.observed_at - cut).total_seconds() < 60


def test_the_probe_accepts_the_sandboxs_credential_and_refuses_another(platform, settings):
    assert asyncio.run(probe(platform, settings)).at > datetime(2025, 1, 1, tzinfo=UTC)
    wrong = {
        name: "not-the-credential"
        for name in Settings.model_fields
        if name.startswith(platform) and name.rpartition("_")[2] in ("token", "key", "secret")
    }
    with pytest.raises(CollectionError, match="SMI_"):
        asyncio.run(probe(platform, settings_with(settings, **wrong)))


def settings_with(settings, **changes):
    """The same settings, validated anew with some of them changed."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return Settings(_env_file=None, **values | {name: value for name, value in changes.items() if values.get(name)})


def test_a_handle_that_nobody_has_is_an_outcome_and_no_zero(platform, settings):
    ghost = Account(city_id="1", platform=platform, handle="nobody_at_all")
    found, _ = gather(platform, settings, [*accounts(platform), ghost], Window(MAY.start(ZONE), MAY.end(ZONE)))

    assert found["nobody_at_all"].outcome in ("missing", "unavailable")
    assert found["nobody_at_all"].detail
    assert {result.outcome for name, result in found.items() if name != "nobody_at_all"} == {"answered"}


def test_a_sandbox_that_was_killed_ends_the_collection_with_a_clear_line(platform, monkeypatch):
    """What was yielded until then stays; nobody waits for a service that is gone."""
    some, window, done = accounts(platform), Window(MAY.start(ZONE), MAY.end(ZONE)), []

    async def run(process):
        async with collector(platform, Settings(_env_file=None, concurrency=2)) as reader:
            done.extend([result async for result in reader.collect(some, window)])
            process.stop()
            done.extend([result async for result in reader.collect(some, window)])

    with SandboxProcess(SAMPLE, now=MAY.cut(ZONE, 10)) as process:
        for name, value in environment(process.base_url).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(CollectionError, match="cannot connect"):
            asyncio.run(run(process))
    assert len(done) == len(some)


def test_every_platform_is_in_the_sample():
    assert {row["platform"] for row in table(SAMPLE / "registry" / "accounts.csv")} == set(PLATFORMS)
    assert os.environ.get("SMI_X_BEARER_TOKEN") is None
