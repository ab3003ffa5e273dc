"""Facebook over a real socket: field expansion, paging addresses, absent shares, errors by code."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

PAGE = "100200300"
POST_FIELDS = "id,shares,reactions.limit(0).summary(total_count),comments.limit(0).summary(true)"


def code(answer):
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("error_subcode")


def follow(sandbox, page):
    """All posts from a page on, by the address the server gives for the next one."""
    while True:
        yield from page["data"]
        if "next" not in page["paging"]:
            return
        page = sandbox.http.get(page["paging"]["next"]).json()


def test_facebook_pages_end_with_the_last_post(sandbox):
    first = sandbox.graph(f"{PAGE}/published_posts", fields="id", limit=100).json()
    ids = [post["id"] for post in follow(sandbox, first)]

    assert ids == [f"{PAGE}_{n}" for n in range(249, -1, -1)]


def test_one_request_gives_the_page_and_its_first_posts_and_the_cursor_leads_on(sandbox):
    window = f"since({int(datetime(2025, 5, 2, tzinfo=UTC).timestamp())}).until({int(datetime(2025, 5, 4, tzinfo=UTC).timestamp())})"
    fields = f"id,followers_count,published_posts.{window}.limit(10){{{POST_FIELDS}}}"
    page = sandbox.graph(PAGE, fields=fields).json()
    posts = page["published_posts"]
    after = posts["paging"]["cursors"]["after"]
    bounds = {"since": "2025-05-02", "until": "2025-05-04T00:00:00+00:00"}
    second = sandbox.graph(f"{PAGE}/published_posts", fields=POST_FIELDS, limit=10, after=after, **bounds).json()
    third = sandbox.http.get(second["paging"]["next"]).json()

    assert (page["id"], page["followers_count"]) == (PAGE, 5000)
    ids = [post["id"] for post in posts["data"] + second["data"] + third["data"]]
    assert ids == [f"{PAGE}_{n}" for n in range(36, 11, -1)]
    assert "next" not in third["paging"]
    assert third["paging"]["cursors"]["after"]
    assert list(follow(sandbox, posts)) == posts["data"] + second["data"] + third["data"]
    back = sandbox.http.get(third["paging"]["previous"]).json()
    assert back["data"] == second["data"]


def test_the_next_address_is_the_sandbox_itself_with_the_token_in_it(sandbox):
    page = sandbox.get("/v24.0/sbx_page/posts/", access_token="sandbox", limit=1, fields="id").json()
    address = urlsplit(page["paging"]["next"])

    assert f"{address.scheme}://{address.netloc}" == sandbox.process.base_url
    assert address.path == f"/v24.0/{PAGE}/posts"
    assert parse_qs(address.query)["access_token"] == ["sandbox"]


def test_only_asked_for_fields_are_told_and_the_id_always(sandbox):
    assert sandbox.graph("SBX_PAGE").json() == {"name": "A page", "id": PAGE}
    assert sandbox.graph(PAGE, fields="").json() == {"name": "A page", "id": PAGE}
    assert sandbox.graph(f"{PAGE}/", fields="username,fan_count,about").json() == {
        "username": "sbx_page",
        "fan_count": 5000,
        "id": PAGE,
    }
    post = sandbox.graph(f"{PAGE}_7").json()
    assert post == {"created_time": "2025-05-01T14:00:00+0000", "message": f"text {PAGE}_7", "id": f"{PAGE}_7"}


def test_shares_are_absent_at_zero_and_other_counts_only_when_not_in_the_data(sandbox):
    posts = sandbox.graph("Näme & Co/posts", fields=POST_FIELDS + ",message", limit=2).json()["data"]

    assert set(posts[0]) == {"id", "reactions", "comments", "message"}
    assert posts[0]["reactions"] == {"data": [], "summary": {"total_count": 0, "viewer_reaction": "NONE"}}
    assert posts[0]["comments"]["summary"]["total_count"] == 0
    assert set(posts[1]) == {"id"}


def test_a_summary_is_told_only_when_asked_for(sandbox):
    post = sandbox.graph(f"{PAGE}_9", fields="shares,reactions.as(all).summary(1),comments.limit(0)").json()

    assert post["shares"] == {"count": 3}
    assert post["all"]["summary"]["total_count"] == 9
    assert post["comments"] == {"data": []}


def test_a_posts_comments_and_reactions_are_counted_on_their_own_path_too(sandbox):
    comments = sandbox.graph(f"{PAGE}_7/comments", summary="true").json()
    assert (comments["data"], comments["summary"]["total_count"]) == ([], 2)
    assert sandbox.graph(f"{PAGE}_7/reactions", summary="total_count").json()["summary"]["total_count"] == 7
    assert sandbox.graph(f"{PAGE}_7/reactions").json() == {"data": []}
    assert sandbox.graph(f"{PAGE}_7/nothing").json()["error"]["code"] == 2500


def test_a_page_named_in_its_own_script_is_found_and_gets_ids_of_the_platforms_form(sandbox):
    page = sandbox.graph("Näme & Co", fields="id,username,followers_count").json()
    folded = sandbox.graph("n_me_co", fields="id").json()
    post = sandbox.graph(f"{page['id']}/feed", limit=1).json()["data"][0]

    assert page == {"id": folded["id"], "username": "N_me_Co"}
    assert page["id"].isdecimal()
    assert post["id"].startswith(page["id"] + "_")


def test_an_expanded_edge_without_posts_is_left_out_while_the_edge_itself_is_empty(sandbox):
    page = sandbox.graph(PAGE, fields="id,published_posts.until(100){id}").json()

    assert page == {"id": PAGE}
    assert sandbox.graph(f"{PAGE}/published_posts", until=100).json() == {"data": []}


def test_posts_after_the_clock_are_not_there_yet(sandbox):
    sandbox.process.set_clock(datetime(2025, 5, 1, 4, tzinfo=UTC))

    posts = sandbox.graph(f"{PAGE}/published_posts").json()["data"]
    assert [post["id"] for post in posts] == [f"{PAGE}_2", f"{PAGE}_1", f"{PAGE}_0"]
    assert code(sandbox.graph(f"{PAGE}_3")) == (400, 100, 33)


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("no_such_page", {}, (404, 803, None)),
        ("999999999", {}, (400, 100, 33)),
        ("", {"ids": "sbx_page,other"}, (400, 100, None)),
        (PAGE, {"fields": "id,shoe_size"}, (400, 100, None)),
        (PAGE, {"fields": "posts{shoe_size}"}, (400, 100, None)),
        (PAGE, {"fields": "posts.limit(101){id}"}, (400, 100, None)),
        (PAGE, {"fields": "posts{id,attachments{shoe_size}}"}, (400, 100, None)),
        (PAGE, {"fields": "posts.fields(id"}, (400, 2500, None)),
        (PAGE, {"fields": "posts{" * 900 + "id" + "}" * 900}, (400, 2500, None)),
        (PAGE, {"fields": "posts{id}{id}"}, (400, 2500, None)),
        (PAGE, {"fields": "posts{id"}, (400, 2500, None)),
        (PAGE, {"fields": "posts.limit"}, (400, 2500, None)),
        (PAGE, {"fields": "id,,name"}, (400, 2500, None)),
        (PAGE, {"fields": "id}"}, (400, 2500, None)),
        (f"{PAGE}/published_posts", {"limit": 101}, (400, 100, None)),
        (f"{PAGE}/published_posts", {"limit": "many"}, (400, 100, None)),
        (f"{PAGE}/published_posts", {"after": "made-up"}, (400, 100, None)),
        (f"{PAGE}/published_posts", {"since": "whenever"}, (400, 100, None)),
        (f"{PAGE}/insights", {}, (400, 2500, None)),
        (f"{PAGE}/posts/more", {}, (400, 2500, None)),
        (PAGE, {"access_token": ""}, (400, 104, None)),
        (PAGE, {"access_token": "wrong"}, (400, 190, None)),
        (PAGE, {"appsecret_proof": "wrong"}, (400, 100, None)),
    ],
)
def test_facebook_refuses_with_its_own_codes(sandbox, path, params, expected):
    answer = sandbox.graph(path, **params)

    assert code(answer) == expected
    assert answer.json()["error"]["fbtrace_id"]


def test_a_right_proof_and_a_bearer_token_are_accepted(sandbox):
    proof = hmac.new(b"sandbox", b"sandbox", hashlib.sha256).hexdigest()

    assert sandbox.graph(PAGE, appsecret_proof=proof).status_code == 200
    assert sandbox.get(f"/v26.0/{PAGE}", headers={"Authorization": "Bearer sandbox"}).status_code == 200
    assert sandbox.graph("me").json()["name"] == "Sandbox"
    assert sandbox.http.post(f"/v26.0/{PAGE}", data={"access_token": "sandbox"}).status_code == 400


def test_facebook_tells_how_much_of_its_limits_is_used(sandbox):
    headers = sandbox.graph(PAGE).headers

    assert headers["x-app-usage"] == '{"call_count":0,"total_time":0,"total_cputime":0}'
    assert f'"{PAGE}":[{{"type":"pages"' in headers["x-business-use-case-usage"]


@pytest.mark.parametrize("base", ["/v26.0", "/v3.2", ""])
@pytest.mark.parametrize("slash", ["", "/"])
def test_any_version_and_none_are_served_alike_with_and_without_a_last_slash(sandbox, base, slash):
    page = sandbox.get(f"{base}/sbx_page{slash}", access_token="sandbox", fields="id,followers_count").json()
    first = sandbox.get(f"{base}/{PAGE}/posts{slash}", access_token="sandbox", fields="id", limit=3).json()
    second = sandbox.http.get(first["paging"]["next"]).json()

    assert page == {"id": PAGE, "followers_count": 5000}
    assert [post["id"] for post in first["data"] + second["data"]] == [f"{PAGE}_{n}" for n in range(249, 243, -1)]


def test_a_path_without_version_and_token_is_nobodys(sandbox):
    assert sandbox.get(f"/{PAGE}").status_code == 404
    assert sandbox.get(f"/{PAGE}", headers={"Authorization": "Bearer sandbox"}).status_code == 200
    assert code(sandbox.get("/", access_token="sandbox", ids="sbx_page,other")) == (400, 100, None)


@pytest.mark.parametrize(
    "edge",
    [
        "posts.limit(2).since({since}).until({until}){{id,comments.summary(true).limit(0)}}",
        "posts.until({until}).limit(2).since({since}){{comments.limit(0).summary(true),id}}",
        "posts{{id,comments.summary(true).limit(0)}}.limit(2).since({since}).until({until})",
        "posts.fields(id,comments.limit(0).summary(true)).limit(2).since({since}).until({until})",
        " posts . limit ( 2 ) .since( {since} ). until( {until} ) {{ id , comments .limit( 0 ).summary( true ) }} ",
    ],
)
@pytest.mark.parametrize(
    ("since", "until"),
    [("1746144000", "1746151200"), ("2025-05-02", "2025-05-02T02:00:00Z"), ("2025-05-02T08:00:00+0800", "1746151200")],
)
def test_modifiers_and_blanks_may_stand_in_any_order(sandbox, edge, since, until):
    """2 May, 00:00 and 02:00 UTC: the posts 12 and 13 of one every second hour."""
    page = sandbox.graph(PAGE, fields="name," + edge.format(since=since, until=until)).json()

    assert [post["id"] for post in page["posts"]["data"]] == [f"{PAGE}_13", f"{PAGE}_12"]
    assert [post["comments"]["summary"]["total_count"] for post in page["posts"]["data"]] == [2, 2]
    assert page["name"] == "A page"


def test_a_listing_is_counted_when_asked_for_even_where_it_shows_nothing(sandbox):
    window = {"since": "2025-05-02", "until": "2025-05-03", "summary": "total_count"}
    shown = sandbox.graph(f"{PAGE}/published_posts", limit=1, fields="id", **window).json()

    assert (len(shown["data"]), shown["summary"]) == (1, {"total_count": 13})
    assert sandbox.graph(f"{PAGE}/published_posts", limit=0, **window).json() == {
        "data": [],
        "summary": {"total_count": 13},
    }
    assert sandbox.graph(PAGE, fields="posts.until(100).summary(true)").json() == {
        "posts": {"data": [], "summary": {"total_count": 0}},
        "id": PAGE,
    }


def test_empty_parameters_of_a_listing_are_none(sandbox):
    plain = sandbox.graph(f"{PAGE}/posts", fields="id", limit=2).json()["data"]
    assert sandbox.graph(f"{PAGE}/posts", fields="id", limit=2, after="", since="", until="").json()["data"] == plain


def test_a_get_may_travel_in_a_post(sandbox):
    form = {"method": "get", "access_token": "sandbox", "fields": "id,fan_count"}
    assert sandbox.http.post(f"/v26.0/{PAGE}", data=form).json() == {"id": PAGE, "fan_count": 5000}


def test_the_asking_user_has_the_fields_asked_for_and_no_page_of_its_own(sandbox):
    assert set(sandbox.graph("me", fields="id").json()) == {"id"}
    assert code(sandbox.graph("me", fields="shoe_size")) == (400, 100, None)
    assert sandbox.graph("me/accounts").json() == {"data": []}


def test_the_requests_of_a_batch_are_answered_one_by_one_and_count_one_by_one(sandbox):
    asked = [
        {"method": "GET", "relative_url": f"v26.0/{PAGE}?fields=id,fan_count"},
        {"method": "GET", "relative_url": f"{PAGE}/posts?limit=1&fields=id"},
        {"relative_url": "17841400000000001?fields=business_discovery.username(sbx_ig)%7Busername%7D"},
        {"relative_url": "no_such_page"},
    ]
    sandbox.http.delete("/_sandbox/requests")
    answer = sandbox.http.post("/v24.0/", data={"access_token": "sandbox", "batch": json.dumps(asked)})
    told = [json.loads(part["body"]) for part in answer.json()]

    assert [part["code"] for part in answer.json()] == [200, 200, 200, 404]
    assert told[0] == {"id": PAGE, "fan_count": 5000}
    assert told[1]["data"] == [{"id": f"{PAGE}_249"}]
    assert urlsplit(told[1]["paging"]["next"]).path == f"/v24.0/{PAGE}/posts"
    assert told[2]["business_discovery"]["username"] == "sbx_ig"
    assert told[3]["error"]["code"] == 803
    assert {"name": "X-App-Usage", "value": sandbox.graph(PAGE).headers["x-app-usage"]} in answer.json()[0]["headers"]
    counted = sandbox.get("/_sandbox/requests").json()
    assert (counted["facebook"], counted["instagram"]) == (3 + 1, 1)


NO_BATCHES = [
    "no json",
    '{"relative_url": "me"}',
    "[1]",
    '[{"method": "GET"}]',
    '[{"relative_url": 5}]',
    '[{"relative_url": "http://[me"}]',
    "[" * 100_000,
    json.dumps([{"relative_url": "me"}] * 51),
]


@pytest.mark.parametrize("batch", NO_BATCHES, ids=lambda text: text[:30])
def test_a_batch_that_is_none_or_too_large_is_refused(sandbox, batch):
    form = {"access_token": "sandbox", "batch": batch}

    assert code(sandbox.http.post("/", data=form)) == (400, 100, None)
    assert code(sandbox.http.post("/v26.0", data={**form, "access_token": "wrong"})) == (400, 190, None)
