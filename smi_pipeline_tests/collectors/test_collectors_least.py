"""Requests made over the fewest that a correct reading needs: exactly one, whatever the number of posts."""

from __future__ import annotations

from math import ceil

import pytest
from collectors import world

from smi_pipeline.lake.connection import Lake
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sandbox.process import SandboxProcess, environment
from smi_pipeline.settings import Settings

SIZES = (0, 1, 99, 100, 101, 3_200)
MANY, EACH = 138, 60


@pytest.fixture(scope="module")
def accounts():
    """By platform: one account of each size, then 138 of sixty posts; all posts lie in May."""
    wanted, made = world.Wanted(), {}
    for platform in PLATFORMS:
        sizes = [wanted.account(platform, 1 + index, world.spread(size)) for index, size in enumerate(SIZES)]
        many = [wanted.account(platform, 100 + index, world.spread(EACH)) for index in range(MANY)]
        made[platform] = sizes, many
    return wanted, made


@pytest.fixture(scope="module")
def sandbox(accounts, tmp_path_factory):
    wanted, _ = accounts
    with SandboxProcess(wanted.write(tmp_path_factory.mktemp("least")), now=world.AFTER) as process:
        yield process


@pytest.fixture
def settings(sandbox, monkeypatch):
    for name, value in environment(sandbox.base_url).items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


def least(platform, posts):
    """By the contracts: so many posts of each account, all of the month, read at once after it."""
    page = {"facebook": 100, "x": 100, "instagram": 50, "youtube": 50}[platform]
    listings = sum(max(1, ceil(count / page)) for count in posts)
    before = {"facebook": 0, "instagram": 0, "x": ceil(len(posts) / 100), "youtube": ceil(len(posts) / 50)}
    return before[platform] + listings + (ceil(sum(posts) / 50) if platform == "youtube" else 0)


def least_of_tiktok(posts):
    """A token, one an account, and for each fifty names the pages of two spans that both have 28 May.

    May in Shanghai begins on 30 April in UTC, a day more is asked for on each side, thirty days at a time: 29 April to
    28 May, then 28 May to 31 May, which is the sandbox's today.
    """
    first = [sum(at.day <= 28 or at.month == 4 for at in world.spread(count)) for count in posts]
    second = [sum(at.day >= 28 and at.month == 5 for at in world.spread(count)) for count in posts]
    groups = [slice(start, start + 50) for start in range(0, len(posts), 50)]
    pages = [max(1, ceil(sum(span[group]) / 100)) for group in groups for span in (first, second)]
    return 1 + len(posts) + sum(pages)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("which", ["sizes", "many"])
def test_no_request_is_made_beyond_the_fewest(platform, which, accounts, settings, sandbox, tmp_path):
    some = accounts[1][platform][("sizes", "many").index(which)]
    posts = list(SIZES) if which == "sizes" else [EACH] * MANY
    lake = Lake.of(tmp_path / "lake")
    sandbox.reset_requests()

    summary = world.asked(lake, platform, settings, some)

    with lake.read() as cursor:
        [kept] = cursor.execute("select requests, requests_least, accounts_answered from raw.collection").fetchall()
        [[stored]] = cursor.execute(f"select count(*) from raw.{platform}_posts").fetchall()
    assert stored == sum(posts)
    assert kept[2] == len(some)
    assert kept[0] == kept[1] == summary.requests == sandbox.requests()[platform]
    assert kept[0] == (least_of_tiktok(posts) if platform == "tiktok" else least(platform, posts))
