import asyncio
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from smi_pipeline.collectors.records import AccountResult, CollectionError, Deferred, Rejected, Spent
from smi_pipeline.lake.collections import spent, spent_on
from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.lake.ingest import BATCH_ACCOUNTS, collect_month
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Account

MAY, UTC_ZONE = Month.parse("2025-05"), ZoneInfo("UTC")
SEEN = datetime(2025, 6, 9, 22, tzinfo=UTC)


def account(name):
    return Account(city_id="c", platform="x", handle=name, account_id=name)


def answered(name, posts=("1",), **changes):
    rows = [
        {
            "account_id": name,
            "platform_account_id": f"own {name}",
            "observed_at": SEEN,
            "id": f"{name}{post}",
            "like_count": 1,
            "payload": "{}",
        }
        for post in posts
    ]
    seen = {
        "account_id": name,
        "platform_account_id": f"own {name}",
        "observed_at": SEEN,
        "followers_count": 5,
        "payload": "{}",
    }
    return replace(AccountResult(account(name), "answered", None, SEEN, [seen], rows), **changes)


class Script:
    """A platform that gives the results it is told to, then perhaps fails; it notes who was asked."""

    platform = "x"
    clock = SEEN

    def __init__(self, *results, then=None):
        self.results, self.then, self.asked, self.requests = results, then, [], 0
        self.told, self.others = 0, []

    @property
    def least(self):
        return self.requests

    def known(self, spent):
        self.others = sorted(spent)

    def spent(self):
        new, self.told = self.requests - self.told, self.requests
        return [Spent(SEEN.date(), "timeline", new, new, 0, 0.005 * new)] if new else []

    def look(self, accounts, at):
        return self.collect(accounts, at)

    async def collect(self, accounts, window):
        self.asked = [a.handle for a in accounts]
        for result in self.results:
            if result.account.handle in self.asked:
                self.requests += 1
                yield result
        if self.then:
            raise self.then


def run(lake, script, names="abc", **options):
    given = {"synthetic": True, "force": False} | options
    cut = given.pop("cut", "final")
    accounts = [account(n) for n in names]
    return asyncio.run(collect_month(lake, "x", lambda: nullcontext(script), MAY, UTC_ZONE, cut, accounts, **given))


def table(lake, sql):
    with lake.read() as cursor:
        return read_frame(cursor, sql).rows()


def test_a_collection_is_finished_when_every_account_has_an_outcome(lake):
    gone = answered("b", posts=(), accounts=[], outcome="missing", detail="Not Found Error")
    summary = run(lake, Script(answered("a"), gone, answered("c")))
    assert (summary.status, summary.posts, summary.requests) == ("finished", 2, 3)
    assert table(
        lake,
        "select collection_id, cut, status, requests, accounts_asked, accounts_answered, accounts_failed from raw.collection",
    ) == [("2025-05.x.0001", "final", "finished", 3, 3, 2, 0)]
    assert table(lake, "select account_id, outcome, detail from raw.collection_account order by 1")[1] == (
        "b",
        "missing",
        "Not Found Error",
    )
    assert table(lake, "select id, month, like_count from raw.x_posts order by 1") == [
        ("a1", MAY.first, 1),
        ("c1", MAY.first, 1),
    ]


def test_a_collected_cut_is_not_asked_about_again_and_force_begins_a_new_one(lake):
    run(lake, Script(answered("a")), "a")
    before = lake.snapshot()
    again = Script(answered("a"))
    assert run(lake, again, "a").requests == 0
    assert again.asked == []
    assert lake.snapshot() == before
    run(lake, Script(answered("a")), "a", force=True)
    assert table(lake, "select collection_id from raw.collection order by 1") == [
        ("2025-05.x.0001",),
        ("2025-05.x.0002",),
    ]


def test_both_cuts_of_a_month_are_kept(lake):
    run(lake, Script(answered("a")), "a", cut="provisional")
    run(lake, Script(answered("a", posts=("1", "2"))), "a", cut="final")
    assert table(
        lake, "select cut, count(*) from raw.x_posts join raw.collection using (collection_id) group by 1 order by 1"
    ) == [
        ("final", 2),
        ("provisional", 1),
    ]


