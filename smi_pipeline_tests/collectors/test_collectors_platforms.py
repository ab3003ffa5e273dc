"""What is peculiar to one platform each."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from smi_pipeline.collectors import x
from smi_pipeline.collectors.records import CollectionError, Window


def outcomes(results):
    return {result.account.handle: result.outcome for result in results}


# --- identity ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("platform", "known"), [("x", "777"), ("instagram", "17841400000000777")])
def test_a_handle_that_now_belongs_to_another_account_fails(platform, known, lab):
    """Somebody took the name over: their posts must not become the city's."""
    fake = lab.Fake(platform, {"city": [lab.Post(1, lab.day(1))]})
    [result] = fake.collect(accounts=[fake.account("city", account_id=known)])

    assert result.outcome == "failed"
    assert f"now belongs to {fake.id_of('city')}" in result.detail
    assert (result.posts, result.accounts) == ([], [])


@pytest.mark.parametrize(("platform", "known"), [("facebook", "54971236771"), ("youtube", "UC-Cs55IKt_UoYTMyioTSPww")])
def test_a_known_id_is_asked_for_instead_of_the_handle(platform, known, lab):
    """A renamed account keeps its id."""
    fake = lab.Fake(platform, {"new_name": [lab.Post(1, lab.day(1))]}, ids={"new_name": known})
    [result] = fake.collect(accounts=[fake.account("old_name", account_id=known)])

    assert result.outcome == "answered"
    assert len(result.posts) == 1
    assert not any("old_name" in str(request.url) for request in fake.requests)


@pytest.mark.parametrize(
    ("username", "outcome"), [("Old.Name", "answered"), ("oldname", "answered"), ("new.name", "renamed")]
)
def test_dots_and_capitals_make_no_other_facebook_page(lab, username, outcome):
    """Facebook reads over both: a Page that writes its name with a dot has not got a new one."""
    fake = lab.Fake("facebook", {"oldName": [lab.Post(1, lab.day(1))]}, ids={"oldName": "54971236771"})
    fake.edit = lambda body: {**body, "username": username}
    [result] = fake.collect(accounts=[fake.account("oldName", account_id="54971236771")])

    assert (result.outcome, len(result.posts)) == (outcome, 1)


def test_a_renamed_x_account_is_followed_by_its_id(lab):
    fake = lab.Fake("x", {"new_name": [lab.Post(1, lab.day(1))]}, ids={"new_name": "777"})

    by_names = fake._x
    user = {"id": "777", "username": "new_name", "public_metrics": {"tweet_count": 1}}
    fake._x = lambda request: lab.answer({"data": [user]}) if request.url.path == "/2/users" else by_names(request)
    [result] = fake.collect(accounts=[fake.account("old_name", account_id="777")])

    assert (result.outcome, len(result.posts)) == ("renamed", 1)
    assert result.detail == "renamed: the handle is now new_name"


# --- X -------------------------------------------------------------------------------------------------------------


def test_x_users_are_asked_for_in_hundreds(lab):
    fake = lab.Fake("x", {f"city{n}": [] for n in range(101)})
    fake.collect()

    lookups = [request for request in fake.requests if request.url.path == "/2/users/by"]
    assert [len(request.url.params["usernames"].split(",")) for request in lookups] == [100, 1]
    assert len(fake.requests) == 2 + 101


def test_x_users_of_the_next_hundred_are_asked_for_while_timelines_are_read(lab):
    fake = lab.Fake("x", {f"city{n}": [] for n in range(201)}, takes_turns=True)
    fake.collect()

    paths = [request.url.path for request in fake.requests]
    second = paths.index("/2/users/by", 1)
    assert sum(path.endswith("/tweets") for path in paths[:second]) < 50  # of the first hundred's


def test_x_tells_suspended_protected_and_unmentioned_accounts_apart(lab):
    fake = lab.Fake("x", {"gone": [], "shut": [], "lost": [], "open": []})

    def edit(body):
        if "public_metrics" not in json.dumps(body) or "errors" in body:
            return body
        users = {user["username"]: user for user in body["data"]}
        problem = {"value": "gone", "title": "Forbidden", "detail": "User has been suspended: [gone]."}
        shut = {**users["shut"], "protected": True}
        return {"data": [shut, users["open"]], "errors": [{**problem, "type": "x/resource-not-found"}]}

    fake.edit = edit
    results = fake.collect()

    assert outcomes(results) == {"gone": "suspended", "shut": "private", "lost": "failed", "open": "answered"}
    followers = {result.account.handle: result.accounts for result in results}
    assert followers["shut"][0]["followers_count"] == 7
    assert followers["gone"] == []
    assert len(fake.requests) == 2


