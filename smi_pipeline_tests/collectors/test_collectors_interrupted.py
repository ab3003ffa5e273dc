"""A small month stopped at every possible request: what is resumed equals what was never stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from collectors import world

from smi_pipeline.collectors.records import CollectionError, Deferred
from smi_pipeline.lake.connection import Lake
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sandbox.process import SandboxProcess, environment
from smi_pipeline.settings import Settings

POSTS = (0, 3, 101, 120)  # by account: none, a page, and two whose listing has several
USED_UP = {"x": "quota", "youtube": "quota", "tiktok": "quota", "facebook": "rate_limit", "instagram": "rate_limit"}


@pytest.fixture(scope="module")
def accounts():
    wanted = world.Wanted()
    return wanted, {
        platform: [wanted.account(platform, 1 + index, world.spread(posts)) for index, posts in enumerate(POSTS)]
        for platform in PLATFORMS
    }


@pytest.fixture(scope="module")
def sandbox(accounts, tmp_path_factory):
    with SandboxProcess(accounts[0].write(tmp_path_factory.mktemp("small")), now=world.AFTER) as process:
        yield process


@pytest.fixture
def settings(sandbox, monkeypatch):
    sandbox.set_faults({})
    sandbox.set_clock(world.AFTER)
    for name, value in environment(sandbox.base_url).items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None, concurrency=2)


def tables(lake, platform):
    return {
        name: world.rows(lake, f"raw.{name}")
        for name in (f"{platform}_posts", f"{platform}_accounts", "rejected", "collection_account")
    }


def stopped_at(number, platform):
    """From the k-th request on nothing is answered any more: a quota is used up, or the wait is one not slept through."""
    fault = {"platform": platform, "do": USED_UP[platform], "from": number}
    return {"faults": [fault | ({"retry_after": 86_400} if USED_UP[platform] == "rate_limit" else {})]}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_month_stopped_at_any_request_and_resumed_equals_one_that_never_stopped(
    platform, accounts, sandbox, settings, tmp_path
):
    whole = Lake.of(tmp_path / "whole")
    needed = world.asked(whole, platform, settings, accounts[1][platform]).requests
    expected = tables(whole, platform)
    assert len(expected[f"{platform}_posts"]) == sum(POSTS)

    for number in range(1, needed + 1):
        lake = Lake.of(tmp_path / f"stopped-at-{number}")
        sandbox.set_faults(stopped_at(number, platform))
        with pytest.raises(Deferred) as put_off:
            world.asked(lake, platform, settings, accounts[1][platform])
        assert put_off.value.resume_at > world.AFTER
        assert latest(lake) == ("deferred", put_off.value.resume_at) or number == 1
        sandbox.set_faults({})
        world.asked(lake, platform, settings, accounts[1][platform])
        assert latest(lake) == ("finished", None)
        assert tables(lake, platform) == expected, f"stopped at request {number} of {needed}"


def latest(lake):
    with lake.read() as cursor:
        return cursor.execute("select status, resume_at from raw.collection").fetchone()


@pytest.mark.parametrize("platform", ["x", "youtube", "tiktok"])
def test_a_budget_of_our_own_stops_before_the_request_and_the_next_day_goes_on(
    platform, accounts, sandbox, settings, tmp_path
):
    """The platform itself would have answered: nothing beyond the budget is even asked for."""
    own = {
        "x": {"x_usd_a_month": 0.62},  # four users are 0.04, a page of a hundred posts 0.50, the largest account 0.61
        "youtube": {"youtube_units_a_day": 12},
        "tiktok": {"tiktok_requests_a_day": 7, "tiktok_names_a_query": 2},
    }[platform]
    frugal = settings.model_copy(update=own | {"concurrency": 1})
    lake = Lake.of(tmp_path / "lake")
    put_off = []
    for _ in range(6):
        sandbox.reset_requests()
        try:
            world.asked(lake, platform, frugal, accounts[1][platform])
            break
        except Deferred as deferred:
            put_off.append(deferred.resume_at)
        made = sandbox.requests()[platform]
        with pytest.raises(Deferred):  # the same day: one answer at most, which tells the day
            world.asked(lake, platform, frugal, accounts[1][platform])
        assert sandbox.requests()[platform] - made <= 1
        sandbox.set_clock(put_off[-1] + timedelta(minutes=1))
    assert put_off
    assert latest(lake) == ("finished", None)
    sandbox.set_clock(world.AFTER)
    whole = Lake.of(tmp_path / "whole")
    world.asked(whole, platform, settings, accounts[1][platform])
    assert world.rows(lake, f"raw.{platform}_posts") == world.rows(whole, f"raw.{platform}_posts")


@pytest.mark.parametrize("budget", [0.03, 0.05, 0.6])
def test_what_x_costs_stays_below_its_budget_and_one_too_small_for_an_account_says_so(
    budget, accounts, sandbox, settings, tmp_path
):
    """The largest account needs 0.61: a user and 120 posts. Of 0.05 dollars 0.09 were spent, month after month."""
    frugal = settings.model_copy(update={"x_usd_a_month": budget})
    lake = Lake.of(tmp_path / "lake")
    largest = [one for one in accounts[1]["x"] if one == accounts[1]["x"][-1]]

    with pytest.raises(CollectionError, match=r"brought no account to its end; raise SMI_X_USD_A_MONTH"):
        world.asked(lake, "x", frugal, largest)

    with lake.read() as cursor:
        [[usd]] = cursor.execute("select coalesce(sum(usd), 0) from raw.request_ledger").fetchall()
    assert usd <= budget
