"""What readers see: rankings, movers, top posts, hashtags, coverage."""

from datetime import date

import pytest

APRIL = date(2025, 4, 1)


@pytest.fixture
def world(shell):
    """Three cities; nanjing and xian have accounts of the index on X, xian a second one that is not in the index."""
    for city, zh in (("nanjing", "南京"), ("xian", "西安"), ("lhasa", "拉萨")):
        shell.index("city", {"city_id": city, "name_zh": zh, "name_en": city.title(), "province": None})
    shell.index("city", {"month": APRIL, "city_id": "nanjing", "name_zh": "old", "name_en": "old"})
    shell.index(
        "account",
        {"city_id": "nanjing", "platform": "x", "account_id": "nj", "in_index": True},
        {"city_id": "xian", "platform": "x", "account_id": "xa", "in_index": True},
        {"city_id": "xian", "platform": "x", "account_id": "xa_tourism", "in_index": False},
        {"city_id": "xian", "platform": "youtube", "account_id": "xa", "in_index": True},
        {"month": APRIL, "city_id": "lhasa", "platform": "x", "account_id": "ls", "in_index": True},
    )
    return shell


def test_rankings_hold_the_composite_and_the_platforms_with_unranked_cities(world):
    world.collection("x", cut="provisional")
    world.index(
        "composite",
        {"city_id": "nanjing", "score": 70.5, "rank": 1, "previous_rank": 3, "rank_change": 2, "status": "final"},
    )
    world.index(
        "composite",
        {"city_id": "lhasa", "status": "final", "flags": ["no_account"]},
        {"month": APRIL, "city_id": "nanjing", "rank": 3},
    )
    world.index(
        "platform_index",
        {"platform": "x", "city_id": "xian", "score": 33.0, "rank": 1},
        {"platform": "youtube", "city_id": "xian", "flags": ["partial"]},
    )
    world.table("rankings")
    assert world.rows("select * exclude month from marts.rankings order by index_name, city_id") == [
        ("composite", "lhasa", "拉萨", "Lhasa", None, None, None, None, None, "final", ["no_account"]),
        ("composite", "nanjing", "南京", "Nanjing", None, 1, 3, 2, 70.5, "final", []),
        ("x", "xian", "西安", "Xian", None, 1, None, None, 33.0, "provisional", []),
        ("youtube", "xian", "西安", "Xian", None, None, None, None, None, None, ["partial"]),
    ]


def test_movers_are_climbers_fallers_and_new_cities_only(world):
    """A null change without the flag `new` is no move: the month before may never have been computed."""
    moves = {
        "up": (1, 4, 3),
        "down": (5, 2, -3),
        "same": (3, 3, 0),
        "no month before": (2, None, None),
        "sets differ": (6, 5, None),
    }
    for city, (rank, previous, change) in moves.items():
        world.index("composite", {"city_id": city, "rank": rank, "previous_rank": previous, "rank_change": change})
    world.index(
        "composite",
        {"city_id": "new", "rank": 7, "flags": ["new"]},
        {"city_id": "new, not ranked", "flags": ["insufficient", "new"]},
    )
    world.index("platform_index", {"platform": "x", "city_id": "up", "rank": 9, "previous_rank": 8, "rank_change": -1})
    world.table("rankings", "movers")
    assert world.rows(
        "select index_name, city_id, rank, previous_rank, rank_change, direction from marts.movers order by 1, 2"
    ) == [
        ("composite", "down", 5, 2, -3, "down"),
        ("composite", "new", 7, None, None, "new"),
        ("composite", "up", 1, 4, 3, "up"),
        ("x", "up", 9, 8, -1, "down"),
    ]


def test_top_posts_are_the_ten_of_the_index_accounts_with_most_interactions(world):
    world.collection("x")
    world.collection("youtube")
    world.posts(
        "x", *({"id": f"{n:02d}", "account_id": "nj", "like_count": n, "media_types": []} for n in range(1, 13))
    )
    world.posts(
        "x",
        {"id": "a tie with 12", "account_id": "xa", "like_count": 10, "reply_count": 2},
        {"id": "not in the index", "account_id": "xa_tourism", "like_count": 500},
        {"id": "a repost", "account_id": "xa", "retweet_count": 900, "referenced_tweet_types": ["retweeted"]},
        {"id": "unknown reactions", "account_id": "xa", "impression_count": 10_000},
        {"id": "of an account gone from the registry", "account_id": "ls", "like_count": 900},
    )
    world.posts("youtube", {"id": "silent", "account_id": "xa", "likeCount": "0"})
    world.table("top_posts")
    top = world.rows("select platform, position, post_id, city_id, interactions from marts.top_posts order by 1, 2")
    assert top[:3] == [
        ("x", 1, "12", "nanjing", 12),
        ("x", 2, "a tie with 12", "xian", 12),
        ("x", 3, "11", "nanjing", 11),
    ]
    assert top[9:] == [("x", 10, "04", "nanjing", 4), ("youtube", 1, "silent", "xian", 0)]


