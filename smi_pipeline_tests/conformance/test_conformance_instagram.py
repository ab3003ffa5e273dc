"""facebook_business (Meta's own) and python-facebook-api read an account through business_discovery."""

from __future__ import annotations

from datetime import datetime

import pytest
from facebook_business.adobjects.iguser import IGUser
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession
from pyfacebook import FacebookError, IGBusinessApi
from written import FOLLOWERS, HANDLES, JUNE, MAY, TIMES, Post, of_may, summed

ASKING = "17841400000000001"
ACCOUNT = "id,name,followers_count,media_count"
MEDIA = "id,timestamp,caption,media_type,like_count,comments_count,view_count"


def meta(base, token="sandbox"):
    session = FacebookSession("1234567890", "sandbox", token)
    session.GRAPH = base
    return FacebookAdsApi(session)


def python_facebook(base, token="sandbox"):
    return IGBusinessApi(
        access_token=token,
        base_url=base + "/",
        version="v24.0",
        sleep_on_rate_limit=False,
        instagram_business_id=ASKING,
    )


def discovered(base, fields, name=HANDLES["instagram"], token="sandbox"):
    asked = f"business_discovery.username({name}){{{fields}}}"
    return IGUser(ASKING, api=meta(base, token)).api_get(fields=[asked])["business_discovery"]


def in_may(told):
    return MAY <= datetime.strptime(told, "%Y-%m-%dT%H:%M:%S%z") < JUNE


def read_with_meta(base):
    account = discovered(base, ACCOUNT)
    posts, after = {}, ""
    while True:  # the SDK knows no pages inside a field: the cursor is written by hand
        page = discovered(base, f"media{after}.limit(50){{{MEDIA}}}")["media"]
        for media in page["data"]:
            if in_may(media["timestamp"]):
                counts = (media.get("like_count"), media.get("comments_count"), None, media.get("view_count"))
                posts[media["id"]] = Post(media["caption"], *counts)
        cursor = page.get("paging", {}).get("cursors", {}).get("after")
        if cursor is None:
            return account["name"], account["followers_count"], account["media_count"], posts
        after = f".after({cursor})"


def read_with_python_facebook(base):
    instagram = python_facebook(base)
    account = instagram.user.discovery_user(HANDLES["instagram"], fields=ACCOUNT).business_discovery
    told = instagram.discovery_user_media(HANDLES["instagram"], fields=MEDIA, count=None, limit=50)["data"]
    posts = {
        media["id"]: Post(
            media["caption"], media.get("like_count"), media.get("comments_count"), None, media.get("view_count")
        )
        for media in told
        if in_may(media["timestamp"])
    }
    return account.name, account.followers_count, account.media_count, posts


@pytest.mark.parametrize("read", [read_with_meta, read_with_python_facebook])
def test_an_account_and_all_its_media_of_the_month_are_read_as_they_were_written(sandbox, read):
    *figures, posts = read(sandbox)
    assert figures == ["名 instagram", FOLLOWERS["instagram"], len(TIMES)]
    assert summed(posts.values()) == summed(of_may("instagram").values())
    assert posts == of_may("instagram")


def test_python_facebook_reads_hidden_likes_as_none_in_its_own_models(sandbox):
    media = python_facebook(sandbox).user.discovery_user_medias(HANDLES["instagram"], limit=100)
    likes = [one.like_count for one in media.business_discovery.media.data]
    assert likes == [None if n % 10 == 9 else n for n in reversed(range(len(TIMES) - 100, len(TIMES)))]


def test_metas_sdk_is_told_that_an_account_is_missing(sandbox):
    with pytest.raises(FacebookRequestError) as told:
        discovered(sandbox, "id", name="nobody.at.all")
    assert (told.value.api_error_code(), told.value.api_error_subcode()) == (110, 2207013)


def test_python_facebook_is_told_that_an_account_is_missing(sandbox):
    with pytest.raises(FacebookError) as told:
        python_facebook(sandbox).user.discovery_user("nobody.at.all")
    assert (told.value.code, told.value.error_subcode) == (110, 2207013)


def test_metas_sdk_is_told_that_a_token_is_wrong(sandbox):
    with pytest.raises(FacebookRequestError) as told:
        discovered(sandbox, "id", token="wrong")
    assert told.value.api_error_code() == 190


def test_python_facebook_is_told_that_a_token_is_wrong(sandbox):
    with pytest.raises(FacebookError) as told:
        python_facebook(sandbox, token="wrong").user.discovery_user(HANDLES["instagram"])
    assert told.value.code == 190
