"""Values, waits, redaction and the window: the small rules everything rests on."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.collectors import facebook, graph, instagram, tiktok, x, youtube
from smi_pipeline.collectors.credentials import Redactor
from smi_pipeline.collectors.fields import Bad, compact, read_big_id, read_count, read_digits, read_epoch, read_time
from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.paging import Pages
from smi_pipeline.collectors.records import CollectionError, Window
from smi_pipeline.collectors.stream import each
from smi_pipeline.collectors.tiktok import spans
from smi_pipeline.collectors.verdict import Refusal, Reply, asked_wait, next_midnight, part, words
from smi_pipeline.settings import Settings

AT = datetime(2025, 6, 10, 6, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def reply(status=200, body=None, at=AT, **headers):
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, at)


@given(JSON)
def test_a_count_is_a_whole_number_below_2_63_or_nothing_or_bad(value):
    got = read_count(value)
    if value is None:
        assert got is None
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        assert got == value
    else:
        assert got == Bad(value)


@pytest.mark.parametrize(
    ("sent", "read"),
    [("0", "0"), ("007", "007"), (12, "12"), (None, None), (str(2**63 - 1), str(2**63 - 1))],
)
def test_a_count_in_digits_is_kept_as_sent(sent, read):
    assert read_digits(sent) == read


@pytest.mark.parametrize("sent", ["", "-1", "1.5", "1,234", "12K", "٣", "１２", " 1", True, str(2**63), -1, 1.0])
def test_what_is_no_count_in_digits_is_bad(sent):
    assert isinstance(read_digits(sent), Bad)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (7320768196569599275, 7320768196569599275),
        ("7320768196569599275", 7320768196569599275),
        (2**63 - 1, 2**63 - 1),
        (2**63, None),
        (73207681965695992750, None),
        (7.32e18, None),
        (0, None),
        (True, None),
        ("7.3e18", None),
        ("", None),
    ],
)
def test_a_tiktok_id_keeps_every_digit_or_is_no_id(sent, read):
    """Written in digits it is the same id: to refuse that would be a month without posts."""
    got = read_big_id(sent)
    assert isinstance(got, Bad) if read is None else got == read


@pytest.mark.parametrize(
    "text",
    ["2025-05-01T08:00:00+0800", "2025-05-01T00:00:00Z", "2025-05-01T00:00:00.000Z", "2025-05-01T00:00:00+00:00"],
)
def test_times_with_an_offset_are_one_instant(text):
    moment = read_time(text)
    assert moment.instant == datetime(2025, 5, 1, tzinfo=UTC)
    assert moment.raw == text


@pytest.mark.parametrize(
    ("sent", "instant"),
    [
        ("20250510T080000Z", (8, 0, 0, 0)),
        ("2025-W19-6T08:00:00Z", (8, 0, 0, 0)),
        ("2025-05-10T08:00:00,5Z", (8, 0, 0, 500_000)),
        ("2025-05-10T080000Z", (8, 0, 0, 0)),
        ("2025-05-10T08Z", (8, 0, 0, 0)),
        ("2025-05-10T08:30Z", (8, 30, 0, 0)),
        ("2025-05-10T08:00:00+05:30:15", (2, 29, 45, 0)),
        ("2025-05-10T08:00:00+053015", (2, 29, 45, 0)),
        ("2025-05-10T08:00:00 +08:00", (0, 0, 0, 0)),
        ("2025-05-10T08:00:00.1234567Z", (8, 0, 0, 123_456)),
        ("2025-05-10 08:00:00Z", (8, 0, 0, 0)),
        ("2025-05-10T08:00:00.25+0800", (0, 0, 0, 250_000)),
    ],
)
def test_a_time_that_is_read_is_stored_as_staging_reads_it(sent, instant):
    """DuckDB reads fewer forms of ISO 8601 than Python: one such post left its month, and every platform's, underived."""
    moment, expected = read_time(sent), datetime(2025, 5, 10, *instant, tzinfo=UTC)
    assert moment.instant == expected
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'Asia/Shanghai'")
        [stored] = connection.execute("select try_cast(? as timestamptz)", [moment.raw]).fetchone()
    assert stored == expected


@pytest.mark.parametrize(
    "text", ["2025-05-01", "2025-05-01T00:00:00", "1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z", 5]
)
def test_a_time_without_offset_or_beyond_reason_is_bad(text):
    assert read_time(text) == Bad(text)


def test_milliseconds_are_not_taken_for_seconds():
    assert read_epoch(1_746_057_600).instant == datetime(2025, 5, 1, tzinfo=UTC)
    assert isinstance(read_epoch(1_746_057_600_000), Bad)


