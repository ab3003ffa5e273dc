"""YouTube over a real socket: strings, rounding, the uploads list, errors by reason."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from smi_pipeline.sandbox.process import SandboxProcess

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


def test_a_video_that_was_scheduled_stands_where_it_was_added(write_tables, tmp_path):
    """Newest added is not newest published: whoever stops at the first old video loses the one behind it."""

    def video(name, created, added=""):
        return ("youtube", CHANNEL, name, created, "video", "", "", "", "", "", "", added)

    accounts = [("youtube", CHANNEL, "sbx", "A channel", "", "")]
    folder = write_tables(tmp_path / "scheduled", accounts=accounts)
    header = "platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views,added_at"
    rows = [
        video("early000001", "2025-04-20T00:00:00Z"),
        video("late0000001", "2025-05-20T00:00:00Z", "2025-04-10T00:00:00Z"),
        video("may00000001", "2025-05-10T00:00:00Z"),
    ]
    (folder / "posts.csv").write_text("\n".join([header, *map(",".join, rows)]) + "\n", encoding="utf-8")
    seen = {}
    with SandboxProcess(folder, now=datetime(2025, 6, 3, tzinfo=UTC)) as process:
        for day in (datetime(2025, 5, 15, tzinfo=UTC), datetime(2025, 6, 3, tzinfo=UTC)):
            process.set_clock(day)
            params = {"key": "sandbox", "part": "snippet,contentDetails", "playlistId": UPLOADS}
            page = httpx.get(f"{process.base_url}/youtube/v3/playlistItems", params=params, trust_env=False).json()
            seen[day.day] = [item["contentDetails"]["videoId"] for item in page["items"]]

    assert seen == {15: ["may00000001", "early000001"], 3: ["may00000001", "early000001", "late0000001"]}
    late = page["items"][2]
    assert late["contentDetails"]["videoPublishedAt"] == "2025-05-20T00:00:00Z"
    assert late["snippet"]["publishedAt"] == "2025-04-10T00:00:00Z"


def test_items_of_a_list_are_found_by_their_own_id_and_by_their_video(sandbox):
    asked = {"part": "id,contentDetails"}
    [third] = sandbox.youtube("playlistItems", playlistId=UPLOADS, videoId="video000003", **asked).json()["items"]
    found = sandbox.youtube("playlistItems", id=f"{third['id']},bm9ib2R5", **asked).json()

    assert third["contentDetails"]["videoId"] == "video000003"
    assert found["items"] == [third]
    assert found["pageInfo"]["totalResults"] == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("items(id,contentDetails/videoId)", {"items": [{"id": ..., "contentDetails": {"videoId": "hidden00001"}}]}),
        ("items/contentDetails", {"items": [{"contentDetails": {"videoId": "hidden00001", "videoPublishedAt": ...}}]}),
        ("pageInfo/totalResults,kind", {"pageInfo": {"totalResults": 61}, "kind": ...}),
        ("items(*(videoId))", {"items": [{"kind": ..., "etag": ..., "id": ..., "contentDetails": {"videoId": ...}}]}),
        ("etag,nothing", {"etag": ...}),
    ],
)
def test_an_answer_has_the_fields_that_are_asked_for_alone(sandbox, fields, told):
    def shape(value):
        if isinstance(value, dict):
            return {name: shape(one) for name, one in value.items()}
        return [shape(one) for one in value] if isinstance(value, list) else ...

    ask = {"part": "contentDetails", "playlistId": UPLOADS, "maxResults": 1, "prettyPrint": "false", "alt": "json"}
    assert shape(sandbox.youtube("playlistItems", fields=fields, **ask).json()) == shape(told)


@pytest.mark.parametrize("fields", ["items(", "items)", ",", "items(id", "a//b"])
def test_a_selection_that_is_none_is_refused(sandbox, fields):
    answer = sandbox.youtube("channels", part="id", id=CHANNEL, fields=fields)

    assert (answer.status_code, reason(answer)) == (400, "invalidParameter")


def test_parts_may_be_repeated_or_listed_and_ids_too(sandbox):
    listed = sandbox.youtube("channels", part="id,statistics", id=f"{CHANNEL},{SILENT}").json()

    assert [item["id"] for item in listed["items"]] == [CHANNEL, SILENT]
    repeated = sandbox.youtube("channels", part=["id", "statistics"], id=[CHANNEL, SILENT]).json()
    assert repeated["items"] == listed["items"]


@pytest.mark.parametrize(("size", "items"), [({}, 5), ({"maxResults": 0}, 0), ({"maxResults": 50}, 50)])
def test_a_page_has_five_items_or_as_many_as_asked_for_up_to_fifty(sandbox, size, items):
    page = sandbox.youtube("playlistItems", part="id", playlistId=UPLOADS, **size).json()

    assert len(page["items"]) == items


def test_a_token_may_stand_in_the_query(sandbox):
    ask = {"part": "id", "id": CHANNEL}
    assert sandbox.get("/youtube/v3/channels", access_token="sandbox", **ask).status_code == 200
    assert sandbox.get("/youtube/v3/channels", access_token="wrong", **ask).status_code == 401


def test_a_search_finds_a_channels_videos_of_a_window_and_says_where_it_goes_on(sandbox):
    asked = {"part": "snippet", "channelId": CHANNEL, "type": "video", "order": "date", "maxResults": 2}
    window = {"publishedAfter": "2025-05-01T03:00:00Z", "publishedBefore": "2025-05-01T05:00:00Z"}
    first = sandbox.youtube("search", **asked, **window).json()
    last = sandbox.youtube("search", **asked, **window, pageToken=first["nextPageToken"]).json()

    assert [item["id"] for item in first["items"] + last["items"]] == [
        {"kind": "youtube#video", "videoId": f"video{n:06d}"} for n in (5, 4, 3)
    ]
    assert first["items"][0]["snippet"]["publishedAt"] == "2025-05-01T05:00:00Z"
    assert "nextPageToken" not in last
    assert first["pageInfo"] == {"totalResults": 3, "resultsPerPage": 2}
    assert sandbox.youtube("search", part="id", q="no such words").json()["items"] == []
    assert reason(sandbox.youtube("search", part="id", publishedAfter="May")) == "invalidParameter"
    assert reason(sandbox.youtube("search", part="id", order="colour")) == "invalidParameter"


def test_searches_have_a_bucket_of_their_own_and_units_another(sandbox):
    """Also a refused request costs a unit; a search costs none, but there are few of them a day."""
    sandbox.process.set_clock(datetime(2031, 1, 1, 9, tzinfo=UTC))
    sandbox.process.set_faults({"limits": {"youtube": {"units_a_day": 2, "searches_a_day": 1}}})
    try:
        searches = [sandbox.youtube("search", part="id") for _ in range(2)]
        lists = [sandbox.youtube("channels", part=part, id=CHANNEL) for part in ("id", "shoes", "id")]
        sandbox.process.set_clock(datetime(2031, 1, 2, 8, tzinfo=UTC))  # midnight in Los Angeles
        renewed = [sandbox.youtube("search", part="id"), sandbox.youtube("channels", part="id", id=CHANNEL)]
    finally:
        sandbox.process.set_faults({})

    assert [answer.status_code for answer in searches] == [200, 429]
    assert "Search Queries per day" in searches[1].json()["error"]["message"]
    assert searches[1].json()["error"]["details"][0]["metadata"]["quota_unit"] == "1/d/{project}"
    assert [answer.status_code for answer in lists] == [200, 400, 403]
    assert reason(lists[2]) == "quotaExceeded"
    assert [answer.status_code for answer in renewed] == [200, 200]


def test_titles_found_by_a_search_are_escaped_and_those_of_a_list_are_not(sandbox):
    [found] = sandbox.youtube("search", part="snippet", q="Rock & Roll").json()["items"]
    [video] = sandbox.youtube("videos", part="snippet", id="marks000001").json()["items"]

    assert found["snippet"]["title"] == "Rock &amp; Roll: it&#39;s &lt;live&gt;"
    assert video["snippet"]["title"] == "Rock & Roll: it's <live>"


def test_snippets_have_what_youtube_always_sends_of_videos_and_channels(sandbox):
    [video] = sandbox.youtube("videos", part="snippet", id="video000001").json()["items"]
    [channel] = sandbox.youtube("channels", part="snippet", id=CHANNEL).json()["items"]

    assert video["snippet"]["thumbnails"]["default"]["url"] == "https://i.ytimg.com/vi/video000001/default.jpg"
    assert video["snippet"]["localized"] == {"title": "text video000001", "description": ""}
    assert channel["snippet"]["localized"] == {"title": "A channel", "description": ""}
