"""Five small services to collect from: each speaks its platform's protocol, in short pages, and fails on demand."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import stamina

from smi_pipeline.collectors.collect import collector
from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.records import AccountResult, Window
from smi_pipeline.registry.models import PLATFORMS, Account, Platform
from smi_pipeline.settings import Settings

CANARY = "SMI_CANARY_7f3a9c55e1"
NOW = datetime(2025, 6, 10, 6, tzinfo=UTC)
DATE = "Tue, 10 Jun 2025 06:00:00 GMT"
MAY = Window(datetime(2025, 5, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC))
ABSENT = object()
BASE = "https://platform.example"
LIKES = {"facebook": "reactions_total_count", "youtube": "likeCount"}


def day(number: int, hour: int = 12) -> datetime:
    """An instant of May 2025."""
    return datetime(2025, 5, number, hour, tzinfo=UTC)


@dataclass(frozen=True)
class Post:
    """A post before it is told in a platform's words."""

    number: int
    at: datetime | str
    likes: Any = 5
    id: Any = None


@dataclass
class Fake:
    """A platform with accounts and posts; serves `page` posts a page however many are asked for."""

    platform: Platform
    posts: dict[str, list[Post]] = field(default_factory=dict)
    page: int = 2
    requests: list[httpx.Request] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)
    faults: list[httpx.Response | Exception] = field(default_factory=list)
    always: Callable[[], httpx.Response] | None = None
    broken: set[str] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    cursor: Callable[[int], str] = str
    edit: Callable[[Any], Any] = lambda value: value
    settings: dict[str, Any] = field(default_factory=dict)
    takes_turns: bool = False  # whether other requests may be sent before one is answered

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.always is not None:
            return self.always()
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, Exception):
                raise fault
            return fault
        if any(name in self._about(request) for name in self.broken):
            return answer("<h1>Service Unavailable</h1>", 503, "text/html")
        return getattr(self, f"_{self.platform}")(request)

    def account(self, handle: str, **more: Any) -> Account:
        return Account(city_id="1", platform=self.platform, handle=handle, **more)

    def accounts(self) -> list[Account]:
        return [self.account(handle) for handle in self.posts]

    def make_settings(self) -> Settings:
        secrets = ("facebook_token", "x_bearer_token", "instagram_token", "youtube_api_key")
        values: dict[str, Any] = dict.fromkeys((*secrets, "tiktok_client_key", "tiktok_client_secret"), CANARY)
        values["instagram_user_id"] = "17841400000000001"
        values |= {f"{platform}_base_url": BASE for platform in PLATFORMS} | {"concurrency": 4} | self.settings
        return Settings(_env_file=None, **values)

    async def after_a_turn(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        return self(request)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)

    async def gather(
        self, accounts: list[Account] | None = None, window: Window = MAY, results: list[AccountResult] | None = None
    ) -> list[AccountResult]:
        results = [] if results is None else results
        wire = Wire(httpx.MockTransport(self.after_a_turn if self.takes_turns else self), self.sleep)
        before = len(self.requests)
        async with collector(self.platform, self.make_settings(), wire=wire) as reader:
            async with aclosing(reader.collect(accounts or self.accounts(), window)) as stream:
                async for result in stream:
                    results.append(result)
            assert reader.requests == len(self.requests) - before
        return results

    def collect(self, *args: Any, **kwargs: Any) -> list[AccountResult]:
        return asyncio.run(self.gather(*args, **kwargs))

    def one(self, **kwargs: Any) -> AccountResult:
        [result] = self.collect(**kwargs)
        return result

    # --- the words of the five ---------------------------------------------------------------------------------

    def id_of(self, handle: str) -> str:
        number = 10_000 + sorted(self.posts).index(handle)
        forms = {"youtube": f"UC{number:022d}", "instagram": f"178414{number:012d}"}
        return self.ids.get(handle) or forms.get(self.platform, str(number))

    def post_id(self, post: Post) -> Any:
        if post.id is not None:
            return post.id
        number = post.number
        forms = {"youtube": f"v{number:010d}", "tiktok": 7_300_000_000_000_000_001 + number}
        return forms.get(self.platform, f"1_{number}" if self.platform == "facebook" else str(number))

    def _about(self, request: httpx.Request) -> str:
        """What a request is about; X's timelines go by id."""
        text = f"{request.url} {request.content.decode()}"
        return text + " ".join(handle for handle in self.posts if f"/{self.id_of(handle)}/" in text)

    def _page_of(self, posts: list[Post], cursor: str | None) -> tuple[list[Post], str | None]:
        start = int(re.sub(r"\D", "", cursor)) if cursor else 0
        more = start + self.page < len(posts)
        return posts[start : start + self.page], self.cursor(start + self.page) if more else None

    def _said(self, body: Any) -> httpx.Response:
        return answer(self.edit(body))

    def _facebook(self, request: httpx.Request) -> httpx.Response:
        node, *edge = request.url.path.strip("/").split("/")
        handle = next((name for name in self.posts if node in (name, self.id_of(name))), None)
        if handle is None:
            return answer({"error": {"message": "no alias", "code": 803}}, 404)
        shown, after = self._page_of(self.posts[handle], request.url.params.get("after"))
        data = []
        for post in shown:
            one = {"id": self.post_id(post), "created_time": stamp(post, "+0000"), "message": f"text {post.number}"}
            if post.likes is not ABSENT:
                one["reactions"] = {"data": [], "summary": {"total_count": post.likes}}
            data.append(one)
        paging: dict[str, Any] = {"cursors": {"before": "b", "after": after or "z"}}
        if after:
            paging["next"] = f"https://evil.example/steal?access_token={CANARY}&after={after}"
        listing = {"data": data, "paging": paging}
        page = {"id": self.id_of(handle), "name": handle, "followers_count": 7}
        return self._said(listing if edge else {**page, **({"published_posts": listing} if data else {})})

    def _x(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        if request.url.path.startswith("/2/users/by"):
            names = query["usernames"].split(",")
            by_name = {name.lower(): name for name in self.posts}
            data = [
                {
                    "id": self.id_of(by_name[name]),
                    "username": by_name[name],
                    "name": name,
                    "public_metrics": {"followers_count": 7, "tweet_count": len(self.posts[by_name[name]])},
                }
                for name in names
                if name in by_name
            ]
            errors = [
                {"value": name, "title": "Not Found Error", "detail": f"no {name}", "type": "x/resource-not-found"}
                for name in names
                if name not in by_name
            ]
            return self._said({k: v for k, v in {"data": data, "errors": errors}.items() if v})
        user = request.url.path.split("/")[3]
        handle = next(name for name in self.posts if self.id_of(name) == user)
        shown, token = self._page_of(self.posts[handle], query.get("pagination_token"))
        data = []
        for post in shown:
            metrics = {} if post.likes is ABSENT else {"like_count": post.likes}
            one = {"id": self.post_id(post), "text": f"text {post.number}", "created_at": stamp(post, ".000Z")}
            data.append({**one, "public_metrics": metrics})
        meta = {"result_count": len(data), **({"next_token": token} if token else {})}
        return self._said({**({"data": data} if data else {}), "meta": meta})

    def _instagram(self, request: httpx.Request) -> httpx.Response:
        fields = request.url.params["fields"]
        handle = re.search(r"username\(([^)]*)\)", fields)[1]
        if handle not in self.posts:
            error = {"message": "Invalid user id", "code": 110, "error_subcode": 2207013}
            return answer({"error": error}, 400)
        after = re.search(r"media\.after\(([^)]*)\)", fields)
        shown, cursor = self._page_of(self.posts[handle], after and after[1])
        data = []
        for post in shown:
            one = {"id": self.post_id(post), "timestamp": stamp(post, "+0000"), "caption": f"text {post.number}"}
            data.append(one if post.likes is ABSENT else {**one, "like_count": post.likes})
        media = {"data": data, **({"paging": {"cursors": {"after": cursor}}} if cursor else {})}
        account = {"id": self.id_of(handle), "username": handle, "followers_count": 7}
        return self._said({"business_discovery": account | ({"media": media} if data else {}), "id": "1"})

    def _youtube(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        info = {"pageInfo": {"totalResults": 0, "resultsPerPage": 5}}
        if request.url.path.endswith("channels"):
            wanted = query.get("id", "").split(",") if "id" in query else [query["forHandle"].removeprefix("@")]
            items = [
                {
                    "id": self.id_of(name),
                    "snippet": {"title": name},
                    "statistics": {"subscriberCount": "7", "hiddenSubscriberCount": False},
                    "contentDetails": {"relatedPlaylists": {"uploads": f"UU{name}"}},
                }
                for name in self.posts
                if name in wanted or self.id_of(name) in wanted
            ]
        elif request.url.path.endswith("playlistItems"):
            shown, token = self._page_of(self.posts[query["playlistId"][2:]], query.get("pageToken"))
            items = [
                {"contentDetails": {"videoId": self.post_id(post), "videoPublishedAt": stamp(post, "Z")}}
                for post in shown
            ]
            info |= {"nextPageToken": token} if token else {}
        else:
            wanted = query["id"].split(",")
            every = {str(self.post_id(post)): post for some in self.posts.values() for post in some}
            items = [
                {
                    "id": name,
                    "snippet": {"title": f"text {every[name].number}"},
                    "statistics": {} if every[name].likes is ABSENT else {"likeCount": str(every[name].likes)},
                }
                for name in wanted
                if name in every
            ]
        return self._said({**info, **({"items": items} if items else {})})

    def _tiktok(self, request: httpx.Request) -> httpx.Response:
        fine = {"code": "ok", "message": "", "log_id": "1"}
        if request.url.path.endswith("token/"):
            assert parse_qs(request.content.decode())["client_secret"] == [CANARY]
            return answer({"access_token": f"clt.{CANARY}", "expires_in": 7200, "token_type": "Bearer"})
        body = json.loads(request.content)
        if request.url.path.endswith("info/"):
            if body["username"] not in self.posts:
                error = {"code": "invalid_params", "message": f"{body['username']} is invalid: cannot find the user"}
                return answer({"data": {}, "error": error}, 400)
            return self._said({"data": {"display_name": body["username"], "follower_count": 7}, "error": fine})
        names = body["query"]["and"][0]["field_values"]
        found = [
            (name, post)
            for name in names
            for post in self.posts[name]
            if isinstance(post.at, str) or body["start_date"] <= f"{post.at:%Y%m%d}" <= body["end_date"]
        ]
        start = int(re.sub(r"\D", "", str(body["cursor"])))
        videos = []
        for name, post in found[start : start + self.page]:
            at = int(post.at.timestamp()) if isinstance(post.at, datetime) else post.at
            one = {"id": self.post_id(post), "create_time": at, "username": name}
            one["video_description"] = f"text {post.number}"
            videos.append(one if post.likes is ABSENT else {**one, "like_count": post.likes})
        more = start + self.page < len(found)
        data = {"videos": videos, "cursor": self.cursor(start + self.page), "has_more": more, "search_id": "7"}
        return self._said({"data": data, "error": fine})


def stamp(post: Post, zone: str) -> str:
    return post.at if isinstance(post.at, str) else f"{post.at:%Y-%m-%dT%H:%M:%S}{zone}"


def answer(
    body: Any, status: int = 200, content_type: str = "application/json; charset=UTF-8", **headers: str
) -> httpx.Response:
    """An answer with the platform's time."""
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=text.encode(), headers={"date": DATE, "content-type": content_type, **named})


@pytest.fixture(autouse=True)
def no_backoff():
    """Repeat as often as in earnest, without the pauses in between."""
    with stamina.set_testing(True, attempts=99, cap=True):
        yield


@pytest.fixture(params=PLATFORMS)
def platform(request) -> Platform:
    return request.param


@pytest.fixture
def fake(platform) -> Fake:
    """A platform with one account and five posts of May, newest first: three pages, the last with one post."""
    return Fake(platform, {"city": [Post(number, day(number)) for number in (25, 20, 15, 10, 5)]})


@pytest.fixture
def lab():
    """The parts to build other platforms from."""
    return Lab


class Lab:
    """What tests build with: conftest cannot be imported, fixtures can."""

    Fake, Post, day, answer = Fake, Post, staticmethod(day), staticmethod(answer)
    ABSENT, CANARY, NOW, DATE, MAY, BASE = ABSENT, CANARY, NOW, DATE, MAY, BASE

    @staticmethod
    def likes(fake: Fake, row: dict[str, Any]) -> Any:
        """The count of likes of a row, a string on YouTube, as a number."""
        value = row[LIKES.get(fake.platform, "like_count")]
        return int(value) if isinstance(value, str) else value

    @staticmethod
    def texts(result: AccountResult) -> list[str]:
        """The texts of an account's posts, sorted."""
        names = ("message", "text", "caption", "title", "video_description")
        return sorted(next(row[name] for name in names if name in row) for row in result.posts)


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