def test_x_months_before_its_first_instant_are_not_asked_for(lab):
    fake = lab.Fake("x", {"city": [lab.Post(1, lab.day(1))]})
    result = fake.one(window=Window(datetime(2010, 10, 1, tzinfo=UTC), datetime(2010, 11, 1, tzinfo=UTC)))

    assert (result.outcome, result.posts) == ("answered", [])
    assert "2010-11-06" in result.detail
    assert len(fake.requests) == 1


def test_x_asks_within_the_bounds_its_api_allows(lab):
    """No start before 6 November 2010, and no end that is not yet past."""
    fake = lab.Fake("x", {"city": []})
    fake.collect(window=Window(datetime(2010, 11, 1, tzinfo=UTC), datetime(2010, 12, 1, tzinfo=UTC)))
    assert "start_time" not in fake.requests[-1].url.params
    assert fake.requests[-1].url.params["end_time"] == "2010-12-01T00:00:00Z"
    fake.collect(window=Window(lab.NOW - timedelta(days=5), lab.NOW + timedelta(days=5)))
    assert "end_time" not in fake.requests[-1].url.params


@pytest.mark.parametrize(("older", "outcome"), [(True, "answered"), (False, "truncated")])
def test_x_history_that_ends_inside_the_window_is_told(lab, older, outcome):
    """A timeline shows 3,200 posts and then nothing, without a word; only something older proves it whole."""
    fake = lab.Fake("x", {"city": [lab.Post(n, lab.day(1 + n % 28)) for n in range(3_000)]}, page=1_000)

    def edit(body):
        if "max_results=5&" in str(fake.requests[-1].url):
            return body if older else {"meta": {"result_count": 0}}
        text = json.dumps(body)
        return json.loads(text.replace('"tweet_count": 3000', '"tweet_count": 90000'))

    fake.edit = edit
    result = fake.one()

    assert result.outcome == outcome
    assert len(result.posts) == 3_000
    probes = [request for request in fake.requests if request.url.params.get("max_results") == "5"]
    assert [request.url.params["end_time"] for request in probes] == ["2025-05-01T00:00:00Z"]


def test_x_asks_nothing_more_where_the_history_limit_cannot_matter(lab):
    fake = lab.Fake("x", {"city": [lab.Post(1, lab.day(1))]})
    fake.edit = lambda body: json.loads(json.dumps(body).replace('"tweet_count": 1', '"tweet_count": 90000'))

    assert fake.one().outcome == "answered"
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    ("reposts", "references", "total"),
    [("retweet_count", "referenced_tweets", "tweet_count"), ("repost_count", "referenced_posts", "post_count")],
)
def test_x_is_understood_in_both_vocabularies(lab, reposts, references, total):
    fake = lab.Fake("x", {"city": [lab.Post(n, lab.day(n)) for n in (3, 2, 1)]}, page=3)
    media = [{"media_key": "3_1", "type": "video"}, {"media_key": "3_2", "type": "photo"}]

    def edit(body):
        if "meta" not in body:
            return {"data": [{**body["data"][0], "public_metrics": {total: 12}}]}
        first, second, third = body["data"]
        metrics = {reposts: 4, "like_count": 1}
        first |= {"public_metrics": metrics, "attachments": {"media_keys": ["3_1", "3_2"]}}
        second |= {references: [{"type": "retweeted", "id": "9"}], "attachments": {"media_keys": ["3_404"]}}
        return {**body, "data": [first, second, third], "includes": {"media": media}}

    fake.edit = edit
    result = fake.one()

    first, second, third = result.posts
    assert result.accounts[0]["tweet_count"] == 12
    assert (first["retweet_count"], first["media_types"]) == (4, ["video", "photo"])
    assert json.loads(first["payload"])["includes"] == {"media": media}
    assert (second["referenced_tweet_types"], second["media_types"]) == (["retweeted"], None)
    assert (third["referenced_tweet_types"], third["media_types"]) == ([], [])
    assert "tweet.fields" in fake.requests[-1].url.params


