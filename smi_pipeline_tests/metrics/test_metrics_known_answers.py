"""Rates as printed, and real accounts counted by plain Python."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from smi_pipeline.metrics.account_month import account_month
from smi_pipeline.months import Month

SHARED = Path(__file__).resolve().parents[3] / "shared"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the reference material ../shared is not here")

COUNTS = ("likes", "comments", "shares", "views")
REAL = {
    ("instagram", "10067115"),  # a comment count of -41
    ("x", "2670726740"),  # retweets
    ("youtube", "UC9AKA0PYiGCSPqfCEMaKtag"),
    ("tiktok", "sfpolitik"),
    ("facebook", "54971236771"),  # a post twice
}


def as_printed(value: float, like: str) -> str:
    """Rounded half up to as many decimals as the printed figure has."""
    return str(Decimal(value).quantize(Decimal(like), ROUND_HALF_UP))


@shared
def test_every_printed_rate_comes_out(may):
    seeds = json.loads((SHARED / "index_reference" / "seed_rates.json").read_text())
    assert len(seeds) == 5
    for seed in seeds:
        total = "views" if seed["rate_kind"] == "view" else "likes"
        sums = [{"posts": seed["count"], "videos": seed["count"], total: seed["total"]}]
        [row] = may(asked=[(seed["platform"], "a", "answered")], sums=sums).to_dicts()
        got = row["view_rate" if seed["rate_kind"] == "view" else "engagement_rate"]
        printed = seed["published_rate"]
        if printed.startswith(">"):
            assert got == 128700
        else:
            assert as_printed(got, like=printed) == printed


def test_a_rate_is_not_rounded(may):
    [row] = may(asked=[("facebook", "a", "answered")], sums=[{"posts": 128, "videos": 1, "likes": 412907}]).to_dicts()
    assert row["engagement_rate"] == 412907 / 128 == 3225.8359375


def recorded_posts() -> Iterator[dict[str, str]]:
    """Each recorded post of the chosen accounts once: on a repeated id the last row wins."""
    last = {}
    with gzip.open(SHARED / "realdata" / "posts.csv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if (row["platform"], row["account_id"]) in REAL:
                last[row["platform"], row["post_id"]] = row
    yield from last.values()


@pytest.fixture(scope="module")
def counted() -> dict[str, dict[str, pl.DataFrame]]:
    """Sums and rejects of every month, added up by hand."""
    sums: dict[tuple[str, ...], dict[str, int | None]] = defaultdict(
        lambda: {"posts": 0, "videos": 0, **dict.fromkeys(COUNTS)}
    )
    bad: dict[tuple[str, ...], int] = defaultdict(int)
    for post in recorded_posts():
        account = (post["platform"], post["account_id"], post["created_at"][:7])
        cell = sums[*account, post["kind"] == "repost"]
        is_video = post["kind"] in {"video", "short"}
        cell["posts"] += 1
        cell["videos"] += is_video
        for name in COUNTS:
            if post[name] == "" or (name == "views" and not is_video):
                continue
            if int(post[name]) < 0:
                bad[account] += 1
                continue
            cell[name] = (cell[name] or 0) + int(post[name])
    months: dict[str, dict[str, list]] = defaultdict(lambda: {"sums": [], "rejects": []})
    for (platform, account_id, month, is_repost), cell in sums.items():
        key = {"platform": platform, "account_id": account_id}
        months[month]["sums"].append(key | {"is_repost": is_repost} | cell)
    for (platform, account_id, month), count in bad.items():
        key = {"platform": platform, "account_id": account_id}
        months[month]["rejects"].append(key | {"bad_counts": count, "malformed": 0})
    schema = {"platform": pl.String, "account_id": pl.String, "bad_counts": pl.Int64, "malformed": pl.Int64}
    return {
        month: {
            # which posts are complete is not looked at here
            "sums": pl.DataFrame(rows["sums"], infer_schema_length=None)
            .with_columns(
                pl.lit(None).alias(f"complete_{name}") for name in ("posts", "videos", "likes", "comments", "shares")
            )
            .with_columns(viewed_videos=pl.lit(None), likes_above_views=pl.lit(None)),
            "rejects": pl.DataFrame(rows["rejects"], schema=schema),
        }
        for month, rows in months.items()
    }


@shared
@pytest.mark.parametrize(("file", "include_reposts"), [("expected.csv", True), ("expected_no_reposts.csv", False)])
def test_real_accounts_give_the_expected_months(counted, inputs, file, include_reposts):
    """Independent sums of recorded posts; the one difference is the negative count, which is refused and flagged."""
    months = {}
    empty = inputs(asked=[])
    for month, frames in counted.items():
        asked = frames["sums"].select("platform", "account_id").unique()
        asked = asked.with_columns(outcome=pl.lit("answered"), collection_id=pl.lit("k"))
        got = account_month(
            **(empty | frames | {"asked": asked}),
            month=Month.parse(month),
            zone=ZoneInfo("UTC"),
            include_reposts=include_reposts,
        )
        months |= {(row["platform"], row["account_id"], month): row for row in got.iter_rows(named=True)}
    checked = 0
    with (SHARED / "realdata" / file).open(newline="") as lines:
        for expected in csv.DictReader(lines):
            key = (expected["platform"], expected["account_id"], expected["month"])
            if key[:2] not in REAL:
                continue
            row = months.pop(key)
            if key == ("instagram", "10067115", "2022-11"):
                assert row["interactions"] == 40675 == int(expected["interactions"]) + 41
                assert "bad_count" in row["flags"]
                continue
            for name in ("posts", "videos", *COUNTS, "interactions"):
                assert row[name] == (None if expected[name] == "" else int(expected[name])), (key, name)
            for name in ("engagement_rate", "view_rate"):
                if expected[name] == "":
                    assert row[name] is None, (key, name)
                else:
                    assert row[name] == pytest.approx(float(expected[name]), abs=0.00501), (key, name)
            checked += 1
    assert checked > 100
    assert all(row["posts"] == 0 for row in months.values())  # what is left over had nothing but reposts
