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


def test_entities_of_the_name_of_an_x_account_become_characters(shell):
    shell.collection("x")
    shell.accounts("x", {"id": "9", "name": "Arts &amp; Culture &lt;official&gt;"})
    assert shell.rows("select name from staging.stg_x_accounts") == [("Arts & Culture <official>",)]


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
        # Likes and comments are reported of some: of a's posts 1 and 3 have both, b's has no likes.
        ("a", False, 3, 2, 11, 3, None, 50, 2, 1, 8, 3, None, 1, 0),
        ("a", True, 1, 0, 1000, None, 77, None, 1, 0, 1000, None, 77, 0, 0),
        ("b", False, 1, 0, None, 0, None, None, 0, 0, None, None, None, 0, 0),
    ]


def test_a_post_is_complete_with_every_count_that_its_platform_reports_of_others(shell):
    """Instagram reports no shares of anybody: that makes no post incomplete. One account hides its likes."""
    shell.collection("instagram")
    shell.collection("facebook")
    shell.posts(
        "instagram",
        {"id": "1", "like_count": 10, "comments_count": 2},
        {"id": "2", "comments_count": 4},
        {"id": "3", "account_id": "b", "comments_count": 5},
        {"id": "4", "account_id": "c", "like_count": 6, "comments_count": 0},
    )
    shell.posts("facebook", {"id": "9", "reactions_total_count": 7})
    shell.table("int_account_month_posts")
    assert shell.rows(
        "select platform, account_id, posts, likes, comments, complete_posts, complete_likes, complete_comments"
        " from intermediate.int_account_month_posts order by all"
    ) == [
        # Facebook's shares are 0 where nobody shared; its comments are reported of nobody.
        ("facebook", "a", 1, 7, None, 1, 7, None),
        ("instagram", "a", 2, 10, 6, 1, 10, 2),
        ("instagram", "b", 1, None, 5, 0, None, None),
        ("instagram", "c", 1, 6, 0, 1, 6, 0),
    ]


def test_videos_without_views_are_left_out_only_where_others_have_them(shell):
    shell.collection("youtube")
    shell.collection("tiktok")
    shell.posts("youtube", {"id": "1", "viewCount": "100"}, {"id": "2"}, {"id": "3", "account_id": "b"})
    shell.posts("tiktok", {"id": 4, "like_count": 1}, {"id": 5, "like_count": 2})
    shell.table("int_account_month_posts")
    assert shell.rows(
        "select platform, account_id, videos, views, viewed_videos"
        " from intermediate.int_account_month_posts order by all"
    ) == [("tiktok", "a", 2, None, 2), ("youtube", "a", 2, 100, 1), ("youtube", "b", 1, None, 0)]


def test_posts_with_more_likes_than_views_are_counted(shell):
    """As many likes as views is odd and possible; without views nothing can be said."""
    shell.collection("tiktok")
    shell.posts(
        "tiktok",
        {"id": 1, "like_count": 8, "view_count": 7},
        {"id": 2, "like_count": 7, "view_count": 7},
        {"id": 3, "like_count": 9},
    )
    shell.table("int_account_month_posts")
    assert shell.rows("select posts, likes_above_views from intermediate.int_account_month_posts") == [(3, 1)]


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


def test_drift_of_an_account_that_was_read_later_stops_no_month(shell):
    """It failed, what was wrong was put right, and the same collection went on and finished."""
    shell.collection("x")
    shell.rejected(
        "x",
        {"platform_post_id": None, "field": "0.id", "reason": "drift"},
        {"platform_post_id": "2", "field": "created_at", "reason": "malformed"},
    )
    assert shell.rows("select post_id, reason from staging.stg_rejected") == [("2", "malformed")]
