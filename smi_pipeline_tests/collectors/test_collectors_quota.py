"""The ledger, its budgets and the rates: hand-computed days, limits and waits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from smi_pipeline.collectors.forecast import forecast
from smi_pipeline.collectors.pace import Pace, pace_after
from smi_pipeline.collectors.quota import Budget, Endpoint, Ledger, Rates
from smi_pipeline.collectors.records import Deferred, Spent
from smi_pipeline.collectors.verdict import Reply
from smi_pipeline.settings import Settings

PACIFIC = ZoneInfo("America/Los_Angeles")
LIST = Endpoint("channels.list")
POSTS = Endpoint("timeline", records=lambda reply: len(reply.body), usd_a_record=0.005)


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ask(ledger, endpoint, when, body=()):
    ledger.begin(endpoint, when)
    ledger.end(endpoint, Reply(200, {}, list(body), when), when)


def test_a_quota_day_begins_at_midnight_in_los_angeles():
    """07:00 UTC in summer: what was asked at 06:59 is of the day before."""
    ledger = Ledger("youtube", (Budget("units", 2, "day"),), PACIFIC)
    ask(ledger, LIST, at("2025-06-03T06:58:00"))
    ask(ledger, LIST, at("2025-06-03T06:59:00"))
    with pytest.raises(Deferred) as used_up:
        ledger.begin(LIST, at("2025-06-03T06:59:30"))
    assert used_up.value.resume_at == at("2025-06-03T07:00:00")
    ask(ledger, LIST, at("2025-06-03T07:00:00"))
    assert [(row.day, row.requests) for row in ledger.take()] == [(date(2025, 6, 2), 2), (date(2025, 6, 3), 1)]


def test_in_winter_the_same_midnight_is_an_hour_later():
    ledger = Ledger("youtube", (Budget("units", 0, "day"),), PACIFIC)
    with pytest.raises(Deferred) as used_up:
        ledger.begin(LIST, at("2025-01-10T22:00:00"))
    assert used_up.value.resume_at == at("2025-01-11T08:00:00")


def test_requests_on_their_way_count_before_they_are_answered():
    ledger = Ledger("youtube", (Budget("units", 2, "day"),))
    when = at("2025-06-03T12:00:00")
    ledger.begin(LIST, when)
    ledger.begin(LIST, when)
    with pytest.raises(Deferred):
        ledger.begin(LIST, when)


def test_what_other_runs_have_spent_counts_too():
    ledger = Ledger("youtube", (Budget("units", 10, "day"),))
    ledger.know(
        [Spent(date(2025, 6, 3), "videos.list", 10, 10, 0, 0.0), Spent(date(2025, 6, 2), "search", 99, 99, 0, 0)]
    )
    with pytest.raises(Deferred, match="10 of 10 units of this day"):
        ledger.begin(LIST, at("2025-06-03T12:00:00"))
    ledger.begin(LIST, at("2025-06-04T12:00:00"))


def test_money_is_counted_by_records_and_the_month_ends_at_its_first_of_next():
    """Two hundred posts are a dollar; the budget of a dollar is used up until 1 July."""
    ledger = Ledger("x", (Budget("usd", 1.0, "month"),))
    ask(ledger, POSTS, at("2025-06-03T12:00:00"), range(100))
    ask(ledger, POSTS, at("2025-06-20T12:00:00"), range(100))
    with pytest.raises(Deferred, match="1 of 1 usd of this month") as used_up:
        ledger.begin(POSTS, at("2025-06-30T23:59:59"))
    assert used_up.value.resume_at == at("2025-07-01T00:00:00")
    assert sum(row.usd for row in ledger.take()) == pytest.approx(1.0)
    ledger.begin(POSTS, at("2025-07-01T00:00:00"))


def test_a_failed_request_is_a_request_and_costs_no_money():
    ledger = Ledger("x", (Budget("usd", 1.0, "month"),))
    ledger.begin(POSTS, at("2025-06-03T12:00:00"))
    ledger.end(POSTS, None, at("2025-06-03T12:00:00"))
    assert ledger.take() == [Spent(date(2025, 6, 3), "timeline", 1, 1, 0, 0.0)]


def test_what_was_taken_is_not_given_twice():
    ledger = Ledger("x")
    ask(ledger, POSTS, at("2025-06-03T12:00:00"), range(3))
    assert [row.records for row in ledger.take()] == [3]
    assert ledger.take() == []
    ask(ledger, POSTS, at("2025-06-03T13:00:00"), range(4))
    assert [row.records for row in ledger.take()] == [4]


def test_a_rate_is_shared_by_everyone_with_the_same_file(tmp_path):
    """Three a minute: two of one process and one of another, and the fourth waits for the first to be a minute old."""
    endpoint = Endpoint("users", rate=(3, 60))
    one, other = Rates("x", tmp_path / "rates.sqlite", None), Rates("x", tmp_path / "rates.sqlite", None)
    assert [one.wait(endpoint), other.wait(endpoint), one.wait(endpoint)] == [0, 0, 0]
    assert 50 < other.wait(endpoint) < 61
    one.close()
    other.close()


def test_endpoints_without_a_published_rate_share_the_platforms_own_limit():
    rates = Rates("tiktok", None, 2)
    assert [rates.wait(Endpoint("a")), rates.wait(Endpoint("b"))] == [0, 0]
    assert 50 < rates.wait(Endpoint("a")) < 61
    assert Rates("tiktok", None, None).wait(Endpoint("a")) == 0


NOW = at("2025-06-03T12:00:00")
RESET = str(int(at("2025-06-03T12:05:00").timestamp()))


@pytest.mark.parametrize(
    ("headers", "pace"),
    [
        ({}, Pace()),
        ({"x-rate-limit-limit": "300", "x-rate-limit-remaining": "200", "x-rate-limit-reset": RESET}, Pace()),
        ({"x-rate-limit-limit": "300", "x-rate-limit-remaining": "0", "x-rate-limit-reset": RESET}, Pace(hold=300)),
        ({"x-rate-limit-limit": "300", "x-rate-limit-remaining": "4", "x-rate-limit-reset": RESET}, Pace(60, 60)),
        ({"x-rate-limit-limit": "1", "x-rate-limit-remaining": "0", "x-rate-limit-reset": RESET}, Pace(hold=300)),
        ({"x-rate-limit-limit": "300", "x-rate-limit-remaining": "soon", "x-rate-limit-reset": RESET}, Pace()),
        ({"x-app-usage": '{"call_count":79,"total_time":3,"total_cputime":1}'}, Pace()),
        ({"x-app-usage": '{"call_count":3,"total_time":90,"total_cputime":1}'}, Pace(30, 30)),
        ({"x-app-usage": '{"call_count":100}'}, Pace(hold=300)),
        ({"x-business-use-case-usage": '{"1":[{"type":"pages","call_count":95}]}'}, Pace(45, 45)),
        (
            {"x-business-use-case-usage": '{"1":[{"call_count":100,"estimated_time_to_regain_access":7}]}'},
            Pace(hold=420),
        ),
        ({"x-app-usage": "busy"}, Pace()),
        ({"x-business-use-case-usage": '{"1":"busy"}'}, Pace()),
    ],
)
def test_the_headers_of_a_limit_slow_before_it_is_reached(headers, pace):
    found = pace_after(Reply(200, headers, {}, NOW))
    assert (found.hold, found.gap) == pytest.approx((pace.hold, pace.gap))


@pytest.mark.parametrize(
    ("platform", "requests", "days", "usd"),
    [
        # 138 accounts with sixty posts each, read at once after the month: the table of the contracts.
        ("x", 2 + 138, 0, 138 * 0.010 + 138 * 60 * 0.005),
        ("youtube", 3 + 276 + 166, 445 / 10_000, 0),
        ("facebook", 138, 0, 0),
        ("instagram", 276, 0, 0),
        ("tiktok", 1 + 138 + 83, 221 / 1_000, 0),
    ],
)
def test_a_forecast_is_the_contracts_own_sum(platform, requests, days, usd):
    found = forecast(platform, 138, 60, 60, Settings(_env_file=None))
    assert found.requests == requests
    assert found.quota_days == pytest.approx(days)
    assert found.usd == pytest.approx(usd)


def test_files_of_a_vendor_cost_nothing():
    assert forecast("tiktok", 138, 60, 60, Settings(_env_file=None, tiktok_source="files")) == (0, 0, 0)


def test_what_an_answer_may_cost_at_most_is_reserved_before_it_is_requested():
    """Of a dollar 0.40 are spent and 0.50 on their way: another 0.50 has to wait, and is refused if it still cannot be."""
    ledger, when = Ledger("x", (Budget("usd", 1.0, "month"),)), at("2025-06-03T12:00:00")
    ask(ledger, POSTS, when, range(80))
    assert ledger.room(POSTS, when) == pytest.approx(120, abs=0.1)
    ledger.begin(POSTS, when, most=100)
    assert ledger.must_wait(POSTS, when, most=100)
    with pytest.raises(Deferred):
        ledger.begin(POSTS, when, most=100)

    ledger.end(POSTS, Reply(200, {}, [1], when), when, most=100)  # it was one post
    assert not ledger.must_wait(POSTS, when, most=100)
    ledger.begin(POSTS, when, most=100)
    ledger.end(POSTS, Reply(200, {}, list(range(100)), when), when, most=100)
    assert not ledger.must_wait(POSTS, when, most=100)
    with pytest.raises(
        Deferred, match=r"0\.905 of 1 usd of this month are used up, and the next request may take 0\.5"
    ):
        ledger.begin(POSTS, when, most=100)


def test_a_request_that_is_refused_says_what_was_used_when_all_others_had_been_answered(lab):
    """Six units, eight at a time: the seventh waits for the six on their way, and then says six and not one."""
    fake = lab.Fake(
        "youtube", {f"city{n}": [] for n in range(20)}, settings={"youtube_units_a_day": 6, "concurrency": 8}
    )
    fake.takes_turns = True
    with pytest.raises(Deferred, match="6 of 6 units of this day are used up") as used_up:
        fake.collect()
    assert used_up.value.first_in
    assert len(fake.requests) == 6
