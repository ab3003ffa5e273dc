"""One account a platform and what it posted around May 2025: the rows as a data set, and what a client must find in them.

Everything is counted by hand from `n`, the place of a post among the account's 327: 60 in April, 237 in May, 30 in June.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import NamedTuple

MAY, JUNE, NOW = (datetime(2025, month, day, tzinfo=UTC) for month, day in [(5, 1), (6, 1), (6, 10)])
SECOND = timedelta(seconds=1)
TIMES = [
    *(MAY - SECOND - n * timedelta(hours=11) for n in reversed(range(60))),
    *(MAY + n * timedelta(hours=3) for n in range(236)),  # the first in the month's first second
    JUNE - SECOND,
    *(JUNE + n * timedelta(hours=4) for n in range(30)),
]
OF_MAY = range(60, 297)

PAGE = "100200300400"
CHANNEL = "UCconformance00000000000"
INSTAGRAM = "17841400000004321"
X, X_GAPS, X_QUIET = "4242", "4343", "4444"

HANDLES = {
    "facebook": "conf_page",
    "instagram": "conf.ig",
    "x": "conf_x",
    "youtube": "conf_channel",
    "tiktok": "conf.tt",
}
FOLLOWERS = {"facebook": 51_234, "instagram": 7_001, "x": 31_415, "youtube": 123_456, "tiktok": 88_888}


class Post(NamedTuple):
    """What is read of one post. `None` = the platform did not say, which is never 0."""

    text: str
    likes: int | None
    comments: int | None
    shares: int | None
    views: int | None


class Month(NamedTuple):
    """Posts of a month and their sums; `silent` counts those that hide likes, so that none is taken for a zero."""

    posts: int
    likes: int
    comments: int
    shares: int
    views: int
    silent: int


def summed(posts: Iterable[Post]) -> Month:
    """Add up what was said."""
    posts = list(posts)
    return Month(
        len(posts),
        *(sum(post[column] for post in posts if post[column] is not None) for column in range(1, 5)),
        silent=sum(post.likes is None for post in posts),
    )


def text(n: int) -> str:
    """Emoji of one and of several code points, Han of both planes, what JSON, CSV and HTML escape, two lines."""
    return f'第{n}条 🌸 "Spring" & <b>tea</b>, 50 % off 👩‍🚀 𠮷\nSecond line {n} \\ end'


def post(platform: str, n: int) -> Post:
    """Post `n` as its platform can tell it: every tenth hides likes, every fifth was never shared."""
    hidden = n % 10 == 9
    match platform:
        case "facebook":  # tells no views, and says nothing of shares where there are none
            return Post(text(n), None if hidden else n, n % 7, n % 5 or None, None)
        case "instagram":  # tells no shares, and views of videos alone
            return Post(text(n), None if hidden else n, n % 7, None, 10 * n + 3 if n % 3 == 0 else None)
        case "youtube":  # tells no shares; comments of every eleventh are off
            return Post(text(n), None if hidden else n, None if n % 11 == 0 else n % 7, None, 10 * n + 3)
        case "tiktok":
            return Post(text(n), None if hidden else n, n % 7, n % 5, 10 * n + 3)
        case "x":  # hides nothing
            return Post(text(n), n, n % 7, n % 5, 10 * n + 3)
        case _:  # an account of X whose data set lacks counts
            return Post(text(n), None if hidden else n, n % 7, n % 5, None)


def post_id(platform: str, n: int) -> str:
    """An id of the platform's own form, rising with `n`."""
    return {
        "facebook": f"{PAGE}_{9_000 + n}",
        "instagram": str(17_900_000_000_000_000 + n),
        "youtube": f"conf-{n:06d}",
        "tiktok": str(7_500_000_000_000_000_001 + n),
        "x": str(1_900_000_000_000_000_000 + n),
        "x gaps": str(1_800_000_000_000_000_000 + n),
    }[platform]


def of_may(platform: str) -> dict[str, Post]:
    """The 237 posts of May by id: what every client must come back with. X sends its texts with three entities."""
    posts = {post_id(platform, n): post(platform, n) for n in OF_MAY}
    if platform.startswith("x"):
        return {key: one._replace(text=escape(one.text, quote=False)) for key, one in posts.items()}
    return posts


def kind(platform: str, n: int) -> str:
    """Post 100 is a repost where a platform has them; every third is a video."""
    if platform in {"youtube", "tiktok"}:
        return "video"
    if n == 100 and platform != "instagram":
        return "repost"
    return "video" if n % 3 == 0 else "photo"


def write(folder: Path) -> Path:
    """Write the data set; gives the folder."""
    ids = {"facebook": PAGE, "instagram": INSTAGRAM, "x": X, "youtube": CHANNEL, "tiktok": HANDLES["tiktok"]}
    accounts = [(name, ids[name], HANDLES[name], f"名 {name}", FOLLOWERS[name], "2025-06-01T00:00:00Z") for name in ids]
    accounts += [
        ("x", X_GAPS, "conf_gaps", "Gaps", "", ""),
        ("x", X_QUIET, "conf_quiet", "Quiet", 3, "2025-06-01T00:00:00Z"),
        ("youtube", "UCquiet00000000000000000", "conf_quiet", "Quiet", "", ""),
    ]
    posts = []
    for platform in (*ids, "x gaps"):
        for n, created_at in enumerate(TIMES):
            words, *counts = post(platform, n)
            posts.append(
                (
                    platform.split()[0],
                    X_GAPS if platform == "x gaps" else ids[platform],
                    post_id(platform, n),
                    created_at.isoformat(),
                    kind(platform, n),
                    words,
                    "",
                    *("" if count is None else count for count in counts),
                )
            )
    tables = {
        "accounts": ("platform,account_id,handle,display_name,followers,followers_at", accounts),
        "posts": ("platform,account_id,post_id,created_at,kind,text,permalink,likes,comments,shares,views", posts),
    }
    for name, (header, rows) in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows([header.split(","), *rows])
    return folder
