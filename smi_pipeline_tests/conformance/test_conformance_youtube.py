"""google-api-python-client (Google's own) and python-youtube read a channel."""

from __future__ import annotations

from datetime import datetime

import pytest
import pyyoutube
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from written import FOLLOWERS, HANDLES, JUNE, MAY, TIMES, Post, of_may, summed

HANDLE = "@" + HANDLES["youtube"]
QUIET = "UUquiet00000000000000000"


def google(base, key="sandbox"):
    return build(
        *("youtube", "v3"),
        developerKey=key,
        static_discovery=True,
        cache_discovery=False,
        client_options={"api_endpoint": base},
    )


def python_youtube(key="sandbox"):
    return pyyoutube.Client(api_key=key)


def in_may(told):
    return MAY <= datetime.fromisoformat(told) < JUNE


def whole(count):
    """YouTube writes counts as text; a hidden one is not there."""
    return None if count is None else int(count)


def read_with_google(base):
    with google(base) as youtube:
        parts = "snippet,statistics,contentDetails"
        [channel] = youtube.channels().list(part=parts, forHandle=HANDLE).execute()["items"]
        uploads = channel["contentDetails"]["relatedPlaylists"]["uploads"]
        ids = []
        asked = youtube.playlistItems().list(part="contentDetails", playlistId=uploads, maxResults=50)
        while asked is not None:
            page = asked.execute()
            ids += [
                item["contentDetails"]["videoId"]
                for item in page["items"]
                if in_may(item["contentDetails"]["videoPublishedAt"])
            ]
            asked = youtube.playlistItems().list_next(asked, page)
        posts = {}
        for first in range(0, len(ids), 50):
            told = youtube.videos().list(part="snippet,statistics", id=ids[first : first + 50]).execute()
            for video in told["items"]:
                snippet, counts = video["snippet"], video["statistics"]
                posts[video["id"]] = Post(
                    f"{snippet['title']}\n{snippet['description']}",
                    whole(counts.get("likeCount")),
                    whole(counts.get("commentCount")),
                    None,
                    whole(counts.get("viewCount")),
                )
    statistics = channel["statistics"]
    return channel["snippet"]["title"], int(statistics["subscriberCount"]), int(statistics["videoCount"]), posts


def read_with_python_youtube(_):
    youtube = python_youtube()
    [channel] = youtube.channels.list(parts="snippet,statistics,contentDetails", for_handle=HANDLE).items
    uploads = channel.contentDetails.relatedPlaylists.uploads
    ids, token = [], None
    while True:
        page = youtube.playlistItems.list(parts="contentDetails", playlist_id=uploads, max_results=50, page_token=token)
        ids += [item.contentDetails.videoId for item in page.items if in_may(item.contentDetails.videoPublishedAt)]
        token = page.nextPageToken
        if token is None:
            break
    posts = {}
    for first in range(0, len(ids), 50):
        for video in youtube.videos.list(parts=["snippet", "statistics"], video_id=ids[first : first + 50]).items:
            posts[video.id] = Post(
                f"{video.snippet.title}\n{video.snippet.description}",
                whole(video.statistics.likeCount),
                whole(video.statistics.commentCount),
                None,
                whole(video.statistics.viewCount),
            )
    statistics = channel.statistics
    return channel.snippet.title, int(statistics.subscriberCount), int(statistics.videoCount), posts


@pytest.mark.parametrize("read", [read_with_google, read_with_python_youtube])
def test_a_channel_and_all_its_videos_of_the_month_are_read_as_they_were_written(sandbox, read):
    name, subscribers, videos, posts = read(sandbox)
    assert (name, videos) == ("名 youtube", len(TIMES))
    assert subscribers == FOLLOWERS["youtube"] // 1_000 * 1_000  # three figures, as YouTube tells them
    assert summed(posts.values()) == summed(of_may("youtube").values())
    assert posts == of_may("youtube")


def test_google_finds_no_items_under_an_unknown_handle(sandbox):
    with google(sandbox) as youtube:
        told = youtube.channels().list(part="id", forHandle="@nobody_at_all").execute()
    assert "items" not in told
    assert told["pageInfo"]["totalResults"] == 0


def test_python_youtube_finds_no_items_under_an_unknown_handle(sandbox):
    assert python_youtube().channels.list(parts="id", for_handle="@nobody_at_all").items is None


def test_google_is_told_that_a_channel_without_videos_has_no_such_playlist(sandbox):
    with google(sandbox) as youtube, pytest.raises(HttpError) as told:
        youtube.playlistItems().list(part="contentDetails", playlistId=QUIET).execute()
    assert told.value.status_code == 404
    assert told.value.error_details[0]["reason"] == "playlistNotFound"


def test_python_youtube_is_told_that_a_channel_without_videos_has_no_such_playlist(sandbox):
    with pytest.raises(pyyoutube.PyYouTubeException) as told:
        python_youtube().playlistItems.list(parts="contentDetails", playlist_id=QUIET)
    assert (told.value.status_code, told.value.error_type) == (404, "YouTubeException")


def test_google_is_told_that_a_key_is_wrong(sandbox):
    with google(sandbox, key="wrong") as youtube, pytest.raises(HttpError) as told:
        youtube.channels().list(part="id", forHandle=HANDLE).execute()
    assert told.value.status_code == 400
    assert told.value.error_details[0]["reason"] == "API_KEY_INVALID"


def test_python_youtube_is_told_that_a_key_is_wrong(sandbox):
    with pytest.raises(pyyoutube.PyYouTubeException, match="API key not valid") as told:
        python_youtube("wrong").channels.list(parts="id", for_handle=HANDLE)
    assert told.value.status_code == 400


def test_google_searches_a_channel_and_takes_the_fields_it_names(sandbox):
    with google(sandbox) as youtube:
        [channel] = youtube.channels().list(part="id", forHandle=HANDLE, fields="items/id").execute()["items"]
        asked = youtube.search().list(
            part="snippet",
            channelId=channel["id"],
            type="video",
            order="date",
            maxResults=50,
            publishedAfter=MAY.isoformat(),
            publishedBefore=JUNE.isoformat(),
            fields="nextPageToken,items(id/videoId)",
        )
        ids = []
        while asked is not None:
            page = asked.execute()
            assert page.keys() <= {"nextPageToken", "items"}
            ids += [item["id"]["videoId"] for item in page["items"]]
            asked = youtube.search().list_next(asked, page)

    assert channel.keys() == {"id"}
    assert sorted(ids[1:]) == sorted(of_may("youtube"))  # June's first instant is still let in, and the newest
