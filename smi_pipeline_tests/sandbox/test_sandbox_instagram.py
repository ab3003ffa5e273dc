"""Instagram over a real socket: business_discovery, cursors alone, hidden likes, error 110."""

from __future__ import annotations

from datetime import UTC, datetime

MEDIA = "id,timestamp,media_type,media_product_type,like_count,comments_count,view_count,permalink"


def test_media_are_paged_by_cursors_alone_to_the_last(sandbox):
    ids, cursors, after = [], [], ""
    while True:
        answer = sandbox.discover(f"username(sbx_ig){{media{after}.limit(3){{id,timestamp}}}}").json()
        media = answer["business_discovery"]["media"]
        ids += [item["id"] for item in media["data"]]
        cursors.append(set(media["paging"]["cursors"]))
        assert set(media["paging"]) == {"cursors"}
        if "after" not in media["paging"]["cursors"]:
            break
        after = f".after({media['paging']['cursors']['after']})"

    assert ids[1:] == [f"9000000000000000{n}" for n in range(6, -1, -1)]
    assert cursors == [{"after"}, {"before", "after"}, {"before"}]
    before = f".before({media['paging']['cursors']['before']})"
    back = sandbox.discover(f"username(sbx_ig){{media{before}.limit(3){{id}}}}").json()
    assert [item["id"] for item in back["business_discovery"]["media"]["data"]] == ids[3:6]


def test_statistics_and_media_come_in_one_answer_under_the_asking_accounts_id(sandbox):
    answer = sandbox.discover(
        f"username(SBX_IG){{username,followers_count,media_count,media.limit(2){{{MEDIA}}}}}"
    ).json()

    assert answer["id"] == "17841400000000001"
    told = answer["business_discovery"]
    assert (told["id"], told["username"]) == ("17841400000000777", "sbx_ig")
    assert (told["followers_count"], told["media_count"]) == (777, 8)
    short, photo = told["media"]["data"]
    assert short["id"].isdecimal()
    assert len(short["id"]) == 17
    assert short == {
        "id": short["id"],
        "timestamp": "2025-05-01T08:00:00+0000",
        "media_type": "VIDEO",
        "media_product_type": "REELS",
        "comments_count": 2,
        "view_count": 55,
        "permalink": "https://www.instagram.com/p/CShort/",
    }
    assert (photo["media_type"], photo["media_product_type"], photo["like_count"]) == ("IMAGE", "FEED", 1)
    assert "view_count" not in photo


def test_a_page_that_holds_everything_has_no_cursors(sandbox):
    media = sandbox.discover("username(sbx_ig){media{id}}").json()["business_discovery"]["media"]

    assert len(media["data"]) == 8
    assert "paging" not in media


def test_an_account_without_media_is_told_without_them(sandbox):
    told = sandbox.discover("username(sbx_silent){id,followers_count,media_count,media{id}}").json()[
        "business_discovery"
    ]

    assert told == {"id": told["id"], "media_count": 0}
    assert told["id"].isdecimal()


def test_media_of_the_future_are_not_there_yet(sandbox):
    sandbox.process.set_clock(datetime(2025, 5, 1, 1, tzinfo=UTC))

    told = sandbox.discover("username(sbx_ig){media_count,media{id}}").json()["business_discovery"]
    assert told["media_count"] == len(told["media"]["data"]) == 2


def test_a_missing_account_is_error_110(sandbox):
    answer = sandbox.discover("username(nobody){id}")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 110, 2207013)
    assert error["message"] == "Invalid user id"
    assert "nobody" in error["error_user_msg"]


def test_a_large_nested_limit_is_too_much_data(sandbox):
    answer = sandbox.discover("username(sbx_ig){media.limit(101){id}}")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, 1)


def test_fields_instagram_does_not_have_and_made_up_cursors_are_refused(sandbox):
    for fields in (
        "username(sbx_ig){media{id,shares}}",
        "username(sbx_ig){shoe_size}",
        "username(sbx_ig){media.after(made-up){id}}",
        "other(sbx_ig){id}",
    ):
        answer = sandbox.discover(fields)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_the_asking_account_may_be_any_number_or_the_sandbox_credential(sandbox):
    for asking in ("17841499999999999", "sandbox"):
        assert sandbox.graph(asking, fields="business_discovery.username(sbx_ig){id}").status_code == 200
    assert sandbox.graph("someone", fields="business_discovery.username(sbx_ig){id}").status_code == 400
    assert sandbox.graph("17841400000000001", fields="id,username").json() == {
        "id": "17841400000000001",
        "username": "sandbox",
    }
    assert sandbox.graph("17841400000000001", fields="shoe_size").status_code == 400


def test_instagram_counts_against_the_apps_limits(sandbox):
    headers = sandbox.discover("username(sbx_ig){id}").headers

    assert "x-app-usage" in headers
    assert "x-business-use-case-usage" not in headers
