"""The sandbox's answers beside recorded ones: what both have must be of one JSON type, at every depth."""

from __future__ import annotations

import json

import pytest

PAGE = "100200300"
CHANNEL = "UC0123456789abcdefghijkl"


def differing(ours, theirs, where="$"):
    """Where two JSON values have different types; of lists each of ours is held against the first of theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            found
            for name in ours.keys() & theirs.keys()
            for found in differing(ours[name], theirs[name], f"{where}.{name}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list):
        return [found for one in ours for found in differing(one, theirs[0], f"{where}[]")] if theirs else []
    return [] if type(ours) is type(theirs) else [f"{where}: {type(ours).__name__}, recorded {type(theirs).__name__}"]


@pytest.fixture
def recorded(shared):
    def read(name):
        return json.loads((shared / "platforms" / "recorded" / f"{name}.json").read_text(encoding="utf-8"))

    return read


def members(value):
    return set(value) if isinstance(value, dict) else set()


def test_facebook_posts_have_the_recorded_form(sandbox, recorded):
    fields = (
        "id,created_time,message,permalink_url,status_type,updated_time,shares,attachments{media_type,type},"
        "reactions.limit(0).summary(total_count),comments.limit(0).summary(true)"
    )
    first = sandbox.graph(f"{PAGE}/feed", fields=fields, limit=100).json()
    theirs = recorded("facebook/feed_metrics_p1")

    assert differing(first, theirs) == []
    assert members(first["data"][0]) <= members(theirs["data"][0])
    assert members(first["paging"]) == members(theirs["paging"])
    assert (
        differing(sandbox.graph(f"{PAGE}_0", fields=fields).json(), recorded("facebook/post_fields_v25_no_shares"))
        == []
    )
    assert (
        differing(sandbox.graph(PAGE, fields="id,name,link,fan_count").json(), recorded("facebook/page_node_v25")) == []
    )


def test_graph_errors_have_the_recorded_form(sandbox, recorded):
    facebook = sandbox.graph(PAGE, fields="shoe_size").json()
    instagram = sandbox.discover("username(nobody){id}").json()

    assert members(facebook["error"]) == members(recorded("facebook/error_100_missing_permission_or_ppca")["error"])
    theirs = recorded("instagram/error_110_username_not_found")
    assert differing(instagram, theirs) == []
    assert members(instagram["error"]) == members(theirs["error"])
    for name in ("message", "type", "code", "error_subcode", "is_transient"):
        assert instagram["error"][name] == theirs["error"][name]


def test_discovered_media_have_the_recorded_form(sandbox, recorded):
    media = "media.limit(2){id,caption,comments_count,like_count,media_type,permalink,timestamp}"
    first = sandbox.discover(f"username(sbx_ig){{id,name,username,followers_count,media_count,{media}}}").json()
    after = first["business_discovery"]["media"]["paging"]["cursors"]["after"]
    second = sandbox.discover(f"username(sbx_ig){{{media.replace('media', f'media.after({after})', 1)}}}").json()

    for ours, name in ((first, "p1"), (second, "p2")):
        theirs = recorded(f"instagram/business_discovery_media_{name}")
        assert differing(ours, theirs) == []
        paging = ours["business_discovery"]["media"]["paging"]
        assert members(paging["cursors"]) == members(theirs["business_discovery"]["media"]["paging"]["cursors"])
    assert differing(first, recorded("instagram/business_discovery_user")) == []


def test_x_answers_have_the_recorded_form(sandbox, recorded):
    page = sandbox.x("users/42/tweets", max_results=5, tweet__fields="created_at,public_metrics").json()
    default = sandbox.x("tweets", ids="1001").json()
    users = sandbox.x("users/by", usernames="sbx_x", user__fields="created_at,public_metrics,protected,verified").json()

    theirs = recorded("x/user_tweets_public_metrics")
    assert differing(page, theirs) == []
    assert members(page["meta"]) == members(theirs["meta"])
    assert members(default["data"][0]) == members(recorded("x/tweets_lookup_default_fields")["data"][0])
    assert differing(users, recorded("x/users_two_public_metrics")) == []
    assert members(users["data"][0]["public_metrics"]) <= members(
        recorded("x/user_public_metrics")["data"]["public_metrics"]
    )
    assert sandbox.get("/2/users/42").json() == recorded("x/error_401_unauthorized")
    window = {"start_time": "2025-05-01T00:00:00Z", "end_time": "2025-05-03T00:00:00Z"}
    counts = sandbox.x("tweets/counts/all", query="from:sbx_x", granularity="day", **window).json()
    assert differing(counts, recorded("x/counts_all_paged")) == []
    assert members(counts["data"][0]) == members(recorded("x/counts_all_paged")["data"][0])
    assert counts["meta"] == {"total_tweet_count": 15}
    [missing] = sandbox.x("users", ids="481186914").json()["errors"]
    assert members(recorded("x/error_200_user_suspended")["errors"][0]) <= members(missing)


def test_youtube_answers_have_the_recorded_form(sandbox, recorded):
    uploads = "UU" + CHANNEL[2:]
    first = sandbox.youtube("playlistItems", part="snippet,status", playlistId=uploads, maxResults=50).json()
    token = first["nextPageToken"]
    last = sandbox.youtube(
        "playlistItems", part="snippet,status", playlistId=uploads, maxResults=50, pageToken=token
    ).json()
    channels = sandbox.youtube("channels", part="snippet,contentDetails,statistics", id=CHANNEL).json()
    videos = sandbox.youtube("videos", part="statistics,status", id="video000001,hidden00001").json()

    for ours, name in (
        (first, "playlist_items_p1_of_2"),
        (last, "playlist_items_p2_last"),
        (channels, "channels_two_statistics"),
        (videos, "videos_50_some_without_like_or_comment_count"),
    ):
        theirs = recorded(f"youtube/{name}")
        assert differing(ours, theirs) == []
        assert members(ours) == members(theirs)
    assert members(first["items"][0]["snippet"]) >= members(
        recorded("youtube/playlist_items_p1_of_2")["items"][0]["snippet"]
    ) - {"thumbnails"}
    wrong = sandbox.get("/youtube/v3/channels", part="id", id=CHANNEL, headers={"Authorization": "Bearer wrong"})
    assert wrong.json() == recorded("youtube/error_401_invalid_credentials")


def test_tiktok_answers_have_the_recorded_form(sandbox, recorded):
    body = {
        "query": {"and": [{"operation": "IN", "field_name": "username", "field_values": ["sbx_tt", "sbx.two"]}]},
        "start_date": "20250501",
        "end_date": "20250530",
        "max_count": 2,
    }
    fields = "id,create_time,username,video_description,like_count,comment_count,share_count,view_count,hashtag_names"
    page = sandbox.tiktok("video/query", body, fields=fields).json()
    theirs = recorded("tiktok/research_videos_p1_of_2")
    user = sandbox.tiktok("user/info", {"username": "sbx_tt"}, fields="display_name,follower_count,likes_count").json()
    refused = sandbox.tiktok("video/query", body | {"cursor": -1}, fields=fields).json()

    assert differing(page, theirs) == []
    assert members(page["data"]) == members(theirs["data"])
    assert members(page["data"]["videos"][0]) <= members(theirs["data"]["videos"][0])
    assert differing(user, recorded("tiktok/research_user_info_doc_example")) == []
    recorded_error = recorded("tiktok/error_400_invalid_count_or_cursor")["error"]
    assert {name: refused["error"][name] for name in ("code", "message")} == {
        name: recorded_error[name] for name in ("code", "message")
    }
