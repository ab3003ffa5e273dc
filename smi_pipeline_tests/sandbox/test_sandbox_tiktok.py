"""TikTok over a real socket: tokens, 30-day windows of UTC days, cursors with search ids, large integers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

FIELDS = "id,create_time,username,video_description,like_count,comment_count,share_count,view_count,hashtag_names"


def condition(name="username", operation="IN", *values):
    return {"operation": operation, "field_name": name, "field_values": list(values)}


def query(*names, start="20250501", end="20250531", **more):
    body = {"query": {"and": [condition("username", "IN", *(names or ("sbx_tt",)))]}}
    return body | {"start_date": start, "end_date": end, "max_count": 100} | more


def ids(answer):
    return [video["id"] for video in answer.json()["data"]["videos"]]


def test_videos_of_several_accounts_are_paged_to_the_last_by_cursor_and_search_id(sandbox):
    got, position = [], {}
    while True:
        body = query("sbx_tt", "sbx.two", max_count=30, **position)
        data = sandbox.tiktok("video/query", body, fields=FIELDS).json()["data"]
        got.append(data)
        if not data["has_more"]:
            break
        position = {"cursor": data["cursor"], "search_id": data["search_id"]}

    every = [video["id"] for page in got for video in page["videos"]]
    assert [len(page["videos"]) for page in got] == [30, 30, 3]  # 62 of one account in May, 1 of the other
    assert [page["cursor"] for page in got] == [30, 60, 63]
    assert every == sorted(every, reverse=True)
    assert len(set(every)) == 63
    assert all(isinstance(one, int) and one > 2**53 for one in every)


def test_a_random_order_has_each_video_once_and_is_another_than_by_id(sandbox):
    got, position = [], {}
    while True:
        answer = sandbox.tiktok("video/query", query(max_count=30, is_random=True, **position), fields="id")
        got += ids(answer)
        if not answer.json()["data"]["has_more"]:
            break
        position = {name: answer.json()["data"][name] for name in ("cursor", "search_id")}

    every = ids(sandbox.tiktok("video/query", query(), fields="id"))
    assert sorted(got, reverse=True) == every
    assert got != every
    in_order = sandbox.tiktok("video/query", query(max_count=30, **position), fields="id")
    assert in_order.json()["error"]["code"] == "invalid_params"  # the search id is of the other query


def test_the_two_ends_of_a_window_are_whole_utc_days(sandbox):
    one_day = sandbox.tiktok("video/query", query(start="20250502", end="20250502"), fields="id,create_time")

    times = [video["create_time"] for video in one_day.json()["data"]["videos"]]
    assert [datetime.fromtimestamp(time, UTC).hour for time in times] == [12, 0]
    assert sandbox.tiktok("video/query", query(end="20250601"), fields="id").status_code == 400
    assert sandbox.tiktok("video/query", query(end="20250531"), fields="id").status_code == 200


def test_a_video_is_told_with_the_fields_asked_for_and_its_time_in_its_id(sandbox):
    [video] = sandbox.tiktok("video/query", query("SBX.two"), fields=FIELDS).json()["data"]["videos"]

    assert video == {
        "id": video["id"],
        "create_time": int(datetime(2025, 5, 2, 6, tzinfo=UTC).timestamp()),
        "username": "sbx.two",
        "video_description": "#Food and #旅行 #Food",
        "like_count": 1,
        "comment_count": 2,
        "view_count": 11,
        "hashtag_names": ["Food", "旅行"],
    }
    assert video["id"] >> 32 == video["create_time"]


def test_pages_of_one_search_do_not_shift_when_a_video_arrives(sandbox):
    sandbox.process.set_clock(datetime(2025, 5, 6, 1, tzinfo=UTC))
    first = sandbox.tiktok("video/query", query(max_count=6), fields="id")
    sandbox.process.set_clock(datetime(2025, 5, 6, 13, tzinfo=UTC))
    position = {"cursor": 6, "search_id": first.json()["data"]["search_id"]}
    second = sandbox.tiktok("video/query", query(max_count=6, **position), fields="id")

    assert [one - 7_500_000_000_000_000_001 for one in ids(first) + ids(second)] == list(range(10, -1, -1))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"and": [condition("username", "EQ", "sbx.two")]}, 1),
        ({"and": [condition("username", "EQ", "nobody")]}, 0),
        ({"or": [condition("username", "EQ", "sbx.two"), condition("create_date", "EQ", "20250503")]}, 3),
        (
            {"and": [condition("create_date", "GTE", "20250530")], "not": [condition("create_date", "GT", "20250530")]},
            2,
        ),
        ({"and": [condition("create_date", "LT", "20250502")]}, 2),
        ({"and": [condition("create_date", "LTE", "20250502")]}, 5),
        ({"and": [condition("create_date", "IN", "20250501", "20250503")]}, 4),
        ({"and": [condition("hashtag_name", "EQ", "food")]}, 1),
        ({"and": [condition("keyword", "IN", "旅行")]}, 1),
        ({"and": [condition("video_id", "IN", "7500000000000000001")]}, 1),
        ({"and": [condition("region_code", "EQ", "CN")]}, 0),
    ],
)
def test_conditions_choose_videos(sandbox, conditions, expected):
    answer = sandbox.tiktok("video/query", query() | {"query": conditions}, fields="id")

    assert len(ids(answer)) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"max_count": 101},
        {"max_count": 0},
        {"max_count": True},
        {"is_random": "yes"},
        {"cursor": -1},
        {"cursor": 10},
        {"search_id": "7600000000000000000"},
        {"search_id": "nonsense", "cursor": 3},
        {"start_date": "2025-05-01"},
        {"start_date": "20250532"},
        {"end_date": "20250430"},
        {"end_date": "20250601"},
        {"end_date": None},
        {"query": {}},
        {"query": {"and": "username"}},
        {"query": {"and": [condition("username", "GT", "a")]}},
        {"query": {"and": [condition("username", "IS", "a")]}},
        {"query": {"and": [condition("username", "EQ")]}},
        {"query": {"and": [condition("shoe_size", "EQ", "44")]}},
        {"query": {"and": [condition("create_date", "EQ", "May")]}},
    ],
)
def test_a_query_tiktok_cannot_read_is_invalid_params(sandbox, change):
    answer = sandbox.tiktok("video/query", query() | change, fields="id")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_params")
    assert answer.json()["error"]["log_id"]


DOCUMENTED = (
    "id,video_description,create_time, region_code,share_count,view_count,like_count,comment_count, music_id,"
    "hashtag_names, username,effect_ids,playlist_id,voice_to_text, is_stem_verified, favorites_count, video_duration,"
    "hashtag_info_list, sticker_info_list, effect_info_list, video_mention_list,video_label,video_tag"
)


def test_fields_are_required_and_known(sandbox):
    assert len(ids(sandbox.tiktok("video/query", query("sbx.two"), fields=DOCUMENTED))) == 1
    for fields in ("", "id,shoe_size"):
        assert sandbox.tiktok("video/query", query(), fields=fields).status_code == 400
    for body in (b"no json", b"[" * 100_000, b"\xff\xfe"):
        assert sandbox.tiktok("video/query", body, fields="id").json()["error"]["code"] == "invalid_params"
    assert sandbox.tiktok("video/query", query(search_id=""), fields="id").status_code == 200


def test_an_account_is_told_without_its_name_or_id(sandbox):
    fields = "display_name,is_verified,follower_count,following_count,likes_count,video_count"
    told = sandbox.tiktok("user/info", {"username": "SBX_tt"}, fields=fields).json()

    assert told["data"] == {
        "display_name": "Some videos",
        "is_verified": False,
        "follower_count": 99,
        "following_count": 0,
        "likes_count": 67,  # one each, every twelve hours from 1 May to this very instant
        "video_count": 67,
    }
    assert told["error"]["code"] == "ok"


def test_a_missing_account_cannot_be_found(sandbox):
    answer = sandbox.tiktok("user/info", {"username": "nobody"}, fields="display_name")

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "nobody is invalid: cannot find the user"
    assert sandbox.tiktok("user/info", {}, fields="display_name").status_code == 400


def test_a_client_token_lasts_two_hours_of_the_sandboxs_clock(sandbox):
    start = datetime(2025, 6, 3, tzinfo=UTC)
    answer = sandbox.credentials()
    token = answer.json()["access_token"]

    def status(later):
        sandbox.process.set_clock(start + later)
        return sandbox.tiktok("user/info", {"username": "sbx_tt"}, token=token, fields="display_name").status_code

    assert token.startswith("clt.")
    assert answer.json() == {"access_token": token, "expires_in": 7200, "token_type": "Bearer"}
    assert status(timedelta(seconds=7190)) == 200
    assert status(timedelta(seconds=7205)) == 401


def test_wrong_client_credentials_and_tokens_are_refused(sandbox):
    refused = sandbox.credentials(client_secret="wrong")
    wrong = sandbox.tiktok("user/info", {"username": "sbx_tt"}, token="clt.0.0", fields="display_name")

    assert refused.status_code == 400
    assert refused.json()["error"] == "invalid_client"
    assert sandbox.credentials(grant_type="password").json()["error"] == "unsupported_grant_type"
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "access_token_invalid")
    assert sandbox.http.post("/v2/research/video/query/").status_code == 401
    assert sandbox.http.get("/v2/research/video/query/").status_code == 404
