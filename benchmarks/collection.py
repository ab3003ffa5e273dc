"""Collecting a month of 690 accounts and 50,000 posts from a server that answers after 50 milliseconds.

    .venv/bin/python benchmarks/collection.py

Prints, per platform and for all: requests over the fewest a correct reading needs (target 1.00), wall time over the
latency floor at the concurrency allowed (target 1.3), and the client's CPU milliseconds per hundred posts, validation
and commit included (target 2.0). The floor is what waiting alone takes: requests over concurrency times the latency, or
the longest chain of requests of which each needs the one before it. Figures of one run, to be compared with each other.
"""

from __future__ import annotations

import asyncio
import csv
import os
import resource
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from smi_pipeline.collectors.collect import collector
from smi_pipeline.collectors.http import Wire
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.ingest import collect_month
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Account
from smi_pipeline.sandbox.process import SandboxProcess, environment
from smi_pipeline.settings import Settings

LATENCY, ACCOUNTS, POSTS = 0.05, 138, 73  # 138 accounts on each of five platforms, 50,370 posts
MONTH, ZONE = Month.parse("2025-05"), ZoneInfo("Asia/Shanghai")


def main() -> None:
    """Measure the five platforms one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        accounts = write(Path(folder) / "data")
        now = MONTH.end(ZONE) + timedelta(minutes=1)
        with SandboxProcess(Path(folder) / "data", now=now) as sandbox:
            sandbox.set_faults({"latency_seconds": LATENCY})
            os.environ |= environment(sandbox.base_url)
            settings = Settings(_env_file=None)
            warm_up(settings, Path(folder))
            print("platform   requests / least  wall s floor s  ratio  CPU ms/100 posts")
            totals = [measure(platform, accounts[platform], settings, Path(folder)) for platform in PLATFORMS]
    requests, least, wall, floor, cpu, posts = map(sum, zip(*totals, strict=True))
    show("all", requests, least, wall, floor, cpu, posts)


def measure(platform: str, accounts: list[Account], settings: Settings, folder: Path) -> tuple[float, ...]:
    """One platform's month into a lake of its own."""
    lake = Lake.of(folder / platform)
    with lake.read():
        pass  # created before the clock runs
    wire = Wire(rates=folder / "rates.sqlite")
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
    floor = LATENCY * max(summary.requests / settings.concurrency, longest_chain(platform, settings))
    show(platform, summary.requests, summary.least, wall, floor, cpu, summary.posts)
    return summary.requests, summary.least, wall, floor, cpu, summary.posts


def longest_chain(platform: str, settings: Settings) -> float:
    """Requests of which each needs the answer of the one before it."""
    if platform != "tiktok":
        return 3
    names = settings.tiktok_names_a_query
    return 1 + names / settings.concurrency + names * POSTS / 100 + 1


def cpu_seconds() -> float:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def show(name: str, requests: float, least: float, wall: float, floor: float, cpu: float, posts: float) -> None:
    """One line of figures."""
    print(
        f"{name:10} {requests:8.0f} {requests / least:7.2f} {wall:7.2f} {floor:7.2f} {wall / floor:6.2f}"
        f" {1000 * cpu / (posts / 100):17.2f}"
    )


def warm_up(settings: Settings, folder: Path) -> None:
    """Load what is loaded once a process."""
    lake = Lake.of(folder / "warm")
    some = [Account(city_id="1", platform="x", handle="nobody", account_id="nobody")]
    asyncio.run(collect_month(lake, "x", lambda: collector("x", settings), MONTH, ZONE, "final", some, synthetic=True))


def write(folder: Path) -> dict[str, list[Account]]:
    """The data set, and the registry's accounts by platform."""
    folder.mkdir()
    accounts: dict[str, list[Account]] = {platform: [] for platform in PLATFORMS}
    step = (MONTH.end(ZONE) - MONTH.start(ZONE)) / POSTS
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
                for place in range(POSTS):
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
