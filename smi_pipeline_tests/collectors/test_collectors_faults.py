"""The collectors against a sandbox in which something goes wrong: rare behaviours change nothing, faults harm little."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta

import httpx
import pytest
from collectors import world
from httpx_aiohttp import AiohttpTransport
from pydantic import SecretStr

from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.records import CollectionError
from smi_pipeline.defs.drift import new_fields
from smi_pipeline.lake.connection import Lake
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sandbox.process import SandboxProcess, environment
from smi_pipeline.settings import Settings

POSTS = (0, 5, 130)


@pytest.fixture(scope="module")
def accounts():
    """Three accounts a platform; the last one also posted the month before and the minute after it."""
    wanted, made = world.Wanted(), {}
    before = [world.FIRST - timedelta(days=number) for number in range(1, 60)]
    for platform in PLATFORMS:
        few = [wanted.account(platform, 1 + index, world.spread(posts)) for index, posts in enumerate(POSTS[:2])]
        times = [*world.spread(POSTS[2]), *before, world.MAY.end(world.ZONE) + timedelta(seconds=20)]
        made[platform] = [*few, wanted.account(platform, 3, times)]
    return wanted, made


@pytest.fixture(scope="module")
def sandbox(accounts, tmp_path_factory):
    with SandboxProcess(accounts[0].write(tmp_path_factory.mktemp("faults")), now=world.AFTER) as process:
        yield process


@pytest.fixture
def settings(sandbox, monkeypatch):
    sandbox.set_faults({})
    sandbox.set_clock(world.AFTER)
    for name, value in environment(sandbox.base_url).items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


class Patient:
    """Waits at once, and remembers how long it should have taken."""

    def __init__(self):
        self.waits = []

    async def sleep(self, seconds):
        self.waits.append(seconds)
        await asyncio.sleep(0)

    @property
    def wire(self):
        return Wire(sleep=self.sleep)


@pytest.fixture
def collect(accounts, settings, tmp_path):
    """Collect a platform's three accounts into a lake of its own name."""

    def run(platform, name="lake", wire=None, **changes):
        lake = Lake.of(tmp_path / name)
        chosen = settings.model_copy(update=changes)
        return world.asked(lake, platform, chosen, accounts[1][platform], wire=wire or Patient().wire), lake

    return run


def ids(lake, platform):
    with lake.read() as cursor:
        return sorted(str(row[0]) for row in cursor.execute(f"select id from raw.{platform}_posts").fetchall())


def outcomes(lake):
    with lake.read() as cursor:
        return dict(cursor.execute("select handle, outcome from raw.collection_account").fetchall())


RARE = [
    ("x", {"short_pages": 7}),
    ("facebook", {"empty_pages": 3}),
    ("facebook", {"time_paging": True}),
    ("facebook", {"slack_seconds": 3600}),
    ("facebook", {"largest_page": 25}),
    ("instagram", {"largest_page": 30}),
    ("instagram", {"pinned": 2}),
    ("tiktok", {"short_pages": 27}),
    ("tiktok", {"stale_search": 2}),
]


@pytest.mark.parametrize(
    ("platform", "behaviour"), RARE, ids=lambda value: next(iter(value)) if isinstance(value, dict) else value
)
def test_what_is_rare_but_real_loses_and_doubles_nothing(platform, behaviour, collect, sandbox):
    _, plain = collect(platform)
    sandbox.set_faults({"behaviours": {platform: behaviour}})
    summary, lake = collect(platform, "rare")
    assert world.rows(lake, f"raw.{platform}_posts") == world.rows(plain, f"raw.{platform}_posts")
    assert len(ids(lake, platform)) == sum(POSTS)
    assert summary.requests >= summary.least


def test_an_app_that_demands_a_proof_gets_one_where_the_secret_is_known(collect, sandbox):
    sandbox.set_faults({"behaviours": {"facebook": {"require_proof": True}}})
    with pytest.raises(CollectionError, match="SMI_FACEBOOK_APP_SECRET"):
        collect("facebook", "without")
    _, lake = collect("facebook", "with", facebook_app_secret=SecretStr("sandbox"))
    assert len(ids(lake, "facebook")) == sum(POSTS)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("told", [{"retry_after": 7}, {}], ids=["told how long", "not told"])
def test_too_many_requests_are_waited_out(platform, told, collect, sandbox):
    patient = Patient()
    sandbox.set_faults({"faults": [{"platform": platform, "do": "rate_limit", "at": [2, 3]} | told]})
    summary, lake = collect(platform, wire=patient.wire)
    assert len(ids(lake, platform)) == sum(POSTS)
    assert summary.requests == summary.least + 2
    assert max(patient.waits) >= (6.9 if told else 0.5)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_permission_refused_for_all_is_asked_for_once(platform, collect, sandbox):
    sandbox.set_faults({"faults": [{"platform": platform, "do": "status", "status": 403, "body": {}}]})
    sandbox.reset_requests()
    with pytest.raises(CollectionError, match="403"):
        collect(platform)
    assert sandbox.requests()[platform] == 1


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
def test_a_permission_refused_for_one_account_concerns_it_alone(platform, accounts, collect, sandbox):
    last = accounts[1][platform][2]
    about = last.platform_account_id if platform == "facebook" else last.handle
    sandbox.set_faults({"faults": [{"platform": platform, "do": "permission", "match": about}]})
    summary, lake = collect(platform, concurrency=1)
    assert summary.status == "finished"
    assert len(ids(lake, platform)) == sum(POSTS[:2])
    assert sorted(outcomes(lake).values()) == ["answered", "answered", "permission"]