def test_a_broken_collection_goes_on_with_the_accounts_that_are_not_done(lake):
    with pytest.raises(CollectionError):
        run(lake, Script(answered("a"), then=CollectionError("gone", retryable=True)))
    assert table(lake, "select status, accounts_answered from raw.collection") == [("failed", 1)]
    second = Script(answered("b"), answered("c"))
    assert run(lake, second).status == "finished"
    assert second.asked == ["b", "c"]
    assert table(lake, "select collection_id, status, requests, accounts_answered from raw.collection") == [
        ("2025-05.x.0001", "finished", 3, 3)
    ]


def test_a_failed_account_leaves_the_collection_open_and_is_asked_again(lake):
    failed = answered("b", posts=(), accounts=[], outcome="failed", detail="503")
    first = run(lake, Script(answered("a"), failed), "ab")
    assert (first.status, first.failures) == ("failed", ["x b: 503"])
    second = Script(answered("b"))
    assert run(lake, second, "ab").status == "finished"
    assert second.asked == ["b"]


def test_a_used_up_quota_is_recorded_as_deferred_with_what_came_before(lake):
    later = SEEN + timedelta(hours=10)
    with pytest.raises(Deferred):
        run(lake, Script(answered("a"), then=Deferred("quota used up", resume_at=later)))
    assert table(lake, "select status from raw.collection") == [("deferred",)]
    assert table(lake, "select count(*) from raw.x_posts") == [(1,)]


def test_a_run_killed_between_its_last_batch_and_its_end_is_only_closed(lake):
    with pytest.raises(CollectionError):
        run(lake, Script(answered("a"), then=CollectionError("killed")), "a")
    second = Script(answered("a"))
    assert run(lake, second, "a").status == "finished"
    assert second.asked == []


def test_batches_are_committed_while_more_is_asked(lake):
    names = [f"n{i:02}" for i in range(BATCH_ACCOUNTS + 1)]
    with pytest.raises(CollectionError):
        run(lake, Script(*map(answered, names), then=CollectionError("killed")), names)
    states = table(lake, "select accounts_answered from raw.collection_log order by 1")
    assert states == [(BATCH_ACCOUNTS,), (BATCH_ACCOUNTS + 1,), (BATCH_ACCOUNTS + 1,)]  # the third says: failed


def test_a_finished_collection_tells_how_many_of_its_posts_came_twice(lake):
    """Two accounts show the same post a1; a's own answers show each once."""
    twice = answered("b")
    twice.posts[0]["id"] = "a1"
    with pytest.raises(CollectionError):
        run(lake, Script(answered("a", posts=("1", "2")), then=CollectionError("gone")), "ab")
    assert table(lake, "select repeated_posts from raw.collection") == [(None,)]
    run(lake, Script(twice), "ab")
    assert table(lake, "select repeated_posts from raw.collection") == [(1,)]
    run(lake, Script(answered("a"), answered("b")), "ab", force=True)
    assert table(lake, "select repeated_posts from raw.collection order by collection_id") == [(1,), (0,)]


def test_a_rejected_value_is_kept_with_its_reason(lake):
    bad = Rejected("a", "a1", "reply_count", "-41", "bad count", SEEN, '{"reply_count":-41}')
    run(lake, Script(answered("a", rejected=[bad])), "a")
    assert table(
        lake, "select platform, month, account_id, platform_post_id, field, value, reason from raw.rejected"
    ) == [("x", MAY.first, "a", "a1", "reply_count", "-41", "bad count")]


def test_sandbox_and_real_data_never_share_a_lake(lake):
    run(lake, Script(answered("a")), "a", synthetic=True)
    with pytest.raises(LakeError, match="give another lake with --lake"):
        run(lake, Script(answered("a")), "a", synthetic=False, force=True)


