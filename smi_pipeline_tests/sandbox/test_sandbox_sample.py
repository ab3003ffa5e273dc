"""The sample the tests run on: plainly fictional, and with the cases its README names."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from smi import SAMPLE

from smi_pipeline.sandbox import identity
from smi_pipeline.sandbox.dataset import PLATFORMS, load
from smi_pipeline.sandbox.world import World

SHANGHAI = timezone(timedelta(hours=8))


@pytest.fixture(scope="module")
def sample():
    return load(SAMPLE)


def table(name):
    with (SAMPLE / "registry" / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_account_is_plainly_fictional_and_its_ids_are_the_platforms_form(sample):
    for account in sample.accounts:
        assert account.handle.startswith("sbx_")
        assert identity.handle(account.platform, account.handle) == account.handle
        assert identity.account_id(account.platform, account.account_id) == account.account_id
    assert all(post.permalink.split("/")[2].endswith(".example") for post in sample.posts)


def test_every_account_of_the_registry_is_there_and_none_besides(sample):
    registered = {(row["platform"], row["handle"]) for row in table("accounts.csv")}
    cities = {row["city_id"] for row in table("cities.csv")}

    assert registered == {(account.platform, account.handle) for account in sample.accounts}
    assert {row["city_id"] for row in table("accounts.csv")} == cities
    assert len(cities) == 10
    assert Counter(account.platform for account in sample.accounts) == {
        "facebook": 10,
        "x": 9,
        "instagram": 7,
        "youtube": 6,
        "tiktok": 2,
    }


def test_each_platform_has_posts_in_each_of_the_three_months(sample):
    months = Counter(
        (post.account.platform, post.created_at.astimezone(SHANGHAI).strftime("%Y-%m")) for post in sample.posts
    )

    assert set(months) == {(platform, month) for platform in PLATFORMS for month in ("2025-03", "2025-04", "2025-05")}
    assert 600 <= sum(months.values()) <= 1200


def test_growth_can_be_told_for_april_and_may_at_both_cuts(sample):
    world = World(sample)
    for platform in PLATFORMS:
        for owner in world.owners(platform, datetime(2025, 6, 10, tzinfo=UTC)):
            seen = [
                owner.followers(datetime(2025, month, day, 6, tzinfo=SHANGHAI).astimezone(UTC))
                for month, day in ((3, 3), (4, 3), (5, 3), (6, 3), (6, 10))
            ]
            assert len(set(seen)) > 1
            assert [count for _, count in owner.account.observations] == seen


def test_the_cases_its_readme_names_are_there(sample):
    posts = sample.posts
    guilin = {
        post.created_at.astimezone(SHANGHAI).month
        for post in posts
        if (post.account.platform, post.account.handle) == ("facebook", "sbx_guilin")
    }
    reposts = Counter(post.account.handle for post in posts if post.kind == "repost")
    instants = {post.created_at for post in posts if post.account.handle == "sbx_nanjing"}

    assert guilin == {3, 5}
    assert reposts == {"sbx_chengdu": 2, "sbx_wuhan": 2}
    assert any(post.counts.likes is None for post in posts if post.account.platform == "instagram")
    assert any(post.counts.comments is None for post in posts if post.account.platform == "youtube")
    assert datetime(2025, 5, 1, tzinfo=SHANGHAI) in instants
    assert datetime(2025, 5, 31, 23, 59, 59, tzinfo=SHANGHAI) in instants


def test_the_weight_inputs_are_the_worked_example_and_say_so():
    rows = table("platform_inputs.csv")
    users = {row["platform"]: float(row["value"]) for row in rows if row["factor"] == "users"}

    assert users == {"facebook": 3.07, "x": 0.56, "instagram": 2.0, "youtube": 2.5, "tiktok": 1.6}
    assert all("illustrative" in row["source"] for row in rows)
    assert len(rows) == 15