@pytest.mark.parametrize(("platform", "endpoint"), [("x", "timeline"), ("youtube", "playlistItems")])
def test_what_may_not_be_seen_of_one_account_concerns_it_alone(platform, endpoint, accounts, collect, sandbox):
    sandbox.reset_requests()
    second = accounts[1][platform][1]
    own = second.account_id.removeprefix("UC")
    sandbox.set_faults({"faults": [{"platform": platform, "endpoint": endpoint, "match": own, "do": "permission"}]})
    summary, lake = collect(platform)
    assert outcomes(lake) == {a.handle: "private" if a is second else "answered" for a in accounts[1][platform]}
    assert len(ids(lake, platform)) == sum(POSTS) - POSTS[1]
    assert summary.requests == sandbox.requests()[platform] == summary.least


def test_a_scheduled_video_is_found_where_it_was_added_for_the_fewest_requests(tmp_path, monkeypatch):
    """Sixty of May, then one published in May and added in April, then a hundred of April: 50, 50 and 50 are read."""
    wanted = world.Wanted()
    april = world.spread(100, world.FIRST - timedelta(days=30), world.FIRST - timedelta(days=2))
    scheduled = world.FIRST + timedelta(days=20, seconds=1)
    account = wanted.account("youtube", 1, [scheduled, *world.spread(60), *april])
    wanted.posts[0]["added_at"] = (world.FIRST - timedelta(days=1)).isoformat()
    with SandboxProcess(wanted.write(tmp_path / "scheduled"), now=world.AFTER) as process:
        for name, value in environment(process.base_url).items():
            monkeypatch.setenv(name, value)
        lake = Lake.of(tmp_path / "lake")
        summary = world.asked(lake, "youtube", Settings(_env_file=None), [account])
        asked = process.requests()["youtube"]

    assert wanted.posts[0]["post_id"] in ids(lake, "youtube")
    assert len(ids(lake, "youtube")) == 61
    assert asked == summary.requests == summary.least == 1 + 3 + 2  # the channel, pages of the list, videos in fifties


class Jumping(httpx.AsyncBaseTransport):
    """Sends on; before the ninth request three hours pass on the platform's clock."""

    def __init__(self, process):
        self.process, self.sent, self.real = process, 0, AiohttpTransport()

    async def handle_async_request(self, request):
        self.sent += 1
        if self.sent == 9:
            self.process.set_clock(world.AFTER + timedelta(hours=3))
        return await self.real.handle_async_request(request)

    async def aclose(self):
        await self.real.aclose()


def test_a_token_that_ends_in_mid_run_is_renewed_once_for_all_that_wait(tmp_path):
    """Eight at a time go on with the old token: the first that is refused asks for another, the others take it."""
    wanted = world.Wanted()
    many = [wanted.account("tiktok", 50 + number, world.spread(2)) for number in range(30)]
    with SandboxProcess(wanted.write(tmp_path / "many"), now=world.AFTER) as process:
        process.set_faults({"latency_seconds": 0.1})
        own = {name[4:].lower(): value for name, value in environment(process.base_url).items()}
        lake = Lake.of(tmp_path / "lake")
        settings = Settings(_env_file=None, concurrency=8, **own)
        summary = world.asked(lake, "tiktok", settings, many, wire=Wire(Jumping(process)))
    assert set(outcomes(lake).values()) == {"answered"}
    with lake.read() as cursor:
        [[tokens]] = cursor.execute(
            "select sum(requests) from raw.request_ledger where endpoint = 'oauth/token'"
        ).fetchall()
    assert tokens == 2
    assert summary.requests - summary.least >= 2  # refused with the old token, all at the same time


REFUSED = [
    ("facebook", "link", "followers_count"),
    ("x", "lang", "like_count"),
    ("instagram", "view_count", "like_count"),
    ("tiktok", "favorites_count", "like_count"),
]


