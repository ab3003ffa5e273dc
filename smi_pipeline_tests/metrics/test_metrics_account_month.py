"""One account, one month: what is counted, what is null, and which flag says so."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.metrics.account_month import ACCOUNT_MONTH, account_month
from smi_pipeline.metrics.rates import under
from smi_pipeline.months import Month

ASKED = [("facebook", "a", "answered")]


def only(frame: pl.DataFrame) -> dict:
    [row] = frame.to_dicts()
    return row


def test_rates_follow_a_sum_done_by_hand(may):
    row = only(
        may(asked=ASKED, sums=[{"posts": 4, "videos": 2, "likes": 11, "comments": 2, "shares": 5, "views": 200}])
    )
    assert row["interactions"] == 11 + 2 + 5
    assert row["engagement_rate"] == 18 / 4
    assert row["view_rate"] == 200 / 2
    assert row["month"] == date(2025, 5, 1)
    assert row["city_id"] == "city of a"
    assert row["collection_id"] == "k1"
    assert row["flags"] == []


@pytest.mark.parametrize("platform", ["youtube", "tiktok"])
def test_video_platforms_divide_by_videos(may, platform):
    """A community post on a channel must not lower the response to its videos."""
    row = only(may(asked=[(platform, "a", "answered")], sums=[{"posts": 5, "videos": 4, "likes": 12, "views": 80900}]))
    assert row["engagement_rate"] == 12 / 4
    assert row["view_rate"] == 20225


def test_a_count_that_nobody_reported_stays_null(may):
    """Instagram tells no shares: unknown shares are not zero shares."""
    row = only(may(asked=ASKED, sums=[{"posts": 2, "videos": 0, "likes": 7, "comments": 0}]))
    assert (row["shares"], row["comments"], row["interactions"]) == (None, 0, 7)


def test_interactions_are_null_when_no_reaction_was_reported(may):
    row = only(may(asked=ASKED, sums=[{"posts": 2, "videos": 0}]))
    assert row["interactions"] is None
    assert row["engagement_rate"] is None
    assert row["flags"] == []


def test_an_account_that_answered_and_posted_nothing_has_zero_posts(may):
    row = only(may(asked=ASKED))
    assert (row["posts"], row["reposts"], row["videos"]) == (0, 0, 0)
    assert [row[c] for c in ("likes", "interactions", "views", "engagement_rate", "view_rate")] == [None] * 5
    assert row["flags"] == ["zero_denominator"]


@pytest.mark.parametrize(
    "outcome", ["missing", "suspended", "private", "unavailable", "permission", "failed", "deferred"]
)
def test_an_account_that_did_not_answer_has_no_counts_and_says_why(may, outcome):
    """Even posts left over from an interrupted collection are not shown as its month."""
    row = only(may(asked=[("x", "a", outcome)], sums=[{"posts": 3, "videos": 1, "likes": 9, "views": 4}]))
    counts = ("posts", "reposts", "videos", "likes", "interactions", "views", "followers", "engagement_rate")
    assert [row[c] for c in counts] == [None] * 8
    assert row["flags"] == [outcome]


def test_a_truncated_answer_keeps_what_came_and_is_flagged(may):
    row = only(may(asked=[("x", "a", "truncated")], sums=[{"posts": 3, "videos": 0, "likes": 9}]))
    assert (row["posts"], row["interactions"], row["flags"]) == (3, 9, ["truncated"])


def test_hidden_likes_do_not_act_as_zero_in_the_rate_of_complete_posts(may):
    """Of five posts three hide their likes; the two that show them have 20 and 15 likes, 1 and 2 comments."""
    hidden = {"posts": 5, "videos": 0, "likes": 35, "comments": 24, "complete_posts": 2, "complete_videos": 0}
    row = only(may(asked=ASKED, sums=[hidden | {"complete_likes": 35, "complete_comments": 3}]))
    assert (row["interactions"], row["engagement_rate"]) == (59, 59 / 5)
    assert (row["complete_posts"], row["complete_interactions"], row["engagement_rate_reported"]) == (2, 38, 19.0)
    assert row["flags"] == ["partial_count"]


def test_more_likes_than_views_are_flagged_and_counted(may):
    sums = {"posts": 2, "videos": 2, "likes": 90, "views": 70, "likes_above_views": 1}
    row = only(may(asked=[("tiktok", "a", "answered")], sums=[sums]))
    assert (row["likes"], row["views"], row["flags"]) == (90, 70, ["likes_above_views"])


def test_without_a_complete_post_the_reported_rate_is_unknown(may):
    sums = {"posts": 3, "videos": 0, "comments": 9, "complete_posts": 0, "complete_comments": None}
    row = only(may(asked=ASKED, sums=[sums]))
    assert (row["engagement_rate"], row["engagement_rate_reported"]) == (3.0, None)
    assert row["flags"] == ["partial_count"]


def test_videos_that_hide_their_views_are_left_out_of_the_reported_view_rate(may):
    sums = {"posts": 4, "videos": 4, "likes": 8, "views": 900, "viewed_videos": 3}
    row = only(may(asked=[("youtube", "a", "answered")], sums=[sums]))
    assert (row["view_rate"], row["view_rate_reported"]) == (225.0, 300.0)
    assert (row["engagement_rate"], row["engagement_rate_reported"]) == (2.0, 2.0)
    assert row["flags"] == ["partial_count"]


@pytest.mark.parametrize(("platform", "reported"), [("facebook", 6.0), ("tiktok", 12.0)])
def test_complete_posts_are_videos_where_every_post_is_one(may, platform, reported):
    sums = {"posts": 3, "videos": 1, "likes": 14, "complete_posts": 2, "complete_videos": 1, "complete_likes": 12}
    row = only(may(asked=[(platform, "a", "answered")], sums=[sums]))
    assert row["engagement_rate_reported"] == reported


def test_both_rules_agree_where_nothing_is_hidden(may):
    row = only(
        may(asked=ASKED, sums=[{"posts": 4, "videos": 2, "likes": 11, "comments": 2, "shares": 5, "views": 200}])
    )
    assert row["engagement_rate_reported"] == row["engagement_rate"] == 4.5
    assert row["view_rate_reported"] == row["view_rate"] == 100


@pytest.mark.parametrize("outcome", ["failed", "missing"])
def test_an_account_that_did_not_answer_has_no_complete_posts(may, outcome):
    row = only(may(asked=[("x", "a", outcome)], sums=[{"posts": 3, "videos": 1, "likes": 9, "views": 4}]))
    names = ("complete_posts", "complete_videos", "complete_interactions", "viewed_videos", "engagement_rate_reported")
    assert [row[name] for name in names] == [None] * 5
    assert row["flags"] == [outcome]


def test_a_method_says_which_rate_counts(may):
    hidden = {"posts": 5, "videos": 0, "likes": 35, "comments": 24, "complete_posts": 2, "complete_likes": 35}
    frame = may(asked=ASKED, sums=[hidden | {"complete_comments": 3}])
    assert under("reported", frame)["engagement_rate"].to_list() == [19.0]
    assert under("all", frame)["engagement_rate"].to_list() == [11.8]


def test_a_month_of_an_earlier_version_keeps_its_rates_under_either_rule(may):
    """Its table has no columns of complete posts; beside a later month they are null."""
    frame = may(asked=ASKED, sums=[{"posts": 4, "videos": 0, "likes": 11}])
    new = [name for name in frame.columns if name.startswith(("complete_", "viewed_")) or name.endswith("_reported")]
    earlier = frame.drop(new)
    assert under("reported", earlier)["engagement_rate"].to_list() == [2.75]
    beside = pl.concat([earlier, frame], how="diagonal")
    assert under("reported", beside)["engagement_rate"].to_list() == [2.75, 2.75]


def test_reposts_are_counted_but_add_nothing_by_default(may):
    sums = [
        {"posts": 3, "videos": 1, "likes": 30, "shares": 6},
        {"posts": 2, "videos": 1, "likes": 0, "shares": 5000, "is_repost": True},
    ]
    without = only(may(asked=[("x", "a", "answered")], sums=sums))
    assert (without["posts"], without["reposts"], without["videos"], without["interactions"]) == (3, 2, 1, 36)
    included = only(may(asked=[("x", "a", "answered")], sums=sums, include_reposts=True))
    assert (included["posts"], included["reposts"], included["videos"], included["interactions"]) == (5, 2, 2, 5036)


def test_only_reposts_make_a_silent_month(may):
    row = only(may(asked=[("x", "a", "answered")], sums=[{"posts": 2, "videos": 0, "shares": 9, "is_repost": True}]))
    assert (row["posts"], row["reposts"], row["shares"], row["flags"]) == (0, 2, None, ["zero_denominator"])


def test_refused_counts_and_posts_are_flagged(may):
    rejects = [("facebook", "a", 1, 0), ("facebook", "b", 0, 2)]
    sums = [{"posts": 1, "videos": 0, "likes": 1}]
    got = may(asked=[*ASKED, ("facebook", "b", "answered")], sums=sums, rejects=rejects)
    assert got["flags"].to_list() == [["bad_count"], ["malformed"]]


def test_posts_that_could_not_be_read_leave_a_lower_bound_and_never_a_zero(may):
    rejects = [("facebook", "a", 0, 3), ("x", "b", 0, 2), ("x", "c", 0, 1)]
    sums = [
        {"platform": "facebook", "account_id": "a", "posts": 4, "videos": 0, "likes": 8},
        {"platform": "x", "account_id": "c", "posts": 2, "videos": 0, "likes": 1, "is_repost": True},
    ]
    asked = [("facebook", "a", "answered"), ("x", "b", "answered"), ("x", "c", "renamed")]
    got = may(asked=asked, sums=sums, rejects=rejects)
    assert got.select("account_id", "posts", "videos", "reposts", "engagement_rate").rows() == [
        ("a", 4, 0, 0, 2.0),
        ("b", None, None, None, None),
        ("c", None, None, None, None),
    ]
    assert got["flags"].to_list() == [["malformed"], ["malformed"], ["malformed", "renamed"]]


def test_followers_are_the_count_nearest_the_months_end(may):
    """The month ends at midnight in Shanghai; two days before beats three days after."""
    seen = [
        ("facebook", "a", "k0", "2025-04-29T12:00", 900),
        ("facebook", "a", "k0", "2025-05-03T06:00", 950),
        ("facebook", "a", "k1", "2025-05-30T00:00", 1000),
        ("facebook", "a", "k2", "2025-06-03T06:00", 1100),
    ]
    row = only(may(asked=ASKED, observations=seen))
    assert row["followers"] == 1000
    assert row["follower_growth"] == 1000 - 900


def test_a_snapshot_exactly_three_days_away_still_counts_and_a_second_more_does_not(may):
    seen = [("facebook", "a", "k0", "2025-06-04T00:00", 10), ("facebook", "a", "k0", "2025-05-04T00:00:01", 5)]
    row = only(may(asked=ASKED, observations=seen))
    assert (row["followers"], row["follower_growth"]) == (10, None)


def test_without_a_count_near_the_end_the_collections_own_is_taken_and_flagged(may):
    """Its last one; a count of some other collection long after says nothing about this edition."""
    seen = [
        ("facebook", "a", "k1", "2025-06-10T06:00", 70),
        ("facebook", "a", "k1", "2025-06-10T07:00", 71),
        ("facebook", "a", "k9", "2025-06-20T06:00", 99),
        ("facebook", "a", "k0", "2025-05-01T06:00", 50),
    ]
    row = only(may(asked=ASKED, observations=seen))
    assert (row["followers"], row["follower_growth"]) == (71, None)
    assert "followers_late" in row["flags"]


def test_a_hidden_follower_count_is_no_snapshot(may):
    seen = [("facebook", "a", "k1", "2025-06-01T00:00", None), ("facebook", "a", "k1", "2025-06-02T00:00", 8)]
    assert only(may(asked=ASKED, observations=seen))["followers"] == 8


def test_an_account_belongs_to_the_city_that_had_it_in_that_month(may):
    handed_over = [
        ("old", "facebook", "a", True, date(1970, 1, 1), date(2025, 5, 1)),
        ("new", "facebook", "a", True, date(2025, 5, 1), None),
    ]
    assert only(may(asked=ASKED, accounts=handed_over))["city_id"] == "new"


def test_an_account_the_registry_forgot_keeps_its_row_without_a_city(may):
    got = only(may(asked=ASKED, accounts=[("elsewhere", "x", "a")]))
    assert (got["city_id"], got["posts"]) == (None, 0)


def test_sums_of_other_months_are_left_out(inputs):
    given_frames = inputs(asked=ASKED, sums=[{"posts": 1, "videos": 0}, {"posts": 7, "videos": 0}])
    months = pl.Series("month", [date(2025, 5, 1), date(2025, 4, 1)])
    given_frames["sums"] = given_frames["sums"].with_columns(months)
    got = account_month(**given_frames, month=Month.parse("2025-05"), zone=ZoneInfo("UTC"), include_reposts=False)
    assert got["posts"].to_list() == [1]


def test_the_zone_decides_where_a_month_ends(inputs):
    """Three days and four hours from the end in Shanghai are within three days of the end in UTC."""
    seen = [("facebook", "a", "k0", "2025-06-04T04:00", 10)]
    month = Month.parse("2025-05")
    for zone, expected in (("Asia/Shanghai", None), ("UTC", 10)):
        got = account_month(
            **inputs(asked=ASKED, observations=seen), month=month, zone=ZoneInfo(zone), include_reposts=False
        )
        assert got["followers"].to_list() == [expected]


def test_an_account_asked_twice_is_refused(may):
    with pytest.raises(ValueError, match="expected one row an account, got several for facebook account 'a'"):
        may(asked=[*ASKED, *ASKED])


def test_a_missing_column_is_named(inputs):
    given_frames = inputs(asked=ASKED)
    given_frames["sums"] = given_frames["sums"].drop("likes")
    with pytest.raises(ValueError, match=r"sums: expected the columns \['likes'\]"):
        account_month(**given_frames, month=Month.parse("2025-05"), zone=ZoneInfo("UTC"), include_reposts=False)


def test_empty_frames_of_unknown_types_keep_the_schema():
    """A first month has no snapshots and no rejects, and DuckDB's empty answer may carry any type."""
    nothing = {
        "asked": ["platform", "account_id", "outcome", "collection_id"],
        "sums": [
            *("platform", "account_id", "is_repost", "posts", "videos", "likes", "comments", "shares", "views"),
            *("complete_posts", "complete_videos", "complete_likes", "complete_comments", "complete_shares"),
            *("viewed_videos", "likes_above_views"),
        ],
        "rejects": ["platform", "account_id", "bad_counts", "malformed"],
        "observations": ["platform", "account_id", "collection_id", "observed_at", "followers"],
        "accounts": ["city_id", "platform", "account_id", "in_index", "valid_from", "valid_to"],
    }
    got = account_month(
        **{name: pl.DataFrame(schema=dict.fromkeys(names, pl.Null)) for name, names in nothing.items()},
        month=Month.parse("2025-05"),
        zone=ZoneInfo("UTC"),
        include_reposts=True,
    )
    assert got.schema == pl.Schema(ACCOUNT_MONTH)
    assert got.is_empty()


