"""facebook_business (Meta's own) and python-facebook-api read a Page."""

from __future__ import annotations

from datetime import datetime

import pytest
from facebook_business.adobjects.page import Page
from facebook_business.adobjects.pagepost import PagePost
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession
from pyfacebook import FacebookApi, FacebookError
from written import FOLLOWERS, HANDLES, JUNE, MAY, PAGE, Post, of_may, post_id, summed

FIELDS = [
    "id",
    "created_time",
    "message",
    "status_type",
    "shares",
    "attachments{media_type}",
    "reactions.limit(0).summary(total_count)",
    "comments.limit(0).summary(true)",
]
COUNTED = ("reactions", "comments")
SINCE, UNTIL = int(MAY.timestamp()), int(JUNE.timestamp())


def meta(base, token="sandbox", secret="sandbox"):
    """Meta's SDK signs each request with the app's secret."""
    session = FacebookSession("1234567890", secret, token)
    session.GRAPH = base
    return FacebookAdsApi(session)


def python_facebook(base, token="sandbox"):
    return FacebookApi(access_token=token, base_url=base + "/", version="v24.0", sleep_on_rate_limit=False)


def in_may(told):
    return MAY <= datetime.strptime(told, "%Y-%m-%dT%H:%M:%S%z") < JUNE


def read_with_meta(base):
    api = meta(base)
    page = Page(HANDLES["facebook"], api=api).api_get(fields=["id", "name", "followers_count"])
    posts, reposts = {}, []
    window = {"since": SINCE, "until": UNTIL, "limit": 100}
    for post in Page(page["id"], api=api).get_published_posts(fields=FIELDS, params=window):
        if in_may(post["created_time"]):
            counts = {edge: post.get(edge, {}).get("summary", {}).get("total_count") for edge in COUNTED}
            posts[post["id"]] = Post(
                post["message"], counts["reactions"], counts["comments"], post.get("shares", {}).get("count"), None
            )
            if post["status_type"] == "shared_story":
                reposts.append(post["id"])
    return page["id"], page["name"], page["followers_count"], posts, reposts


def read_with_python_facebook(base):
    facebook = python_facebook(base)
    page = facebook.page.get_info(username=HANDLES["facebook"], fields="id,name,followers_count")
    told = facebook.page.get_published_posts(page.id, since=SINCE, until=UNTIL, count=None, limit=100).data
    posts, reposts = {}, []
    for post in told:
        if in_may(post.created_time):
            posts[post.id] = Post(
                post.message,
                post.reactions and post.reactions.summary.total_count,
                post.comments and post.comments["summary"]["total_count"],
                post.shares and post.shares.count,
                None,
            )
            if post.status_type == "shared_story":
                reposts.append(post.id)
    return page.id, page.name, page.followers_count, posts, reposts


@pytest.mark.parametrize("read", [read_with_meta, read_with_python_facebook])
def test_a_page_and_all_its_posts_of_the_month_are_read_as_they_were_written(sandbox, read):
    *figures, posts, reposts = read(sandbox)
    assert figures == [PAGE, "名 facebook", FOLLOWERS["facebook"]]
    assert summed(posts.values()) == summed(of_may("facebook").values())
    assert posts == of_may("facebook")
    assert reposts == [post_id("facebook", 100)]


def test_metas_sdk_reads_how_many_reactions_and_comments_one_post_has(sandbox):
    post = PagePost(post_id("facebook", 100), api=meta(sandbox))
    reactions, comments = post.get_reactions(), post.get_comments()
    assert (reactions.total(), comments.total()) == (100, 100 % 7)
    assert [*reactions, *comments] == []  # whose they are is not in a data set


@pytest.mark.parametrize(("missing", "code"), [("nobody_at_all", 803), ("999999999999999", 100)])
def test_metas_sdk_is_told_that_a_page_is_missing(sandbox, missing, code):
    with pytest.raises(FacebookRequestError) as told:
        Page(missing, api=meta(sandbox)).api_get(fields=["id"])
    assert told.value.api_error_code() == code


@pytest.mark.parametrize(("missing", "code"), [("nobody_at_all", 803), ("999999999999999", 100)])
def test_python_facebook_is_told_that_a_page_is_missing(sandbox, missing, code):
    with pytest.raises(FacebookError) as told:
        python_facebook(sandbox).page.get_info(page_id=missing)
    assert told.value.code == code


def test_metas_sdk_is_told_that_a_token_is_wrong(sandbox):
    with pytest.raises(FacebookRequestError) as told:
        Page(PAGE, api=meta(sandbox, token="wrong")).api_get(fields=["id"])
    assert (told.value.api_error_code(), told.value.api_error_type()) == (190, "OAuthException")


def test_metas_sdk_is_told_that_its_signature_is_wrong(sandbox):
    with pytest.raises(FacebookRequestError, match="appsecret_proof") as told:
        Page(PAGE, api=meta(sandbox, secret="wrong")).api_get(fields=["id"])
    assert told.value.api_error_code() == 100


def test_python_facebook_is_told_that_a_token_is_wrong(sandbox):
    with pytest.raises(FacebookError) as told:
        python_facebook(sandbox, token="wrong").page.get_info(page_id=PAGE)
    assert told.value.code == 190


def test_metas_sdk_is_answered_request_by_request_in_a_batch(sandbox):
    api, told, refused = meta(sandbox), [], []
    batch = api.new_batch()
    for page in (PAGE, "nobody_at_all"):
        Page(page, api=api).api_get(
            fields=["id", "name"],
            batch=batch,
            success=lambda answer: told.append(answer.json()),
            failure=lambda answer: refused.append(answer.error().api_error_code()),
        )
    assert batch.execute() is None  # nothing is left to be asked again
    assert told == [{"id": PAGE, "name": "名 facebook"}]
    assert refused == [803]


def test_no_field_of_metas_sdk_is_unknown(sandbox):
    api = meta(sandbox)
    names = [[value for name, value in vars(kind.Field).items() if name[0] != "_"] for kind in (Page, PagePost)]
    assert Page(PAGE, api=api).api_get(fields=names[0])["id"] == PAGE
    post = post_id("facebook", 100)
    assert PagePost(post, api=api).api_get(fields=names[1])["id"] == post
