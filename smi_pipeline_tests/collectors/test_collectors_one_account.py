"""One account's answer is that account's: it stops no other, is not taken for complete, nor for another account's."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta

import httpx
import pytest

from smi_pipeline.collectors.collect import collector, probe
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.records import CollectionError

NEXT = {  # where each platform's answer has the cursor of the next page, below its listing
    "facebook": ("paging", "cursors", "after"),
    "x": ("meta", "next_token"),
    "instagram": ("paging", "cursors", "after"),
    "youtube": ("nextPageToken",),
    "tiktok": ("cursor",),
}
POSTS = {"facebook": "data", "x": "data", "instagram": "data", "youtube": "items", "tiktok": "videos"}


def listing(platform, body):
    """The part of an answer that lists posts, null where it lists none."""
    nested = {"facebook": ("published_posts",), "instagram": ("business_discovery", "media"), "tiktok": ("data",)}
    for step in nested.get(platform, ()):
        body = body.get(step, body if platform == "facebook" else {})
    if platform == "x":
        return body if "meta" in body else None
    if platform == "youtube":
        return body if any("videoId" in item.get("contentDetails", {}) for item in body.get("items", [])) else None
    return body if POSTS[platform] in body else None


def with_cursor(platform, cursor):
    """An edit that gives the first page another cursor."""

    def edit(body):
        shown = listing(platform, body)
        if shown is None:
            return body
        *way, last = NEXT[platform]
        place = shown
        for step in way:
            place = place.setdefault(step, {})
        if last in place:
            place[last] = cursor
        return body

    return edit


def three(lab, platform, **kwargs):
    """A poisoned account between two good ones, three posts each: two pages."""
    posts = {name: [lab.Post(10 * n + k, lab.day(9 - k)) for k in range(3)] for n, name in enumerate("abc", 1)}
    return lab.Fake(platform, {f"city_{name}": some for name, some in posts.items()}, **kwargs)


def poisoned(fake, edit, name="city_b"):
    """Edit only the answers about one account (and the groups that hold it)."""
    known = getattr(fake, f"_{fake.platform}")

    def told(request):
        response = known(request)
        about = f"{request.url} {request.content.decode()}"
        if name in about or fake.id_of(name) in about:
            body = json.loads(response.content)
            return httpx.Response(
                response.status_code, content=json.dumps(edit(body)).encode(), headers=dict(response.headers)
            )
        return response

    setattr(fake, f"_{fake.platform}", told)
    return fake


@pytest.mark.parametrize(
    "cursor", ["3\ud800", "A" * 1_000_000, "3\r\nX-Injected: yes", "\x00", True, [3], {"a": 3}, 3.5], ids=repr
)
def test_a_cursor_that_is_none_fails_its_account_and_leaves_the_others(platform, cursor, lab):
    fake = poisoned(three(lab, platform), with_cursor(platform, cursor))

    results = {result.account.handle: result for result in fake.collect()}

    assert {name: result.outcome for name, result in results.items()} == {
        "city_a": "answered",
        "city_b": "failed",
        "city_c": "answered",
    }
    assert [len(results[name].posts) for name in ("city_a", "city_b", "city_c")] == [3, 0, 3]


@pytest.mark.parametrize("platform", ["facebook", "x", "instagram", "youtube"])
@pytest.mark.parametrize("odd", ["1/../../me", "1?x=", "1\r\nHost: evil", "9" * 100_000, "7\ud800", 7, [7]], ids=repr)
def test_an_id_that_is_none_fails_its_account_and_leaves_the_others(platform, odd, lab):
    """The id becomes part of the next address."""

    def edit(body):
        found = {
            "facebook": lambda: [body] if "name" in body else [],
            "x": lambda: [user for user in body["data"] if user.get("username") == "city_b"],
            "instagram": lambda: [body["business_discovery"]],
            "youtube": lambda: [item for item in body["items"] if item.get("snippet", {}).get("title") == "city_b"],
        }[platform]()
        for record in found:
            record["id"] = odd
        return body

    results = poisoned(three(lab, platform), edit).collect()

    assert {result.account.handle: result.outcome for result in results} == {
        "city_a": "answered",
        "city_b": "failed",
        "city_c": "answered",
    }


def test_whatever_reading_raises_is_the_accounts_failure_with_the_hash_of_its_answer(lab, monkeypatch):
    """No list of odd answers is complete: an error nobody thought of ends its account as well."""
    fake = three(lab, "x")
    whole = Harvest.add

    def fails_for_one(self, records, payloads, at):
        if self.account.handle == "city_b":
            raise ZeroDivisionError("by nothing")
        return whole(self, records, payloads, at)

    monkeypatch.setattr(Harvest, "add", fails_for_one)

    results = {result.account.handle: result for result in fake.collect()}

    assert [results[name].outcome for name in ("city_a", "city_b", "city_c")] == ["answered", "failed", "answered"]
    assert re.search(r"payload sha256 [0-9a-f]{64}", results["city_b"].detail)
    assert "ZeroDivisionError: by nothing" in results["city_b"].detail


@pytest.mark.parametrize(("accounts", "bad", "stopped"), [(12, 5, False), (12, 6, True), (14, 6, False), (5, 5, False)])
def test_more_than_five_and_half_of_those_requested_failing_alike_stop_the_platform(accounts, bad, stopped, lab):
    fake = lab.Fake("facebook", {f"city{n:02d}": [lab.Post(n, lab.day(3))] for n in range(accounts)})
    fake.settings = {"concurrency": 1}

    def edit(body):
        if int(body["name"][4:]) < bad:
            body["published_posts"]["data"][0].pop("created_time")
        return body

    fake.edit = edit
    results = []

    if stopped:
        with pytest.raises(CollectionError, match=r"6 of 12 accounts failed alike.*created_time: field required"):
            fake.collect(results=results)
        assert len(fake.requests) < accounts
    else:
        fake.collect(results=results)
        assert len(results) == accounts
    assert [result.outcome for result in results].count("failed") == bad


def test_failures_of_several_kinds_do_not_stop_the_platform(lab):
    fake = lab.Fake("facebook", {f"city{n:02d}": [lab.Post(n, lab.day(3))] for n in range(12)})

    def edit(body):
        body["published_posts"]["data"][0].pop("created_time" if int(body["name"][4:]) % 2 else "id")
        return body

    fake.edit = edit
    with pytest.raises(CollectionError, match="failed alike"):
        fake.collect()  # six and six of twelve
    fake.posts["city12"] = [lab.Post(99, lab.day(3))]
    fake.edit = lambda body: edit(body) if body["name"] != "city12" else body
    assert [result.outcome for result in fake.collect()].count("failed") == 12  # six and six of thirteen


@pytest.mark.parametrize("platform", ["facebook", "x", "instagram", "youtube"])  # TikTok lists several at once
@pytest.mark.parametrize(
    "said", ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Wed, 11 Jun 2025 06:00:00 GMT"]
)
def test_a_time_nobody_believes_fails_its_account_and_leaves_the_others(platform, said, lab):
    """City_b's answers come from tomorrow, or from the end of time; the others' are of 10 June."""
    fake = three(lab, platform)
    fake.settings = {"concurrency": 1}
    known = getattr(fake, f"_{platform}")

    def told(request):
        response = known(request)
        url = str(request.url)
        if (fake.id_of("city_b") in url or "city_b" in url) and "city_a" not in url:
            response.headers["date"] = said
        return response

    setattr(fake, f"_{platform}", told)
    results = {result.account.handle: result for result in fake.collect()}

    assert [results[name].outcome for name in ("city_a", "city_b", "city_c")] == ["answered", "failed", "answered"]
    assert all(result.observed_at == lab.NOW for result in results.values())


def test_a_real_services_time_has_to_agree_with_this_hosts(lab):
    fake = lab.Fake("x", {"city": [lab.Post(1, lab.day(1))]})

    def outcome(now):
        wire = Wire(httpx.MockTransport(fake), fake.sleep, clock=lambda: now)

        async def run():
            async with collector("x", fake.make_settings(), wire=wire) as reader:
                return [result async for result in reader.collect(fake.accounts(), lab.MAY)]

        [result] = asyncio.run(run())
        return result

    assert outcome(lab.NOW + timedelta(hours=11)).outcome == "answered"
    refused = outcome(lab.NOW + timedelta(days=1))
    assert refused.outcome == "failed"
    assert "it says Tue, 10 Jun 2025 06:00:00 GMT; this host's clock says 2025-06-11 06:00 UTC" in refused.detail


# --- short listings ------------------------------------------------------------------------------------------------


def second_page(fake, change):
    """Change the second answer that lists posts."""
    seen = []

    def edit(body):
        if listing(fake.platform, body) is not None:
            seen.append(body)
            return change(body) if len(seen) == 2 else body
        return body

    fake.edit = edit
    return fake


def without_media(body):
    del body["business_discovery"]["media"]
    return body


SHORT = {
    "instagram without media": ("instagram", without_media),
    "instagram without the account": ("instagram", lambda body: {"id": "1"}),
    "youtube without items": ("youtube", lambda body: {"pageInfo": {"totalResults": 7}}),
    "youtube without items and count": ("youtube", lambda body: {"pageInfo": {}}),
    "youtube of null items": ("youtube", lambda body: {"items": None, "pageInfo": {"totalResults": 7}}),
    "youtube ends at four of seven": (
        "youtube",
        lambda body: {"items": body["items"], "pageInfo": {"totalResults": 7}},
    ),
    "x without meta": ("x", lambda body: {"data": body["data"]}),
    "x of null meta": ("x", lambda body: {**body, "meta": None}),
    "x of fewer posts than it says": ("x", lambda body: {"data": [], "meta": {"result_count": 3}}),
    "x of one post and three by its count": ("x", lambda body: {"data": body["data"][:1], "meta": {"result_count": 3}}),
    "x over capacity": ("x", lambda body: {"errors": [{"title": "Over capacity", "type": "x/2/problems/x"}]}),
    "facebook with a next page that is no address": (
        "facebook",
        lambda body: {**body, "paging": {"next": {"after": "4"}}},
    ),
    "facebook without its list": ("facebook", lambda body: {"id": "1"}),
    "tiktok without its list": ("tiktok", lambda body: {**body, "data": {"has_more": False}}),
    "tiktok with more and no cursor": ("tiktok", lambda body: {**body, "data": {**body["data"], "cursor": None}}),
}


@pytest.mark.parametrize("case", SHORT)
def test_a_short_listing_is_drift_and_not_the_end(case, lab):
    platform, change = SHORT[case]
    fake = lab.Fake(platform, {"city": [lab.Post(number, lab.day(number)) for number in (25, 20, 15, 10, 5)]})

    result = second_page(fake, change).one()

    assert (result.outcome, result.posts) == ("failed", [])


def test_instagram_media_are_compared_with_their_count(lab):
    fake = lab.Fake("instagram", {"city": [lab.Post(number, lab.day(number)) for number in (25, 20, 15)]})
    told = 3
    fake.edit = lambda body: {**body, "business_discovery": {**body["business_discovery"], "media_count": told}}
    assert (fake.one().outcome, len(fake.one().posts)) == ("answered", 3)

    told = 4
    result = fake.one()
    assert result.outcome == "failed"
    assert "3 although media_count is 4" in result.detail


def test_youtube_channels_that_are_counted_and_not_shown_are_not_missing(lab):
    """`missing` is for good: a list that lost its items is no word of the platform's."""
    fake = lab.Fake("youtube", {"city": []})
    fake.edit = lambda body: {"pageInfo": {"totalResults": 1, "resultsPerPage": 5}}

    assert fake.one().outcome == "failed"
    known = fake.account("city", account_id=fake.id_of("city"))
    assert [result.outcome for result in fake.collect([known])] == ["failed"]


