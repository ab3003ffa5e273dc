"""Accounts, outcomes and rejects."""

from datetime import UTC, date, datetime

FIGURES = "platform, account_id, name, followers, posts_total, views_total"


def test_every_platforms_account_figures_come_together(shell):
    shell.accounts("facebook", {"name": "Page", "followers_count": 10, "fan_count": 12})
    shell.accounts("x", {"name": "User", "followers_count": 0, "tweet_count": 5})
    shell.accounts("instagram", {"name": "Gram", "followers_count": 7, "media_count": 3})
    shell.accounts(
        "youtube",
        {
            "title": "Channel",
            "subscriberCount": "10700000",
            "videoCount": "44",
            "viewCount": "9000",
            "hiddenSubscriberCount": False,
        },
    )
    shell.accounts("tiktok", {"display_name": "Tok", "follower_count": 8, "video_count": 2})
    assert shell.rows(f"select {FIGURES} from staging.stg_accounts order by 1") == [
        ("facebook", "a", "Page", 10, None, None),
        ("instagram", "a", "Gram", 7, 3, None),
        ("tiktok", "a", "Tok", 8, 2, None),
        ("x", "a", "User", 0, 5, None),
        ("youtube", "a", "Channel", 10700000, 44, 9000),
    ]


def test_hidden_subscribers_are_unknown_and_never_zero(shell):
    """What a hidden count looks like is not documented: absent, or "0"."""
    shell.accounts(
        "youtube",
        {"account_id": "zero", "subscriberCount": "0", "hiddenSubscriberCount": True},
        {"account_id": "absent", "hiddenSubscriberCount": True},
        {"account_id": "shown", "subscriberCount": "0", "hiddenSubscriberCount": False},
        {"account_id": "not told", "subscriberCount": "120"},
    )
    assert dict(shell.rows("select account_id, followers from staging.stg_accounts")) == {
        "zero": None,
        "absent": None,
        "shown": 0,
        "not told": 120,
    }


def test_follower_counts_of_unfinished_collections_are_observations_too(shell):
    """Growth needs a count near each border; that the posts broke off does not make it wrong."""
    shell.collection("x", "k1", status="failed")
    shell.accounts(
        "x",
        {"followers_count": 5},
        {"collection_id": "k2", "observed_at": datetime(2025, 6, 3, tzinfo=UTC), "followers_count": 4},
    )
    assert shell.rows("select collection_id, followers from staging.stg_accounts order by 1") == [
        ("k1.x", 5),
        ("k2.x", 4),
    ]


