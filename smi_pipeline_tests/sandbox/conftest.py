"""A small data set with contents known by heart, served over a real socket to all tests of this folder."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from smi_pipeline.sandbox.process import SandboxProcess

NOW = datetime(2025, 6, 3, tzinfo=UTC)
MAY = datetime(2025, 5, 1, tzinfo=UTC)

PAGE = "100200300"
CHANNEL = "UC0123456789abcdefghijkl"
LONG = "UCmany000000000000000000"
SILENT_CHANNEL = "UCsilent0000000000000000"
IG = "17841400000000777"

HEADERS = {
    "accounts": "platform,account_id,handle,display_name,followers,followers_at",
    "posts": "platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views",
    "followers": "platform,account_id,observed_at,followers",
    "snapshots": "platform,account_id,post_id,observed_at,likes,comments,shares,views",
}
ACCOUNTS = [
    ("facebook", PAGE, "sbx_page", "A page", 5000, "2025-06-01T00:00:00Z"),
    ("facebook", "Näme & Co", "Näme & Co", "No id of the platform's form", "", ""),
    ("x", "42", "sbx_x", "A user", 1000, "2025-06-01T00:00:00Z"),
    ("x", "7", "sbx.dotted name beyond fifteen", "A long & winding name", "", ""),
    ("x", "8", "sbx_old", "A user with more than 3,200 posts", "", ""),
    ("instagram", IG, "sbx_ig", "An account", 777, "2025-06-01T00:00:00Z"),
    ("instagram", "sbx_silent", "sbx_silent", "Posts nothing", "", ""),
    ("youtube", CHANNEL, "Sbx Channel", "A channel", 123456, "2025-06-01T00:00:00Z"),
    ("youtube", SILENT_CHANNEL, "sbx_silent", "No uploads", "", ""),
    *(("youtube", f"UCmany{n:02d}0000000000000000", f"sbx_many{n}", f"Many {n}", "", "") for n in range(6)),
    ("tiktok", "sbx_tt", "sbx_tt", "Some videos", 99, "2025-06-01T00:00:00Z"),
    ("tiktok", "sbx.two", "sbx.two", "Other videos", "", ""),
]


def at(hours: float) -> str:
    """An instant so many hours after the start of May 2025."""
    return (MAY + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")


def post(platform: str, account: str, post_id: str, hours: float, **more: Any) -> tuple[Any, ...]:
    """A row of posts.csv: one post so many hours after the start of May 2025."""
    told = {
        "kind": "photo",
        "text": f"text {post_id}",
        "permalink": "",
        "likes": 1,
        "comments": 2,
        "shares": 3,
        "views": "",
    }
    return (platform, account, post_id, at(hours), *(told | more).values())


def posts() -> list[tuple[Any, ...]]:
    """250 posts on the page (one every second hour from 1 May), and a few on each other account."""
    kinds = ["photo", "video", "short", "link", "text", "event", "note", "music", "repost", "album", ""]
    return [
        *(post("facebook", PAGE, f"{PAGE}_{n}", 2 * n, likes=n) for n in range(250)),
        *(post("facebook", "Näme & Co", f"hash-{kind}", n, kind=kind) for n, kind in enumerate(kinds)),
        post("facebook", "Näme & Co", "empty", 20, text="", likes="", comments="", shares="", kind=""),
        post("facebook", "Näme & Co", "zero", 21, likes=0, comments=0, shares=0),
        *(post("x", "42", str(1000 + n), n, likes=n, views=100 + n) for n in range(12)),
        post("x", "42", "2000", 12, kind="repost", text="", likes=0, comments="", shares=900),
        post("x", "42", "2001", 13, kind="video", text="A video", likes="", comments="", shares=""),
        post("x", "42", "not-an-id", 14, text="see https://example.org #Tag", comments=-41),
        post("x", "7", "2002", 48, text="Food & Wine <live> #Tasty"),
        *(post("x", "8", str(5_000_000 + n), n / 100) for n in range(3_205)),
        *(post("instagram", IG, f"9000000000000000{n}", n, shares="") for n in range(7)),
        post("instagram", IG, "CShort", 8, kind="short", likes="", shares="", views=55),
        *(post("youtube", CHANNEL, f"video{n:06d}", n, kind="video", shares="", views=1000 + n) for n in range(60)),
        post("youtube", LONG, "longtitle01", 1, kind="video", text="word " * 21 + "#tag\nsecond line"),
        post("youtube", LONG, "longtitle02", 2, kind="", text="长" * 120),
        post("youtube", LONG, "marks000001", 3, kind="video", text="Rock & Roll: it's <live>"),
        post("youtube", CHANNEL, "hidden00001", 61, kind="short", likes="", comments="", shares="", views=5),
        post("youtube", CHANNEL, "video000000", 0, kind="video", text="Said again", shares="", views=70),
        *(
            post("tiktok", "sbx_tt", str(7_500_000_000_000_000_001 + n), 12 * n, kind="short", views=10)
            for n in range(70)
        ),
        post("tiktok", "sbx.two", "shortcode", 30, kind="short", text="#Food and #旅行 #Food", shares="", views=11),
    ]


FOLLOWERS = [
    ("x", "42", "2025-05-03T00:00:00Z", 900),
    ("x", "42", "2025-04-03T00:00:00Z", 800),
    ("youtube", CHANNEL, "2025-05-03T00:00:00Z", 1239),
]
SNAPSHOTS = [
    ("youtube", CHANNEL, "video000001", "2025-05-20T00:00:00Z", 7, "", "", 5000),
    ("youtube", CHANNEL, "video000001", "2025-05-10T00:00:00Z", 6, 1, "", 4000),
]


def write(folder: Path, **tables: list[tuple[Any, ...]]) -> Path:
    """Write tables of the neutral format into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([HEADERS[name].split(","), *rows])
    return folder


