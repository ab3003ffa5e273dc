"""A small registry and its metrics, written down a line at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl
import pytest

from smi_pipeline.index.edition import Edition, edition
from smi_pipeline.index.method import Method, load_method
from smi_pipeline.metrics.city_month import CITY_PLATFORM_MONTH
from smi_pipeline.months import Month

BASICS = ("facebook", "x", "instagram", "youtube")
# The method's worked example (illustrative values); activity as time per user.
USERS = {"facebook": 3.07, "x": 0.56, "instagram": 2.0, "youtube": 2.5, "tiktok": 1.6}
MINUTES = {"facebook": 31.0, "x": 31.0, "instagram": 33.0, "youtube": 49.0, "tiktok": 58.0}
RELEVANCE = {"facebook": 0.30, "x": 0.30, "instagram": 0.15, "youtube": 0.15, "tiktok": 0.10}
UNITS = {"users": "billion users a month", "activity": "minutes per user and day", "relevance": "share"}


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def inputs_frame(month: str = "2024-05", as_of: str = "2024-04-30", **changed: dict[str, float]) -> pl.DataFrame:
    values = {"users": USERS, "activity": MINUTES, "relevance": RELEVANCE} | changed
    return pl.DataFrame(
        [
            {
                "month": month,
                "platform": platform,
                "factor": factor,
                "value": value,
                "unit": UNITS[factor],
                "source": "illustrative",
                "as_of": day(as_of),
                "retrieved_at": day(as_of),
            }
            for factor, by_platform in values.items()
            for platform, value in by_platform.items()
        ]
    )


@dataclass
class World:
    """Cities, accounts, metrics and ratings under construction."""

    method: Method
    cities: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    inputs: pl.DataFrame = field(default_factory=inputs_frame)

    def city(self, city_id: str, *platforms: str, since: str = "1970-01-01", until: str | None = None) -> None:
        """A city with an account on each of `platforms`."""
        valid = {"valid_from": day(since), "valid_to": day(until)}
        self.cities.append({"city_id": city_id, "name_zh": city_id, "name_en": city_id, "province": "", **valid})
        for platform in platforms:
            self.account(city_id, platform, since=since, until=until)

    def account(
        self, city_id: str, platform: str, *, since: str = "1970-01-01", until: str | None = None, in_index: bool = True
    ) -> None:
        self.accounts.append(
            {
                "city_id": city_id,
                "platform": platform,
                "handle": f"{platform}_{city_id}",
                "account_id": f"{platform}_{city_id}_{since}",
                "role": "main",
                "in_index": in_index,
                "valid_from": day(since),
                "valid_to": day(until),
            }
        )

    def measure(self, month: str, platform: str, city_id: str, **values: Any) -> None:
        """Metrics of a city: what is not given is null; rates follow from the sums when they are left out."""
        row: dict[str, Any] = {"month": Month.parse(month).first, "platform": platform, "city_id": city_id, "flags": []}
        row |= values
        base = row.get("videos" if platform in {"youtube", "tiktok"} else "posts")
        if base and row.get("interactions") is not None:
            row.setdefault("engagement_rate", row["interactions"] / base)
        if row.get("videos") and row.get("views") is not None:
            row.setdefault("view_rate", row["views"] / row["videos"])
        self.metrics.append(row)

    def fill(self, month: str, platform: str, city_id: str, level: int = 10) -> None:
        """A city that reports everything; a greater level is greater in every count, rates included."""
        self.measure(
            month,
            platform,
            city_id,
            posts=level,
            videos=level,
            interactions=40 * level**2,
            followers=1000 * level,
            follower_growth=30 * level,
            views=900 * level**2,
        )

    def more_inputs(self, month: str, **changed: dict[str, float]) -> pl.DataFrame:
        """The weight inputs from another month on, with some factors changed."""
        return inputs_frame(month, as_of=f"{month}-01", **changed)

    @property
    def cities_frame(self) -> pl.DataFrame:
        types = {"valid_from": pl.Date, "valid_to": pl.Date}
        return pl.DataFrame(self.cities, schema_overrides=types, infer_schema_length=None)

    @property
    def accounts_frame(self) -> pl.DataFrame:
        types = {"valid_from": pl.Date, "valid_to": pl.Date}
        columns = ["city_id", "platform", "handle", "account_id", "role", "in_index", "valid_from", "valid_to"]
        if not self.accounts:
            return pl.DataFrame(schema=dict.fromkeys(columns, pl.String) | types | {"in_index": pl.Boolean})
        return pl.DataFrame(self.accounts, schema_overrides=types, infer_schema_length=None)

    @property
    def metrics_frame(self) -> pl.DataFrame:
        return pl.DataFrame(self.metrics, schema=CITY_PLATFORM_MONTH, infer_schema_length=None)

    def edition(self, month: str, **more: Any) -> Edition:
        given: dict[str, Any] = {
            "month": Month.parse(month),
            "method": self.method,
            "cities": self.cities_frame,
            "accounts": self.accounts_frame,
            "metrics": self.metrics_frame,
            "weight_inputs": self.inputs,
            "experts": None,
            "experts_previous": None,
        }
        return edition(**(given | more))


def ratings_frame(levels: dict[str, float], raters: int = 3) -> pl.DataFrame:
    """Every rater gives a city the same score on the one criterion."""
    return pl.DataFrame(
        [
            {"rater": f"r{number}", "city_id": city, "criterion": "overall", "score": float(level)}
            for city, level in levels.items()
            for number in range(raters)
        ],
        schema={"rater": pl.String, "city_id": pl.String, "criterion": pl.String, "score": pl.Float64},
    )


@pytest.fixture(scope="session")
def m1() -> Method:
    return load_method("m1")


@pytest.fixture
def world(m1) -> World:
    return World(m1)


@pytest.fixture(scope="session")
def new_world(m1):
    """A maker of worlds, for properties that need a fresh one for each example."""
    return lambda: World(m1)


@pytest.fixture(scope="session")
def weight_inputs():
    return inputs_frame


@pytest.fixture(scope="session")
def ratings():
    return ratings_frame