def test_the_last_outcome_of_an_account_holds_in_the_newest_finished_collection(shell):
    at = [datetime(2025, 6, 9, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    shell.collection("x", "k1", hour=1, cut="provisional")
    shell.collection("x", "k2", hour=5)
    shell.outcomes(
        "x",
        {"collection_id": "k1", "account_id": "a", "outcome": "answered"},
        {"collection_id": "k1", "account_id": "left the registry", "outcome": "answered"},
        {"collection_id": "k2", "account_id": "a", "outcome": "failed", "observed_at": at[0]},
        {
            "collection_id": "k2",
            "account_id": "a",
            "outcome": "suspended",
            "observed_at": at[1],
            "detail": "User has been suspended",
        },
        {"collection_id": "k2", "account_id": "within a second", "outcome": "missing", "observed_at": at[2]},
        {"collection_id": "k2", "account_id": "within a second", "outcome": "failed", "observed_at": at[2]},
    )
    assert shell.rows(
        "select account_id, outcome, detail, collection_id, cut from staging.stg_account_outcomes order by 1"
    ) == [
        ("a", "suspended", "User has been suspended", "k2.x", "final"),
        ("within a second", "missing", None, "k2.x", "final"),
    ]


def test_a_final_collection_beats_a_provisional_one_whose_clock_was_ahead(shell):
    shell.collection("x", "k1", hour=23, cut="provisional")
    shell.collection("x", "k2", hour=1)
    shell.outcomes(
        "x",
        {"collection_id": "k1", "account_id": "a"},
        {
            "collection_id": "k2",
            "account_id": "a",
            "outcome": "failed",
            "observed_at": datetime(2025, 6, 20, tzinfo=UTC),
        },
        {"collection_id": "k2", "account_id": "a", "outcome": "answered"},
        {"collection_id": "k2", "account_id": "nobody asks for it any more", "outcome": "failed"},
    )
    assert shell.rows("select collection_id, cut from staging.stg_collections") == [("k2.x", "final")]
    assert shell.rows("select account_id, outcome from staging.stg_account_outcomes") == [("a", "answered")]
    assert shell.rows("select collection_id, number from staging.stg_readings order by 2") == [("k1.x", 1), ("k2.x", 2)]


def test_a_reject_met_twice_is_one_and_those_of_other_collections_are_none(shell):
    shell.collection("x", "k2")
    shell.rejected(
        "x",
        {"collection_id": "k1", "platform_post_id": "1"},
        {"collection_id": "k2", "platform_post_id": "1", "value": "-1"},
        {
            "collection_id": "k2",
            "platform_post_id": "1",
            "value": "-2",
            "observed_at": datetime(2025, 6, 9, 23, tzinfo=UTC),
        },
        {"collection_id": "k2", "platform_post_id": "1", "field": "shares"},
        {"collection_id": "k2", "field": "id", "reason": "malformed", "payload": '{"id": "!"}'},
        {"collection_id": "k2", "field": "id", "reason": "malformed", "payload": '{"id": "?"}'},
    )
    assert shell.rows(
        "select post_id, field, value, reason from staging.stg_rejected order by post_id nulls first, field"
    ) == [
        (None, "id", "-1", "malformed"),
        (None, "id", "-1", "malformed"),
        ("1", "likes", "-2", "bad count"),
        ("1", "shares", "-1", "bad count"),
    ]


def test_sums_follow_rows_added_up_by_hand(shell):
    """Account a: a video of 50 views, one whose views are unknown, a text with 900 impressions, and a retweet."""
    shell.collection("x")
    text, video = {"media_types": []}, {"media_types": ["video"]}
    shell.posts(
        "x",
        {"id": "1", "like_count": 8, "reply_count": 2, "impression_count": 50, **video},
        {"id": "2", "like_count": 3, **video},
        {"id": "3", "like_count": 0, "reply_count": 1, "impression_count": 900, **text},
        {"id": "4", "like_count": 1000, "retweet_count": 77, "referenced_tweet_types": ["retweeted"], **video},
        {"id": "5", "account_id": "b", "reply_count": 0, "impression_count": 10, **text},
        {"id": "6", "account_id": "b", "month": date(2025, 4, 1), "like_count": 5, **text},
    )
    shell.table("int_account_month_posts")
    assert shell.rows("select * exclude (platform, month) from intermediate.int_account_month_posts order by all") == [
        ("a", False, 3, 2, 11, 3, None, 50),
        ("a", True, 1, 0, 1000, None, 77, None),
        ("b", False, 1, 0, None, 0, None, None),
    ]


def test_only_the_months_own_posts_are_added_up(shell):
    shell.collection("x", "k1")
    shell.collection("x", "k2", month=date(2025, 4, 1))
    shell.posts(
        "x",
        {"id": "1"},
        {"id": "2", "collection_id": "k2", "month": date(2025, 4, 1)},
        {"id": "3", "collection_id": "k2", "month": date(2025, 4, 1)},
    )
    shell.table("int_account_month_posts")
    assert shell.rows("select month, posts from intermediate.int_account_month_posts") == [(date(2025, 5, 1), 1)]


def test_rejects_are_counted_for_every_account_asked(shell):
    shell.collection("x")
    shell.outcomes("x", {"account_id": "a"}, {"account_id": "quiet"}, {"account_id": "gone", "outcome": "missing"})
    shell.rejected(
        "x",
        {"platform_post_id": "1"},
        {"platform_post_id": "1", "field": "shares"},
        {"platform_post_id": "2", "field": "created_at", "reason": "malformed"},
    )
    shell.table("int_account_rejects")
    assert shell.rows("select * exclude month from intermediate.int_account_rejects order by all") == [
        ("x", "a", 2, 1),
        ("x", "gone", 0, 0),
        ("x", "quiet", 0, 0),
    ]