def test_what_was_spent_is_added_up_exactly_whatever_the_ledger_holds(lake):
    with lake.write("a ledger") as transaction:
        for run_id in ("r1", "r2"):
            transaction.cursor.execute(
                "insert into raw.request_ledger by name select 'x' as platform, $1 as run, 'timeline' as endpoint,"
                " date '2025-06-09' as day, 9223372036854775807 as requests, 9223372036854775807 as units,"
                " 9223372036854775807 as records, 0.5 as usd, 'k1' as collection_id",
                [run_id],
            )
    assert spent(lake, "x") == [Spent(SEEN.date(), "timeline", 2**64 - 2, 2**64 - 2, 2**64 - 2, 1.0)]
    assert spent_on(lake, "k1") == (2**64 - 2, 2**64 - 2, 1.0)


def leading_to(name, own_id, **changes):
    [row], posts = answered(name).accounts, answered(name).posts
    own = {"platform_account_id": own_id}
    return answered(name, accounts=[row | own], posts=[post | own for post in posts], **changes)


def test_two_accounts_with_one_id_on_the_platform_are_told_and_the_collection_does_not_finish(lake):
    """One of them would have the posts and the other a zero, and which one hangs on who was read first."""
    script = Script(leading_to("a", "77"), leading_to("b", "77"), leading_to("c", "78"))
    summary = run(lake, script)
    assert summary.status == "failed"
    assert summary.failures == [
        "x b: leads to 77, as a does: two rows of accounts.csv are one account; correct them and collect again"
    ]
    assert table(lake, "select account_id, outcome from raw.collection_account order by all") == [
        ("a", "answered"),
        ("b", "failed"),
        ("c", "answered"),
    ]
    assert table(lake, "select distinct account_id from raw.x_posts order by all") == [("a",), ("c",)]


def test_an_account_read_in_an_earlier_run_of_the_collection_is_remembered(lake):
    with pytest.raises(CollectionError):
        run(lake, Script(leading_to("a", "77"), then=CollectionError("later", retryable=True)), "ab")
    assert run(lake, Script(leading_to("b", "77")), "ab").failures[0].startswith("x b: leads to 77, as a does")
    assert run(lake, Script(leading_to("b", "78")), "ab").status == "finished"


def failed(name, at=SEEN):
    return answered(name, posts=(), accounts=[], outcome="failed", detail="HTTP 500", observed_at=at)


def test_an_answer_after_a_failure_counts_although_the_failures_clock_was_ahead(lake):
    ahead = SEEN + timedelta(days=1)
    assert run(lake, Script(answered("a"), failed("b", ahead), answered("c"))).status == "failed"

    again = Script(answered("b"))
    assert run(lake, again).status == "finished"
    assert again.asked == ["b"]
    assert run(lake, Script(then=AssertionError("requested again"))).asked == 0
    assert table(lake, "select status, accounts_answered from raw.collection") == [("finished", 3)]


def test_the_last_row_of_a_collection_is_the_last_that_was_written_whatever_its_clock(lake):
    """The first row says 2025-06-20, the second, of an older code without `sequence`, 2025-06-09."""
    late = "timestamptz '2025-06-20 00:00:00+00'"
    for status, at, sequence in (("running", late, 0), ("finished", "timestamptz '2025-06-09 00:00:00+00'", "null")):
        with lake.write("log") as transaction:
            transaction.cursor.execute(
                "insert into raw.collection_log by name select '2025-05.x.0001' as collection_id, 'x' as platform,"
                f" date '2025-05-01' as month, 'final' as cut, '{status}' as status, {at} as recorded_at,"
                f" 1 as requests, {sequence}::bigint as sequence"
            )
    assert table(lake, "select status, sequence from raw.collection") == [("finished", None)]


def test_rows_of_the_log_are_numbered_in_the_order_of_their_commits(lake):
    run(lake, Script(answered("a"), answered("b", observed_at=SEEN - timedelta(days=3))), "ab")
    run(lake, Script(answered("a")), "a", force=True)
    assert table(lake, "select collection_id, sequence from raw.collection_log order by sequence") == [
        ("2025-05.x.0001", 0),
        ("2025-05.x.0002", 1),
    ]


