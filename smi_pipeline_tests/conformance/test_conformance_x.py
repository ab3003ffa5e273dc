"""tweepy reads an account in X's older words, xdk (X's own) in the newer ones."""

from __future__ import annotations

import inspect
import re
import time

import pytest
import requests
import tweepy
import xdk
from pydantic import ValidationError
from written import FOLLOWERS, HANDLES, JUNE, MAY, TIMES, X_GAPS, X_QUIET, Post, of_may, post_id, summed

WINDOW = {"start_time": "2025-05-01T00:00:00Z", "end_time": "2025-06-01T00:00:00Z"}


def tweets(user):
    """All posts of May, page by page, as tweepy's own paginator gives them."""
    pages = tweepy.Paginator(
        tweepy.Client("sandbox").get_users_tweets,
        user,
        max_results=100,
        tweet_fields=["created_at", "public_metrics", "referenced_tweets", "attachments"],
        expansions=["attachments.media_keys"],
        media_fields=["type"],
        start_time=MAY,
        end_time=JUNE,
    )
    return pages.flatten()


def told_by_tweepy(tweet):
    counts = tweet.public_metrics
    return Post(
        tweet.text,
        counts.get("like_count"),
        counts.get("reply_count"),
        counts.get("retweet_count"),
        counts.get("impression_count"),
    )


def read_with_tweepy(_):
    told = tweepy.Client("sandbox").get_users(
        usernames=[HANDLES["x"], "nobody_at_all"], user_fields=["public_metrics", "created_at"]
    )
    [user] = told.data
    figures = user.public_metrics
    posts = {str(tweet.id): tweet for tweet in tweets(user.id)}
    reposts = [name for name, tweet in posts.items() if tweet.referenced_tweets]
    return (
        (user.name, figures["followers_count"], figures["tweet_count"]),
        {name: told_by_tweepy(tweet) for name, tweet in posts.items()},
        reposts,
    )


def read_with_xdk(base):
    client = xdk.Client(base_url=base, bearer_token="sandbox")
    told = client.users.get_by_usernames(
        usernames=[HANDLES["x"], "nobody_at_all"], user_fields=["public_metrics"], post_fields=["id"]
    )
    [user] = told.data
    fields = ["created_at", "public_metrics", "attachments"]
    pages = client.users.get_posts(
        user.id, max_results=100, post_fields=fields, expansions=["referenced_posts"], **WINDOW
    )
    posts = {post.id: post for page in pages for post in page.data}
    figures = user.public_metrics
    return (
        (user.name, figures.followers_count, figures.post_count),
        {
            name: Post(
                post.text,
                post.public_metrics.like_count,
                post.public_metrics.reply_count,
                post.public_metrics.repost_count,
                post.public_metrics.impression_count,
            )
            for name, post in posts.items()
        },
        [name for name, post in posts.items() if post.referenced_posts],
    )


@pytest.mark.parametrize("read", [read_with_tweepy, read_with_xdk])
def test_an_account_and_all_its_posts_of_the_month_are_read_as_they_were_written(sandbox, read):
    figures, posts, reposts = read(sandbox)
    assert figures == ("名 x", FOLLOWERS["x"], len(TIMES))
    assert summed(posts.values()) == summed(of_may("x").values())
    assert posts == of_may("x")
    assert reposts == [post_id("x", 100)]


def test_tweepy_reads_counts_that_are_not_in_the_data_as_absent(sandbox):
    posts = {str(tweet.id): told_by_tweepy(tweet) for tweet in tweets(X_GAPS)}
    assert summed(posts.values()) == summed(of_may("x gaps").values())
    assert posts == of_may("x gaps")


def test_xdk_refuses_posts_without_their_views_rather_than_reading_zeros(sandbox):
    """X's newer specification knows no post without a view count, and the sandbox makes none up."""
    client = xdk.Client(base_url=sandbox, bearer_token="sandbox")
    with pytest.raises(ValidationError, match="impression_count"):
        next(client.users.get_posts(X_GAPS, post_fields=["public_metrics"], **WINDOW))


def every_word(method):
    """All values that xdk's annotations (texts, as it has them) allow for `..._fields` and `expansions`."""
    told = {name: str(asked.annotation) for name, asked in inspect.signature(method).parameters.items()}
    return {
        name: re.findall(r"'([^']+)'", values)
        for name, values in told.items()
        if name.endswith("_fields") or name == "expansions"
    }


