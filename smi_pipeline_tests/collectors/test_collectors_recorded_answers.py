"""Every recorded answer of Facebook, Instagram and TikTok, served to its collector as it was; figures counted by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter

from smi_pipeline.collectors import facebook, graph, instagram, tiktok
from smi_pipeline.collectors.credentials import Redactor
from smi_pipeline.collectors.fields import Bad, Moment, read
from smi_pipeline.collectors.records import Window
from smi_pipeline.collectors.verdict import Refusal, Reply

AT = datetime(2026, 11, 22, tzinfo=UTC)
SUMMER = Window(datetime(2021, 6, 1, tzinfo=UTC), datetime(2021, 9, 1, tzinfo=UTC))

# Posts and media: id, time, and the counts in the order of the names below; null is not reported.
FACEBOOK = {
    "feed_metrics_p1": [
        ("19292868552_10158349356748553", "2021-07-09T19:09:52+0000", "added_photos", "photo", 10, 125, 13),
        ("19292868552_10158347294088553", "2021-07-08T15:30:19+0000", "shared_story", "link", 6, 131, 17),
        ("19292868552_10158345715593553", "2021-07-07T17:02:59+0000", "added_photos", "photo", 15, 143, 15),
        ("19292868552_10158343840773553", "2021-07-06T18:31:13+0000", "added_photos", "photo", 16, 178, 23),
        ("19292868552_10158333323653553", "2021-06-30T21:21:18+0000", "added_video", "video", 15, 179, 49),
    ],
    "feed_metrics_p2_last": [
        ("19292868552_10158331020098553", "2021-06-29T15:47:56+0000", "shared_story", "link", 17, 157, 23),
        ("19292868552_10158329301388553", "2021-06-28T15:17:28+0000", "added_photos", "photo", 19, 219, 16),
        ("19292868552_10158319774218553", "2021-06-23T15:45:41+0000", "added_photos", "photo", 14, 210, 47),
        ("19292868552_10158317908683553", "2021-06-22T17:10:48+0000", "shared_story", "link", 10, 142, 15),
        ("19292868552_10158316421783553", "2021-06-21T20:57:12+0000", "added_video", "video", 183, 26959, 82),
    ],
}
OF_FACEBOOK = ("status_type", "media_type", "shares_count", "reactions_total_count", "comments_total_count")
INSTAGRAM = {
    "business_discovery_media_p1": [
        ("17885103395504675", "2021-08-17T19:00:42+0000", "IMAGE", 87, 11, None, None),
        ("17886271043461692", "2021-08-16T17:35:10+0000", "IMAGE", 186, 16, None, None),
    ],
    "business_discovery_media_p2": [
        ("17939347456563225", "2021-08-11T19:56:42+0000", "IMAGE", 50, 3, None, None),
        ("18165241603086291", "2021-08-10T16:57:42+0000", "VIDEO", 86, 5, None, None),
    ],
    "own_media_p2_last_carousel": [
        ("17896129349106152", "2021-07-26T10:45:20+0000", "CAROUSEL_ALBUM", 1, 0, None, None),
        ("17893085207160254", "2021-06-09T09:47:29+0000", "IMAGE", 1, 0, None, None),
    ],
}
OF_INSTAGRAM = ("media_type", "like_count", "comments_count", "view_count", "media_product_type")
PAGES = {
    "page_default_fields": ("20531316728", "Facebook", "facebookapp", None, 214507731),
    "page_node_v25": ("659554973897366", "Paired Socks", None, None, 1),
}
ERRORS = {
    "facebook/error_100_missing_permission_or_ppca": (400, "permission", "permission"),
    "facebook/error_80001_buc_rate_limit_doc_example": (400, "throttle", None),
    "instagram/error_10_no_permission": (400, "auth", None),
    "instagram/error_110_username_not_found": (400, "unavailable", "unavailable"),
    "tiktok/error_400_invalid_count_or_cursor": (400, "stale_cursor", None),
}
OTHERS = {
    "facebook/post_fields_v25_no_shares",
    "facebook/user_accounts_p1",
    "instagram/business_discovery_user",
    "tiktok/research_user_info_doc_example",
    "tiktok/research_videos_p1_of_2",
    "tiktok/research_videos_unicode_and_null_bytes",
}


@pytest.fixture
def recorded(shared):
    def load(name):
        return json.loads((shared / "platforms" / "recorded" / f"{name}.json").read_text(encoding="utf-8"))

    return load


def rows_of(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def test_every_recorded_answer_is_among_these(shared):
    folder = shared / "platforms" / "recorded"
    platforms = ("facebook", "instagram", "tiktok")
    there = {f"{platform}/{path.stem}" for platform in platforms for path in (folder / platform).glob("*.json")}
    named = {f"facebook/{name}" for name in FACEBOOK | PAGES} | {f"instagram/{name}" for name in INSTAGRAM}
    assert there == named | set(ERRORS) | OTHERS


def test_facebooks_recorded_pages_are_read_from_the_first_post_to_the_last(recorded, lab):
    """The page recorded in 2020 with the feed of 2021: the feed's own address of page two is not asked for."""
    first, last = recorded("facebook/feed_metrics_p1"), recorded("facebook/feed_metrics_p2_last")
    page = recorded("facebook/page_default_fields")
    fake = lab.Fake("facebook", {"facebookapp": []})
    fake._facebook = lambda request: lab.answer(
        last if "published_posts" in request.url.path else page | {"published_posts": first}
    )
    result = fake.one(window=SUMMER)

    every = FACEBOOK["feed_metrics_p1"] + FACEBOOK["feed_metrics_p2_last"]
    assert rows_of(result.posts, "id", "created_time", *OF_FACEBOOK) == every
    assert rows_of(result.accounts, "id", "name", "username", "followers_count", "fan_count") == [
        PAGES["page_default_fields"]
    ]
    assert (result.outcome, result.rejected, len(fake.requests)) == ("answered", [], 2)
    assert fake.requests[1].url.path == "/20531316728/published_posts"
    assert fake.requests[1].url.params["after"] == "after"
    assert "access_token" not in json.dumps([row["payload"] for row in result.accounts + result.posts])


