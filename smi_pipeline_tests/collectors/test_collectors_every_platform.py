"""What every collector must survive, in the words of each platform: one file for all five."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from smi_pipeline.collectors.collect import collector, probe
from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.records import CollectionError, Deferred, MissingCredential, Window

# What each platform says to a credential it does not accept.
REFUSED = {
    "facebook": {"error": {"message": "Invalid OAuth access token", "code": 190}},
    "x": {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"},
    "instagram": {"error": {"message": "(#10) Application does not have permission for this action", "code": 10}},
    "youtube": {"error": {"code": 401, "message": "Invalid Credentials", "errors": [{"reason": "authError"}]}},
    "tiktok": {"error": "invalid_client", "error_description": "Client key is incorrect.", "log_id": "1"},
}
# What each says when its quota is used up, and when that ends (midnight in Los Angeles is 07:00 UTC in June).
USED_UP = {
    "youtube": (403, {"error": {"message": "q", "errors": [{"reason": "quotaExceeded"}]}}, "2025-06-10T07:00"),
    "tiktok": (429, {"error": {"code": "daily_quota_limit_exceeded", "message": "q"}}, "2025-06-11T00:00"),
    "x": (429, {"title": "UsageCapExceeded", "type": "https://api.x.com/2/problems/usage-capped"}, "2025-07-01T00:00"),
}
TOO_MANY = {
    "facebook": {"error": {"message": "(#4) Application request limit reached", "code": 4}},
    "x": {"title": "Too Many Requests", "status": 429},
    "instagram": {"error": {"message": "(#4) Application request limit reached", "code": 4}},
    "youtube": {"error": {"message": "slow down", "errors": [{"reason": "rateLimitExceeded"}]}},
    "tiktok": {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
}


def five(lab, platform, **kwargs):
    """Five accounts with one post each."""
    return lab.Fake(platform, {f"city{n}": [lab.Post(n, lab.day(10))] for n in range(5)}, **kwargs)


def test_the_last_page_is_kept(fake, lab):
    """A public portal's pager left its loop on a short page before it had kept that page; nobody noticed."""
    result = fake.one()

    assert result.outcome == "answered"
    assert lab.texts(result) == ["text 10", "text 15", "text 20", "text 25", "text 5"]


def test_rows_say_whose_they_are_and_when_the_platform_said_it(fake, lab):
    result = fake.one()

    assert result.observed_at == lab.NOW
    [account] = result.accounts
    for row in (account, *result.posts):
        assert row["account_id"] == "city"
        assert row["observed_at"] == lab.NOW
        assert row["platform_account_id"] == ("city" if fake.platform == "tiktok" else fake.id_of("city"))
    posted = json.loads(result.posts[0]["payload"])
    assert "25" in json.dumps(posted)


def test_a_silent_account_answers_with_no_posts(platform, lab):
    result = lab.Fake(platform, {"city": []}).one()

    assert (result.outcome, result.posts, len(result.accounts)) == ("answered", [], 1)


def test_hidden_counts_stay_unknown_rather_than_zero(platform, lab):
    posts = [lab.Post(2, lab.day(2), likes=lab.ABSENT), lab.Post(1, lab.day(1), likes=0)]
    result = lab.Fake(platform, {"city": posts}).one()

    assert [
        lab.likes(result_of, row) for result_of, row in zip([lab.Fake(platform)] * 2, result.posts, strict=True)
    ] == [
        None,
        0,
    ]


def test_a_post_that_comes_twice_counts_once_the_last_time(platform, lab):
    """Posts move to the next page when another one is made between two requests."""
    posts = [lab.Post(3, lab.day(3)), lab.Post(2, lab.day(2)), lab.Post(2, lab.day(2)), lab.Post(1, lab.day(1))]
    result = lab.Fake(platform, {"city": posts}).one()

    assert lab.texts(result) == ["text 1", "text 2", "text 3"]


def test_the_window_takes_its_first_instant_and_not_its_last(platform, lab):
    """The borders of May in Shanghai; what the platform sends from outside them is cut off."""
    window = Window(datetime(2025, 4, 30, 16, tzinfo=UTC), datetime(2025, 5, 31, 16, tzinfo=UTC))
    second = timedelta(seconds=1)
    at = [window.end, window.end - second, window.start, window.start - second]
    fake = lab.Fake(platform, {"city": [lab.Post(number, instant) for number, instant in enumerate(at)]}, page=4)

    assert lab.texts(fake.one(window=window)) == ["text 1", "text 2"]