def test_one_user_without_a_name_in_a_batch_fails_those_it_may_be_and_no_others(lab):
    fake = three(lab, "x")

    def edit(body):
        for user in body["data"]:
            if user.get("username") == "city_b":
                user["username"] = None
        return body

    fake.edit = edit
    assert {result.account.handle: result.outcome for result in fake.collect()} == {
        "city_a": "answered",
        "city_b": "failed",
        "city_c": "answered",
    }


def test_a_tiktok_video_that_cannot_be_read_fails_its_account_and_not_its_group(lab):
    fake = three(lab, "tiktok")

    def edit(body):
        for video in body["data"].get("videos", []):
            if video["username"] == "city_b":
                del video["username"]
        return body

    fake.edit = edit
    results = {result.account.handle: result for result in fake.collect()}
    assert [results[name].outcome for name in ("city_a", "city_b", "city_c")] == ["answered", "failed", "answered"]
    assert len(results["city_a"].posts) == 3


# --- only a platform's own words are terminal ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 410])
def test_a_404_of_something_in_between_is_requested_again_and_never_missing(fake, lab, status):
    page = lab.answer("<html><h1>404 Not Found</h1>nginx</html>", status, "text/html")
    fake.faults = [page, page]
    assert fake.one().outcome == "answered"

    fake.always = lambda: lab.answer("<html>404</html>", status, "text/html")
    if fake.platform == "tiktok":  # nobody can be asked without a token
        with pytest.raises(CollectionError, match=f"HTTP {status}"):
            fake.collect()
    else:
        assert fake.one().outcome == "failed"