@pytest.mark.parametrize(("platform", "field", "other"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_retired_field_is_left_out_and_everything_else_collected(platform, field, other, collect, sandbox):
    sandbox.set_faults({"faults": [{"platform": platform, "do": "reject_field", "field": field}]})
    summary, lake = collect(platform)
    table = f"raw.{platform}_{'accounts' if other == 'followers_count' else 'posts'}"
    with lake.read() as cursor:
        [[told, lost]] = cursor.execute(f"select count({other}), count({field}) from {table}").fetchall()
        details = [row[0] for row in cursor.execute("select detail from raw.collection_account").fetchall()]
        left_out = cursor.execute("select distinct unnest(left_out) from raw.collection_account").fetchall()
    assert summary.status == "finished"
    assert len(ids(lake, platform)) == sum(POSTS)
    assert told > 0
    assert lost == 0
    assert any(detail and f"left out, refused by the platform: {field}" in detail for detail in details)
    assert [name for (name,) in left_out if name.startswith(field)] != []


def test_youtube_without_its_statistics_still_lists_every_video(collect, sandbox):
    sandbox.set_faults(
        {"faults": [{"platform": "youtube", "endpoint": "videos", "do": "reject_field", "field": "statistics"}]}
    )
    _, lake = collect("youtube")
    with lake.read() as cursor:
        assert cursor.execute("select count(*), count(viewCount), count(title) from raw.youtube_posts").fetchall() == [
            (sum(POSTS), 0, sum(POSTS))
        ]


ESSENTIAL = [("facebook", "created_time"), ("x", "created_at"), ("instagram", "timestamp"), ("tiktok", "create_time")]


@pytest.mark.parametrize(("platform", "field"), ESSENTIAL, ids=[row[0] for row in ESSENTIAL])
def test_a_required_field_that_is_gone_fails_its_account_with_path_and_payload(
    platform, field, collect, sandbox, accounts
):
    """The record it was seen in is kept, under the hash the failure names."""
    third = accounts[1][platform][2]
    endpoint = {"facebook": "page", "x": "timeline", "instagram": "business_discovery", "tiktok": "videos"}[platform]
    about = third.platform_account_id if platform in ("facebook", "x") else third.handle
    fault = {"platform": platform, "endpoint": endpoint, "do": "rename_field", "field": field, "to": "moment"}
    sandbox.set_faults({"faults": [fault | {"match": about}]})
    summary, lake = collect(platform, tiktok_names_a_query=1)
    assert summary.status == "failed"
    assert outcomes(lake)[third.handle] == "failed"
    assert list(outcomes(lake).values()).count("answered") == 2
    [failure] = summary.failures
    assert field in failure
    with lake.read() as cursor:
        [[where, payload]] = cursor.execute(
            "select field, payload::varchar from raw.rejected where reason = 'drift'"
        ).fetchall()
        [[digest]] = cursor.execute(
            "select sha256(payload::varchar) from raw.rejected where reason = 'drift'"
        ).fetchall()
    assert where.endswith(field)
    assert "moment" in json.loads(payload)
    assert digest in failure

    sandbox.set_faults({})
    again, lake = collect(platform, tiktok_names_a_query=1)
    assert again.status == "finished"
    assert len(ids(lake, platform)) == sum(POSTS)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_field_nobody_knows_is_kept_in_the_payload_and_told(platform, collect, sandbox):
    may = date(2025, 5, 1)
    _, plain = collect(platform)
    assert new_fields(plain, platform, may, may) == []
    sandbox.set_faults({"faults": [{"platform": platform, "do": "add_field", "field": "mood", "value": {"score": 3}}]})
    summary, lake = collect(platform, "new")
    assert summary.status == "finished"
    assert any(told.endswith("mood.score") for told in new_fields(lake, platform, may, may))
    drop = "payload"
    assert len(world.rows(lake, f"raw.{platform}_posts")) == len(world.rows(plain, f"raw.{platform}_posts")), drop


@pytest.mark.parametrize(("platform", "pause"), [("facebook", 45.0), ("instagram", 45.0), ("x", 60.0)])
def test_a_limit_nearly_reached_slows_before_it_is_hit(platform, pause, collect, sandbox):
    """At 95 percent Meta is asked every 45 seconds; X with four of a hundred left spreads them over the quarter hour."""
    patient = Patient()
    sandbox.set_faults({"faults": [{"platform": platform, "do": "usage", "percent": 95 if platform != "x" else 96}]})
    summary, lake = collect(platform, wire=patient.wire, concurrency=1)
    assert len(ids(lake, platform)) == sum(POSTS)
    assert summary.requests == summary.least
    slowed = [wait for wait in patient.waits if wait > 1]
    assert len(slowed) >= 2
    assert max(slowed) == pytest.approx(pause, rel=0.2) if platform != "x" else max(slowed) <= 900 / 5


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("fault", ["cut", "truncated", "html", "server_error", "transient"])
def test_a_broken_answer_is_asked_for_again_and_stores_no_half_page(platform, fault, collect, sandbox):
    _, plain = collect(platform)
    sandbox.set_faults({"faults": [{"platform": platform, "do": fault, "at": [2, 4]}]})
    summary, lake = collect(platform, "broken")
    assert summary.status == "finished"
    assert world.rows(lake, f"raw.{platform}_posts") == world.rows(plain, f"raw.{platform}_posts")
    assert summary.requests > summary.least