@pytest.mark.parametrize("likes", [-41, 2**63, "12K", 1.5, True, [3]])
def test_a_bad_count_is_null_and_among_the_rejected(platform, lab, likes):
    fake = lab.Fake(platform, {"city": [lab.Post(1, lab.day(1), likes=likes)]})
    result = fake.one()

    [row] = result.posts
    assert lab.likes(fake, row) is None
    [rejected] = result.rejected
    assert rejected.reason == "bad count"
    assert rejected.platform_post_id == str(row["id"])
    as_sent = str(likes) if platform == "youtube" or isinstance(likes, str) else json.dumps(likes)
    assert rejected.value == as_sent


@pytest.mark.parametrize("at", ["yesterday", "2025-05-05T12:00:00", "9999-01-01T00:00:00Z", ""])
def test_a_post_of_an_unreadable_time_is_rejected_whole(platform, lab, at):
    posts = [lab.Post(2, at), lab.Post(1, lab.day(1))]
    result = lab.Fake(platform, {"city": posts}).one()

    assert lab.texts(result) == ["text 1"]
    [rejected] = result.rejected
    assert (rejected.reason, rejected.value) == ("malformed", at)


@pytest.mark.parametrize("sent", ["no id at all", ["1"], {"of": "a post"}])
def test_a_post_of_an_unreadable_id_is_rejected_whole(platform, lab, sent):
    posts = [lab.Post(2, lab.day(2), id=sent), lab.Post(1, lab.day(1))]
    result = lab.Fake(platform, {"city": posts}).one()

    assert lab.texts(result) == ["text 1"]
    as_text = sent if isinstance(sent, str) else json.dumps(sent, separators=(",", ":"))
    assert [(r.reason, r.platform_post_id, r.value) for r in result.rejected] == [("malformed", None, as_text)]


# The same instant in a form that the platform does not use: text as seconds, seconds as text.
OTHER_FORM = {"tiktok": "2025-05-05T12:00:00Z"}


@pytest.mark.parametrize("page", [2, 100])
def test_an_account_none_of_whose_posts_can_be_placed_has_failed_and_has_no_zero(platform, lab, page):
    """A platform that changes the form of its times would otherwise silence every account."""
    posts = [lab.Post(number, OTHER_FORM.get(platform, "1746446400")) for number in range(5)]
    result = lab.Fake(platform, {"city": posts}, page=page).one()

    assert (result.outcome, result.posts) == ("failed", [])
    assert "drift in the posts: none of 5 has an id and a time that can be read" in result.detail
    [drifted] = result.rejected
    assert drifted.reason == "drift"


def test_an_account_none_of_whose_posts_has_an_id_has_failed(platform, lab):
    result = lab.Fake(platform, {"city": [lab.Post(n, lab.day(n), id=[n]) for n in (3, 2)]}).one()

    assert (result.outcome, result.posts) == ("failed", [])
    assert "none of 2 has an id" in result.detail


def test_posts_after_a_page_on_which_no_time_can_be_read_are_not_lost(platform, lab):
    """Such a page says nothing about where the window begins."""
    posts = [lab.Post(4, "lately"), lab.Post(3, "lately"), lab.Post(2, lab.day(2)), lab.Post(1, lab.day(1))]
    result = lab.Fake(platform, {"city": posts}).one()

    assert lab.texts(result) == ["text 1", "text 2"]
    assert [rejected.reason for rejected in result.rejected] == ["malformed", "malformed"]


@pytest.mark.parametrize("platform", ["instagram", "youtube"])
def test_a_long_listing_without_any_time_is_not_read_to_its_end(platform, lab):
    posts = [lab.Post(number, "lately") for number in range(1_000)]
    fake = lab.Fake(platform, {"city": posts}, page=50)

    assert fake.one().outcome == "failed"
    assert len(fake.requests) <= 3  # a hundred posts, and on YouTube the channel