def test_integers_beyond_2_53_keep_every_digit_in_the_payload():
    sent = '{"id":7320768196569599275,"text":"\\u0000 \\ud83d\\ude00"}'
    assert compact(json.loads(sent)) == '{"id":7320768196569599275,"text":"\\u0000 😀"}'


def test_half_a_surrogate_pair_does_not_reach_the_payload():
    assert compact(json.loads('["\\ud83d"]')) == '["\ufffd"]'


@given(st.integers(0, 20 * 365 * 86_400), st.integers(0, 40), st.integers(0, 23))
def test_tiktoks_spans_cover_the_window_whether_or_not_their_last_day_counts(seconds, days, hours):
    """Nobody says whether end_date is included: each instant must lie in a span either way."""
    start = datetime(2010, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    window = Window(start, start + timedelta(days=days, hours=hours + 1))
    found = list(spans(window, window.end + timedelta(days=10)))

    assert all((last - first).days + 1 <= 30 for first, last in found)
    for instant in (window.start, window.start + (window.end - window.start) / 2, window.end - timedelta.resolution):
        for included in (0, 1):
            assert any(first <= instant.date() < last + timedelta(days=included) for first, last in found)


def test_tiktoks_spans_of_may_in_shanghai_are_two_and_none_is_in_the_future():
    may = Window(datetime(2025, 4, 30, 16, tzinfo=UTC), datetime(2025, 5, 31, 16, tzinfo=UTC))

    assert list(spans(may, AT)) == [(date(2025, 4, 29), date(2025, 5, 28)), (date(2025, 5, 28), date(2025, 6, 1))]
    assert list(spans(may, datetime(2025, 5, 3, tzinfo=UTC))) == [(date(2025, 4, 29), date(2025, 5, 3))]
    assert list(spans(may, datetime(2025, 4, 1, tzinfo=UTC))) == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "120"}, 120),
        ({"retry_after": "Tue, 10 Jun 2025 06:02:00 GMT"}, 120),
        ({"retry_after": "Tue, 10 Jun 2025 05:00:00 GMT"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "soon"}, None),
        ({"x_rate_limit_reset": str(int(AT.timestamp()) + 600)}, 600),
        ({"x_rate_limit_reset": str(int(AT.timestamp()) - 600)}, None),
        ({"x_rate_limit_reset": "NaN"}, None),
        ({}, None),
    ],
)
def test_waits_are_reckoned_from_the_answers_own_clock(headers, seconds):
    assert asked_wait(reply(429, **headers)) == seconds


def test_a_quota_day_ends_at_midnight_where_the_platform_counts_it():
    """07:00 UTC in summer, 08:00 in winter."""
    assert next_midnight(AT, youtube.QUOTA_ZONE) == datetime(2025, 6, 10, 7, tzinfo=UTC)
    assert next_midnight(AT.replace(month=12), youtube.QUOTA_ZONE) == datetime(2025, 12, 10, 8, tzinfo=UTC)
    assert next_midnight(AT, UTC) == datetime(2025, 6, 11, tzinfo=UTC)