@pytest.mark.parametrize("detail", ["HTTP 404", "HTTP 410", "left out, refused by the platform: lang: HTTP 404"])
@pytest.mark.parametrize("outcome", ["missing", "unavailable"])
def test_what_was_called_missing_without_the_platforms_words_is_requested_again(lake, detail, outcome):
    lost = answered("b", posts=(), accounts=[], outcome=outcome, detail=detail)
    said = answered("c", posts=(), accounts=[], outcome=outcome, detail="HTTP 404: error 803: no such alias")
    assert run(lake, Script(answered("a"), lost, said)).status == "finished"

    again = Script(answered("b"))
    assert run(lake, again).status == "finished"
    assert again.asked == ["b"]
    assert table(lake, "select count(*) from raw.x_posts") == [(2,)]


def test_a_corrected_row_is_all_that_a_finished_collection_asks_for(lake):
    """`b` was nobody's handle; what comes of its correction, and of a new account, joins what is there."""
    gone = answered("b", posts=(), accounts=[], outcome="missing", detail="Not Found Error: no b")
    assert run(lake, Script(answered("a"), gone), "ab").status == "finished"

    mended = Account(city_id="c", platform="x", handle="b_city", account_id="b")
    script = Script(replace(answered("b"), account=mended), failed("d"))
    wanted = [account("a"), mended, account("d")]
    options = {"synthetic": True, "force": False}
    summary = asyncio.run(
        collect_month(lake, "x", lambda: nullcontext(script), MAY, UTC_ZONE, "final", wanted, **options)
    )
    assert script.asked == ["b_city", "d"]
    assert (summary.status, len(summary.failures)) == ("failed", 1)
    # what was whole stays whole while `d` is missing
    assert table(lake, "select status, accounts_asked, accounts_answered, accounts_failed from raw.collection") == [
        ("finished", 3, 2, 1)
    ]


def test_a_failed_account_that_nobody_requests_any_more_does_not_hold_a_collection_up(lake):
    assert run(lake, Script(answered("a"), failed("b")), "ab").status == "failed"

    assert run(lake, Script(then=AssertionError("requested")), "a").status == "finished"
    assert table(lake, "select status, accounts_asked, accounts_failed from raw.collection") == [("finished", 1, 0)]


def test_a_mended_row_finishes_its_collection_without_force(lake):
    assert run(lake, Script(failed("wrong")), ["wrong"]).status == "failed"

    assert run(lake, Script(answered("right")), ["right"]).status == "finished"
    assert run(lake, Script(then=AssertionError("requested")), ["right"]).status == "finished"


@pytest.mark.parametrize("cut", ["provisional", "final"])
def test_a_month_that_is_not_over_by_the_platforms_clock_is_of_no_cut(lake, cut):
    """An account answered on 10 May: ten days of posts, which would be stored as the month's."""
    tenth = datetime(2025, 5, 10, tzinfo=UTC)
    with pytest.raises(CollectionError, match=r"2025-05 x: the month is not over: x's clock says 2025-05-10T00:00:00Z"):
        run(lake, Script(answered("a", observed_at=tenth), answered("b", observed_at=tenth)), "ab", cut=cut)
    assert table(lake, "select count(*) from raw.x_posts") == [(0,)]
    assert table(lake, "select count(*) from raw.collection where status = 'finished'") == [(0,)]

    assert run(lake, Script(answered("a"), answered("b")), "ab", cut=cut).status == "finished"


@pytest.mark.parametrize(("latest", "over"), [(datetime(2025, 5, 31, 23, 59, tzinfo=UTC), False), (SEEN, True)])
def test_a_vendors_month_is_over_by_the_latest_time_in_its_files(lake, latest, over):
    early = datetime(2025, 5, 20, tzinfo=UTC)
    absent = answered("c", posts=(), accounts=[], outcome="unavailable", detail="not in accounts.csv")
    script = Script(
        answered("a", observed_at=early, accounts=[], posts=()),
        answered("b", observed_at=latest, accounts=[], posts=()),
        absent,
    )
    if over:
        assert run(lake, script, source="files").status == "finished"
    else:
        with pytest.raises(CollectionError, match="the latest time in the vendor's files is 2025-05-31T23:59:00Z"):
            run(lake, script, source="files")