@dataclass(frozen=True)
class Client:
    """Asks the served sandbox, with the right credentials unless told otherwise."""

    process: SandboxProcess
    http: httpx.Client

    def get(self, path: str, *, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
        return self.http.get(path, params=params, headers=headers)

    def x(self, path: str, **params: Any) -> httpx.Response:
        names = {re.sub("__", ".", name): value for name, value in params.items()}
        return self.http.get(f"/2/{path}", params=names, headers={"Authorization": "Bearer sandbox"})

    def youtube(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(f"/youtube/v3/{path}", params={"key": "sandbox", **params})

    def graph(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(f"/v26.0/{path}", params={"access_token": "sandbox", **params})

    def discover(self, fields: str) -> httpx.Response:
        return self.graph("17841400000000001", fields=f"business_discovery.{fields}")

    def tiktok(self, path: str, body: Any, *, token: str | None = None, **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token()}", "Content-Type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.post(f"/v2/research/{path}/", params=params, headers=headers, content=content)

    def credentials(self, **changes: str) -> httpx.Response:
        form = {"client_key": "sandbox", "client_secret": "sandbox", "grant_type": "client_credentials"}
        return self.http.post("/v2/oauth/token/", data=form | changes)

    def token(self) -> str:
        return str(self.credentials().json()["access_token"])


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("neutral")
    return write(folder, accounts=ACCOUNTS, posts=posts(), followers=FOLLOWERS, snapshots=SNAPSHOTS)


@pytest.fixture
def write_tables() -> Callable[..., Path]:
    return write


@pytest.fixture(scope="session")
def running(dataset: Path) -> Iterator[SandboxProcess]:
    with SandboxProcess(dataset, now=NOW) as process:
        yield process


@pytest.fixture
def sandbox(running: SandboxProcess) -> Iterator[Client]:
    running.set_clock(NOW)
    with httpx.Client(base_url=running.base_url, trust_env=False) as http:
        yield Client(running, http)