@pytest.mark.parametrize("platform", ["facebook", "x", "instagram", "youtube"])
def test_a_404_in_the_words_of_a_gateway_is_not_missing(fake, lab):
    fake.always = lambda: lab.answer({"message": "no Route matched with those values"}, 404)

    assert fake.one().outcome == "failed"


# --- ownership -----------------------------------------------------------------------------------------------------


def naming_another(platform, body):
    """The same answer, of an account that calls itself otherwise."""
    if platform == "facebook":
        return {**body, "username": "another.city"} if "name" in body else body
    if platform == "instagram":
        return {**body, "business_discovery": {**body["business_discovery"], "username": "another_city"}}
    for item in body.get("items", []):
        if "snippet" in item and "contentDetails" in item:
            item["snippet"]["customUrl"] = "@another_city"
    return body


@pytest.mark.parametrize("platform", ["facebook", "instagram", "youtube"])
def test_an_answer_that_calls_itself_otherwise_is_never_stored_where_no_id_is_known(platform, lab):
    fake = lab.Fake(platform, {"city": [lab.Post(1, lab.day(1))]})
    fake.edit = lambda body: naming_another(platform, body)

    result = fake.one()

    assert (result.outcome, result.posts, result.accounts) == ("failed", [], [])
    assert re.search("city leads to an account that calls itself another.city", result.detail)


