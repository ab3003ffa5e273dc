"""Data sets of a few accounts, written for one test: how many posts, where, and with what counts."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from smi_pipeline.collectors.collect import collector
from smi_pipeline.collectors.http import Wire
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.ingest import Summary, collect_month
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Account, Platform
from smi_pipeline.settings import Settings

MAY, ZONE = Month.parse("2025-05"), ZoneInfo("Asia/Shanghai")
FIRST = MAY.start(ZONE)
# At once after the month's end, as X refuses an end that is only just past.
AFTER = MAY.end(ZONE) + timedelta(minutes=1)
COUNTS = ("likes", "comments", "shares", "views")


def platform_id(platform: Platform, number: int) -> str:
    forms = {
        "facebook": f"99999{number:010d}",
        "x": f"9000{number:012d}",
        "instagram": f"1784{number:013d}",
        "youtube": f"UC{number:022d}",
        "tiktok": f"sbx_{number}",
    }
    return forms[platform]


@dataclass
class Wanted:
    """A data set to be written."""

    accounts: list[dict[str, object]] = field(default_factory=list)
    posts: list[dict[str, object]] = field(default_factory=list)

    def account(self, platform: Platform, number: int, at: Iterable[datetime] = (), **more: object) -> Account:
        """An account with a post at each of the times; `more` are columns of its row."""
        theirs, handle = platform_id(platform, number), f"sbx_{platform[:2]}{number}"
        row = {
            "platform": platform,
            "account_id": theirs,
            "handle": handle,
            "display_name": f"Account {number}",
            "followers": 1000 + number,
            "followers_at": "2025-04-01T00:00:00Z",
        }
        self.accounts.append(row | more)
        for place, instant in enumerate(at):
            post = {
                "platform": platform,
                "account_id": theirs,
                "post_id": self._post_id(platform, number, place),
                "created_at": instant.isoformat(),
                "kind": "video",
                "text": f"post {place} #tag",
                "permalink": "",
                "likes": place % 7,
                "comments": place % 3,
                "shares": place % 2,
                "views": place * 10,
            }
            self.posts.append(post)
        own = theirs if platform != "tiktok" else handle
        return Account(city_id=f"{number}", platform=platform, handle=handle, account_id=own)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows, columns in (
            ("accounts", self.accounts, "platform,account_id,handle,display_name,followers,followers_at"),
            (
                "posts",
                self.posts,
                "platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views",
            ),
        ):
            extra = sorted({column for row in rows for column in row} - set(columns.split(",")))
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, [*columns.split(","), *extra])
                writer.writeheader()
                writer.writerows(rows)
        return folder

    @staticmethod
    def _post_id(platform: Platform, number: int, place: int) -> str:
        serial = number * 10_000 + place + 1
        forms = {
            "facebook": f"{platform_id('facebook', number)}_{serial}",
            "x": f"19{serial:017d}",
            "instagram": f"179{serial:014d}",
            "youtube": f"v{serial:010d}",
            "tiktok": f"75{serial:017d}",
        }
        return forms[platform]


def spread(posts: int, first: datetime = FIRST, last: datetime | None = None) -> list[datetime]:
    """So many different seconds of the month, evenly spread."""
    last = last or MAY.end(ZONE)
    step = (last - first) / max(posts, 1)
    return [(first + step * number).replace(microsecond=0) for number in range(posts)]


def asked(
    lake: Lake,
    platform: Platform,
    settings: Settings,
    accounts: list[Account],
    *,
    wire: Wire | None = None,
    month: Month = MAY,
    zone: ZoneInfo = ZONE,
) -> Summary:
    """The final cut of a month, collected into a lake."""

    def opened():
        return collector(platform, settings, wire=wire or Wire())

    return asyncio.run(collect_month(lake, platform, opened, month, zone, "final", accounts, synthetic=True))


# What an interruption may change: which collection, when, and how many requests.
UNSTABLE = ("collection_id", "observed_at", "started_at", "recorded_at", "finished_at", "requests", "requests_least")


def rows(lake: Lake, table: str) -> list[tuple[object, ...]]:
    """A raw table's rows without what an interruption may change, sorted."""
    with lake.read() as cursor:
        try:
            columns = [name for name, *_ in cursor.execute(f"describe {table}").fetchall() if name not in UNSTABLE]
        except duckdb.CatalogException:
            return []
        listed = ", ".join(f'"{name}"::varchar' for name in columns)
        return sorted(cursor.execute(f"select {listed} from {table}").fetchall(), key=repr)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