def test_x_without_posts_and_without_a_reason_is_drift(lab):
    fake = lab.Fake("x", {"city": [lab.Post(1, lab.day(1))]})
    fake.edit = lambda body: {"meta": {"result_count": 3}} if "meta" in body else body

    result = fake.one()
    assert result.outcome == "failed"
    assert "drift" in result.detail


def test_x_pages_without_posts_that_name_a_next_one_are_not_the_end(lab):
    """A page may be short, and as short as nothing: only a missing next_token is the end."""
    fake = lab.Fake("x", {"city": [lab.Post(n, lab.day(20 - n)) for n in range(12)]})

    def edit(body):
        if "meta" not in body or any(f'"text {n}"' in json.dumps(body) for n in (0, 11)):
            return body
        return {"meta": body["meta"] | {"result_count": 0}}

    fake.edit = edit
    assert lab.texts(fake.one()) == ["text 0", "text 1", "text 10", "text 11"]


@pytest.mark.parametrize(("times", "outcome", "posts"), [(1, "answered", 5), (2, "failed", 0)])
def test_x_page_token_that_expired_restarts_the_timeline_once(lab, times, outcome, posts):
    fake = lab.Fake("x", {"city": [lab.Post(n, lab.day(9 - n)) for n in range(5)]})
    refused = {
        "errors": [{"parameters": {"pagination_token": ["2"]}, "message": "is not valid"}],
        "title": "Invalid Request",
        "type": "https://api.twitter.com/2/problems/invalid-request",
    }
    seen = []

    def edit(body):
        if body.get("meta", {}).get("next_token") == "2" and len(seen) < times:
            seen.append(1)
            fake.faults = [lab.answer(refused, 400)]
        return body

    fake.edit = edit
    result = fake.one()
    assert (result.outcome, len(result.posts)) == (outcome, posts)


@pytest.mark.parametrize(
    ("attached", "included", "told"),
    [
        (["3_1"], [{"media_key": "3_1"}], None),
        (["3_1", "7_2"], [{"media_key": "3_1"}, {"media_key": "7_2", "type": "video"}], ["video"]),
        (["3_1"], None, None),
        ([], [], []),
    ],
)
def test_x_media_whose_kind_is_not_told_are_of_an_unknown_kind_and_not_none(lab, attached, included, told):
    """A post with a medium of unknown kind may be a video; a post without any is not."""
    fake = lab.Fake("x", {"city": [lab.Post(1, lab.day(1))]})

    def edit(body):
        for post in body["data"] if "meta" in body else []:
            post["attachments"] = {"media_keys": attached}
            body["includes"] = {"media": included}
        return body

    fake.edit = edit
    [row] = fake.one().posts
    assert row["media_types"] == told


def test_x_users_without_their_names_are_drift_and_not_accounts_that_are_gone(lab):
    """Terminal outcomes are not asked again: a platform that changed must not end a month for everybody."""
    fake = lab.Fake("x", {"city": [lab.Post(1, lab.day(1))], "town": []})
    fake.edit = lambda body: json.loads(json.dumps(body).replace('"username"', '"user_name"'))

    results = fake.collect()
    assert outcomes(results) == {"city": "failed", "town": "failed"}
    assert "username: field required" in results[0].detail


def test_x_errors_beside_posts_are_about_something_else(lab):
    """An original that is gone is told beside the repost of it: nothing is wrong with the page."""
    fake = lab.Fake("x", {"city": [lab.Post(n, lab.day(9 - n)) for n in range(3)]})
    problem = {
        "value": "1",
        "parameter": "referenced_tweets.id",
        "type": "https://api.x.com/2/problems/resource-not-found",
    }
    fake.edit = lambda body: body | ({"errors": [problem | {"title": "Not Found Error"}]} if "meta" in body else {})

    result = fake.one()
    assert (result.outcome, len(result.posts)) == ("answered", 3)


def test_x_timeline_that_may_not_be_seen_is_private(lab):
    fake = lab.Fake("x", {"city": [lab.Post(1, lab.day(1))]})
    problem = {"title": "Authorization Error", "detail": "no", "type": "x/not-authorized-for-resource"}
    fake.edit = lambda body: {"errors": [problem]} if "meta" in body else body

    assert fake.one().outcome == "private"


