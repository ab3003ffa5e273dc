"""A small edition by hand: twelve cities, three platforms collected (one of them left out), two not collected."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from smi_pipeline.index.method import load_method
from smi_pipeline.months import Month
from smi_pipeline.report import typeface
from smi_pipeline.report.inputs import ReportInput

MONTH = date(2025, 5, 1)
APRIL = date(2025, 4, 1)
NAMES = {
    "c01": ("甲市", "Alpha"), "c02": ("乙市", "Bravo"), "c03": ("丙市", "Charlie"), "c04": ("丁市", "Delta"),
    "c05": ("戊市", "Echo"), "c06": ("己市", "Foxtrot"), "c07": ("庚市", "Golf"), "c08": ("辛市", "Hotel"),
    "c09": ("壬市", "India"), "c10": ("癸市", "Juliett"), "c11": ("子市", "Kilo"), "c12": ("丑市", "Lima"),
}  # fmt: skip
WHOLE = pl.Int64
RANKING = {
    "month": pl.Date, "index_name": pl.String, "city_id": pl.String, "name_zh": pl.String, "name_en": pl.String,
    "province": pl.String, "rank": WHOLE, "previous_rank": WHOLE, "rank_change": WHOLE, "score": pl.Float64,
    "status": pl.String, "flags": pl.List(pl.String),
}  # fmt: skip
MOVER = {name: RANKING[name] for name in ("month", "index_name", "city_id", "rank", "previous_rank", "rank_change")} | {
    "direction": pl.String
}
POST = {
    "month": pl.Date, "platform": pl.String, "city_id": pl.String, "account_id": pl.String, "post_id": pl.String,
    "published_at": pl.Datetime("us", "UTC"), "kind": pl.String, "text": pl.String, "permalink": pl.String,
    "likes": WHOLE, "comments": WHOLE, "shares": WHOLE, "views": WHOLE, "interactions": WHOLE, "position": WHOLE,
    "city_position": WHOLE,
}  # fmt: skip
HASHTAG = {
    "month": pl.Date, "platform": pl.String, "hashtag": pl.String, "posts": WHOLE, "interactions": WHOLE, "reach": WHOLE,
}  # fmt: skip
COVERAGE = {
    "month": pl.Date, "platform": pl.String, "cities_monitored": WHOLE, "cities_with_account": WHOLE,
    "coverage": pl.Float64, "accounts_asked": WHOLE, "accounts_answered": WHOLE, "posts": WHOLE,
    "collection_id": pl.String, "cut": pl.String,
}  # fmt: skip
OUTCOME = dict.fromkeys(("month", "platform", "account_id", "handle", "outcome", "detail"), pl.String) | {
    "month": pl.Date
}
METRICS = {
    "month": pl.Date, "platform": pl.String, "city_id": pl.String, "accounts": WHOLE, "posts": WHOLE, "reposts": WHOLE,
    "videos": WHOLE, "interactions": WHOLE, "engagement_rate": pl.Float64, "views": WHOLE, "view_rate": pl.Float64,
    "followers": WHOLE, "follower_growth": WHOLE, "flags": pl.List(pl.String),
}  # fmt: skip
EXPERTS = {
    "month": pl.Date, "vintage": WHOLE, "file_sha256": pl.String, "raters": WHOLE, "cities": WHOLE, "rated_cities": WHOLE,
    "cities_with_enough": WHOLE, "alpha": pl.Float64, "icc_single": pl.Float64, "icc_average": pl.Float64,
    "released": pl.Boolean, "flags": pl.List(pl.String),
}  # fmt: skip
YEAR = {
    "month": pl.Date, "city_id": pl.String, "rank": WHOLE, "rank_p05": pl.Float64, "rank_p95": pl.Float64,
    "status": pl.String, "method_version": pl.String,
}  # fmt: skip
COLLECTION = {
    "collection_id": pl.String, "platform": pl.String, "month": pl.Date, "cut": pl.String,
    "started_at": pl.Datetime("us", "UTC"), "finished_at": pl.Datetime("us", "UTC"), "requests": WHOLE,
    "accounts_asked": WHOLE, "accounts_answered": WHOLE, "accounts_failed": WHOLE,
}  # fmt: skip


def ranked(
    index: str, city: str, rank: int | None, score: float | None, before: int | None = None, **more: Any
) -> dict[str, Any]:
    """A row of marts.rankings; its change is the difference of the ranks unless given."""
    zh, en = NAMES[city]
    change = before - rank if before is not None and rank is not None else None
    row = {
        "month": MONTH, "index_name": index, "city_id": city, "name_zh": zh, "name_en": en, "province": "某省",
        "rank": rank, "previous_rank": before, "rank_change": change, "score": score, "status": "final", "flags": [],
    }  # fmt: skip
    return row | more


def composite_rows() -> list[dict[str, Any]]:
    """Alpha first as before; Charlie and Delta tied; Juliett up from 13th to 10th; Kilo 11th; Lima without an account."""
    scores = [91.256, 88.5, 80.0, 80.0, 70.125, 65.0, 60.0, 55.0, 50.0, 45.0, 40.0]
    ranks = [1, 2, 3, 3, 5, 6, 7, 8, 9, 10, 11]
    before = [1, 5, 4, 2, 5, 6, None, 8, 9, 13, 10]
    rows = [
        ranked("composite", city, *place) for city, *place in zip(list(NAMES)[:11], ranks, scores, before, strict=True)
    ]
    return [*rows, ranked("composite", "c12", None, None, flags=["no_account"])]


def platform_rows() -> list[dict[str, Any]]:
    """Facebook: Delta from 14th to 2nd. YouTube: no month before."""
    return [
        ranked("facebook", "c01", 1, 77.0, 1),
        ranked("facebook", "c04", 2, 66.0, 14),
        ranked("facebook", "c05", None, None, flags=["not_observed"]),
        ranked("youtube", "c02", 1, 50.0),
        ranked("tiktok", "c01", 1, 30.0),
    ]


def weight(platform: str, value: float, coverage: float, *, eligible: bool = True) -> dict[str, Any]:
    parts = {
        "sum": {"users": value - 0.05, "activity": 0.02, "relevance": 0.03, "previous": 0.01, "cap": -0.01}
        if eligible
        else None,
        "base": 0.2,
        "base_in_eligible": 0.3 if eligible else None,
        "previous_weight": value if eligible else None,
        "smoothed": value,
        "inputs": {
            "users": {
                "value": 3.07, "unit": "billion a month", "share": 0.3, "source": "a <b>bold</b> source",
                "as_of": "2025-01-31", "retrieved_at": "2025-02-01", "age_days": 120, "stale": True,
            }
        },
    }  # fmt: skip
    return {
        "month": MONTH, "platform": platform, "weight": value if eligible else 0.0, "eligible": eligible,
        "coverage": coverage, "parts": json.dumps(parts), "flags": ["stale"],
    }  # fmt: skip


def covered(platform: str, cities: int, collection: str | None) -> dict[str, Any]:
    asked = cities if collection else None
    return {
        "month": MONTH, "platform": platform, "cities_monitored": 12, "cities_with_account": cities,
        "coverage": cities / 12, "accounts_asked": asked, "accounts_answered": asked and asked - 1,
        "posts": asked and 40, "collection_id": collection, "cut": "final" if collection else None,
    }  # fmt: skip


def post(text: str = "Spring #alpha", **more: Any) -> dict[str, Any]:
    row = {
        "month": MONTH, "platform": "facebook", "city_id": "c01", "account_id": "100001", "post_id": "p1",
        "published_at": datetime(2025, 5, 3, 18, 30, tzinfo=UTC), "kind": "photo", "text": text,
        "permalink": "https://www.facebook.com/1/posts/2", "likes": 10, "comments": 2, "shares": None, "views": None,
        "interactions": 12, "position": 1, "city_position": 1,
    }  # fmt: skip
    return row | more


def collection(platform: str) -> dict[str, Any]:
    return {
        "collection_id": f"20250610T060000-{platform}", "platform": platform, "month": MONTH, "cut": "final",
        "started_at": datetime(2025, 6, 9, 22, 0, tzinfo=UTC), "finished_at": datetime(2025, 6, 9, 22, 12, tzinfo=UTC),
        "requests": 321, "accounts_asked": 3, "accounts_answered": 2, "accounts_failed": 0,
    }  # fmt: skip


def experts(**more: Any) -> dict[str, Any]:
    """The row of index.expert_agreement: twelve cities, eleven of them with enough raters, who agree well."""
    row = {
        "month": MONTH, "vintage": 1, "file_sha256": "0123456789ab", "raters": 15, "cities": 12, "rated_cities": 12,
        "cities_with_enough": 11, "alpha": 0.85, "icc_single": 0.7, "icc_average": 0.9, "released": True, "flags": [],
    }  # fmt: skip
    return row | more


def year_rows() -> list[tuple[Any, ...]]:
    """April and May of index.composite: the ranks of `composite_rows`, February's as April's; March was not computed."""
    told = []
    for row in composite_rows():
        spread = (None, None) if row["rank"] is None else (max(row["rank"] - 1.0, 1.0), row["rank"] + 1.5)
        told.append((MONTH, row["city_id"], row["rank"], *spread, "final", "m1"))
        before = row["previous_rank"]
        spread = (None, None) if before is None else (float(before), before + 2.0)
        told += [(month, row["city_id"], before, *spread, "final", "m1") for month in (date(2025, 2, 1), APRIL)]
    return told


def frames() -> dict[str, pl.DataFrame]:
    cities = [{"city_id": c, "name_zh": zh, "name_en": en, "province": "某省"} for c, (zh, en) in NAMES.items()]
    movers = [
        {
            **{name: row[name] for name in MOVER if name != "direction"},
            "direction": "up" if row["rank_change"] > 0 else "down",
        }
        for row in composite_rows()
        if row["rank_change"]
    ]
    figures = {
        "month": MONTH, "platform": "facebook", "city_id": "c04", "accounts": 1, "posts": 128, "reposts": 0, "videos": 4,
        "interactions": 412907, "engagement_rate": 412907 / 128, "views": None, "view_rate": None, "followers": 5000,
        "follower_growth": -35, "flags": [],
    }  # fmt: skip
    outcomes = [
        ("facebook", "100001", "sbx_alpha", "answered", None),
        ("facebook", "100005", "sbx_echo", "missing", "does not <i>exist</i>"),
    ]
    registry = [("c01", "facebook", "sbx_alpha", "100001"), ("c05", "facebook", "sbx_echo", "100005")]
    return {
        "cities": pl.DataFrame(cities),
        "cities_before": pl.DataFrame(cities).select("city_id"),
        "accounts": pl.DataFrame(registry, schema=["city_id", "platform", "handle", "account_id"], orient="row"),
        "rankings": pl.DataFrame([*composite_rows(), *platform_rows()], schema=RANKING),
        "movers": pl.DataFrame(movers, schema=MOVER),
        "top_posts": pl.DataFrame([post()], schema=POST),
        "hashtags": pl.DataFrame(
            [
                {"month": MONTH, "platform": "facebook", "hashtag": "beta", "posts": 9, "interactions": None, "reach": None},
                {"month": MONTH, "platform": "facebook", "hashtag": "alpha", "posts": 2, "interactions": 12, "reach": None},
            ],
            schema=HASHTAG,
        ),
        "coverage": pl.DataFrame(
            [
                covered("facebook", 11, "20250610T060000-facebook"), covered("x", 9, None),
                covered("instagram", 8, None), covered("youtube", 6, "20250610T060000-youtube"),
                covered("tiktok", 2, "20250610T060000-tiktok"),
            ],
            schema=COVERAGE,
        ),
        "outcomes": pl.DataFrame([(MONTH, *row) for row in outcomes], schema=OUTCOME, orient="row"),
        "city_metrics": pl.DataFrame([figures], schema=METRICS),
        "indicator_score": pl.DataFrame(
            [
                (MONTH, "facebook", "c01", "follower_growth", None, None, ["suspended"]),
                (MONTH, "facebook", "c01", "posts", 31.0, 62.5, []), (MONTH, "facebook", "c01", "followers", 5000.0, 80.0, []),
            ],
            schema={
                "month": pl.Date, "platform": pl.String, "city_id": pl.String, "indicator": pl.String,
                "value": pl.Float64, "score": pl.Float64, "flags": pl.List(pl.String),
            },
            orient="row",
        ),
        "composite": pl.DataFrame(
            [(MONTH, "c01", 91.0, 92.28, 91.256, 1.0, 2.5), (MONTH, "c12", None, None, None, None, None)],
            schema={"month": pl.Date, "city_id": pl.String, **dict.fromkeys(("quantitative", "qualitative", "score", "rank_p05", "rank_p95"), pl.Float64)},
            orient="row",
        ),
        "contribution": pl.DataFrame(
            [
                (MONTH, "c01", "facebook", "posts", 40.0), (MONTH, "c01", "facebook", "followers", 32.8),
                (MONTH, "c01", "expert", "expert", 18.456),
            ],
            schema={"month": pl.Date, "city_id": pl.String, "platform": pl.String, "indicator": pl.String, "contribution": pl.Float64},
            orient="row",
        ),
        "platform_weight": pl.DataFrame(
            [
                weight("facebook", 0.4, 11 / 12), weight("x", 0.2, 0.75), weight("instagram", 0.2, 8 / 12),
                weight("youtube", 0.2, 0.5), weight("tiktok", 0.0, 2 / 12, eligible=False),
            ]
        ),
        "experts": pl.DataFrame([experts()], schema=EXPERTS),
        "collections": pl.DataFrame([collection(p) for p in ("facebook", "youtube", "tiktok")], schema=COLLECTION),
        "composite_year": pl.DataFrame(year_rows(), schema=YEAR, orient="row"),
        "platform_year": pl.DataFrame(
            [(APRIL, "facebook", "c01", 1), (MONTH, "facebook", "c01", 1), (APRIL, "facebook", "c04", 14), (MONTH, "facebook", "c04", 2)],
            schema={"month": pl.Date, "platform": pl.String, "city_id": pl.String, "rank": WHOLE},
            orient="row",
        ),
    }  # fmt: skip


@pytest.fixture(scope="session")
def given() -> Callable[..., ReportInput]:
    """A ReportInput with some of its fields replaced."""

    def build(**replaced: Any) -> ReportInput:
        fields: dict[str, Any] = {
            "month": Month(MONTH), "zone": ZoneInfo("Asia/Shanghai"), "status": "final", "method": load_method("m1"),
            "code_version": "0.1.0", "snapshot": 417, "synthetic": False,
        }  # fmt: skip
        return ReportInput(**(fields | frames() | replaced))

    return build


@pytest.fixture
def rankings_frame() -> Callable[[list[dict[str, Any]]], pl.DataFrame]:
    return lambda rows: pl.DataFrame(rows, schema=RANKING)


@pytest.fixture
def rank_row() -> Callable[..., dict[str, Any]]:
    return ranked


@pytest.fixture
def experts_frame() -> Callable[..., pl.DataFrame]:
    """index.expert_agreement with some of its fields replaced."""
    return lambda **fields: pl.DataFrame([experts(**fields)], schema=EXPERTS)


@pytest.fixture
def posts_frame() -> Callable[..., pl.DataFrame]:
    """marts.top_posts of one post with some of its fields replaced."""
    return lambda **fields: pl.DataFrame([post(**fields)], schema=POST)


@pytest.fixture
def light_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and cards with the glyphs of one word: their own take seconds to cut, and most claims are not about them."""
    faces = typeface.page_css("SMI")
    monkeypatch.setattr(typeface, "page_css", lambda _: faces)
