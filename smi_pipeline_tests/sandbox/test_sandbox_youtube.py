"""YouTube over a real socket: strings, rounding, the uploads list, errors by reason."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

CHANNEL = "UC0123456789abcdefghijkl"
SILENT = "UCsilent0000000000000000"
UPLOADS = "UU" + CHANNEL[2:]


def reason(answer):
    return answer.json()["error"]["errors"][0]["reason"]


def test_the_uploads_list_is_paged_to_its_last_video_newest_first(sandbox):
    ids, token, sizes = [], {}, []
    while True:
        answer = sandbox.youtube("playlistItems", part="contentDetails", playlistId=UPLOADS, maxResults=25, **token)
        page = answer.json()
        sizes.append(len(page["items"]))
        ids += [item["contentDetails"]["videoId"] for item in page["items"]]
        if "nextPageToken" not in page:
            break
        token = {"pageToken": page["nextPageToken"]}

    assert sizes == [25, 25, 11]
    assert ids == ["hidden00001", *(f"video{n:06d}" for n in range(59, -1, -1))]
    assert page["pageInfo"] == {"totalResults": 61, "resultsPerPage": 25}
    back = sandbox.youtube(
        "playlistItems", part="id", playlistId=UPLOADS, maxResults=25, pageToken=page["prevPageToken"]
    ).json()
    assert len(back["items"]) == 25


def test_five_items_are_a_page_when_nothing_is_asked(sandbox):
    page = sandbox.youtube("playlistItems", part="contentDetails", playlistId=UPLOADS).json()
    channels = sandbox.youtube("channels", part="id", id=",".join(f"UCmany{n:02d}0000000000000000" for n in range(6)))
    rest = sandbox.youtube(
        "channels",
        part="id",
        id=",".join(f"UCmany{n:02d}0000000000000000" for n in range(6)),
        pageToken=channels.json()["nextPageToken"],
    )

    assert len(page["items"]) == 5
    assert page["items"][0]["contentDetails"]["videoPublishedAt"] == "2025-05-03T13:00:00Z"
    assert (len(channels.json()["items"]), len(rest.json()["items"])) == (5, 1)
    assert "nextPageToken" not in rest.json()


def test_counts_are_strings_and_hidden_ones_are_absent(sandbox):
    page = sandbox.youtube("videos", part="statistics", id="video000002,hidden00001,video000002").json()

    assert [item["statistics"] for item in page["items"]] == [
        {"viewCount": "1002", "likeCount": "1", "favoriteCount": "0", "commentCount": "2"},
        {"viewCount": "5", "favoriteCount": "0"},
    ]
    assert "snippet" not in page["items"][0]


def test_ids_nobody_has_are_simply_not_in_the_answer(sandbox):
    page = sandbox.youtube("videos", part="snippet,contentDetails", id="nosuchvideo,video000003").json()

    [item] = page["items"]
    assert item["id"] == "video000003"
    assert item["snippet"]["publishedAt"] == "2025-05-01T03:00:00Z"
    assert item["contentDetails"]["duration"].startswith("PT")
    assert page["pageInfo"] == {"totalResults": 1, "resultsPerPage": 1}


def test_of_a_repeated_post_id_the_last_row_is_told(sandbox):
    [item] = sandbox.youtube("videos", part="snippet,statistics", id="video000000").json()["items"]

    assert item["snippet"]["title"] == "Said again"
    assert item["statistics"]["viewCount"] == "70"


@pytest.mark.parametrize("asked", [{"forHandle": "@sbx_channel"}, {"forHandle": "Sbx Channel"}, {"id": CHANNEL}])
def test_a_channel_is_found_by_handle_and_id(sandbox, asked):
    [channel] = sandbox.youtube("channels", part="snippet,statistics,contentDetails", **asked).json()["items"]

    assert channel["id"] == CHANNEL
    assert channel["snippet"]["customUrl"] == "@sbx_channel"
    assert channel["contentDetails"]["relatedPlaylists"]["uploads"] == UPLOADS
    assert channel["statistics"] == {
        "viewCount": str(70 + 5000 + sum(1000 + n for n in range(2, 60)) + 5),
        "subscriberCount": "1230",
        "hiddenSubscriberCount": False,
        "videoCount": "61",
    }


def test_an_unknown_handle_gives_no_items_and_no_error(sandbox):
    answer = sandbox.youtube("channels", part="statistics", forHandle="nobody")

    assert answer.status_code == 200
    assert answer.json()["pageInfo"]["totalResults"] == 0
    assert "items" not in answer.json()


def test_a_channel_without_uploads_has_no_playlist(sandbox):
    answer = sandbox.youtube("playlistItems", part="contentDetails", playlistId="UU" + SILENT[2:])

    assert (answer.status_code, reason(answer)) == (404, "playlistNotFound")
    [channel] = sandbox.youtube("channels", part="statistics", id=SILENT).json()["items"]
    assert channel["statistics"] == {"hiddenSubscriberCount": True, "videoCount": "0"}


def test_counts_and_subscribers_are_those_of_the_clock(sandbox):
    def seen(day):
        sandbox.process.set_clock(datetime(2025, 5, day, tzinfo=UTC))
        [video] = sandbox.youtube("videos", part="statistics", id="video000001").json()["items"]
        [channel] = sandbox.youtube("channels", part="statistics", id=CHANNEL).json()["items"]
        return video["statistics"], channel["statistics"]["subscriberCount"]

    assert seen(2) == (
        {"viewCount": "1001", "likeCount": "1", "favoriteCount": "0", "commentCount": "2"},
        "123000",
    )
    assert seen(10)[0] == {"viewCount": "4000", "likeCount": "6", "favoriteCount": "0", "commentCount": "1"}
    assert seen(21) == ({"viewCount": "5000", "likeCount": "7", "favoriteCount": "0"}, "1230")


def test_videos_of_the_future_do_not_exist_yet(sandbox):
    sandbox.process.set_clock(datetime(2025, 5, 1, 2, tzinfo=UTC))

    page = sandbox.youtube("playlistItems", part="contentDetails", playlistId=UPLOADS, maxResults=50).json()
    assert [item["contentDetails"]["videoId"] for item in page["items"]] == [
        "video000002",
        "video000001",
        "video000000",
    ]
    assert sandbox.youtube("videos", part="id", id="video000003").json()["items"] == []


@pytest.mark.parametrize(
    ("path", "params", "status", "expected"),
    [
        ("channels", {"id": CHANNEL}, 400, "missingRequiredParameter"),
        ("channels", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("channels", {"part": "shoes", "id": CHANNEL}, 400, "unknownPart"),
        ("channels", {"part": "id", "id": CHANNEL, "forHandle": "x"}, 400, "incompatibleParameters"),
        ("channels", {"part": "id", "id": ",".join(["UC"] * 51)}, 400, "invalidParameter"),
        ("videos", {"part": "id", "id": ",".join(f"v{n}" for n in range(51))}, 400, "invalidParameter"),
        ("videos", {"part": "id", "id": "video000001", "maxResults": 5}, 400, "invalidParameter"),
        ("playlistItems", {"part": "id", "playlistId": UPLOADS, "maxResults": 51}, 400, "invalidParameter"),
        ("playlistItems", {"part": "id", "playlistId": UPLOADS, "pageToken": "made-up"}, 400, "invalidPageToken"),
        ("playlistItems", {"part": "id", "playlistId": "PLnobody"}, 404, "playlistNotFound"),
        ("comments", {"part": "id"}, 404, "notFound"),
    ],
)
def test_youtube_says_why_it_refuses(sandbox, path, params, status, expected):
    answer = sandbox.youtube(path, **params)

    assert (answer.status_code, reason(answer)) == (status, expected)
    assert answer.json()["error"]["code"] == status


def test_keys_and_tokens_of_youtube_are_checked(sandbox):
    ask = {"part": "id", "id": CHANNEL}
    wrong = sandbox.get("/youtube/v3/channels", key="wrong", **ask)
    none = sandbox.get("/youtube/v3/channels", **ask)
    bearer = sandbox.get("/youtube/v3/channels", headers={"Authorization": "Bearer wrong"}, **ask)

    assert (wrong.status_code, wrong.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert (none.status_code, none.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert (bearer.status_code, reason(bearer)) == (401, "authError")
    for headers in ({"X-Goog-Api-Key": "sandbox"}, {"Authorization": "Bearer sandbox"}):
        assert sandbox.get("/youtube/v3/channels", headers=headers, **ask).status_code == 200


def test_a_long_first_line_is_cut_between_words_into_title_and_description(sandbox):
    [item] = sandbox.youtube("videos", part="snippet", id="longtitle01").json()["items"]
    [spaceless] = sandbox.youtube("videos", part="snippet", id="longtitle02").json()["items"]

    assert item["snippet"]["title"] == " ".join(["word"] * 20)  # 99 characters; the next word would pass 100
    assert item["snippet"]["description"] == "word #tag\nsecond line"
    assert (len(spaceless["snippet"]["title"]), len(spaceless["snippet"]["description"])) == (100, 20)