def test_x_credit_that_is_used_up_is_said_once(lab):
    body = {"detail": "credits depleted", "status": 402, "title": "Payment Required"}
    fake = lab.Fake("x", {"city": []}, always=lambda: lab.answer(body, 402))

    with pytest.raises(CollectionError, match=r"credits depleted.*buy credits"):
        fake.collect()
    assert len(fake.requests) == 1
    assert x.HISTORY == 3_200


# --- YouTube -------------------------------------------------------------------------------------------------------


def test_youtube_videos_are_asked_for_in_fifties_across_channels(lab):
    posts = {f"city{c}": [lab.Post(100 * c + n, lab.day(1 + n)) for n in range(20)] for c in range(6)}
    fake = lab.Fake("youtube", posts, page=50)
    results = fake.collect()

    videos = [request for request in fake.requests if request.url.path.endswith("videos")]
    assert sorted(len(request.url.params["id"].split(",")) for request in videos) == [20, 50, 50]
    assert [len(result.posts) for result in results] == [20] * 6


def test_youtube_channels_of_known_id_are_asked_for_in_fifties(lab):
    names = [f"city{n:02d}" for n in range(51)]
    fake = lab.Fake("youtube", {name: [] for name in names})
    fake.collect(accounts=[fake.account(name, account_id=fake.id_of(name)) for name in names])

    channels = [request for request in fake.requests if request.url.path.endswith("channels")]
    assert [len(request.url.params["id"].split(",")) for request in channels] == [50, 1]


def test_youtube_stops_after_the_first_page_wholly_before_the_window(lab):
    """A scheduled video stands where it was added: one old video on a page is no end, a whole page of them is."""
    april = datetime(2025, 4, 5, tzinfo=UTC)
    times = [lab.day(20), april, april, lab.day(3), april, april, april, lab.day(2)]
    fake = lab.Fake("youtube", {"city": [lab.Post(n, at) for n, at in enumerate(times)]})

    assert lab.texts(fake.one()) == ["text 0", "text 3"]
    assert sum(request.url.path.endswith("playlistItems") for request in fake.requests) == 3


def test_youtube_videos_gone_meanwhile_are_counted_in_the_detail(lab):
    fake = lab.Fake("youtube", {"city": [lab.Post(n, lab.day(9 - n)) for n in range(3)]}, page=5)

    def edit(body):
        items = body.get("items", [])
        return {**body, "items": items[1:]} if items and "likeCount" in json.dumps(items) else body

    fake.edit = edit
    result = fake.one()
    assert (result.outcome, len(result.posts)) == ("answered", 2)
    assert "1 listed videos are no longer public" in result.detail


@pytest.mark.parametrize(("count", "outcome"), [("0", "answered"), ("12", "unavailable")])
def test_youtube_list_that_is_not_there_is_right_only_without_videos(lab, count, outcome):
    fake = lab.Fake("youtube", {"city": []})
    error = {"error": {"code": 404, "message": "not found", "errors": [{"reason": "playlistNotFound"}]}}

    def edit(body):
        body["items"][0]["statistics"]["videoCount"] = count
        fake.faults = [lab.answer(error, 404)]
        return body

    fake.edit = edit
    result = fake.one()
    assert result.outcome == outcome
    assert "playlistNotFound" in result.detail
    assert result.posts == []


def test_youtube_page_token_that_expired_restarts_the_list(lab):
    fake = lab.Fake("youtube", {"city": [lab.Post(n, lab.day(9 - n)) for n in range(5)]})
    error = {"error": {"code": 400, "message": "bad", "errors": [{"reason": "invalidPageToken"}]}}
    seen = []

    def edit(body):
        if "nextPageToken" in body and not seen:
            seen.append(1)
            fake.faults = [lab.answer(error, 400)]
        return body

    fake.edit = edit
    assert len(fake.one().posts) == 5


def test_youtube_private_items_have_no_time_and_are_passed_over_but_a_lost_key_is_not(lab):
    fake = lab.Fake("youtube", {"city": [lab.Post(n, lab.day(9 - n)) for n in range(4)]}, page=9)

    def without(first):
        def edit(body):
            for item in body.get("items", [])[:first]:
                item.get("contentDetails", {}).pop("videoPublishedAt", None)
            return body

        return edit

    fake.edit = without(1)
    assert lab.texts(fake.one()) == ["text 1", "text 2", "text 3"]
    fake.edit = without(9)
    assert fake.one().outcome == "failed"


