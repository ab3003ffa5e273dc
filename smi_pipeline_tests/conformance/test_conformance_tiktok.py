"""TikTokResearchApi, TikTok's own wrapper, reads an account."""

from __future__ import annotations

import pytest
import requests
from tiktok_research_api import Criteria, Query, QueryUserInfoRequest, QueryVideoRequest, TikTokResearchAPI
from written import FOLLOWERS, HANDLES, TIMES, Post, of_may, summed


def client(secret="sandbox"):
    return TikTokResearchAPI("sandbox", secret, qps=1_000)


def videos_of(*names):
    """Every video of May; the wrapper asks for days 1 to 30 and for day 31 on its own, and pages through both."""
    named = Criteria(operation="IN", field_name="username", field_values=list(names))
    asked = QueryVideoRequest(Query(and_criteria=[named]), "20250501", "20250531", max_count=100)
    videos, *_ = client().query_videos(asked, fetch_all_pages=True)
    return videos


def test_an_account_and_all_its_videos_of_the_month_are_read_as_they_were_written(sandbox):
    user = client().query_user_info(QueryUserInfoRequest(HANDLES["tiktok"]))
    videos = videos_of(HANDLES["tiktok"])
    posts = {
        str(video["id"]): Post(
            video["video_description"],
            video.get("like_count"),
            video.get("comment_count"),
            video.get("share_count"),
            video.get("view_count"),
        )
        for video in videos
    }
    assert (user["display_name"], user["follower_count"], user["video_count"]) == (
        "名 tiktok",
        FOLLOWERS["tiktok"],
        len(TIMES),
    )
    assert len(videos) == len(posts)  # none came twice
    assert summed(posts.values()) == summed(of_may("tiktok").values())
    assert posts == of_may("tiktok")


def test_the_wrapper_gets_no_figures_of_an_unknown_account(sandbox, caplog):
    assert client().query_user_info(QueryUserInfoRequest("nobody.at.all")) is None
    assert "invalid_params: nobody.at.all is invalid: cannot find the user" in caplog.text


def test_the_wrapper_finds_no_video_of_an_unknown_account(sandbox):
    assert videos_of("nobody.at.all") == []


def test_the_wrapper_is_told_that_a_secret_is_wrong(sandbox):
    with pytest.raises(requests.HTTPError) as told:
        client("wrong")
    assert told.value.response.json()["error"] == "invalid_client"


def test_the_wrapper_is_told_that_a_token_is_wrong(sandbox, caplog):
    tiktok = client()
    tiktok.client_token = "clt.wrong"
    assert tiktok.query_user_info(QueryUserInfoRequest(HANDLES["tiktok"])) is None
    assert "access_token_invalid" in caplog.text
    tiktok.refresh_token()
    assert tiktok.query_user_info(QueryUserInfoRequest(HANDLES["tiktok"])) is not None