@given(order=st.permutations(range(6)))
def test_the_order_of_the_rows_changes_nothing(inputs, order):
    asked = [("x", "b", "answered"), ("x", "a", "answered"), ("facebook", "a", "missing")]
    sums = [
        {"platform": p, "account_id": a, "is_repost": r, "posts": n, "videos": 0, "likes": n}
        for p, a, r, n in [("x", "a", False, 1), ("x", "a", True, 2), ("x", "b", False, 3), ("facebook", "a", False, 4)]
    ]
    given_frames = inputs(
        asked=asked, sums=sums, observations=[("x", "a", "k1", "2025-06-01T00:00", n) for n in (5, 6)]
    )
    settings = {"month": Month.parse("2025-05"), "zone": ZoneInfo("Asia/Shanghai"), "include_reposts": True}
    expected = account_month(**given_frames, **settings)
    shuffled = {name: f[[i for i in order if i < f.height]] for name, f in given_frames.items()}
    assert account_month(**shuffled, **settings).equals(expected)
    assert expected["account_id"].to_list() == ["a", "a", "b"]


def test_accounts_whose_posts_stand_under_another_one_too_are_flagged(inputs):
    given = inputs(asked=[("x", "a", "answered"), ("x", "b", "answered"), ("x", "c", "answered")])
    joint = pl.DataFrame({"platform": ["x", "x"], "account_id": ["a", "b"], "joint_posts": [1, 1]})
    got = account_month(
        **given, joint=joint, month=Month.parse("2025-05"), zone=ZoneInfo("Asia/Shanghai"), include_reposts=False
    )
    assert [("joint_post" in flags) for flags in got["flags"]] == [True, True, False]