def test_youtube_stops_at_the_page_that_is_wholly_older_and_not_at_one_with_nothing_dated_on_it(lab):
    """A page of private videos alone says nothing about the time it stands at."""
    april = datetime(2025, 4, 5, tzinfo=UTC)
    times = [lab.day(20), lab.day(19), lab.day(18), lab.day(17), lab.day(16), april, april, april, april]
    fake = lab.Fake("youtube", {"city": [lab.Post(n, at) for n, at in enumerate(times)]})

    def edit(body):
        for item in body.get("items", []):
            if item.get("contentDetails", {}).get("videoId") in ("v0000000002", "v0000000003"):
                del item["contentDetails"]["videoPublishedAt"]
        return body

    fake.edit = edit
    assert lab.texts(fake.one()) == ["text 0", "text 1", "text 4"]
    assert sum(request.url.path.endswith("playlistItems") for request in fake.requests) == 4


def test_youtube_empty_pages_with_a_next_one_are_not_the_end(lab):
    fake = lab.Fake("youtube", {"city": [lab.Post(n, lab.day(20 - n)) for n in range(6)]})
    fake.edit = lambda body: {**body, "items": []} if body.get("nextPageToken") == "4" else body

    assert lab.texts(fake.one()) == ["text 0", "text 1", "text 4", "text 5"]


def test_youtube_videos_listed_on_two_pages_are_asked_for_once(lab):
    times = [lab.day(20), lab.day(19), lab.day(18), lab.day(17)]
    posts = [lab.Post(n, at) for n, at in enumerate(times)]
    fake = lab.Fake("youtube", {"city": [*posts[:2], posts[1], *posts[2:]]})

    assert lab.texts(fake.one()) == ["text 0", "text 1", "text 2", "text 3"]
    assert fake.requests[-1].url.params["id"].split(",") == [f"v{n:010d}" for n in range(4)]


@pytest.mark.parametrize(
    ("statistics", "told"),
    [
        ({"subscriberCount": "0", "hiddenSubscriberCount": True, "viewCount": "9"}, ("0", True)),
        ({"hiddenSubscriberCount": True, "viewCount": "9"}, (None, True)),
        ({"subscriberCount": "123000", "hiddenSubscriberCount": False}, ("123000", False)),
        (None, (None, None)),
    ],
)
def test_youtube_channels_are_read_with_and_without_their_figures(lab, statistics, told):
    fake = lab.Fake("youtube", {"city": []})

    def edit(body):
        for item in body.get("items", []):
            item["statistics"] = statistics
        return body

    fake.edit = edit
    [row] = fake.one().accounts
    assert (row["subscriberCount"], row["hiddenSubscriberCount"], row["customUrl"]) == (*told, None)


def test_youtube_premieres_and_streams_are_videos_like_others(lab):
    """An upcoming premiere has no likes yet and a live stream no duration: both are listed, and both are of the month."""
    fake = lab.Fake("youtube", {"city": [lab.Post(2, lab.day(20)), lab.Post(1, lab.day(10), likes=lab.ABSENT)]}, page=5)

    def edit(body):
        for item, state in zip(body.get("items", []), ("live", "upcoming"), strict=False):
            item.setdefault("snippet", {})["liveBroadcastContent"] = state
        return body

    fake.edit = edit
    assert {row["title"]: row["likeCount"] for row in fake.one().posts} == {"text 1": None, "text 2": "5"}


# --- shapes that no contract has ------------------------------------------------------------------------------------


