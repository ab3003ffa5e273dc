"""Collecting a month of 690 accounts and 50,000 posts from a server that answers after 50 milliseconds.

    .venv/bin/python benchmarks/collection.py

Prints, per platform and for all: requests over the fewest a correct reading needs (target 1.00), wall time over the
latency floor at the concurrency allowed (target 1.3), and the client's CPU milliseconds per hundred posts, validation
and commit included (target 2.0). The floor is what waiting alone takes: requests over concurrency times the latency, or
the longest chain of requests of which each needs the one before it.

Beside them a bare client, which sends the same requests again as many at a time, needs no answer for the next question,
and reads and throws the answers away: its wall time over requests over concurrency times the latency, and its CPU. What
it takes is the server's time, which shares the machine, and the least a Python client costs.

A hundred posts are not a page where an account has 73 in the month or pages hold fifty: the second table is of accounts
with exactly a hundred, a full page each on Facebook, X and TikTok, two pages on Instagram, two and two on YouTube. All
platforms are collected into one lake, the first one into an empty one, where DuckLake looks up more.
Figures of one run, to be compared with each other.
"""

from __future__ import annotations

import asyncio
import csv
import os
import resource
import tempfile
import time
from dataclasses import astuple, dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from smi_pipeline.collectors.collect import collector
from smi_pipeline.collectors.http import Wire
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.ingest import collect_month
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Account
from smi_pipeline.sandbox.process import SandboxProcess, environment
from smi_pipeline.settings import Settings

LATENCY, ACCOUNTS = 0.05, 138  # seconds, and accounts on each of five platforms
POSTS, FULL_PAGE = 73, 100  # an account and month: 50,370 posts together, and pages that are full
MONTH, ZONE = Month.parse("2025-05"), ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class Figures:
    """What reading a platform took: counts, and seconds."""

    requests: float
    least: float
    posts: float
    wall: float
    floor: float
    cpu: float
    bare_wall: float
    bare_floor: float
    bare_cpu: float

    def __str__(self) -> str:
        hundreds = self.posts / 100
        return (
            f"{self.requests:8.0f} {self.requests / self.least:7.2f} {self.wall:7.2f} {self.floor:7.2f}"
            f" {self.wall / self.floor:6.2f} {1000 * self.cpu / hundreds:9.2f} {1000 * self.cpu / self.requests:8.2f}"
            f" {self.bare_wall / self.bare_floor:10.2f} {1000 * self.bare_cpu / hundreds:9.2f}"
        )


class Recording(httpx.AsyncBaseTransport):
    """The collectors' transport, with the requests that passed it."""

    def __init__(self, concurrency: int) -> None:
        self.requests: list[httpx.Request] = []
        self._transport = AiohttpTransport(limits=httpx.Limits(max_connections=concurrency))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and remember it."""
        self.requests.append(request)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def main() -> None:
    """Measure the five platforms one after the other, twice."""
    for posts in (POSTS, FULL_PAGE):
        counted = f"{ACCOUNTS} accounts, {posts} posts each"
        print(f"{counted:53}CPU milliseconds a        bare client, CPU")
        print("platform   requests / least  wall s floor s  ratio 100 posts  request      ratio 100 posts")
        with tempfile.TemporaryDirectory() as folder:
            measure_all(Path(folder), posts)


def measure_all(folder: Path, posts: int) -> None:
    """All platforms into one lake, from a server of their own."""
    accounts = write(folder / "data", posts)
    with SandboxProcess(folder / "data", now=MONTH.end(ZONE) + timedelta(minutes=1)) as sandbox:
        sandbox.set_faults({"latency_seconds": LATENCY})
        os.environ |= environment(sandbox.base_url)
        settings = Settings(_env_file=None)
        warm_up(settings, folder)
        lake = Lake.of(folder / "lake")
        with lake.read():
            pass  # created before the clock runs
        found = []
        for platform in PLATFORMS:
            found.append(measure(platform, accounts[platform], posts, settings, lake))
            print(f"{platform:10} {found[-1]}")
        print(f"{'all':10} {Figures(*map(sum, zip(*map(astuple, found), strict=True)))}")


def measure(platform: str, accounts: list[Account], posts: int, settings: Settings, lake: Lake) -> Figures:
    """One platform's month, and the same requests by the bare client."""
    sent = Recording(settings.concurrency)
    wire = Wire(transport=sent, rates=lake.path / "rates.sqlite")
    began, spent = time.perf_counter(), cpu_seconds()
    summary = asyncio.run(
        collect_month(
            lake,
            platform,
            lambda: collector(platform, settings, wire=wire),
            MONTH,
            ZONE,
            "final",
            accounts,
            synthetic=True,
        )
    )
    wall, cpu = time.perf_counter() - began, cpu_seconds() - spent
    if (len(sent.requests), summary.posts) != (summary.requests, len(accounts) * posts):
        raise SystemExit(f"{platform}: {summary.posts} posts by {len(sent.requests)} requests")
    began, spent = time.perf_counter(), cpu_seconds()
    asyncio.run(throw_away(sent.requests, settings.concurrency))
    bare_wall, bare_cpu = time.perf_counter() - began, cpu_seconds() - spent
    waiting = LATENCY * summary.requests / settings.concurrency
    floor = max(waiting, LATENCY * longest_chain(platform, posts, settings))
    return Figures(
        *(summary.requests, summary.least, summary.posts, wall, floor, cpu),
        *(bare_wall, waiting, bare_cpu),
    )