def drop(value, key):
    """The same JSON value without one key."""
    if isinstance(value, dict):
        return {name: drop(one, key) for name, one in value.items() if name != key}
    return [drop(one, key) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("what", ["id", "time"])
def test_a_required_key_that_is_gone_fails_the_account(fake, what):
    """Drift: a renamed key must not read as a month without posts."""
    times = {"facebook": "created_time", "x": "created_at", "instagram": "timestamp", "tiktok": "create_time"}
    key = "id" if what == "id" else times.get(fake.platform, "videoPublishedAt")
    fake.edit = lambda body: drop(body, key)
    result = fake.one()

    assert result.outcome == "failed"
    assert "drift" in result.detail or (fake.platform, what) == ("x", "id")
    assert result.posts == []


def test_a_new_key_is_kept_in_the_payload_and_harms_nothing(fake):
    def grow(value):
        if isinstance(value, dict):
            return {**{name: grow(one) for name, one in value.items()}, "brand_new": 2**70}
        return [grow(one) for one in value] if isinstance(value, list) else value

    fake.edit = grow
    result = fake.one()

    assert len(result.posts) == 5
    assert all(f'"brand_new":{2**70}' in row["payload"] for row in result.posts)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_asked_for_once(platform, lab, status):
    fake = five(lab, platform, always=lambda: lab.answer(REFUSED[platform], status))

    with pytest.raises(CollectionError, match="SMI_") as caught:
        fake.collect()

    assert len(fake.requests) == 1
    assert not caught.value.retryable


@pytest.mark.parametrize("platform", USED_UP)
def test_a_used_up_quota_defers_until_it_starts_anew(platform, lab):
    status, body, ends = USED_UP[platform]
    fake = five(lab, platform)
    results = []
    fake.always = lambda: lab.answer(body, status)

    with pytest.raises(Deferred) as caught:
        fake.collect(results=results)

    assert caught.value.resume_at == datetime.fromisoformat(f"{ends}:00Z")
    assert fake.sleeps == []
    assert len(fake.requests) == 1


@pytest.mark.parametrize("asked", ["7", "Tue, 10 Jun 2025 06:00:07 GMT"])
def test_too_many_requests_waits_as_long_as_it_is_told(fake, lab, asked):
    """The wait is reckoned from the answer's own Date: it is June 2025 there."""
    fake.faults = [lab.answer(TOO_MANY[fake.platform], 429, retry_after=asked)]

    assert len(fake.one().posts) == 5
    assert fake.sleeps
    assert all(wait == pytest.approx(7, abs=0.5) for wait in fake.sleeps)


@pytest.mark.parametrize("asked", ["soon", "-5", "0", "Mon, 09 Jun 2025 06:00:00 GMT", "1e3", None])
def test_too_many_requests_without_a_sensible_wait_backs_off(fake, lab, asked):
    headers = {} if asked is None else {"retry_after": asked}
    fake.faults = [lab.answer(TOO_MANY[fake.platform], 429, **headers) for _ in range(2)]

    assert len(fake.one().posts) == 5
    assert all(0 < wait <= 4 for wait in fake.sleeps)


def test_a_wait_of_ten_days_is_put_off_and_not_slept(fake, lab):
    fake.faults = [lab.answer(TOO_MANY[fake.platform], 429, retry_after="864000")]

    with pytest.raises(Deferred) as caught:
        fake.collect()

    assert caught.value.resume_at == lab.NOW + timedelta(days=10)
    assert fake.sleeps == []


def test_too_many_requests_for_ever_ends_in_a_deferral(fake, lab):
    fake.always = lambda: lab.answer(TOO_MANY[fake.platform], 429)

    with pytest.raises(Deferred):
        fake.collect()

    assert len(fake.requests) == 6


def test_a_spell_of_server_errors_is_survived(fake, lab):
    fake.faults = [
        lab.answer("<h1>Bad Gateway</h1>", 502, "text/html"),
        lab.answer("", 503),
        lab.answer({"error": {"message": "oops", "code": 2}}, 500),
        httpx.ReadTimeout("slow"),
    ]

    assert len(fake.one().posts) == 5


def test_server_errors_without_end_fail_their_account_alone(platform, lab):
    """Account 2 is broken for good; the others are read, and it is among the results with the platform's words."""
    fake = five(lab, platform, broken={"city2"})
    if platform == "x":  # users come in one batch; what breaks is the timeline
        fake.broken = {f"/{fake.id_of('city2')}/"}
    if platform == "tiktok":
        fake.broken = {'{"username":"city2"}'}
    outcomes = {result.account.handle: result for result in fake.collect()}

    assert [handle for handle, result in outcomes.items() if result.outcome == "failed"] == ["city2"]
    assert "503" in outcomes["city2"].detail
    assert all(len(result.posts) == 1 for handle, result in outcomes.items() if handle != "city2")


def test_where_nothing_succeeds_any_more_the_rest_is_not_tried_one_by_one(platform, lab):
    """Hundreds of accounts, six attempts and their pauses each: that would be hours of knocking at a closed door."""
    fake = lab.Fake(platform, {f"city{n}": [] for n in range(60)})
    fake.collect()
    fake.broken, results = {"/2/users/1"} if platform == "x" else {"city"}, []

    with pytest.raises(CollectionError, match="20 requests in a row failed") as caught:
        fake.collect(results=results)

    assert caught.value.retryable
    assert len(results) <= 20


def test_an_account_that_is_not_there_is_no_zero(platform, lab):
    fake = five(lab, platform)
    ghost = fake.account("ghost")
    outcomes = {result.account.handle: result for result in fake.collect(accounts=[*fake.accounts(), ghost])}

    told_apart = platform in ("facebook", "x", "youtube")
    assert outcomes["ghost"].outcome == ("missing" if told_apart else "unavailable")
    assert outcomes["ghost"].detail
    assert outcomes["ghost"].accounts == []
    assert len(outcomes) == 6


def said(fake):
    """Why the one account failed; or why nobody could be asked, where it is TikTok's token that failed."""
    try:
        result = fake.one()
    except CollectionError as error:
        return str(error)
    return result.detail if result.outcome == "failed" else "it did not fail"


def test_html_with_200_is_no_empty_page(fake, lab):
    """A login page in between answers everything with 200."""
    fake.always = lambda: lab.answer("<html>Sign in</html>", 200, "text/html")

    assert "text/html" in said(fake)


@pytest.mark.parametrize(
    "body", ['{"data": [', "", '{"data": NaN}', "\ufeff{}", '{"a":' * 100_000, '{"data": 1e9999999']
)
def test_a_broken_body_is_quoted_by_hash_and_not_taken_for_nothing(fake, lab, body):
    fake.always = lambda: lab.answer(body)

    assert re.search("bad payload: .* sha256 [0-9a-f]{64}", said(fake))


def test_an_error_with_200_is_no_empty_page(fake, lab):
    errors = {
        "x": {"title": "odd"},
        "tiktok": {"error": {"code": "weird", "message": "odd"}},
        "youtube": {"error": {"message": "odd", "errors": [{"reason": "weird"}]}},
    }
    fake.always = lambda: lab.answer(errors.get(fake.platform, {"error": {"message": "odd", "code": 9999}}))
    assert "odd" in said(fake)


def test_a_redirect_is_not_followed(fake, lab):
    fake.always = lambda: lab.answer("", 302, location="http://169.254.169.254/latest/meta-data")

    assert "302" in said(fake)
    assert {request.url.host for request in fake.requests} == {"platform.example"}


def test_only_the_base_urls_own_origin_is_asked(fake):
    """Facebook's fake names another host in paging.next."""
    fake.one()

    assert {(r.url.scheme, r.url.host, r.url.port) for r in fake.requests} == {("https", "platform.example", None)}


def test_a_cursor_that_comes_again_ends_with_an_error(platform, lab):
    """Page two points to itself: an honest failure instead of an endless run, or of half a month."""
    posts = [lab.Post(n, lab.day(20 - n)) for n in range(9)]
    fake = lab.Fake(platform, {"city": posts}, cursor=lambda start: str(min(start, 4)))
    result = fake.one()

    assert result.outcome == "failed"
    assert "pagination loop" in result.detail
    assert len(fake.requests) < 12


def empty(value):
    """An answer without its posts; everything else, the next page among it, as it was."""
    if isinstance(value, dict):
        return {k: [] if k in ("data", "videos") and isinstance(v, list) else empty(v) for k, v in value.items()}
    return value


@pytest.mark.parametrize("platform", ["facebook", "instagram", "tiktok"])
def test_some_empty_pages_with_a_next_one_are_not_the_end(platform, lab):
    """Graph answers and short TikTok pages: nothing on them, and more behind them."""
    fake = lab.Fake(platform, {"city": [lab.Post(n, lab.day(20 - n)) for n in range(12)]}, page=2)

    def emptied(body):
        return body if "text 0" in json.dumps(body) or "text 11" in json.dumps(body) else empty(body)

    fake.edit = emptied
    assert lab.texts(fake.one()) == ["text 0", "text 1", "text 10", "text 11"]


@pytest.mark.parametrize("platform", ["facebook", "instagram", "tiktok"])
def test_a_listing_without_end_is_given_up(platform, lab):
    """Ever new cursors, never a post."""
    fake = lab.Fake(platform, {"city": [lab.Post(n, lab.day(1)) for n in range(100)]}, page=1)
    first = []

    def edit(body):
        if not first and "text" in json.dumps(body):
            first.append(body)
            return body
        return empty(body)

    fake.edit = edit
    result = fake.one()
    assert result.outcome == "failed"
    assert "empty pages" in result.detail


def test_credentials_are_in_no_row_error_log_or_repr(platform, lab, caplog):
    """The canary stands for every credential, is echoed by the platform, and must not be seen again anywhere."""
    caplog.set_level(logging.DEBUG)
    fake = five(lab, platform)

    def echo(value):
        if isinstance(value, dict):
            return {**{k: echo(v) for k, v in value.items()}, "echo": f"https://x?access_token={lab.CANARY}"}
        return [echo(one) for one in value] if isinstance(value, list) else value

    fake.edit = echo
    seen = [repr(fake.collect())]
    fake.always = lambda: lab.answer(
        {"error": {"message": f"bad {lab.CANARY}", "code": 190}, "detail": lab.CANARY}, 401
    )
    with pytest.raises(CollectionError) as caught:
        fake.collect()
    seen.append("".join(traceback.format_exception(caught.value)))
    fake.always = lambda: lab.answer(f'"access_token={lab.CANARY}', 200)
    try:
        seen.append(repr(fake.collect()))
    except CollectionError as error:
        seen.append(str(error))

    async def shown():
        async with collector(platform, fake.make_settings(), wire=Wire(httpx.MockTransport(fake))) as reader:
            return f"{reader!r} {reader.http!r} {reader.http.redact!r} {fake.make_settings()!r}"

    seen.append(asyncio.run(shown()))
    seen += [record.getMessage() for record in caplog.records]
    assert all(lab.CANARY not in text for text in seen)


@pytest.mark.parametrize(
    ("platform", "variable"),
    [
        ("facebook", "facebook_token"),
        ("x", "x_bearer_token"),
        ("instagram", "instagram_token"),
        ("instagram", "instagram_user_id"),
        ("youtube", "youtube_api_key"),
        ("tiktok", "tiktok_client_key"),
        ("tiktok", "tiktok_client_secret"),
    ],
)
def test_a_missing_credential_is_named_before_anything_is_asked(platform, variable, lab):
    fake = five(lab, platform, settings={variable: None})

    with pytest.raises(MissingCredential, match=f"SMI_{variable.upper()}"):
        fake.collect()

    assert fake.requests == []


def test_whoever_stops_listening_leaves_nothing_running(platform, lab):
    """A run that is interrupted must not go on asking, and paying, in the background."""

    async def interrupted():
        fake = lab.Fake(platform, {f"city{n}": [lab.Post(n, lab.day(10))] for n in range(60)})
        async with collector(platform, fake.make_settings(), wire=Wire(httpx.MockTransport(fake))) as reader:
            stream = reader.collect(fake.accounts(), lab.MAY)
            await anext(stream)
            await stream.aclose()
            asked = len(fake.requests)
            await asyncio.sleep(0.05)
            assert len(fake.requests) == asked
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(interrupted())


def test_the_probe_makes_one_cheap_call(fake, lab):
    def asked():
        return asyncio.run(probe(fake.platform, fake.make_settings(), wire=Wire(httpx.MockTransport(fake))))

    if fake.platform == "facebook":
        fake.posts["me"] = []
    assert (asked().at, asked().refusal) == (lab.NOW, None)
    assert len(fake.requests) == 2
    fake.always = lambda: lab.answer(REFUSED[fake.platform], 401)
    with pytest.raises(CollectionError, match="SMI_"):
        asked()
    assert len(fake.requests) == 3
    fake.always = lambda: lab.answer("", 503)
    with pytest.raises(CollectionError, match="503") as caught:
        asked()
    assert caught.value.retryable


def test_a_port_where_nobody_listens_ends_the_collection(platform, lab, unused_port):
    """A sandbox that was killed, a service that is down: one clear line for the platform, not one for each account."""
    base = f"http://127.0.0.1:{unused_port}"
    fake = five(lab, platform, settings={f"{platform}_base_url": base})

    async def gather():
        async with collector(platform, fake.make_settings()) as reader:
            return [result async for result in reader.collect(fake.accounts(), lab.MAY)], reader.requests

    with pytest.raises(CollectionError, match=f"cannot connect to {base}.*SMI_{platform.upper()}_BASE_URL") as caught:
        asyncio.run(gather())
    assert caught.value.retryable