def places(value, path=()):
    """The way to every value in a JSON body."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, one in inner:
        yield from places(one, (*path, step))


def put(value, path, odd):
    if not path:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], odd)
    return copy


def city_of(platform, lab):
    fake = lab.Fake(platform, {"city": [lab.Post(n, lab.day(9 - n)) for n in range(2)]})

    def edit(body):
        if platform == "x" and "meta" in body:
            for post in body["data"]:
                post |= {"attachments": {"media_keys": ["3_1"]}, "referenced_tweets": [{"type": "quoted", "id": "9"}]}
            body["includes"] = {"media": [{"media_key": "3_1", "type": "photo"}]}
        elif platform == "x":
            body["errors"] = [{"value": "nobody", "title": "Not Found Error", "type": "x/resource-not-found"}]
        return body

    fake.edit = edit
    known = getattr(fake, f"_{platform}")

    def answered(request):
        try:
            return known(request)
        except (KeyError, ValueError, StopIteration):  # asked for what nobody has
            return lab.answer({}, 404)

    setattr(fake, f"_{platform}", answered)
    return fake


@pytest.mark.parametrize("platform", ["x", "youtube"])
@pytest.mark.parametrize("odd", [None, 5, "", [[]], {"a": 1}], ids=repr)
def test_whatever_stands_anywhere_in_an_answer_the_account_gets_one_result(platform, odd, lab):
    """An exception here would end the month of every other account of the platform."""
    bodies, clean = [], city_of(platform, lab)
    as_usual = clean.edit
    clean.edit = lambda body: bodies.append(as_usual(body)) or bodies[-1]
    clean.one()
    tried = 0
    for number, told in enumerate(bodies):
        for path in places(told):
            fake = city_of(platform, lab)
            fake.edit = lambda body, edit=fake.edit, path=path, number=number, fake=fake: (
                put(edit(body), path, odd) if len(fake.requests) == number + 1 else edit(body)
            )
            try:
                [result] = fake.collect()
            except CollectionError:
                continue
            assert result.account.handle == "city"
            tried += 1
    assert tried > 40


# --- Facebook and Instagram ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("platform", "first"), [("facebook", 100), ("instagram", 50)])
def test_too_much_data_halves_the_page_and_keeps_it_small(platform, first, lab):
    fake = lab.Fake(platform, {"city": [lab.Post(n, lab.day(9 - n)) for n in range(4)]})
    error = {"error": {"code": 1, "message": "Please reduce the amount of data you're asking for, then retry"}}
    fake.faults = [lab.answer(error, 500), lab.answer(error, 400)]

    assert len(fake.one().posts) == 4
    limits = [str(request.url).replace("%28", "(").replace("%29", ")") for request in fake.requests]
    sizes = [first, first // 2, first // 4, first // 4]
    assert all(f"limit({size})" in url or f"limit={size}" in url for size, url in zip(sizes, limits, strict=True))


@pytest.mark.parametrize(("percent", "seconds"), [(79, None), (90, 30), (100, 300)])
def test_what_is_used_of_metas_limit_slows_every_kind_of_request(lab, percent, seconds):
    """It is the app's: a Page's answer that says so must hold back the request for its posts."""
    fake = lab.Fake("facebook", {"city": [lab.Post(n, lab.day(9 - n)) for n in range(4)]})
    original, usage = fake._facebook, json.dumps({"call_count": percent, "total_time": 1, "total_cputime": 1})

    def facebook(request):
        answer = original(request)
        if len(fake.requests) == 1:
            answer.headers["x-app-usage"] = usage
        return answer

    fake._facebook = facebook
    assert len(fake.one().posts) == 4
    assert [request.url.path.count("published_posts") for request in fake.requests] == [0, 1]
    assert fake.sleeps == ([] if seconds is None else [pytest.approx(seconds, abs=0.5)])


def test_too_much_data_even_for_one_post_fails_the_account(lab):
    error = {"error": {"code": 1, "message": "Please reduce the amount of data you're asking for, then retry"}}
    fake = lab.Fake("facebook", {"city": []}, always=lambda: lab.answer(error, 500))

    assert fake.one().outcome == "failed"
    assert len(fake.requests) == 7  # 100, 50, 25, 12, 6, 3, 1


def test_the_graph_token_travels_in_a_header_with_its_proof(lab):
    fake = lab.Fake("facebook", {"city": []}, settings={"facebook_app_secret": "the-app's-secret"})
    fake.one()

    [request] = fake.requests
    assert request.headers["authorization"] == f"Bearer {lab.CANARY}"
    expected = hmac.new(b"the-app's-secret", lab.CANARY.encode(), hashlib.sha256).hexdigest()
    assert request.url.params["appsecret_proof"] == expected
    assert lab.CANARY not in str(request.url)


def test_a_permission_that_one_page_lacks_concerns_it_alone(lab):
    fake = lab.Fake("facebook", {"a": [], "b": []}, faults=[])
    denied = {"error": {"code": 100, "message": "Object does not exist, cannot be loaded due to missing permission"}}
    fake.faults = [lab.answer(denied, 400)]

    assert sorted(result.outcome for result in fake.collect()) == ["answered", "permission"]


@pytest.mark.parametrize("code", [10, 200, 283])
def test_a_permission_instagram_lacks_for_one_account_concerns_it_alone(lab, code):
    """The others were read with the same token; refused for all, the first answer says so and nobody else is asked."""
    fake = lab.Fake("instagram", {f"city{n}": [lab.Post(n, lab.day(3))] for n in range(5)})
    denied = {"error": {"code": code, "message": "Application does not have permission for this action"}}
    original = fake._instagram
    fake._instagram = lambda r: lab.answer(denied, 400) if "city3" in str(r.url) else original(r)

    assert outcomes(fake.collect()) == {f"city{n}": "permission" if n == 3 else "answered" for n in range(5)}


def test_instagram_pinned_media_in_front_do_not_end_the_listing(lab):
    old = datetime(2024, 1, 1, tzinfo=UTC)
    times = [old, lab.day(20), lab.day(10), lab.day(5), old, old, old]
    fake = lab.Fake("instagram", {"city": [lab.Post(n, at) for n, at in enumerate(times)]})

    assert lab.texts(fake.one()) == ["text 1", "text 2", "text 3"]
    assert len(fake.requests) == 3


@pytest.mark.parametrize("page", [1, 2, 3])
def test_instagram_pages_full_of_pinned_media_do_not_end_the_listing(lab, page):
    """Halved often enough, a page is not larger than the three media an account can pin."""
    old = datetime(2024, 1, 1, tzinfo=UTC)
    times = [old, old, old, lab.day(20), lab.day(10), lab.day(5), *[old] * 9]
    fake = lab.Fake("instagram", {"city": [lab.Post(n, at) for n, at in enumerate(times)]}, page=page)

    assert lab.texts(fake.one()) == ["text 3", "text 4", "text 5"]
    assert len(fake.requests) == 6 // page + 1


def test_instagram_media_that_are_counted_but_not_shown_are_no_zero(lab):
    fake = lab.Fake("instagram", {"city": []})
    fake.edit = lambda body: {**body, "business_discovery": {**body["business_discovery"], "media_count": 12}}

    result = fake.one()
    assert (result.outcome, result.posts) == ("failed", [])
    assert "0 although media_count is 12" in result.detail


# --- TikTok --------------------------------------------------------------------------------------------------------


def test_tiktok_fetches_one_token_for_all_and_a_new_one_once(lab):
    fake = lab.Fake("tiktok", {f"city{n}": [lab.Post(n, lab.day(3))] for n in range(12)})
    invalid = {"error": {"code": "access_token_invalid", "message": "expired", "log_id": "1"}}
    original, tokens = fake._tiktok, []

    def tiktok(request):
        if request.url.path.endswith("token/"):
            tokens.append(f"clt.number-{len(tokens)}")
            return lab.answer({"access_token": tokens[-1], "expires_in": 7200})
        if request.headers["authorization"] == "Bearer clt.number-0":
            return lab.answer(invalid, 401)
        return original(request)

    fake._tiktok = tiktok
    assert set(outcomes(fake.collect()).values()) == {"answered"}
    assert len(tokens) == 2

    fake._tiktok = lambda request: tiktok(request) if "token/" in request.url.path else lab.answer(invalid, 401)
    with pytest.raises(CollectionError, match="SMI_TIKTOK_CLIENT_KEY"):
        fake.collect()
    assert len(tokens) == 4


def test_tiktok_asks_for_fifty_names_at_a_time(lab):
    fake = lab.Fake("tiktok", {f"city{n}": [lab.Post(n, lab.day(3))] for n in range(51)}, page=100)
    results = fake.collect()

    queries = [json.loads(r.content) for r in fake.requests if r.url.path.endswith("query/")]
    names = [len(query["query"]["and"][0]["field_values"]) for query in queries]
    assert sorted(names) == [1, 1, 50, 50]  # two spans for each group
    assert [len(result.posts) for result in results] == [1] * 51


def test_tiktok_names_of_the_last_group_are_not_kept_waiting_for_the_others(lab):
    fake = lab.Fake("tiktok", {f"city{n}": [lab.Post(n, lab.day(3))] for n in range(51)}, page=2, takes_turns=True)
    fake.collect()

    queries = [json.loads(r.content) for r in fake.requests if r.url.path.endswith("query/")]
    names = [len(query["query"]["and"][0]["field_values"]) for query in queries]
    assert names.index(1) < 20  # of the 25 pages that the fifty others have


def test_tiktok_cursor_refused_for_a_while_is_asked_for_again_and_then_from_the_start(lab):
    refused = {"error": {"code": "invalid_params", "message": "Search Id 7 is invalid or expired", "log_id": "1"}}
    fake = lab.Fake("tiktok", {"city": [lab.Post(n, lab.day(3)) for n in range(5)]})
    original, times = fake._tiktok, []

    def tiktok(request):
        if b"search_id" in request.content and len(times) < 5:
            times.append(request)
            return lab.answer(refused, 400)
        return original(request)

    fake._tiktok = tiktok
    assert len(fake.one().posts) == 5
    assert fake.sleeps == [5.0, 10.0, 20.0, 5.0]


def test_a_query_tiktok_refuses_for_one_of_its_names_is_made_for_each_alone(lab):
    """Fifty accounts would otherwise be unavailable for good because of one that went between two requests."""
    fake = lab.Fake("tiktok", {f"city{n}": [lab.Post(n, lab.day(3))] for n in range(4)})
    gone = {"error": {"code": "invalid_params", "message": "city2 is invalid: cannot find the user"}, "data": {}}
    original = fake._tiktok

    def tiktok(request):
        queried = request.url.path.endswith("query/") and b'"city2"' in request.content
        return lab.answer(gone, 400) if queried else original(request)

    fake._tiktok = tiktok
    results = fake.collect()
    assert outcomes(results) == {f"city{n}": "unavailable" if n == 2 else "answered" for n in range(4)}
    assert sorted(len(result.posts) for result in results) == [0, 1, 1, 1]


@pytest.mark.parametrize("name", [None, "absent"])
def test_a_tiktok_video_without_a_name_is_no_video_of_others(lab, name):
    """Left out with those, a month would have none and say nothing."""
    fake = lab.Fake("tiktok", {"city": [lab.Post(n, lab.day(3)) for n in range(3)]}, page=5)

    def edit(body):
        for video in body["data"].get("videos", [])[1:2]:
            video["username"] = name
            if name == "absent":
                del video["username"]
        return body

    fake.edit = edit
    result = fake.one()
    assert (result.outcome, result.posts) == ("failed", [])
    assert [(one.reason, one.field) for one in result.rejected] == [("drift", "1.username")]


@pytest.mark.parametrize("told", [None, "true", 1])
def test_tiktok_page_that_does_not_say_whether_more_follows_is_no_last_page(lab, told):
    """Taken for the last one, it would have been two videos of five."""
    fake = lab.Fake("tiktok", {"city": [lab.Post(n, lab.day(3)) for n in range(5)]})

    def edit(body):
        return {**body, "data": {**body["data"], "has_more": told}} if "videos" in body["data"] else body

    fake.edit = edit
    result = fake.one()
    assert (result.outcome, result.posts) == ("failed", [])
    assert "has_more" in result.detail


def test_tiktok_videos_of_others_are_left_out(lab):
    """String conditions match loosely."""
    fake = lab.Fake("tiktok", {"city": [lab.Post(1, lab.day(3)), lab.Post(2, lab.day(4))]})

    def edit(body):
        for video in body["data"].get("videos", [])[:1]:
            video["username"] = "city_fans"
        return body

    fake.edit = edit
    assert lab.texts(fake.one()) == ["text 2"]


def test_tiktok_nul_characters_are_replaced_in_columns_kept_in_the_payload_and_told(lab):
    fake = lab.Fake("tiktok", {"city": [lab.Post(1, lab.day(3))]})

    def edit(body):
        for video in body["data"].get("videos", []):
            video["video_description"] = "a\u0000b"
            video["hashtag_names"] = ["c\u0000"]
        return body

    fake.edit = edit
    result = fake.one()
    [row] = result.posts
    assert (row["video_description"], row["hashtag_names"]) == ("a\ufffdb", ["c\ufffd"])
    assert '"a\\u0000b"' in row["payload"]
    assert "U+0000" in result.detail
    assert row["id"] == 7_300_000_000_000_000_002
