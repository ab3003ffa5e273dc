"""What changes after it was there: posts deleted and edited, accounts renamed and suspended."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from smi_pipeline.sandbox.dataset import DatasetError, load
from smi_pipeline.sandbox.process import SandboxProcess

BEFORE, AFTER = datetime(2025, 6, 3, tzinfo=UTC), datetime(2025, 6, 10, tzinfo=UTC)
CHANGE = "2025-06-05T00:00:00Z"
PAGE, CHANNEL, IG = "100200300", "UC0123456789abcdefghijkl", "17841400000000777"
OWNERS = {"facebook": PAGE, "x": "42", "instagram": IG, "youtube": CHANNEL, "tiktok": "sbx_tt"}
IDS = {
    "facebook": [f"{PAGE}_{n}" for n in range(3)],
    "x": [str(1000 + n) for n in range(3)],
    "instagram": [f"1790000000000000{n}" for n in range(3)],
    "youtube": [f"video00000{n}" for n in range(3)],
    "tiktok": [str(7_500_000_000_000_000_001 + n) for n in range(3)],
}
ACCOUNTS = "platform,account_id,handle,display_name,followers,followers_at,suspended_at,renamed_at,former_handle"
POSTS = "platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views,deleted_at"
SNAPSHOTS = "platform,account_id,post_id,observed_at,likes,comments,shares,views,text"


def tables():
    """On each platform three videos: the second is deleted and the third edited between the two instants."""
    posts, edits = [POSTS], [SNAPSHOTS]
    for platform, ids in IDS.items():
        for day, post_id in enumerate(ids, 1):
            gone = CHANGE if day == 2 else ""
            posts.append(
                f"{platform},{OWNERS[platform]},{post_id},2025-05-0{day}T00:00:00Z,video,as written,,5,1,,,{gone}"
            )
        edits.append(f"{platform},{OWNERS[platform]},{ids[2]},{CHANGE},6,1,,,as edited")
    posts.append("x,66,6600,2025-05-01T00:00:00Z,text,still said,,1,1,1,,")
    accounts = [ACCOUNTS, *(f"{platform},{owner},sbx_{platform},Name,9,,,," for platform, owner in OWNERS.items())]
    accounts += [
        f"x,66,sbx_gone,Suspended,9,,{CHANGE},,",
        f"x,77,sbx_new,Renamed,9,,,{CHANGE},sbx_old",
        f"instagram,17841400000000778,sbx_ig_new,Renamed,9,,,{CHANGE},sbx_ig_old",
    ]
    return {"accounts": accounts, "posts": posts, "snapshots": edits}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("history")
    for name, lines in tables().items():
        (path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def process(folder):
    with SandboxProcess(folder) as running:
        yield running


@pytest.fixture
def ask(process):
    """Ask at an instant, as each platform's clients do."""
    with httpx.Client(base_url=process.base_url, trust_env=False) as http:

        def at(instant, path, **params):
            process.set_clock(instant)
            return http.get(path, params=params, headers={"Authorization": "Bearer sandbox"}).json()

        def post(instant, path, body, **params):
            process.set_clock(instant)
            form = {"client_key": "sandbox", "client_secret": "sandbox", "grant_type": "client_credentials"}
            token = http.post("/v2/oauth/token/", data=form).json()["access_token"]
            return http.post(path, params=params, json=body, headers={"Authorization": f"Bearer {token}"}).json()

        at.post = post
        yield at


def texts(ask, platform, instant):
    """The texts of an account's posts, newest first, by the platform's own listing."""
    match platform:
        case "facebook":
            listed = ask(instant, f"/v26.0/{PAGE}/posts", access_token="sandbox", fields="message")
            return [post["message"] for post in listed["data"]]
        case "x":
            return [post["text"] for post in ask(instant, "/2/users/42/tweets")["data"]]
        case "instagram":
            fields = "business_discovery.username(sbx_instagram){media{caption}}"
            told = ask(instant, "/v26.0/17841400000000001", access_token="sandbox", fields=fields)
            return [post["caption"] for post in told["business_discovery"]["media"]["data"]]
        case "youtube":
            playlist = "UU" + CHANNEL[2:]
            listed = ask(instant, "/youtube/v3/playlistItems", key="sandbox", part="snippet", playlistId=playlist)
            return [item["snippet"]["title"] for item in listed["items"]]
        case _:
            body = {
                "query": {"and": [{"operation": "EQ", "field_name": "username", "field_values": ["sbx_tiktok"]}]},
                "start_date": "20250501",
                "end_date": "20250530",
            }
            answer = ask.post(instant, "/v2/research/video/query/", body, fields="id,video_description")
            return [video["video_description"] for video in answer["data"]["videos"]]


