"""Each platform's words become common ones without a null turning into a zero on the way."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sandbox.kinds import WORDS

SEEN, HOUR = datetime(2025, 6, 9, 22, tzinfo=UTC), timedelta(hours=1)
COUNTS = "likes, comments, shares, views, interactions"


def kind(word, *, video=False, repost=False):
    return dict(zip(("kind", "is_video", "is_repost"), (word, video, repost), strict=True))


def as_struct(shell, platform):
    rows = shell.rows(f"select post_id, kind, is_video, is_repost from staging.stg_{platform}_posts")
    return {post_id: kind(word, video=video, repost=repost) for post_id, word, video, repost in rows}


def test_facebook_counts_all_reactions_and_an_absent_share_is_none(shell):
    """Facebook leaves `shares` out where nobody shared: 0. A count that was sent and refused stays unknown."""
    shell.collection("facebook")
    sent = {"reactions_total_count": 5406, "comments_total_count": 50}
    shell.posts(
        "facebook",
        {"id": "1", "shares_count": 170, "payload": '{"shares": {"count": 170}}', **sent},
        {"id": "2", "payload": '{"id": "2"}', **sent},
        {"id": "3", "payload": '{"shares": {"count": -3}}', **sent},
        {"id": "4", "payload": '{"shares": null}'},
    )
    assert shell.rows(f"select post_id, {COUNTS} from staging.stg_posts order by 1") == [
        ("1", 5406, 50, 170, None, 5626),
        ("2", 5406, 50, 0, None, 5456),
        ("3", 5406, 50, None, None, 5456),
        ("4", None, None, None, None, None),
    ]


def test_facebook_shares_that_could_not_be_asked_for_are_unknown_and_not_none(shell):
    shell.collection("facebook")
    shell.outcomes("facebook", {"account_id": "a", "left_out": ["shares"]}, {"account_id": "b", "left_out": []})
    silent = {"payload": '{"id": "1"}'}
    shell.posts("facebook", {"id": "1", "account_id": "a", **silent}, {"id": "2", "account_id": "b", **silent})
    assert shell.rows("select post_id, shares from staging.stg_posts order by 1") == [("1", None), ("2", 0)]


def test_x_shares_are_retweets_and_quotes(shell):
    shell.collection("x")
    shell.posts(
        "x",
        {"id": "1", "like_count": 37, "reply_count": 2, "retweet_count": 10, "quote_count": 1, "impression_count": 900},
        {"id": "2", "like_count": 0, "retweet_count": 10},
        {"id": "3", "quote_count": 4},
        {"id": "4"},
    )
    assert shell.rows(f"select post_id, {COUNTS} from staging.stg_posts order by 1") == [
        ("1", 37, 2, 11, 900, 50),
        ("2", 0, None, 10, None, 10),
        ("3", None, None, 4, None, 4),
        ("4", None, None, None, None, None),
    ]


def test_hidden_likes_of_instagram_stay_unknown(shell):
    shell.collection("instagram")
    shell.posts(
        "instagram",
        {"id": "1", "comments_count": 11, "view_count": 300},
        {"id": "2", "like_count": 87, "comments_count": 0},
    )
    assert shell.rows(f"select post_id, {COUNTS} from staging.stg_posts order by 1") == [
        ("1", None, 11, None, 300, 11),
        ("2", 87, 0, None, None, 87),
    ]


def test_youtube_counts_are_digits_and_left_out_where_hidden(shell):
    shell.collection("youtube")
    shell.posts(
        "youtube",
        {
            "id": "a",
            "viewCount": "96887746",
            "likeCount": "3319246",
            "commentCount": "0",
            "title": "Title",
            "description": "Words",
        },
        {"id": "b", "viewCount": "1182500", "title": "Title", "description": ""},
        {"id": "c"},
    )
    assert shell.rows(f"select post_id, text, {COUNTS} from staging.stg_posts order by 1") == [
        ("a", "Title\n\nWords", 3319246, 0, None, 96887746, 3319246),
        ("b", "Title", None, None, None, 1182500, None),
        ("c", None, None, None, None, None, None),
    ]


def test_tiktok_ids_keep_all_their_digits(shell):
    """7320768196569599275 is beyond 2^53: a float would name another video."""
    shell.collection("tiktok")
    shell.posts(
        "tiktok",
        {
            "id": 7320768196569599275,
            "create_time": 1704499196,
            "username": "s.clovis",
            "like_count": 6,
            "comment_count": 0,
            "share_count": 0,
            "view_count": 4,
        },
    )
    assert shell.rows(f"select post_id, published_at, permalink, kind, {COUNTS} from staging.stg_posts") == [
        (
            "7320768196569599275",
            datetime(2024, 1, 5, 23, 59, 56, tzinfo=UTC),
            "https://www.tiktok.com/@s.clovis/video/7320768196569599275",
            "short",
            6,
            0,
            0,
            4,
            6,
        )
    ]


def test_every_platforms_way_of_writing_a_time_is_the_same_instant(shell):
    noon = datetime(2025, 5, 20, 12, tzinfo=UTC)
    for platform, posts in {
        "facebook": [{"created_time": "2025-05-20T12:00:00+0000"}, {"created_time": "2025-05-20T20:00:00+0800"}],
        "x": [{"created_at": "2025-05-20T12:00:00.000Z"}],
        "instagram": [{"timestamp": "2025-05-20T12:00:00+0000"}],
        "youtube": [
            {"videoPublishedAt": "2025-05-20T12:00:00Z"},
            {"videoPublishedAt": "2025-05-20T12:00:00.000Z"},
            {"publishedAt": "2025-05-20T12:00:00Z"},
        ],
        "tiktok": [{"create_time": 1747742400}],
    }.items():
        shell.collection(platform)
        shell.posts(
            platform, *({"id": n if platform == "tiktok" else str(n)} | post for n, post in enumerate(posts, 1))
        )
    assert shell.rows("select distinct published_at from staging.stg_posts") == [(noon,)]
    assert shell.rows("select count(*) from staging.stg_posts") == [(8,)]


FACEBOOK = {
    "photo": ("added_photos", "photo"),
    "photo without attachments": ("added_photos", None),
    "album": ("added_photos", "album"),
    "video": ("added_video", "video"),
    "short": ("mobile_status_update", "video"),
    "link": ("shared_story", "link"),
    "link posted by phone": ("mobile_status_update", "link"),
    "text": ("mobile_status_update", None),
    "event": ("created_event", "event"),
    "note": ("created_note", None),
    "music": ("shared_story", "music"),
    "repost": ("shared_story", None),
    "repost of a video": ("shared_story", "video"),
    "repost of a photo": ("shared_story", "photo"),
    "nothing told": (None, None),
    "a word we do not know": ("approved_friend", "hologram"),
}


def test_facebooks_words_become_kinds(shell):
    shell.collection("facebook")
    shell.posts(
        "facebook",
        *({"id": name, "status_type": status, "media_type": media} for name, (status, media) in FACEBOOK.items()),
    )
    shell.posts(
        "facebook",
        {
            "id": "reel",
            "status_type": "added_video",
            "media_type": "video",
            "permalink_url": "https://www.facebook.com/reel/1",
        },
    )
    found = as_struct(shell, "facebook")
    expected = {
        name: kind(name.split()[0], video=name in ("video", "short"), repost=name.startswith("repost"))
        for name in FACEBOOK
    }
    unknown = {"nothing told": kind(None), "a word we do not know": kind(None), "reel": kind("short", video=True)}
    assert found == expected | unknown


def test_a_retweet_is_kept_apart_and_is_never_a_video_of_the_account(shell):
    shell.collection("x")
    shell.posts(
        "x",
        {"id": "retweet", "referenced_tweet_types": ["retweeted"], "media_types": ["video"]},
        {"id": "repost in the newer words", "referenced_tweet_types": ["reposted"], "media_types": []},
        {"id": "reply with a video", "referenced_tweet_types": ["replied_to"], "media_types": ["video"]},
        {"id": "quote", "referenced_tweet_types": ["quoted"], "media_types": []},
        {"id": "gif", "referenced_tweet_types": [], "media_types": ["animated_gif"]},
        {"id": "two photos", "referenced_tweet_types": [], "media_types": ["photo", "photo"]},
        {"id": "photo and video", "referenced_tweet_types": [], "media_types": ["photo", "video"]},
        {"id": "media of an unknown kind", "referenced_tweet_types": [], "media_types": None},
    )
    assert as_struct(shell, "x") == {
        "retweet": kind("repost", repost=True),
        "repost in the newer words": kind("repost", repost=True),
        "reply with a video": kind("video", video=True),
        "quote": kind("text"),
        "gif": kind("photo"),
        "two photos": kind("album"),
        "photo and video": kind("video", video=True),
        "media of an unknown kind": kind(None),
    }


def test_instagrams_words_become_kinds(shell):
    shell.collection("instagram")
    told = {
        "short": ("VIDEO", "REELS"),
        "video": ("VIDEO", "FEED"),
        "video of old": ("VIDEO", None),
        "album": ("CAROUSEL_ALBUM", "FEED"),
        "photo": ("IMAGE", "FEED"),
    }
    shell.posts(
        "instagram",
        *({"id": name, "media_type": media, "media_product_type": product} for name, (media, product) in told.items()),
        {"id": "?"},
    )
    videos = ("short", "video", "video of old")
    assert as_struct(shell, "instagram") == {name: kind(name.split()[0], video=name in videos) for name in told} | {
        "?": kind(None)
    }


# What a platform cannot tell apart, staging cannot either: Instagram has images only, X no link apart from a text.
MERGED = {
    "facebook": {"": None},
    "x": {
        "short": "video",
        "link": "text",
        "text": "text",
        "event": "text",
        "note": "text",
        "music": "text",
        "": "text",
    },
    "instagram": dict.fromkeys(("link", "text", "event", "note", "music", "repost", ""), "photo"),
}


@pytest.mark.parametrize("platform", MERGED)
def test_staging_reads_back_what_the_sandbox_says(shell, platform):
    """Two readings of the contract, written apart, meet here."""
    shell.collection(platform)
    for number, (word, words) in enumerate(WORDS.items()):
        said = {
            "facebook": {"status_type": words.facebook_status_type, "media_type": words.facebook_media_type},
            "x": {
                "media_types": list(words.x_media_types),
                "referenced_tweet_types": [words.x_referenced_type] if words.x_referenced_type else [],
            },
            "instagram": {
                "media_type": words.instagram_media_type,
                "media_product_type": words.instagram_media_product_type,
            },
        }
        shell.posts(platform, {"id": word or "untold", "account_id": str(number)} | said[platform])
    found = dict(shell.rows(f"select post_id, kind from staging.stg_{platform}_posts"))
    assert found == {word or "untold": MERGED[platform].get(word, word) for word in WORDS}


def test_recorded_facebook_posts_are_what_their_page_published(shell, shared):
    """Ten recorded posts; their kinds were read off the recording by eye."""
    pages = [shared / f"platforms/recorded/facebook/feed_metrics_{page}.json" for page in ("p1", "p2_last")]
    posts = [post for page in pages for post in json.loads(page.read_text())["data"]]
    shell.collection("facebook")
    shell.posts(
        "facebook",
        *(
            {
                "id": post["id"],
                "created_time": post["created_time"],
                "status_type": post["status_type"],
                "media_type": post["attachments"]["data"][0]["media_type"],
                "shares_count": post.get("shares", {}).get("count"),
                "payload": json.dumps(post),
            }
            for post in posts
        ),
    )
    rows = shell.rows("select kind, shares from staging.stg_posts order by published_at desc")
    assert [word for word, _ in rows] == [
        "photo",
        "link",
        "photo",
        "photo",
        "video",
        "link",
        "photo",
        "photo",
        "link",
        "video",
    ]
    assert [shares for _, shares in rows] == [10, 6, 15, 16, 15, 17, 19, 14, 10, 183]


def test_the_newest_finished_collection_speaks_and_an_unfinished_one_does_not(shell):
    """A restatement that broke off half-way must not make half a month."""
    shell.collection("x", "k1", hour=1, cut="provisional")
    shell.collection("x", "k2", hour=5)
    shell.collection("x", "k3", hour=9, status="failed")
    shell.collection("x", "k4", hour=10, status="running")
    shell.posts(
        "x",
        *({"id": "1", "collection_id": name, "like_count": n} for n, name in enumerate(("k1", "k2", "k3", "k4"), 1)),
    )
    shell.posts("x", {"id": "deleted before the 10th", "collection_id": "k1"})
    assert shell.rows("select post_id, likes, collection_id from staging.stg_posts") == [("1", 2, "k2.x")]
    assert shell.rows("select collection_id, cut from staging.stg_collections") == [("k2.x", "final")]


def test_a_collection_that_ran_before_it_finished_is_finished(shell):
    shell.collection("x", hour=1, status="running")
    shell.collection("x", hour=2, status="finished")
    shell.posts("x", {"id": "1"})
    assert shell.rows("select post_id from staging.stg_posts") == [("1",)]


def test_platforms_and_months_choose_their_collections_apart(shell):
    """k9 is the newest of all, and speaks for April of Instagram alone."""
    april = date(2025, 4, 1)
    shell.collection("x", "k1")
    shell.collection("instagram", "k1")
    shell.collection("instagram", "k9", month=april, hour=23)
    shell.posts("x", {"id": "1"})
    shell.posts("instagram", {"id": "1"}, {"id": "2", "collection_id": "k9", "month": april})
    assert shell.rows("select platform, month, post_id from staging.stg_posts order by all") == [
        ("instagram", april, "2"),
        ("instagram", date(2025, 5, 1), "1"),
        ("x", date(2025, 5, 1), "1"),
    ]


def test_the_last_observation_of_a_post_wins_even_with_a_smaller_or_unknown_count(shell):
    shell.collection("x")
    at = [datetime(2025, 6, 9, hour, tzinfo=UTC) for hour in (1, 2, 3)]
    shell.posts(
        "x",
        *(
            {"id": "fell", "observed_at": when, "like_count": likes}
            for when, likes in zip(at, (9, 11, 10), strict=True)
        ),
        *(
            {"id": "hidden", "observed_at": when, "like_count": likes}
            for when, likes in zip(at, (9, 11, None), strict=True)
        ),
    )
    assert shell.rows("select post_id, likes, observed_at from staging.stg_posts order by 1") == [
        ("fell", 10, at[2]),
        ("hidden", None, at[2]),
    ]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("Panda time #Chengdu #chengdu #CHENGDU!", ["chengdu"]),
        ("#成都#美食 和 #熊猫", ["成都", "熊猫", "美食"]),
        ("＃成都 ＃ＡＢＣ＿１ #abc_1", ["abc_1", "成都"]),
        ("#话题# and ##double", ["double", "话题"]),
        ("#Café #Cafe\u0301", ["café"]),
        ("#1 #2025 #2nd", ["2nd"]),
        ("https://a.example/b#part, it&#39;s a#b", []),
        ("/#slash", []),
        ("(#one)\n#two\t#three,#four", ["four", "one", "three", "two"]),
        ("#東京🗼tower #été2025 #ประเทศไทย #القاهرة", ["été2025", "ประเทศไทย", "القاهرة", "東京"]),
        ("#️⃣ # #-", []),
        ("#️⃣Alpha #⃣beta #\ufe0fgamma #delta", ["delta"]),
        ("#tag1️⃣ #ok\ufe0f #ok", ["ok", "tag"]),
        ("#می‌خواهم #क्‍ष", ["می‌خواهم", "क्‍ष"]),
        ("#col·lecció #ジョン・スミス #བོད་ཡིག་ #a‍❤ #b·", ["a", "b", "col·lecció", "ジョン・スミス", "བོད་ཡིག"]),
        ("#1·2 #1·b·", ["1·b"]),
        ("https://a.example/?q=#frag http://b.example/成都?q=#x www.c.example?q=#y d.example/?q=#z", []),
        ("https://a.example/x，#成都 看https://t.co/abc #熊猫", ["成都", "熊猫"]),
        ("Ends here.#one e.g.#two", ["one", "two"]),
        ("no tag", []),
        ("", []),
    ],
)
def test_hashtags_are_found_and_folded(shell, text, tags):
    shell.collection("x")
    shell.posts("x", {"id": "1", "text": text})
    assert shell.rows("select hashtags from staging.stg_posts") == [(sorted(tags),)]


def test_entities_of_an_x_text_become_characters_once_and_the_raw_text_stays_as_sent(shell):
    shell.collection("x")
    sent = "Food &amp; Wine &lt;live&gt; &amp;lt; &#39;"
    shell.posts("x", {"id": "1", "text": sent}, {"id": "2"})
    assert shell.rows("select text from staging.stg_posts order by post_id") == [
        ("Food & Wine <live> &lt; &#39;",),
        (None,),
    ]
    assert shell.rows("select text from raw.x_posts order by id") == [(sent,), (None,)]


@pytest.mark.parametrize(
    ("platform", "column"),
    [("facebook", "message"), ("instagram", "caption"), ("tiktok", "video_description"), ("youtube", "title")],
)
def test_texts_of_the_other_platforms_are_not_escaped_and_stay_as_they_are(shell, platform, column):
    """Facebook, Instagram, TikTok and YouTube's lists send characters: an entity in them was written by somebody."""
    shell.collection(platform)
    shell.posts(platform, {"id": 1 if platform == "tiktok" else "1", column: "how to write &amp; in HTML"})
    assert shell.rows("select text from staging.stg_posts") == [("how to write &amp; in HTML",)]