def test_facebooks_recorded_posts_are_cut_to_the_window(recorded, lab):
    """1 July 2021 divides the ten: four after it, six before."""
    first, last = recorded("facebook/feed_metrics_p1"), recorded("facebook/feed_metrics_p2_last")
    page = recorded("facebook/page_default_fields")
    fake = lab.Fake("facebook", {"facebookapp": []})
    fake._facebook = lambda request: lab.answer(
        last if "published_posts" in request.url.path else page | {"published_posts": first}
    )
    june = Window(SUMMER.start, datetime(2021, 7, 1, tzinfo=UTC))

    assert [row["id"][-14:] for row in fake.one(window=june).posts] == [
        "10158333323653553"[-14:],
        *(one[0][-14:] for one in FACEBOOK["feed_metrics_p2_last"]),
    ]


@pytest.mark.parametrize(("name", "told"), PAGES.items())
def test_a_recorded_page_is_read_with_what_it_has(recorded, name, told):
    page = read(facebook.PAGE, recorded(f"facebook/{name}"), "the Page")
    assert (page.id, page.name, page.username, page.followers_count, page.fan_count) == told


def test_a_recorded_post_without_shares_and_attachments_has_none_of_them(recorded):
    """Recorded without its time, which was not asked for; without it a post cannot be placed."""
    sent = recorded("facebook/post_fields_v25_no_shares")
    [post] = read(facebook.POSTS, [sent | {"created_time": "2026-09-05T10:00:00+0000"}], "posts")
    assert post.id == "723701000827665_122167637282960180"
    assert (post.shares_count, post.reactions_total_count, post.comments_total_count) == (None, 1, 1)
    assert (post.status_type, post.media_type, post.message, post.permalink_url) == (None, None, None, None)
    assert post.created_time.instant == datetime(2026, 9, 5, 10, tzinfo=UTC)
    with pytest.raises(Refusal, match=r"drift in posts: 0\.created_time"):
        read(facebook.POSTS, [sent], "posts")