@pytest.mark.parametrize("platform", list(OWNERS))
def test_a_deleted_post_is_gone_and_an_edited_one_says_its_new_words(ask, platform):
    assert texts(ask, platform, BEFORE) == ["as written"] * 3
    assert texts(ask, platform, AFTER) == ["as edited", "as written"]


def test_pages_stay_whole_around_a_deleted_post(ask):
    """One post a page: the post between two others vanishes, the one after it does not."""
    seen, after = [], {}
    for _ in range(2):
        page = ask(AFTER, f"/v26.0/{PAGE}/posts", access_token="sandbox", fields="id", limit=1, **after)
        seen += [post["id"] for post in page["data"]]
        after = {"after": page["paging"]["cursors"]["after"]}
    assert seen == [IDS["facebook"][2], IDS["facebook"][0]]
    assert "next" not in page["paging"]


def test_a_deleted_post_cannot_be_asked_for_by_its_id_and_is_not_counted(ask):
    deleted = IDS["x"][1]
    assert "data" in ask(BEFORE, "/2/tweets", ids=deleted)
    assert ask(AFTER, "/2/tweets", ids=deleted)["errors"][0]["title"] == "Not Found Error"
    for instant, count in ((BEFORE, 3), (AFTER, 2)):
        user = ask(instant, "/2/users/42", **{"user.fields": "public_metrics"})["data"]
        assert user["public_metrics"]["tweet_count"] == count


def test_a_suspended_account_says_so_on_x_by_id_and_by_name(ask):
    assert ask(BEFORE, "/2/users/by", usernames="sbx_gone")["data"][0]["id"] == "66"
    for answer in (
        ask(AFTER, "/2/users/by", usernames="sbx_gone"),
        ask(AFTER, "/2/users", ids="66"),
        ask(AFTER, "/2/users/66/tweets"),
    ):
        assert "data" not in answer
        [problem] = answer["errors"]
        assert problem["title"] == "Forbidden"
        assert problem["detail"].startswith("User has been suspended: [")
    assert ask(AFTER, "/2/tweets", ids="6600")["errors"][0]["title"] == "Not Found Error"


def test_a_renamed_account_answers_to_its_name_of_the_time_and_always_to_its_id(ask):
    for instant, name, other in ((BEFORE, "sbx_old", "sbx_new"), (AFTER, "sbx_new", "sbx_old")):
        assert ask(instant, "/2/users/by", usernames=name)["data"][0]["id"] == "77"
        assert ask(instant, "/2/users", ids="77")["data"][0]["username"] == name
        assert ask(instant, "/2/users/by", usernames=other)["errors"][0]["title"] == "Not Found Error"


def test_a_renamed_instagram_account_is_lost_to_who_asks_by_the_old_name(ask):
    def asked(instant, name):
        fields = f"business_discovery.username({name}){{username}}"
        return ask(instant, "/v26.0/17841400000000001", access_token="sandbox", fields=fields)

    assert asked(BEFORE, "sbx_ig_old")["business_discovery"]["username"] == "sbx_ig_old"
    assert asked(AFTER, "sbx_ig_old")["error"]["error_subcode"] == 2207013


def test_a_new_name_without_its_day_is_named_with_its_line(tmp_path):
    for name, lines in tables().items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    accounts = tmp_path / "accounts.csv"
    accounts.write_text(accounts.read_text().replace(f"{CHANGE},sbx_old", ",sbx_old"), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"accounts\.csv line 8: former_handle: expected .* renamed_at"):
        load(tmp_path)
