"""Answers that the platforms really gave, read where they lie beside the project; figures counted by hand in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

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


def test_x_counts_of_2021_are_all_taken_and_the_later_ones_are_null(recorded):
    """Recorded before impressions and bookmarks were told."""
    items, payloads = x._with_media(reply(recorded("x/user_tweets_public_metrics")))
    names = ("id", "created_at", "retweet_count", "reply_count", "like_count", "quote_count", "impression_count")
    told = [tuple(row[name] for name in names) for row in rows("x", x.POSTS, items, payloads).posts]
    assert told == [
        ("1364275610764201984", "2021-02-23T18:07:07.000Z", 10, 2, 37, 1, None),
        ("1362876655061073928", "2021-02-19T21:28:10.000Z", 21, 7, 58, 1, None),
        ("1362439338978467841", "2021-02-18T16:30:25.000Z", 0, 2, 9, 0, None),
        ("1362439338169016324", "2021-02-18T16:30:25.000Z", 1, 2, 8, 0, None),
        ("1362439336910675970", "2021-02-18T16:30:25.000Z", 16, 9, 74, 3, None),
    ]


def test_x_users_alone_and_in_a_batch_are_told_alike(recorded):
    alone = read(x.USER, recorded("x/user_public_metrics")["data"], "u")
    _, batched = (read(x.USER, user, "u") for user in recorded("x/users_two_public_metrics")["data"])
    assert (alone.id, alone.username, alone.name) == ("2244994945", "TwitterDev", "Twitter Dev")
    assert (alone.followers_count, alone.following_count, alone.tweet_count, alone.listed_count) == (
        514_020,
        2_038,
        3_639,
        1_676,
    )
    assert (alone.protected, batched.protected) == (None, False)  # not asked for, and not protected
    assert alone.model_copy(update={"protected": False}) == batched


def test_x_timelines_without_times_are_drift_whatever_the_next_token(recorded):
    """Recorded with default fields: nothing could place these posts, so they are no empty month either."""
    page = reply(recorded("x/user_tweets_p1_next_token"))
    assert page.part("meta", "result_count") == 2
    with pytest.raises(Refusal, match="created_at: field required"):
        read(x.POSTS, x._with_media(page)[0], "the timeline")


def test_x_counts_of_posts_are_no_posts(recorded):
    with pytest.raises(Refusal, match="drift"):
        read(x.POSTS, recorded("x/counts_all_paged")["data"], "the timeline")


def test_youtube_channels_with_and_without_their_figures(recorded):
    google, developers = (
        read(youtube.CHANNEL, item, "c") for item in recorded("youtube/channels_two_statistics")["items"]
    )
    assert (google.viewCount, google.subscriberCount, google.videoCount) == ("3331930783", "10700000", "2678")
    assert (developers.id, developers.customUrl) == ("UC_x5XG1OV2P6uZZ5FSM9Ttw", "@googledevelopers")
    assert (developers.viewCount, developers.subscriberCount, developers.videoCount) == ("208790084", "2260000", "5652")
    assert developers.hiddenSubscriberCount is False
    assert developers.uploads == "UU_x5XG1OV2P6uZZ5FSM9Ttw"
    [snippet] = (read(youtube.CHANNEL, item, "c") for item in recorded("youtube/channel_info_customurl")["items"])
    assert (snippet.id, snippet.title, snippet.customUrl) == (developers.id, "Google Developers", "@googledevelopers")
    assert (snippet.viewCount, snippet.subscriberCount, snippet.hiddenSubscriberCount) == (None, None, None)
    assert snippet.uploads is None


def test_youtube_lists_are_read_to_the_page_without_a_next_one(recorded):
    """Recorded with the snippet alone, whose time is that of adding: it must not be taken for the publication."""
    first, last = recorded("youtube/playlist_items_p1_of_2"), recorded("youtube/playlist_items_p2_last")
    assert [reply(page).part("nextPageToken") for page in (first, last)] == ["CDIQAA", None]
    assert [len(reply(page).listed("items")) for page in (first, last)] == [50, 17]
    assert [youtube.classify(reply(page)).kind for page in (first, last)] == ["ok", "ok"]
    for page in (first, last):
        with pytest.raises(Refusal, match=r"contentDetails\.videoId: field required"):
            read(youtube.UPLOADS, page["items"], "the uploads")


def test_youtube_items_with_their_details_are_placed_by_publication(recorded):
    """The same recorded items as they come with the part that is asked for; one private, one of old, with milliseconds."""
    items = [
        {**item, "contentDetails": {"videoId": item["snippet"]["resourceId"]["videoId"]}}
        for item in recorded("youtube/playlist_items_p1_of_2")["items"][:3]
    ]
    items[0]["contentDetails"]["videoPublishedAt"] = "2020-02-01T16:00:00.000Z"
    items[1]["contentDetails"]["videoPublishedAt"] = "2020-02-01T16:00:00Z"
    first, second, private = read(youtube.UPLOADS, items, "the uploads")
    assert first.id == "QVVk3tnrVmQ"
    assert first.videoPublishedAt.instant == second.videoPublishedAt.instant == datetime(2020, 2, 1, 16, tzinfo=UTC)
    assert private.videoPublishedAt is None


def test_youtube_videos_without_counts_are_null_and_not_zero(recorded):
    videos = recorded("youtube/videos_50_some_without_like_or_comment_count")["items"]
    item = {"contentDetails": {"videoPublishedAt": "2019-05-01T00:00:00.000Z"}}
    found = rows("youtube", youtube.VIDEOS, [{"playlistItem": item, "video": video} for video in videos])
    counts = {row["id"]: (row["viewCount"], row["likeCount"], row["commentCount"]) for row in found.posts}
    assert counts["2lAe1cqCOXo"] == ("96887746", "3319246", "1067571")
    assert counts["DRh_4i-GKPk"] == ("1182500", None, None)
    assert counts["dy6Hj0Kk-CA"] == ("417455", "2142", "656")
    assert counts["lepYkDZ62OY"] == (None, None, None)
    assert found.rejected == []


def test_every_recorded_answer_of_x_and_youtube_is_read_here(shared):
    """A recording that nothing reads shows nothing."""
    here = Path(__file__).read_text(encoding="utf-8")
    folder = shared / "platforms" / "recorded"
    names = [f"{path.parent.name}/{path.stem}" for path in folder.glob("*/*.json")]
    of_both = [name for name in names if name.startswith(("x/", "youtube/"))]
    assert len(of_both) >= 18
    assert [name for name in of_both if f'"{name}"' not in here] == []


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
        ("youtube/error_404_playlist_not_found", youtube.classify, 400, "failed"),  # it says unhandledError
        ("youtube/channels_unknown_id_empty_items", youtube.classify, 200, "ok"),
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