GRAPH = {"code": 100, "message": "m"}
CAPPED = {"title": "UsageCapExceeded", "type": "https://api.twitter.com/2/problems/usage-capped", "period": "Monthly"}
TOKEN = {"title": "Invalid Request", "errors": [{"parameters": {"pagination_token": ["x"]}, "message": "m"}]}
PER_DAY = (
    "Quota exceeded for quota metric 'Search Queries' and limit 'Search Queries per day' of service 'y' for consumer"
)
A_DAY = [{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_unit": "1/d/{project}"}}]
A_MINUTE = [{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_unit": "1/min/{project}"}}]
CASES = [
    (x.classify, 429, CAPPED, "quota"),
    (x.classify, 429, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}, "throttle"),
    (x.classify, 429, {"title": "Too Many Requests", "status": 429, "type": "about:blank"}, "throttle"),
    (x.classify, 402, {"title": "CreditsDepleted", "type": "https://api.x.com/2/problems/credits"}, "quota"),
    (x.classify, 402, None, "quota"),
    (x.classify, 400, TOKEN, "bad_page_token"),
    (x.classify, 400, {"errors": [{"parameters": 5}]}, "failed"),
    (x.classify, 503, {"title": "Service Unavailable", "status": 503}, "transient"),
    (x.classify, 502, None, "transient"),
    (youtube.classify, 403, {"error": {"errors": [{"reason": "dailyLimitExceeded"}]}}, "quota"),
    (youtube.classify, 403, {"error": {"errors": [{"reason": "rateLimitExceeded"}]}}, "throttle"),
    (youtube.classify, 429, {"error": {"errors": [{"reason": "rateLimitExceeded"}], "message": PER_DAY}}, "quota"),
    (youtube.classify, 429, {"error": {"errors": [{"reason": "rateLimitExceeded"}], "details": A_DAY}}, "quota"),
    (youtube.classify, 429, {"error": {"errors": [{"reason": "rateLimitExceeded"}], "details": A_MINUTE}}, "throttle"),
    (youtube.classify, 429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, "throttle"),
    (youtube.classify, 404, {"error": {"errors": [{"reason": "playlistNotFound"}]}}, "no_list"),
    (youtube.classify, 403, {"error": {"errors": [{"reason": "channelForbidden"}]}}, "failed"),
    (youtube.classify, 403, {"error": {"errors": [{"reason": "channelSuspended"}]}}, "suspended"),
    (youtube.classify, 400, {"error": {"errors": [{"reason": "keyInvalid"}], "message": "Bad Request"}}, "auth"),
    (youtube.classify, 500, {"error": {"errors": [{"reason": "internalError"}]}}, "transient"),
    (youtube.classify, 503, None, "transient"),
    (x.classify, 402, {"title": "Payment Required", "detail": "credits depleted"}, "quota"),
    (x.classify, 403, {"title": "Client Forbidden", "reason": "client-not-enrolled"}, "auth"),
    (x.classify, 403, {"type": "x/not-authorized-for-resource"}, "private"),
    (x.classify, 400, {"title": "Invalid Request"}, "failed"),
    (x.classify, 200, {"unexpected": 1}, "failed"),
    (x.classify, 200, [], "failed"),
    (youtube.classify, 403, {"error": {"errors": [{"reason": "accessNotConfigured"}]}}, "auth"),
    (youtube.classify, 400, {"error": {"errors": [{"reason": "badRequest"}], "message": "API key not valid."}}, "auth"),
    (youtube.classify, 400, {"error": {"errors": [{"reason": "badRequest"}], "message": "odd"}}, "failed"),
    (youtube.classify, 400, {"error": {"errors": [{"reason": "invalidPageToken"}]}}, "bad_page_token"),
    (youtube.classify, 403, {"error": {"errors": [{"reason": "playlistItemsNotAccessible"}]}}, "private"),
    (youtube.classify, 429, {"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}, "throttle"),
    (youtube.classify, 500, {"error": {"errors": [{"reason": "backendError"}]}}, "transient"),
    (youtube.classify, 200, {}, "failed"),
    (instagram.classify, 400, {"error": {"code": 110, "error_subcode": 2207013}}, "unavailable"),
    (instagram.classify, 400, {"error": GRAPH | {"error_subcode": 33}}, "auth"),
    (tiktok.classify, 200, {"error": {"code": 40100}}, "throttle"),
    (tiktok.classify, 401, {"error": {"code": "access_token_invalid"}}, "stale_token"),
    (tiktok.classify, 401, {"error": {"code": "scope_not_authorized"}}, "auth"),
    (tiktok.classify, 400, {"error": {"code": "invalid_params", "message": "Invalid count or cursor"}}, "stale_cursor"),
    (tiktok.classify, 400, {"error": {"code": "invalid_params", "message": "Invalid fields: colour"}}, "bad_field"),
    (tiktok.classify, 500, {"error": {"code": "internal_error"}}, "transient"),
    (tiktok.classify, 200, {"error": "invalid_client", "error_description": "wrong", "log_id": "1"}, "auth"),
    (tiktok.classify, 400, {"error": "invalid_client", "error_description": "wrong", "log_id": "1"}, "auth"),
    (tiktok.classify, 200, {"error": {"code": "invalid_client", "message": "wrong"}}, "auth"),
    (tiktok.classify, 403, {"error": {"code": "scope_permission_missed", "message": ""}, "data": {}}, "auth"),
    (tiktok.classify, 429, {"error": {"code": "rate_limit_exceeded", "message": ""}}, "throttle"),
    (tiktok.classify, 429, {"error": {"code": "daily_quota_limit_exceeded", "message": ""}}, "quota"),
    (
        tiktok.classify,
        400,
        {"error": {"code": "invalid_params", "message": "API cannot return this user's information"}},
        "unavailable",
    ),
    (tiktok.classify, 504, None, "transient"),
    (tiktok.classify, 200, {"data": {}}, "failed"),
]
GRAPH_CASES = [
    (190, {}, "auth"),
    (4, {}, "throttle"),
    (80001, {}, "throttle"),
    (613, {}, "throttle"),
    (368, {}, "auth"),
    (2, {}, "transient"),
    (1, {"message": "Please reduce the amount of data you're asking for"}, "less_data"),
    (803, {}, "missing"),
    (21, {"message": "Page ID 1 was migrated to page ID 2. Please update your API calls to the new ID"}, "missing"),
    (17, {}, "throttle"),
    (32, {}, "throttle"),
    (341, {}, "throttle"),
    (80002, {}, "throttle"),
    (80014, {}, "throttle"),
    (102, {}, "auth"),
    (190, {"error_subcode": 463}, "auth"),
    (1, {"message": "An unknown error occurred"}, "transient"),
    (200, {}, "permission"),
    (299, {}, "permission"),
    (100, {"error_subcode": 33}, "missing"),
    (100, {"message": "cannot be loaded due to missing permission"}, "permission"),
    (100, {"message": "API calls from the server require an appsecret_proof argument"}, "auth"),
    (100, {"message": "(#100) This call requires either app secret proof or an app access token"}, "auth"),
    (100, {"message": "API calls from the server require appsecret_proof arguments"}, "auth"),
    (100, {"message": "Invalid app-secret proof provided in the API argument", "error_subcode": 33}, "auth"),
    (100, {"message": "Unsupported request", "error_user_msg": "App Secret Proof is missing."}, "auth"),
    (100, {"message": "Tried accessing nonexisting field (colour) on node type (Page)"}, "bad_field"),
    (10, {}, "permission"),
    (283, {}, "permission"),
    (9999, {"is_transient": True}, "transient"),
    (9999, {}, "failed"),
]


@pytest.mark.parametrize(("classify", "status", "body", "kind"), CASES)
def test_the_body_decides_what_an_answer_means(classify, status, body, kind):
    assert classify(reply(status, body)).kind == kind


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(("code", "more", "kind"), GRAPH_CASES)
def test_graph_errors_are_told_by_code_whatever_the_status(code, more, kind, status):
    body = {"error": {"code": code, "message": "m", **more}}
    assert graph.classify(reply(status, body), variable="SMI_FACEBOOK_TOKEN").kind == kind


def test_a_pages_own_limit_is_waited_for_in_the_minutes_it_names():
    usage = {"1": [{"type": "pages", "call_count": 100, "estimated_time_to_regain_access": 3}]}
    answer = reply(400, {"error": {"code": 80001}}, x_business_use_case_usage=json.dumps(usage))
    assert graph.classify(answer, variable="V").wait == 180
    for odd in ("", "[]", '{"1": 5}', '{"1": [{"estimated_time_to_regain_access": "x"}]}'):
        answer = reply(400, {"error": {"code": 80001}}, x_business_use_case_usage=odd)
        assert graph.classify(answer, variable="V").wait is None


@given(
    st.sampled_from([x.classify, youtube.classify, instagram.classify, tiktok.classify]), st.integers(200, 599), JSON
)
def test_no_body_is_too_odd_to_be_judged(classify, status, body):
    """What comes from outside may be any JSON; 200 with nonsense is never taken for an answer of posts."""
    verdict = classify(reply(status, body))
    assert verdict.kind != "ok" or status < 300


@given(
    st.integers(400, 599), st.dictionaries(st.sampled_from(["code", "message", "errors", "details", "reason"]), JSON)
)
def test_no_error_object_is_too_odd_to_be_judged(status, error):
    for classify in (x.classify, youtube.classify, instagram.classify, tiktok.classify):
        assert classify(reply(status, {"error": error, "errors": error})).kind != "ok"


def test_a_credential_is_hidden_in_every_form_it_takes():
    secret = 'EAAB/se"cret+1%'
    redact = Redactor([secret])
    forms = [secret, "EAAB%2Fse%22cret%2B1%25", json.dumps(secret), json.dumps(secret).replace("/", "\\/")]
    for form in forms:
        assert "cret" not in redact.received(f"before {form} after")
    assert json.loads(redact.received(json.dumps({"a": secret, "b": 1}))) == {"a": "[redacted]", "b": 1}
    assert "cret" not in repr(redact)


@pytest.mark.parametrize(
    "text",
    [
        "GET https://h/x?key=AIzaSyUNKNOWN&part=id",
        "Authorization: Bearer UNKNOWN123456",
        '{"authorization": "Bearer UNKNOWN123456"}',
        "https://h?access_token=UNKNOWN123456&after=x",
        "appsecret_proof=UNKNOWN123456",
        '"client_secret": "UNKNOWN123456"',
    ],
)
def test_where_a_credential_stands_nothing_is_shown(text):
    assert "UNKNOWN" not in Redactor().message(text)


def test_redaction_leaves_texts_and_json_as_they_are():
    """The sandbox accepts the word `sandbox`: hiding that would blank ordinary posts."""
    post = json.dumps(
        {"message": "sandbox key=value token=5, see https://a.b/?key=1", "next": "access_token=abc&after=Z"}
    )
    received = json.loads(Redactor(["sandbox"]).received(post))
    assert received["message"] == "sandbox key=value token=5, see https://a.b/?key=1"
    assert received["next"] == "access_token=[redacted]&after=Z"


def turn(pages, cursor, ids):
    pages.page(ids)
    pages.turn(cursor)


def test_a_repeated_cursor_with_new_posts_is_no_loop():
    """Equal cursors with a next page behind them have been seen; leaving there loses posts."""
    pages = Pages()
    turn(pages, "a", [1])
    turn(pages, "a", [2])
    with pytest.raises(Refusal, match="pagination loop"):
        turn(pages, "a", [2])


def test_a_cycle_of_two_cursors_is_a_loop():
    pages = Pages()
    for cursor, ids in (("a", [1]), ("b", [2])):
        turn(pages, cursor, ids)
    with pytest.raises(Refusal, match="pagination loop"):
        turn(pages, "a", [1])


def test_a_window_is_given_by_aware_instants_in_order():
    with pytest.raises(ValueError, match="aware"):
        Window(AT.replace(tzinfo=None), AT)
    with pytest.raises(ValueError, match="ends"):
        Window(AT, AT)


@pytest.mark.parametrize(
    "url", ["", "platform.example", "ftp://h", "https://u:p@h", "https://h?key=1", "https://h:port"]
)
def test_a_base_url_that_is_none_is_named(url):
    class Odd(Settings):
        def base_url(self, platform):
            return url

    with pytest.raises(CollectionError, match="SMI_X_BASE_URL"):
        x.create(Odd(_env_file=None, x_bearer_token="a-token-of-x"), Wire())


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "ключ"])
def test_a_credential_with_impossible_characters_is_refused_without_showing_it(value):
    with pytest.raises(CollectionError, match="SMI_X_BEARER_TOKEN") as caught:
        x.create(Settings(_env_file=None, x_bearer_token=value), Wire())
    assert value not in str(caught.value)


def test_a_listing_that_does_not_end_is_given_up_at_last():
    pages = Pages()
    for number in range(1_999):
        turn(pages, str(number), [number])
    with pytest.raises(Refusal, match="no end after 2000 pages"):
        turn(pages, "another", ["another"])


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [({"a": [{"b": 1}]}, ("a", 0, "b"), 1), ({"a": []}, ("a", 0), None), ("abc", (0,), None), (None, ("a",), None)],
)
def test_a_part_that_is_not_there_is_nothing(value, path, found):
    assert part(value, *path) == found


def test_the_platforms_words_stay_one_bearable_line():
    assert words("a\n b", None, "", "c") == "a b: c"
    assert len(words("x" * 5000)) == 300


def test_a_failure_ends_the_others_and_is_raised_as_it_is():
    done = []

    async def work(item):
        if item == 2:
            raise KeyError(item)
        await asyncio.sleep(0 if item < 2 else 10)
        done.append(item)

    async def run():
        with pytest.raises(KeyError):
            await each(range(8), work, at_once=3)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
    assert done == [0, 1]


@pytest.mark.parametrize(
    ("paging", "cursor"),
    [
        ({"next": "https://h/?access_token=[redacted]&after=N", "cursors": {"after": "C"}}, {"after": "C"}),
        ({"next": "https://h/?after=N"}, {"after": "N"}),
        ({"next": "https://h/?until=9&__paging_token=T"}, {"until": "9", "__paging_token": "T"}),
        (
            {  # as recorded in 2021, with names that have no value
                "previous": "https://h/v10.0/4/posts?__previous=1&since=1625428258&until&__paging_token=P",
                "next": "https://h/v10.0/4/posts?pretty=0&until=1624385168&since&__paging_token=T&__previous",
            },
            {"until": "1624385168", "__paging_token": "T"},
        ),
        ({"previous": "https://h/v10.0/4/posts?until&__previous=1&since=1623945625&__paging_token=P"}, None),
        ({"next": "http://[no address?after=N%3D"}, {"after": "N="}),
        ({"next": None, "cursors": {"after": "C"}}, None),
        ({"cursors": {"after": "C"}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_facebooks_next_page_is_read_for_its_cursor_alone(paging, cursor):
    """`cursors.after` on the last page leads nowhere: only `next` says that there is more."""
    assert facebook._next({"data": [], "paging": paging}) == cursor
