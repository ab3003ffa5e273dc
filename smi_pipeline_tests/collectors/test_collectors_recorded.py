"""Answers that the platforms really gave, read where they lie beside the project; figures counted by hand in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from smi_pipeline.collectors import facebook, instagram, tiktok, x, youtube
from smi_pipeline.collectors.fields import Moment, read
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.records import Window
from smi_pipeline.collectors.verdict import Refusal, Reply
from smi_pipeline.registry.models import Account

AT = datetime(2026, 11, 22, tzinfo=UTC)
EVER = Window(datetime(2005, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))


@pytest.fixture
def recorded(shared):
    def load(name):
        return json.loads((shared / "platforms" / "recorded" / f"{name}.json").read_text(encoding="utf-8"))

    return load


def rows(platform, adapter, items, payloads=None):
    harvest = Harvest(Account(city_id="1", platform=platform, handle="city"), EVER)
    harvest.add(read(adapter, items, "recorded"), payloads or items, AT)
    return harvest.result()


def reply(body, status=200):
    return Reply(status, {}, body, AT)


def test_facebook_feed(recorded):
    first, last = recorded("facebook/feed_metrics_p1"), recorded("facebook/feed_metrics_p2_last")
    result = rows("facebook", facebook.POSTS, first["data"])

    assert len(result.posts) == 5
    assert [row["shares_count"] for row in result.posts][:2] == [10, 6]
    assert [row["reactions_total_count"] for row in result.posts][:2] == [125, 131]
    assert result.posts[0]["created_time"] == "2021-07-09T19:09:52+0000"
    assert result.posts[0]["media_type"] == "photo"
    assert facebook._next(first) == {"after": "after"}
    assert facebook._next(last) is None


def test_facebook_page_and_post_without_shares(recorded):
    page = read(facebook.PAGE, recorded("facebook/page_node_v25"), "the Page")
    assert (page.username, page.followers_count, page.fan_count) == (None, None, 1)
    post = recorded("facebook/post_fields_v25_no_shares") | {"created_time": "2026-09-05T00:00:00+0000"}
    [row] = rows("facebook", facebook.POSTS, [post]).posts
    assert (row["shares_count"], row["reactions_total_count"], row["comments_total_count"]) == (None, 1, 1)


def test_instagram_media(recorded):
    pages = [recorded(f"instagram/business_discovery_media_p{n}")["business_discovery"]["media"] for n in (1, 2)]
    [first, *_] = rows("instagram", instagram.POSTS, pages[0]["data"]).posts
    assert (first["id"], first["like_count"], first["comments_count"]) == ("17885103395504675", 87, 11)
    assert (first["view_count"], first["media_type"]) == (None, "IMAGE")
    account = read(instagram.ACCOUNT, recorded("instagram/business_discovery_user")["business_discovery"], "a")
    assert (account.id, account.followers_count, account.media_count) == ("17841407673135339", 64976, 436)


def test_x_users_and_timelines(recorded):
    users = {u["username"]: read(x.USER, u, "u") for u in recorded("x/users_two_public_metrics")["data"]}
    assert (users["Twitter"].followers_count, users["TwitterDev"].tweet_count) == (58677711, 3639)
    answer = reply(recorded("x/user_tweets_public_metrics"))
    items, payloads = x._with_media(answer)
    result = rows("x", x.POSTS, items, payloads)
    first = result.posts[0]
    assert (first["id"], first["retweet_count"], first["like_count"]) == ("1364275610764201984", 10, 37)
    assert (first["impression_count"], first["bookmark_count"]) == (None, None)
    assert len(result.posts) == len(answer.body["data"])
    assert reply(recorded("x/user_tweets_p1_next_token")).part("meta", "next_token").startswith("7140dib")
    with pytest.raises(Refusal, match="drift"):  # recorded without created_at: nothing could place these posts
        read(x.POSTS, recorded("x/tweets_lookup_default_fields")["data"], "the timeline")


def test_youtube_channels_lists_and_videos(recorded):
    google, *_ = recorded("youtube/channels_two_statistics")["items"]
    channel = read(youtube.CHANNEL, google, "the channel")
    assert (channel.uploads, channel.subscriberCount) == ("UUK8sQmJBp8GCxrOtXWBpyEA", "10700000")
    videos = recorded("youtube/videos_50_some_without_like_or_comment_count")["items"]
    item = {"contentDetails": {"videoPublishedAt": "2019-05-01T00:00:00.000Z"}}
    payloads = [{"playlistItem": item, "video": video} for video in videos]
    result = rows("youtube", youtube.VIDEOS, payloads)
    assert len(result.posts) == 50
    assert sum(row["likeCount"] is None for row in result.posts) == 8
    assert sum(row["commentCount"] is None for row in result.posts) == 9
    assert result.posts[0]["viewCount"] == "96887746"
    assert youtube.classify(reply(recorded("youtube/channels_unknown_id_empty_items"))).kind == "ok"


def test_tiktok_videos_keep_every_digit(recorded):
    body = recorded("tiktok/research_videos_p1_of_2")
    result = rows("tiktok", tiktok.VIDEOS, body["data"]["videos"])
    assert len(result.posts) == 27
    first = result.posts[0]
    assert (first["id"], first["create_time"], first["like_count"]) == (7320768196569599275, 1704499196, 6)
    assert "7320768196569599275" in first["payload"]
    assert body["data"]["has_more"] is True
    odd = recorded("tiktok/research_videos_unicode_and_null_bytes")["data"]["videos"]
    result = rows("tiktok", tiktok.VIDEOS, odd)
    assert result.posts[0]["username"] == "حموديالباشا" + "\ufffd" * 6 + "4"
    assert "\\u0000" in result.posts[0]["payload"]
    user = read(tiktok.USER, recorded("tiktok/research_user_info_doc_example")["data"], "the account")
    assert (user.display_name, user.follower_count) == ("my nick name", 232)
    assert isinstance(read(tiktok.VIDEOS, odd, "v")[0].create_time, Moment)


@pytest.mark.parametrize(
    ("name", "classify", "status", "kind"),
    [
        ("facebook/error_80001_buc_rate_limit_doc_example", instagram.classify, 400, "throttle"),
        ("facebook/error_100_missing_permission_or_ppca", facebook.graph.classify, 400, "permission"),
        ("instagram/error_10_no_permission", instagram.classify, 400, "auth"),
        ("instagram/error_110_username_not_found", instagram.classify, 400, "unavailable"),
        ("x/error_401_unauthorized", x.classify, 401, "auth"),
        ("x/error_402_credits_depleted", x.classify, 402, "quota"),
        ("x/error_200_user_suspended", x.classify, 200, "ok"),
        ("youtube/error_401_invalid_credentials", youtube.classify, 401, "auth"),
        ("youtube/error_403_quota_exceeded_min", youtube.classify, 403, "quota"),
        ("tiktok/error_400_invalid_count_or_cursor", tiktok.classify, 400, "stale_cursor"),
    ],
)
def test_recorded_errors_mean_what_they_say(recorded, name, classify, status, kind):
    answer = reply(recorded(name), status)
    verdict = classify(answer, variable="V") if classify is facebook.graph.classify else classify(answer)
    assert verdict.kind == kind


def test_a_recorded_suspension_is_one(recorded):
    [problem] = recorded("x/error_200_user_suspended")["errors"]
    assert x._problem({"problem": problem}) == "suspended"