def test_instagram_names_count_also_where_the_id_is_known(lab):
    fake = lab.Fake("instagram", {"city": [lab.Post(1, lab.day(1))]})
    fake.edit = lambda body: naming_another("instagram", body)

    [result] = fake.collect([fake.account("city", account_id=fake.id_of("city"))])
    assert result.outcome == "failed"


def of_another(platform, body):
    """The same listing, its last post another account's by its own words."""
    if platform == "facebook" and "published_posts" in body:
        body["published_posts"]["data"][-1]["from"] = {"id": "999", "name": "Another"}
    elif platform == "x" and "meta" in body:
        body["data"][-1]["author_id"] = "999"
    elif platform == "instagram":
        body["business_discovery"]["media"]["data"][-1]["owner"] = {"id": "999"}
    elif platform == "youtube":
        for item in body.get("items", []):
            if item["id"] if "id" in item and item["id"].startswith("v") else None:
                item["snippet"]["channelId"] = "UC" + "9" * 22
    return body


@pytest.mark.parametrize("platform", ["facebook", "x", "instagram", "youtube"])
@pytest.mark.parametrize("by_id", [False, True])
def test_a_listing_with_a_post_of_another_account_is_not_stored_as_this_ones(platform, by_id, lab):
    fake = lab.Fake(platform, {"city": [lab.Post(2, lab.day(2)), lab.Post(1, lab.day(1))]})
    fake.edit = lambda body: of_another(platform, body)
    known = {"account_id": fake.id_of("city")} if by_id else {}

    [result] = fake.collect([fake.account("city", **known)])

    assert (result.outcome, result.posts) == ("failed", [])
    [drifted] = result.rejected
    assert drifted.reason == "drift"
    assert "9" * 3 in drifted.payload


