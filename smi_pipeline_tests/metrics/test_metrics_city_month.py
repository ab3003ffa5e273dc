"""Several accounts of one city: counts are added up, rates are those of the sums."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from smi_pipeline.metrics.account_month import ACCOUNT_MONTH
from smi_pipeline.metrics.city_month import CITY_PLATFORM_MONTH, city_platform_month
from smi_pipeline.months import Month

MAY = Month.parse("2025-05")


@pytest.fixture
def two_accounts(may):
    return may(
        asked=[("x", "a", "answered"), ("x", "b", "answered")],
        sums=[
            {"account_id": "a", "posts": 10, "videos": 2, "likes": 100, "views": 50},
            {"account_id": "b", "posts": 1, "videos": 0, "likes": 1000, "comments": 10},
        ],
        observations=[("x", "a", "k1", "2025-06-01T00:00", 500), ("x", "b", "k1", "2025-06-10T00:00", 70)],
    )


def test_a_rate_of_a_city_is_the_ratio_of_its_sums_not_the_mean_of_its_accounts(two_accounts, registry):
    [row] = city_platform_month(two_accounts, registry([("c", "x", "a"), ("c", "x", "b")]), month=MAY).to_dicts()
    assert (row["accounts"], row["posts"], row["likes"], row["comments"], row["interactions"]) == (
        2,
        11,
        1100,
        10,
        1110,
    )
    assert row["engagement_rate"] == 1110 / 11
    assert row["view_rate"] == 25
    assert row["followers"] == 570
    assert row["flags"] == ["followers_late", "multi_account"]


def test_a_citys_rate_of_complete_posts_leaves_out_an_account_that_hides_its_likes(may, registry):
    """One account has 300 interactions of 10 posts; the other hides the likes of its 4, and has 8 comments."""
    hidden = {"account_id": "b", "posts": 4, "videos": 0, "comments": 8}
    given = may(
        asked=[("instagram", "a", "answered"), ("instagram", "b", "answered")],
        sums=[
            {"account_id": "a", "posts": 10, "videos": 0, "likes": 280, "comments": 20},
            hidden | {"complete_posts": 0, "complete_comments": None},
        ],
    )
    city = registry([("c", "instagram", "a"), ("c", "instagram", "b")])
    [row] = city_platform_month(given, city, month=MAY).to_dicts()
    assert (row["engagement_rate"], row["engagement_rate_reported"]) == (308 / 14, 30.0)
    assert (row["complete_posts"], row["complete_interactions"]) == (10, 300)
    assert row["flags"] == ["multi_account", "partial_count"]


def test_only_accounts_in_the_index_and_valid_in_the_month_count(two_accounts, registry):
    since, until = date(2025, 1, 1), date(2025, 5, 1)
    accounts = registry([("c", "x", "a", False), ("d", "x", "b", True, since, until)])
    assert city_platform_month(two_accounts, accounts, month=MAY).is_empty()
    one_day = registry([("c", "x", "a", True, date(2025, 5, 31), None), ("d", "x", "b", True, since, date(2025, 5, 2))])
    assert city_platform_month(two_accounts, one_day, month=MAY)["city_id"].to_list() == ["c", "d"]


def test_an_account_that_failed_leaves_the_others_and_its_flag(may, registry):
    sums = [{"account_id": "b", "posts": 2, "videos": 1, "likes": 4}]
    got = may(asked=[("x", "a", "failed"), ("x", "b", "answered")], sums=sums)
    [row] = city_platform_month(got, registry([("c", "x", "a"), ("c", "x", "b")]), month=MAY).to_dicts()
    assert (row["posts"], row["interactions"], row["flags"]) == (2, 4, ["failed", "multi_account"])


def test_a_city_none_of_whose_accounts_answered_has_null_counts(may, registry):
    got = may(asked=[("x", "a", "missing")])
    [row] = city_platform_month(got, registry([("c", "x", "a")]), month=MAY).to_dicts()
    assert (row["posts"], row["likes"], row["engagement_rate"], row["flags"]) == (None, None, None, ["missing"])


def test_one_silent_account_among_two_does_not_flag_the_city_as_silent(may, registry):
    got = may(asked=[("x", "a", "answered"), ("x", "b", "answered")], sums=[{"posts": 2, "videos": 0, "likes": 4}])
    [row] = city_platform_month(got, registry([("c", "x", "a"), ("c", "x", "b")]), month=MAY).to_dicts()
    assert row["flags"] == ["multi_account"]
    assert row["engagement_rate"] == 2


def test_an_empty_month_keeps_the_schema(registry):
    got = city_platform_month(pl.DataFrame(schema=ACCOUNT_MONTH), registry([("c", "x", "a")]), month=MAY)
    assert got.schema == pl.Schema(CITY_PLATFORM_MONTH)
    assert got.is_empty()


def test_rows_are_sorted_by_platform_and_city(may, registry):
    asked = [("x", "a", "answered"), ("x", "b", "answered"), ("facebook", "a", "answered")]
    accounts = registry([("2", "x", "a"), ("1", "x", "b"), ("9", "facebook", "a")])
    got = city_platform_month(may(asked=asked), accounts, month=MAY)
    assert got.select("platform", "city_id").rows() == [("facebook", "9"), ("x", "1"), ("x", "2")]


def test_an_account_that_changed_its_city_within_the_month_counts_once_and_for_the_last_one(two_accounts, registry):
    until = date(2025, 5, 15)
    moved = registry([("d", "x", "a", True, until, None), ("c", "x", "a", True, date(2025, 1, 1), until)])
    got = city_platform_month(two_accounts, moved, month=MAY)
    assert got.select("city_id", "accounts", "posts").rows() == [("d", 1, 10)]