async def throw_away(requests: list[httpx.Request], concurrency: int) -> None:
    """Ask the same again and only read the answers."""
    waiting = iter(requests)

    async def work(session: aiohttp.ClientSession) -> None:
        for request in waiting:
            asked = session.request(
                request.method, str(request.url), headers=dict(request.headers), data=request.content or None
            )
            async with asked as answer:
                await answer.read()
                answer.raise_for_status()

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))


def longest_chain(platform: str, posts: int, settings: Settings) -> float:
    """Requests of which each needs the answer of the one before it."""
    if platform != "tiktok":
        return 3
    names = settings.tiktok_names_a_query
    return 1 + names / settings.concurrency + names * posts / 100 + 1


def cpu_seconds() -> float:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def warm_up(settings: Settings, folder: Path) -> None:
    """Load what is loaded once a process."""
    lake = Lake.of(folder / "warm")
    some = [Account(city_id="1", platform="x", handle="nobody", account_id="nobody")]
    asyncio.run(collect_month(lake, "x", lambda: collector("x", settings), MONTH, ZONE, "final", some, synthetic=True))


def write(folder: Path, posts: int) -> dict[str, list[Account]]:
    """The data set, `posts` an account, and the registry's accounts by platform."""
    folder.mkdir()
    accounts: dict[str, list[Account]] = {platform: [] for platform in PLATFORMS}
    step = (MONTH.end(ZONE) - MONTH.start(ZONE)) / posts
    with (folder / "accounts.csv").open("w", newline="") as one, (folder / "posts.csv").open("w", newline="") as two:
        account_rows, post_rows = csv.writer(one), csv.writer(two)
        account_rows.writerow(["platform", "account_id", "handle", "display_name", "followers", "followers_at"])
        names = "platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views"
        post_rows.writerow(names.split(","))
        for platform in PLATFORMS:
            for number in range(ACCOUNTS):
                handle, own = f"sbx_b{number}", account_id(platform, number)
                account_rows.writerow([platform, own, handle, f"Account {number}", 1000 + number, ""])
                accounts[platform].append(Account(city_id="1", platform=platform, handle=handle, account_id=own))
                for place in range(posts):
                    at = (MONTH.start(ZONE) + step * place).replace(microsecond=0).isoformat()
                    text = f"Spring in the old town, day {place}: lanterns and tea by the river #travel #city{number}"
                    counts = (place * 7, place % 9, place % 5, place * 31)
                    post_rows.writerow(
                        [platform, own, post_id(platform, number, place), at, "video", text, "", *counts]
                    )
    return accounts


def account_id(platform: str, number: int) -> str:
    """An id the platform could have."""
    forms = {"facebook": f"99999{number:010d}", "x": f"9000{number:012d}", "instagram": f"1784{number:013d}"}
    return forms.get(platform) or (f"UC{number:022d}" if platform == "youtube" else f"sbx_b{number}")


def post_id(platform: str, number: int, place: int) -> str:
    """An id the platform could have, of its own."""
    serial = number * 1000 + place + 1
    forms = {
        "facebook": f"{account_id('facebook', number)}_{serial}",
        "x": f"19{serial:017d}",
        "instagram": f"179{serial:014d}",
        "youtube": f"v{serial:010d}",
    }
    return forms.get(platform, f"75{serial:017d}")


if __name__ == "__main__":
    main()
