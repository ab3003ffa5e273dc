"""Builders of the frames that metrics read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from smi_pipeline.metrics.account_month import account_month
from smi_pipeline.months import Month

SHANGHAI = ZoneInfo("Asia/Shanghai")
COUNTS = ("posts", "videos", "likes", "comments", "shares", "views")
REACTIONS = ("likes", "comments", "shares")
COMPLETE = (
    "complete_posts",
    "complete_videos",
    *(f"complete_{name}" for name in REACTIONS),
    "viewed_videos",
    "likes_above_views",
)
KEYS = {"platform": pl.String, "account_id": pl.String}
ASKED = KEYS | {"outcome": pl.String, "collection_id": pl.String}
SUMS = KEYS | {"is_repost": pl.Boolean} | dict.fromkeys((*COUNTS, *COMPLETE), pl.Int64)
REJECTS = KEYS | {"bad_counts": pl.Int64, "malformed": pl.Int64}
OBSERVATIONS = KEYS | {"collection_id": pl.String, "observed_at": pl.Datetime("us", "UTC"), "followers": pl.Int64}
ACCOUNTS = {"city_id": pl.String} | KEYS | {"in_index": pl.Boolean, "valid_from": pl.Date, "valid_to": pl.Date}


def instant(text: str) -> datetime:
    """A UTC instant, from the wall clock in Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def frames(
    *,
    asked: list[tuple[str, str, str]],
    sums: list[dict[str, Any]] = (),  # type: ignore[assignment]
    rejects: list[tuple[str, str, int, int]] = (),  # type: ignore[assignment]
    observations: list[tuple[str, str, str, str, int | None]] = (),  # type: ignore[assignment]
    accounts: list[tuple[Any, ...]] = (),  # type: ignore[assignment]
) -> dict[str, pl.DataFrame]:
    """The five input frames; a sum's platform and account default to the first one asked, all its posts to complete."""
    first = {"platform": asked[0][0], "account_id": asked[0][1], "is_repost": False} if asked else {}
    full = [dict.fromkeys(SUMS) | first | _complete(row) | row for row in sums]
    return {
        "asked": pl.DataFrame([(*row, "k1") for row in asked], schema=ASKED, orient="row"),
        "sums": pl.DataFrame(full, schema=SUMS),
        "rejects": pl.DataFrame(list(rejects), schema=REJECTS, orient="row"),
        "observations": pl.DataFrame(
            [(p, a, c, instant(at), n) for p, a, c, at, n in observations], schema=OBSERVATIONS, orient="row"
        ),
        "accounts": accounts_frame(list(accounts) or [(f"city of {a}", p, a) for p, a, _ in asked]),
    }


def _complete(row: dict[str, Any]) -> dict[str, Any]:
    """The sums of complete posts where every post is one."""
    counts = {f"complete_{name}": row.get(name) for name in ("posts", "videos", *REACTIONS)}
    return counts | {"viewed_videos": row.get("videos")}


def accounts_frame(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows of city, platform, account and, if told, in_index, valid_from, valid_to."""
    defaults = (True, date(1970, 1, 1), None)
    return pl.DataFrame([(*row, *defaults[len(row) - 3 :]) for row in rows], schema=ACCOUNTS, orient="row")


@pytest.fixture(scope="session")
def inputs():
    return frames


@pytest.fixture(scope="session")
def registry():
    return accounts_frame


@pytest.fixture(scope="session")
def may():
    """account_month of May 2025 in Shanghai, from the inputs as `frames` takes them."""

    def run(*, include_reposts: bool = False, **given: Any) -> pl.DataFrame:
        return account_month(
            **frames(**given), month=Month.parse("2025-05"), zone=SHANGHAI, include_reposts=include_reposts
        )

    return run