def test_recorded_pages_of_a_user_have_a_next_cursor_and_lose_their_tokens(recorded):
    sent = recorded("facebook/user_accounts_p1")
    pages = read(TypeAdapter(list[facebook.FacebookPage]), sent["data"], "accounts")
    assert [page.id for page in pages] == ["123", "1234", "123512", "1234624"]
    assert facebook._next(sent) == {"after": "after"}
    received = json.loads(Redactor().received(json.dumps(sent)))
    assert [page["access_token"] for page in received["data"]] == ["[redacted]"] * 4
    assert "access_token=[redacted]" in received["paging"]["next"]


def test_instagrams_recorded_media_are_paged_by_cursors_alone(recorded, lab):
    """The recorded second page names a third; recorded media of an own account stand for it, with a cursor of no use.

    Of the account's 436 media six were recorded: it is given six, since a list that ends before its count is drift.
    """
    user = recorded("instagram/business_discovery_user")["business_discovery"] | {"media_count": 6}
    pages = [recorded(f"instagram/business_discovery_media_p{n}") for n in (1, 2)]
    pages[0]["business_discovery"] |= user
    own = recorded("instagram/own_media_p2_last_carousel")
    pages.append({"business_discovery": {"media": {"data": own["data"]}, "id": user["id"]}, "id": pages[0]["id"]})
    fake = lab.Fake("instagram", {"facebookfordevelopers": []})
    fake._instagram = lambda request: lab.answer(pages[len(fake.requests) - 1])
    result = fake.one(window=SUMMER)

    every = [one for page in INSTAGRAM.values() for one in page]
    assert rows_of(result.posts, "id", "timestamp", *OF_INSTAGRAM) == every
    assert rows_of(result.accounts, "id", "username", "followers_count", "media_count") == [
        ("17841407673135339", "facebookfordevelopers", 64976, 6)
    ]
    asked = [request.url.params["fields"] for request in fake.requests]
    assert ["media.after(after)" in fields for fields in asked] == [False, True, True]


def test_tiktoks_recorded_videos_are_kept_with_every_digit_and_only_has_more_ends_them(recorded, lab):
    """27 of 100 rows came though the cursor moved by 100; the second answer is the one with U+0000 in a name."""
    first, last = recorded("tiktok/research_videos_p1_of_2"), recorded("tiktok/research_videos_unicode_and_null_bytes")
    user = recorded("tiktok/research_user_info_doc_example")
    fake = lab.Fake("tiktok", {"kaleth_9": []}, settings={"tiktok_names_a_query": 1})
    token = fake._tiktok

    def serve(request):
        if "token" in request.url.path:
            return token(request)
        if "user" in request.url.path:
            return lab.answer(user)
        return lab.answer(last if b"search_id" in request.content else first)

    fake._tiktok = serve
    january = Window(datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 20, tzinfo=UTC))
    result = fake.one(window=january)

    [row] = result.posts
    assert (row["id"], row["create_time"], row["username"]) == (7320768004067691818, 1704499152, "kaleth_9")
    assert (row["like_count"], row["comment_count"], row["share_count"], row["view_count"]) == (34, 2, 0, 298)
    assert (row["region_code"], row["favorites_count"], row["video_duration"]) == ("US", None, None)
    assert rows_of(result.accounts, "display_name", "follower_count", "following_count", "likes_count") == [
        ("my nick name", 232, 45, 27155089)
    ]
    queries = [json.loads(request.content) for request in fake.requests if "query" in request.url.path]
    assert [(query["cursor"], query.get("search_id")) for query in queries] == [(0, None), (100, "7354367454467855403")]