# --- a credential that is refused for want of a proof --------------------------------------------------------------


@pytest.mark.parametrize("platform", ["facebook", "instagram"])
@pytest.mark.parametrize(
    "wording",
    [
        "(#100) This call requires either app secret proof or an app access token",
        "API calls from the server require appsecret_proof arguments",
        "Invalid App-Secret-Proof provided in the API argument",
    ],
)
def test_an_app_that_wants_a_proof_names_the_setting_to_a_collection_and_to_the_doctor(platform, wording, lab):
    fake = lab.Fake(platform, {f"city{n}": [] for n in range(3)})
    fake.always = lambda: lab.answer({"error": {"message": wording, "type": "OAuthException", "code": 100}}, 400)

    with pytest.raises(CollectionError, match="set SMI_FACEBOOK_APP_SECRET to the secret of the token's own app"):
        fake.collect()
    assert len(fake.requests) == 1

    with pytest.raises(CollectionError, match="SMI_FACEBOOK_APP_SECRET"):  # what `smi doctor` prints
        asyncio.run(probe(platform, fake.make_settings(), wire=Wire(httpx.MockTransport(fake), fake.sleep)))


# --- a handle that looks like an id --------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["", "  ", None])
@pytest.mark.parametrize(
    ("platform", "handle"),
    [("x", "12306"), ("facebook", "1234567"), ("instagram", "17841400000000099"), ("youtube", "UC" + "h" * 22)],
)
def test_a_handle_that_looks_like_an_id_is_no_id_where_the_cell_is_empty(platform, handle, cell, lab):
    fake = lab.Fake(platform, {handle: [lab.Post(1, lab.day(1))]})
    account = fake.account(handle, account_id=cell)
    assert (account.account_id, account.platform_account_id) == (handle, None)

    [result] = fake.collect([account])
    assert (result.outcome, len(result.posts)) == ("answered", 1)
    assert fake.account(handle, account_id=handle).platform_account_id == handle  # given, it is one


def test_a_tiktok_account_that_names_itself_otherwise_is_not_stored(lab):
    fake = lab.Fake("tiktok", {"city": [lab.Post(1, lab.day(1))]})
    fake.edit = lambda body: (
        {**body, "data": {**body["data"], "username": "another"}} if "display_name" in body["data"] else body
    )

    result = fake.one()
    assert (result.outcome, result.posts, result.accounts) == ("failed", [], [])


@pytest.mark.parametrize("platform", ["instagram", "youtube"])
@pytest.mark.parametrize("totals", [(5, 6, 6), (6, 6, 5)], ids=["one is made", "one is deleted"])
def test_a_count_that_changes_while_a_listing_is_read_is_no_drift(platform, totals, lab):
    fake = lab.Fake(platform, {"city": [lab.Post(number, lab.day(number)) for number in (25, 20, 15, 10, 5)]})
    left = list(totals)

    def edit(body):
        if listing(platform, body) is not None:
            told = left.pop(0)
            if platform == "youtube":
                return {**body, "pageInfo": {"totalResults": told}}
            return {**body, "business_discovery": {**body["business_discovery"], "media_count": told}}
        return body

    fake.edit = edit
    result = fake.one()
    assert (result.outcome, len(result.posts)) == ("answered", 5)
