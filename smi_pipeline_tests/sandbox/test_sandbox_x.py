"""X over a real socket: vocabularies, pages, limits, absent counts, errors."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from smi_pipeline.sandbox.x_objects import escaped


def pages(sandbox, user, **params):
    token = {}
    while True:
        page = sandbox.x(f"users/{user}/tweets", **params, **token).json()
        yield page
        if "next_token" not in page["meta"]:
            return
        token = {"pagination_token": page["meta"]["next_token"]}


def test_an_x_timeline_is_paged_to_its_last_post_newest_first(sandbox):
    got = list(pages(sandbox, 42, max_results=5, tweet__fields="created_at"))

    ids = [post["id"] for page in got for post in page["data"]]
    assert [page["meta"]["result_count"] for page in got] == [5, 5, 5]
    assert ids[1:] == ["2001", "2000", *(str(1000 + n) for n in range(11, -1, -1))]
    assert got[0]["meta"]["newest_id"] == ids[0]
    assert got[0]["meta"]["oldest_id"] == ids[4]


def test_x_keeps_the_pages_together_when_a_post_arrives_between_them(sandbox):
    sandbox.process.set_clock(datetime(2025, 5, 1, 9, 30, tzinfo=UTC))
    first = sandbox.x("users/42/tweets", max_results=5).json()
    sandbox.process.set_clock(datetime(2025, 5, 1, 10, 30, tzinfo=UTC))
    second = sandbox.x("users/42/tweets", max_results=5, pagination_token=first["meta"]["next_token"]).json()

    assert [post["id"] for post in first["data"] + second["data"]] == [str(1000 + n) for n in range(9, -1, -1)]


def test_x_tells_only_the_fields_asked_for(sandbox):
    plain = sandbox.x("tweets", ids="1003").json()["data"][0]
    asked = sandbox.x("tweets", ids="1003", tweet__fields="created_at,public_metrics,lang").json()["data"][0]

    assert plain == {"id": "1003", "text": "text 1003", "edit_history_tweet_ids": ["1003"]}
    assert asked == plain | {
        "created_at": "2025-05-01T03:00:00.000Z",
        "lang": "und",
        "public_metrics": {
            "retweet_count": 3,
            "reply_count": 2,
            "like_count": 3,
            "quote_count": 0,
            "bookmark_count": 0,
            "impression_count": 103,
        },
    }


def test_x_answers_post_fields_in_the_newer_words(sandbox):
    told = sandbox.x("users/42/tweets", max_results=5, post__fields="public_metrics,referenced_posts").json()["data"]
    user = sandbox.x("users/by", usernames="sbx_x", user__fields="public_metrics", post__fields="id").json()["data"][0]

    repost = next(post for post in told if post["id"] == "2000")
    required = {"quote_count": 0, "bookmark_count": 0}
    assert repost["public_metrics"] == {"repost_count": 900, "like_count": 0} | required
    assert repost["referenced_posts"][0]["type"] == "retweeted"
    assert repost["edit_history_post_ids"] == ["2000"]
    required = {"following_count": 0, "listed_count": 0}
    assert user["public_metrics"] == {"followers_count": 1000 - 100, "post_count": 15} | required


def test_x_tells_referenced_posts_by_the_newer_name_of_the_expansion(sandbox):
    told = sandbox.x("users/42/tweets", max_results=5, post__fields="id", expansions="referenced_posts").json()["data"]
    older = sandbox.x("users/42/tweets", expansions="referenced_posts")
    assert [post["id"] for post in told if "referenced_posts" in post] == ["2000"]
    assert older.status_code == 400


def test_counts_that_are_not_in_the_data_are_absent_on_x_and_bad_ones_go_out_as_they_are(sandbox):
    told = sandbox.x("users/42/tweets", max_results=5, tweet__fields="public_metrics").json()["data"]

    assert told[1]["public_metrics"] == {"bookmark_count": 0}
    assert told[0]["public_metrics"] == {
        "retweet_count": 3,
        "reply_count": -41,
        "like_count": 1,
        "quote_count": 0,
        "bookmark_count": 0,
    }


def test_users_have_what_x_always_sends_of_them(sandbox):
    [user] = sandbox.x("users/by", usernames="sbx_x", user__fields="public_metrics").json()["data"]

    assert user["public_metrics"] == {
        "followers_count": 900,
        "following_count": 0,
        "tweet_count": 15,
        "listed_count": 0,
    }


def test_texts_and_names_have_entities_as_x_sends_them(sandbox):
    post = sandbox.x("tweets", ids="2002", tweet__fields="entities").json()["data"][0]
    user = sandbox.x("users/7").json()["data"]

    assert post["text"] == "Food &amp; Wine &lt;live&gt; #Tasty"
    [tag] = post["entities"]["hashtags"]
    assert post["text"][tag["start"] : tag["end"]] == "#Tasty"
    assert user["name"] == "A long &amp; winding name"


def test_a_text_recorded_from_x_is_not_escaped_twice():
    assert (
        escaped("Food &amp; Wine &lt;live&gt; R&D <3 &#39;") == "Food &amp; Wine &lt;live&gt; R&amp;D &lt;3 &amp;#39;"
    )


def test_videos_are_told_by_the_expanded_media_alone(sandbox):
    asked = {"tweet__fields": "attachments", "expansions": "attachments.media_keys", "media__fields": "type"}
    page = sandbox.x("users/42/tweets", max_results=5, **asked).json()

    keys = page["data"][1]["attachments"]["media_keys"]
    assert {"media_key": keys[0], "type": "video"} in page["includes"]["media"]
    assert "attachments" not in page["data"][2]
    assert "includes" not in sandbox.x("users/42/tweets", max_results=5, tweet__fields="attachments").json()


def test_an_author_can_be_expanded(sandbox):
    page = sandbox.x("tweets", ids="1003,1004", expansions="author_id").json()

    assert page["includes"] == {"users": [{"id": "42", "name": "A user", "username": "sbx_x"}]}


def test_the_window_of_an_x_timeline_is_half_open(sandbox):
    asked = {"start_time": "2025-05-01T02:00:00Z", "end_time": "2025-05-01T04:00:00Z"}
    page = sandbox.x("users/42/tweets", max_results=5, **asked).json()

    assert [post["id"] for post in page["data"]] == ["1003", "1002"]


def test_ids_win_over_times_and_retweets_can_be_excluded(sandbox):
    asked = {"since_id": "1009", "until_id": "2001", "start_time": "2025-05-01T11:00:00Z", "exclude": "retweets"}
    page = sandbox.x("users/42/tweets", max_results=5, **asked).json()

    assert [post["id"] for post in page["data"]] == ["1011", "1010"]


def test_a_timeline_without_results_has_no_data(sandbox):
    page = sandbox.x("users/42/tweets", end_time="2025-04-01T00:00:00Z").json()

    assert page == {"meta": {"result_count": 0}}


def test_only_the_newest_3200_posts_of_a_timeline_can_be_reached(sandbox):
    ids = [post["id"] for page in pages(sandbox, 8, max_results=100) for post in page["data"]]
    without_replies = sum(len(page["data"]) for page in pages(sandbox, 8, max_results=100, exclude="replies"))

    assert len(ids) == len(set(ids)) == 3_200
    assert ids[-1] == "5000005"
    assert without_replies == 800


def test_an_id_x_could_not_have_becomes_one_that_carries_its_time(sandbox):
    newest = sandbox.x("users/42/tweets", max_results=5).json()["data"][0]["id"]
    again = sandbox.x("tweets", ids=newest, tweet__fields="entities").json()["data"][0]

    milliseconds = (int(newest) >> 22) + 1_288_834_974_657  # how X writes time into an id
    assert datetime.fromtimestamp(milliseconds / 1000, UTC) == datetime(2025, 5, 1, 14, tzinfo=UTC)
    assert again["entities"]["urls"][0]["url"] == "https://example.org"
    assert again["entities"]["hashtags"] == [{"start": 24, "end": 28, "tag": "Tag"}]


def test_missing_users_come_as_errors_beside_the_others(sandbox):
    answer = sandbox.x("users/by", usernames="SBX_X,nobody_here")

    assert answer.status_code == 200
    assert [user["username"] for user in answer.json()["data"]] == ["sbx_x"]
    [error] = answer.json()["errors"]
    assert error["title"] == "Not Found Error"
    assert error["resource_id"] == error["value"] == "nobody_here"
    assert error["type"].endswith("/problems/resource-not-found")
    assert "data" not in sandbox.x("users/by", usernames="nobody_here").json()
    assert "data" not in sandbox.x("users", ids="999").json()
    assert "data" not in sandbox.x("users/by/username/nobody_here").json()
    assert "data" not in sandbox.x("users/999").json()
    assert "data" not in sandbox.x("users/999/tweets").json()
    assert "data" not in sandbox.x("tweets/999").json()


def test_a_user_asked_for_twice_is_told_once(sandbox):
    told = sandbox.x("users/by", usernames="sbx_x,SBX_X,sbx_x,nobody,nobody").json()

    assert [user["id"] for user in told["data"]] == ["42"]
    assert [error["value"] for error in told["errors"]] == ["nobody"]


def test_a_long_or_dotted_handle_is_folded_to_what_x_allows(sandbox):
    [user] = sandbox.x("users/by", usernames="sbx_dotted_name").json()["data"]

    assert user == {"id": "7", "name": "A long &amp; winding name", "username": "sbx_dotted_name"}
    assert sandbox.x("users/7").json()["data"] == user
    assert sandbox.x("users/by/username/sbx_dotted_name").json()["data"] == user


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("users/by", {"usernames": "sbx_x,bad.name"}),
        ("users/by", {"usernames": ",".join(f"u{n}" for n in range(101))}),
        ("users/by", {}),
        ("users/by/username/bad.name", {}),
        ("users/by", {"usernames": "sbx_x", "user__fields": "shoe_size"}),
        ("users/by", {"usernames": "sbx_x", "colour": "red"}),
        ("users/42/tweets", {"max_results": 101}),
        ("users/42/tweets", {"max_results": 4}),
        ("users/42/tweets", {"pagination_token": "madeup"}),
        ("users/42/tweets", {"start_time": "2010-11-05T00:00:00Z"}),
        ("users/42/tweets", {"start_time": "yesterday"}),
        ("users/42/tweets", {"start_time": "2025-13-01T00:00:00Z"}),
        ("users/42/tweets", {"start_time": "2025-05-02T00:00:00Z", "end_time": "2025-05-01T00:00:00Z"}),
        ("users/42/tweets", {"since_id": "x"}),
        ("users/42/tweets", {"tweet__fields": "public_metrics,edit_history_post_ids"}),
        ("users/someone/tweets", {}),
        ("users/someone", {}),
        ("tweets/someone", {}),
        ("users/٤٢/tweets", {}),
        ("tweets", {"ids": "12a"}),
    ],
)
def test_a_bad_parameter_is_refused_with_the_problem_x_sends(sandbox, path, params):
    answer = sandbox.x(path, **params)

    assert answer.status_code == 400
    assert answer.json()["title"] == "Invalid Request"
    assert answer.json()["errors"][0]["parameters"]


def test_a_page_token_of_another_timeline_is_refused(sandbox):
    token = sandbox.x("users/8/tweets", max_results=5).json()["meta"]["next_token"]

    assert token.isalnum()
    assert sandbox.x("users/42/tweets", pagination_token=token).status_code == 400


SEARCHED = {"start_time": "2025-05-01T00:00:00Z", "end_time": "2025-05-02T00:00:00Z"}


SECONDS = itertools.count(step=2)


@pytest.fixture
def search(sandbox):
    """Searches more than a second apart, as X wants them."""

    def ask(query, **params):
        sandbox.process.set_clock(datetime(2025, 6, 2, 1, tzinfo=UTC) + timedelta(seconds=next(SECONDS)))
        return sandbox.x("tweets/search/all", query=query, **{**SEARCHED, **params})

    return ask


def test_a_search_finds_the_posts_of_several_accounts_newest_first_page_by_page(search):
    sizes, ids, token = [], [], {}
    while True:
        page = search("from:sbx_x OR from:sbx_dotted_name", max_results=10, **token).json()
        sizes.append(page["meta"]["result_count"])
        ids += [post["id"] for post in page["data"]]
        if "next_token" not in page["meta"]:
            break
        token = {"next_token": page["meta"]["next_token"]}

    assert sizes == [10, 5]
    assert ids[1:] == ["2001", "2000", *(str(1000 + n) for n in range(11, -1, -1))]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("from:sbx_x is:retweet", ["2000"]),
        ("from:SBX_X -is:retweet has:videos", ["2001"]),
        ('(from:sbx_x OR from:42) "text 1003"', ["1003"]),
        ("from:sbx_x (1001 OR 1002) -1002", ["1001"]),
        ("from:nobody", []),
    ],
)
def test_a_search_understands_what_a_data_set_can_answer(search, query, ids):
    page = search(query, max_results=500).json()

    assert [post["id"] for post in page.get("data", [])] == ids
    assert page["meta"]["result_count"] == len(ids)


@pytest.mark.parametrize(
    ("query", "params"),
    [
        ("", {}),
        ("from:sbx_x", {"max_results": 9}),
        ("from:sbx_x", {"max_results": 501}),
        ("from:sbx_x", {"next_token": "madeup"}),
        ("from:sbx_x", {"start_time": "2006-03-21T00:00:00Z"}),
        ("from:sbx_x colour:red", {}),
        ("is:retweet", {}),
        ("(from:sbx_x", {}),
        ("from:sbx_x)", {}),
        ("x" * 4_097, {}),
    ],
)
def test_a_search_that_is_none_is_refused(search, query, params):
    answer = search(query, **params)

    assert (answer.status_code, answer.json()["title"]) == (400, "Invalid Request")


def test_a_second_search_within_a_second_is_too_much(sandbox):
    sandbox.process.set_clock(datetime(2025, 6, 2, 3, tzinfo=UTC))
    first, second = (sandbox.x("tweets/search/all", query="from:sbx_x", **SEARCHED) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 429)
    assert {"x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"} <= second.headers.keys()


def test_counts_of_posts_are_told_by_the_day_and_thirty_one_days_at_a_time(sandbox):
    asked = {"query": "from:sbx_x", "granularity": "day", "end_time": "2025-05-03T06:00:00Z"}
    first = sandbox.x("tweets/counts/all", start_time="2025-03-20T00:00:00Z", **asked).json()
    token = first["meta"]["next_token"]
    last = sandbox.x("tweets/counts/all", start_time="2025-03-20T00:00:00Z", next_token=token, **asked).json()

    by_day = {one["start"]: one["tweet_count"] for one in first["data"]}
    assert by_day["2025-05-01T00:00:00.000Z"] == first["meta"]["total_tweet_count"] == 15
    assert first["data"][0]["start"] == last["data"][-1]["end"] == "2025-04-02T06:00:00.000Z"
    assert first["data"][-1] == {
        "start": "2025-05-03T00:00:00.000Z",
        "end": "2025-05-03T06:00:00.000Z",
        "tweet_count": 0,
    }
    assert last["meta"] == {"total_tweet_count": 0}
    assert sandbox.x("tweets/counts/all", query="from:sbx_x", granularity="year").status_code == 400


def test_counts_of_posts_are_told_in_the_newer_words_to_whoever_asks_in_them(sandbox):
    window = {"start_time": "2025-05-01T00:00:00Z", "end_time": "2025-05-02T00:00:00Z", "granularity": "day"}
    asked = sandbox.x("tweets/counts/all", query="from:sbx_x", search_count__fields="start,end,post_count", **window)

    assert asked.json() == {
        "data": [{"start": "2025-05-01T00:00:00.000Z", "end": "2025-05-02T00:00:00.000Z", "post_count": 15}],
        "meta": {"total_post_count": 15},
    }


def test_usage_counts_the_posts_that_were_read(sandbox):
    sandbox.process.set_clock(datetime(2025, 8, 3, tzinfo=UTC))
    sandbox.x("tweets", ids="1003,1004")
    sandbox.x("users/by", usernames="sbx_x")
    told = sandbox.x("usage/tweets", days=2).json()["data"]

    assert (told["project_usage"], told["project_cap"]) == ("2", "3000000")
    assert told["daily_project_usage"]["usage"] == [
        {"date": "2025-08-03T00:00:00.000Z", "usage": "2"},
        {"date": "2025-08-02T00:00:00.000Z", "usage": "0"},
    ]
    assert sandbox.x("usage/tweets", usage__fields="project_usage").json() == {"data": {"project_usage": "2"}}
    assert sandbox.x("usage/tweets", days=91).status_code == 400


@pytest.mark.parametrize(
    ("fields", "referenced", "included"),
    [("tweet__fields", "referenced_tweets", "tweets"), ("post__fields", "referenced_posts", "posts")],
)
def test_an_original_that_is_not_there_is_told_beside_the_posts_in_either_vocabulary(
    sandbox, fields, referenced, included
):
    page = sandbox.x("users/42/tweets", max_results=5, **{fields: "id"}, expansions=f"{referenced}.id").json()
    history = f"edit_history_{included[:-1]}_ids"
    versions = sandbox.x("tweets", ids="1003", **{fields: "id"}, expansions=history).json()
    asked = {"user__fields": f"most_recent_{included[:-1]}_id", "expansions": f"most_recent_{included[:-1]}_id"}
    user = sandbox.x("users/by/username/sbx_x", **{fields: "id"}, **asked).json()

    [original] = [post[referenced][0]["id"] for post in page["data"] if referenced in post]
    assert len(page["data"]) == 5
    assert [(error["resource_id"], error["parameter"]) for error in page["errors"]] == [(original, f"{referenced}.id")]
    assert page["errors"][0]["type"].endswith("/resource-not-found")
    assert [post["id"] for post in versions["includes"][included]] == ["1003"]
    assert [post["id"] for post in user["includes"][included]] == [user["data"][f"most_recent_{included[:-1]}_id"]]


def test_a_request_signed_for_a_user_is_accepted_but_not_for_a_search(sandbox):
    signed = 'OAuth oauth_consumer_key="{}", oauth_token="sandbox", oauth_signature="x"'
    headers = {"Authorization": signed.format("sandbox")}
    wrong = {"Authorization": signed.format("other")}

    assert sandbox.get("/2/users/42", headers=headers).status_code == 200
    assert sandbox.get("/2/users/42", headers=wrong).status_code == 401
    refused = sandbox.get("/2/tweets/search/all", headers=headers, query="from:sbx_x")
    assert (refused.status_code, refused.json()["title"]) == (403, "Unsupported Authentication")


def test_without_credit_whoever_has_a_token_is_refused_with_rate_headers_and_whoever_has_none_is_401(sandbox):
    sandbox.process.set_faults({"limits": {"x": {"credits_usd": 0}}})
    try:
        paying, strange = sandbox.x("users/42"), sandbox.get("/2/users/42")
        sandbox.process.set_faults({"limits": {"x": {"posts_a_month": 0}}})
        capped = sandbox.x("users/42/tweets")
    finally:
        sandbox.process.set_faults({})

    assert (paying.status_code, strange.status_code, capped.status_code) == (402, 401, 429)
    assert paying.json()["type"].endswith("/problems/credits-depleted")
    assert capped.json()["type"].endswith("/problems/usage-capped")
    assert {"x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset"} <= paying.headers.keys()
    assert "x-rate-limit-limit" in capped.headers
    assert "x-rate-limit-limit" not in strange.headers


def test_what_may_not_be_seen_is_told_with_200_for_each_that_was_asked_for(sandbox):
    sandbox.process.set_faults({"faults": [{"platform": "x", "do": "permission"}]})
    try:
        answers = [sandbox.x("users/by", usernames="sbx_x,sbx_old"), sandbox.x("users/42/tweets")]
    finally:
        sandbox.process.set_faults({})

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [[error["value"] for error in answer.json()["errors"]] for answer in answers] == [
        ["sbx_x", "sbx_old"],
        ["42"],
    ]
    assert answers[1].json()["errors"][0]["type"].endswith("/problems/not-authorized-for-resource")
    assert all("data" not in answer.json() for answer in answers)


def test_a_wrong_or_missing_token_is_401_without_rate_headers(sandbox):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = sandbox.get("/2/users/by", usernames="sbx_x", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {
            "title": "Unauthorized",
            "type": "about:blank",
            "status": 401,
            "detail": "Unauthorized",
        }
        assert "x-rate-limit-limit" not in answer.headers


def test_rate_headers_count_down_and_renew_after_a_quarter_of_an_hour(sandbox):
    first = sandbox.x("users/by", usernames="sbx_x").headers
    second = sandbox.x("users/by", usernames="bad.name").headers
    sandbox.process.set_clock(datetime.fromtimestamp(int(first["x-rate-limit-reset"]), UTC))
    renewed = sandbox.x("users/by", usernames="sbx_x").headers

    assert first["x-rate-limit-limit"] == "300"
    assert int(second["x-rate-limit-remaining"]) == int(first["x-rate-limit-remaining"]) - 1
    assert renewed["x-rate-limit-remaining"] == "299"


def test_a_used_up_limit_is_429_until_the_reset(sandbox):
    sandbox.process.set_clock(datetime(2030, 1, 1, 0, 0, 1, tzinfo=UTC))
    answers = [sandbox.x("users/by", usernames="sbx_x") for _ in range(301)]

    assert {answer.status_code for answer in answers[:300]} == {200}
    assert answers[300].status_code == 429
    assert answers[300].json()["title"] == "Too Many Requests"
    reset = datetime.fromtimestamp(int(answers[300].headers["x-rate-limit-reset"]), UTC)
    assert reset == datetime(2030, 1, 1, 0, 15, tzinfo=UTC)
    sandbox.process.set_clock(reset + timedelta(seconds=1))
    assert sandbox.x("users/by", usernames="sbx_x").status_code == 200


def test_an_unknown_path_of_x_is_not_found(sandbox):
    assert sandbox.x("lists/1").status_code == 404