def test_a_post_without_a_text_has_unknown_hashtags(shell):
    shell.collection("x")
    shell.posts("x", {"id": "1"})
    assert shell.rows("select hashtags from staging.stg_posts") == [(None,)]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("counted", [None, 0, 2])
def test_the_last_observation_wins_and_a_month_without_repeats_reads_the_same_without_looking(shell, platform, counted):
    """`repeated_posts` only spares the search: nobody has counted, there are none, or there are some."""
    shell.collection(platform, repeated_posts=counted)
    one, two = (1, 2) if platform == "tiktok" else ("1", "2")
    shell.posts(platform, {"id": one}, {"id": two, "account_id": "b"})
    if counted != 0:
        shell.posts(platform, *({"id": one, "account_id": who, "observed_at": SEEN + HOUR} for who in "ca"))
    rows = shell.rows(f"select post_id, account_id, observed_at from staging.stg_{platform}_posts order by 1")
    assert rows == [("1", "a", SEEN if counted == 0 else SEEN + HOUR), ("2", "b", SEEN)]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("late", ["b", "a"])
def test_a_post_under_two_accounts_is_the_first_ones_by_id_whoever_was_read_last(shell, platform, late):
    shell.collection(platform, repeated_posts=1)
    one = 1 if platform == "tiktok" else "1"
    shell.posts(platform, *({"id": one, "account_id": who, "observed_at": SEEN + HOUR * (who == late)} for who in "ba"))
    assert shell.rows(f"select account_id from staging.stg_{platform}_posts") == [("a",)]