def test_every_field_and_expansion_that_xdk_offers_is_understood(sandbox):
    client = xdk.Client(base_url=sandbox, bearer_token="sandbox")
    of_users, of_posts = every_word(client.users.get_by_usernames), every_word(client.users.get_posts)
    told = client.users.get_by_usernames(usernames=[HANDLES["x"]], **of_users)
    page = next(client.users.get_posts(told.data[0].id, max_results=100, **of_posts, **WINDOW))
    assert all([*of_users.values(), *of_posts.values()])
    assert len(page.data) == 100
    assert page.includes.users[0].username == HANDLES["x"]
    assert {media.type for media in page.includes.media} == {"photo", "video"}


def test_tweepy_finds_nothing_on_an_account_that_posts_nothing(sandbox):
    assert list(tweets(X_QUIET)) == []


def test_xdk_finds_nothing_on_an_account_that_posts_nothing(sandbox):
    client = xdk.Client(base_url=sandbox, bearer_token="sandbox")
    [page] = client.users.get_posts(X_QUIET, post_fields=["public_metrics"])
    assert page.data is None
    assert page.meta.result_count == 0


def test_tweepy_is_told_who_is_missing_beside_those_who_are_there(sandbox):
    told = tweepy.Client("sandbox").get_users(usernames=[HANDLES["x"], "nobody_at_all"])
    assert [user.username for user in told.data] == [HANDLES["x"]]
    assert [(error["title"], error["value"]) for error in told.errors] == [("Not Found Error", "nobody_at_all")]


def test_xdk_is_told_who_is_missing_beside_those_who_are_there(sandbox):
    client = xdk.Client(base_url=sandbox, bearer_token="sandbox")
    told = client.users.get_by_usernames(usernames=[HANDLES["x"], "nobody_at_all"])
    assert [user.username for user in told.data] == [HANDLES["x"]]
    assert len(told.errors) == 1


def test_tweepy_is_told_that_a_token_is_wrong(sandbox):
    with pytest.raises(tweepy.Unauthorized):
        tweepy.Client("wrong").get_user(username=HANDLES["x"])


def test_xdk_is_told_that_a_token_is_wrong(sandbox):
    client = xdk.Client(base_url=sandbox, bearer_token="wrong")
    with pytest.raises(requests.HTTPError) as told:
        client.users.get_by_usernames(usernames=[HANDLES["x"]])
    assert told.value.response.status_code == 401


def test_tweepy_is_told_which_parameter_is_wrong(sandbox):
    with pytest.raises(tweepy.BadRequest, match="max_results"):
        tweepy.Client("sandbox").get_users_tweets(X_QUIET, max_results=101)


def found_by_tweepy(_):
    asked = {"max_results": 500, "tweet_fields": ["public_metrics"], "start_time": MAY, "end_time": JUNE}
    told = tweepy.Client("sandbox").search_all_tweets(f"from:{HANDLES['x']}", **asked)
    return {str(tweet.id): told_by_tweepy(tweet) for tweet in told.data}


def found_by_xdk(base):
    client = xdk.Client(base_url=base, bearer_token="sandbox")
    pages = client.posts.search_all(
        f"from:{HANDLES['x']}",
        max_results=500,
        post_fields=["public_metrics"],
        expansions=["referenced_posts"],
        **WINDOW,
    )
    return {
        post.id: Post(
            post.text,
            post.public_metrics.like_count,
            post.public_metrics.reply_count,
            post.public_metrics.repost_count,
            post.public_metrics.impression_count,
        )
        for post in next(pages).data
    }


@pytest.mark.parametrize("read", [found_by_tweepy, found_by_xdk])
def test_one_search_finds_all_posts_of_the_month(sandbox, read):
    time.sleep(1.1)  # X lets a search in every second
    assert read(sandbox) == of_may("x")


def test_tweepy_counts_the_posts_of_the_month_by_the_day(sandbox):
    asked = {"granularity": "day", "start_time": MAY, "end_time": JUNE}
    told = tweepy.Client("sandbox").get_all_tweets_count(f"from:{HANDLES['x']}", **asked)

    assert told.meta["total_tweet_count"] == sum(day["tweet_count"] for day in told.data) == len(of_may("x"))
    assert [day["tweet_count"] for day in told.data][:2] == [8, 8]  # one every three hours


def test_xdk_is_told_what_was_used(sandbox):
    client = xdk.Client(base_url=sandbox, bearer_token="sandbox")
    before = int(client.usage.get().data.project_usage)
    client.users.get_posts(X_QUIET, post_fields=["public_metrics"])
    client.posts.get_by_ids(ids=[post_id("x", 100)], post_fields=["id"])

    assert int(client.usage.get(days=1).data.project_usage) == before + 1