def test_every_city_has_its_three_best_posts_among_the_top_posts(world):
    """A city far behind is shown by its own best posts, counted among its own and among all."""
    world.collection("x")
    world.posts("x", *({"id": f"{n:02d}", "account_id": "nj", "like_count": 100 + n} for n in range(1, 13)))
    world.posts("x", *({"id": f"small {n}", "account_id": "xa", "like_count": n} for n in range(1, 6)))
    world.table("top_posts")
    got = world.rows(
        "select post_id, position, city_position from marts.top_posts where city_id = 'xian' order by position"
    )
    assert got == [("small 5", 13, 1), ("small 4", 14, 2), ("small 3", 15, 3)]


def test_hashtags_add_up_their_posts_and_reach_is_views_or_nothing(world):
    """Facebook tells no views: its reach is unknown, never its interactions."""
    world.collection("x")
    world.collection("facebook")
    world.index("account", {"city_id": "nanjing", "platform": "facebook", "account_id": "nj", "in_index": True})
    world.posts(
        "x",
        {"id": "1", "account_id": "nj", "text": "#Nanjing #plum #plum", "like_count": 5, "impression_count": 100},
        {"id": "2", "account_id": "xa", "text": "#nanjing", "reply_count": 2},
        {"id": "3", "account_id": "xa", "text": "#nanjing", "like_count": 50, "referenced_tweet_types": ["retweeted"]},
        {"id": "4", "account_id": "xa_tourism", "text": "#nanjing", "like_count": 50},
    )
    world.posts(
        "facebook",
        {"id": "5", "account_id": "nj", "message": "＃南京", "reactions_total_count": 9},
        {"id": "6", "account_id": "nj"},
    )
    world.table("hashtags")
    assert world.rows("select * exclude month from marts.hashtags order by all") == [
        ("facebook", "南京", 1, 9, None, 0),
        ("x", "nanjing", 2, 7, 100, 1),
        ("x", "plum", 1, 5, 100, 1),
    ]


def test_coverage_shows_a_platform_that_was_not_collected_as_a_gap_not_as_zero(world):
    world.collection("x", "k1", cut="provisional")
    world.collection("youtube", "k1")
    world.collection("tiktok", "k1", status="deferred")
    world.outcomes(
        "x",
        {"account_id": "nj"},
        {"account_id": "xa", "outcome": "truncated"},
        {"account_id": "xa_tourism", "outcome": "suspended"},
    )
    world.outcomes("youtube", {"account_id": "xa"})
    world.rejected(
        "x",
        {"account_id": "nj", "platform_post_id": "1"},
        {"account_id": "nj", "platform_post_id": "2", "reason": "malformed"},
    )
    world.posts(
        "x",
        {"id": "1", "account_id": "nj"},
        {"id": "2", "account_id": "xa"},
        {"id": "3", "account_id": "xa", "referenced_tweet_types": ["retweeted"]},
    )
    world.posts("tiktok", {"id": 1})
    world.table("int_account_month_posts", "int_account_rejects", "coverage")
    columns = "platform, cities_monitored, cities_with_account, round(coverage, 4), accounts_asked, accounts_answered, accounts_truncated, accounts_missing, accounts_suspended, posts, bad_counts, malformed_posts, collection_id, cut"
    assert world.rows(f"select {columns} from marts.coverage order by 1") == [
        ("facebook", 3, 0, 0.0, *[None] * 10),
        ("instagram", 3, 0, 0.0, *[None] * 10),
        ("tiktok", 3, 0, 0.0, *[None] * 10),
        ("x", 3, 2, 0.6667, 3, 2, 1, 0, 1, 2, 1, 1, "k1.x", "provisional"),
        ("youtube", 3, 1, 0.3333, 1, 1, 0, 0, 0, 0, 0, 0, "k1.youtube", "final"),
    ]