def test_all_recorded_videos_are_read_and_one_has_no_likes(recorded):
    videos = read(tiktok.VIDEOS, recorded("tiktok/research_videos_p1_of_2")["data"]["videos"], "videos")
    assert len({video.id for video in videos}) == 27
    assert [video.id for video in videos if video.like_count is None] == [7320768149928955182]
    assert sum(video.like_count or 0 for video in videos) == 1253
    assert sum(video.view_count for video in videos) == 2096
    assert all(isinstance(video.create_time, Moment) and video.id > 2**53 for video in videos)
    [arabic] = read(tiktok.VIDEOS, recorded("tiktok/research_videos_unicode_and_null_bytes")["data"]["videos"], "v")
    assert (arabic.id, arabic.like_count, arabic.view_count) == (7435406205763226897, 49, 401)
    assert arabic.hashtag_names == ["ابوجبل", "تيك_توك", "تيم_الرافدين", "الباشا👑"]


@pytest.mark.parametrize(("name", "meaning"), ERRORS.items())
def test_a_recorded_error_has_its_class_and_its_outcome(recorded, name, meaning):
    status, kind, outcome = meaning
    classify = {
        "facebook": lambda reply: graph.classify(reply, variable="SMI_FACEBOOK_TOKEN"),
        "instagram": instagram.classify,
        "tiktok": tiktok.classify,
    }[name.split("/", maxsplit=1)[0]]
    verdict = classify(Reply(status, {}, recorded(name), AT))
    assert verdict.kind == kind
    if outcome is not None:
        assert Refusal(verdict.kind, verdict.detail).outcome == outcome


# --- the same endpoints at other times: less, more and older than what is recorded -----------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"shares": None, "reactions": None, "comments": None, "attachments": None, "message": None},
        {"reactions": {"data": []}, "comments": {"data": []}, "attachments": {"data": []}, "status_type": None},
        {"reactions": {"data": [], "summary": {}}, "attachments": {"data": [{"type": "share"}]}, "shares": {}},
    ],
)
def test_a_facebook_post_may_have_nothing_but_id_and_time(sent):
    """Posts of 2019 came so: no message, no status_type, no summary."""
    [post] = read(facebook.POSTS, [{"id": "1_2", "created_time": "2019-10-30T10:55:37+0000", **sent}], "posts")
    counts = (post.shares_count, post.reactions_total_count, post.comments_total_count)
    assert (*counts, post.message, post.status_type, post.media_type) == (None,) * 6


@pytest.mark.parametrize(
    "sent",
    [
        {"media_type": "VIDEO", "comments_count": 234, "like_count": 1300},
        {
            "media_type": "VIDEO",
            "comments_count": 234,
            "like_count": None,
            "view_count": 9,
            "media_product_type": "REELS",
        },
        {"caption": None, "children": {"data": [{"id": "1"}]}, "media_type": "CAROUSEL_ALBUM"},
    ],
)
def test_an_instagram_medium_has_null_for_what_was_not_told(sent):
    [post] = read(instagram.POSTS, [{"id": "18250822402024339", "timestamp": "2021-09-24T17:00:44+0000", **sent}], "m")
    for name in ("caption", "like_count", "comments_count", "view_count", "media_product_type", "media_type"):
        assert getattr(post, name) == sent.get(name)


def test_a_tiktok_video_of_the_documents_example_is_found_by_video_id():
    """TikTok's own sample of 2023: another name for the id, no username, no likes and no shares."""
    sent = {
        "hashtag_names": ["avengers", "pov"],
        "region_code": "CA",
        "create_time": 1633823999,
        "effect_ids": ["0"],
        "video_id": 702874395068494965,
        "music_id": 703847506349838790,
        "video_description": "lol #pov #avengers",
        "view_count": 1050,
        "comment_count": 2,
    }
    [video] = read(tiktok.VIDEOS, [sent], "videos")
    assert (video.id, video.view_count, video.comment_count) == (702874395068494965, 1050, 2)
    assert (video.username, video.like_count, video.share_count) == (None, None, None)
    assert (video.region_code, video.hashtag_names) == ("CA", ["avengers", "pov"])
    assert isinstance(read(tiktok.VIDEOS, [sent | {"video_id": 7.028e17}], "videos")[0].id, Bad)
