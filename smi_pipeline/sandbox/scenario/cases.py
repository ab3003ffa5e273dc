"""cases.yaml: the account-months and posts that the scenario must show as they were printed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from smi_pipeline.sandbox.dataset import Kind, Platform

Key = tuple[str, Platform, str]
"""(month as 2025-05, platform, city_id)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Figures of one account-month that are given; None = free."""

    posts: int | None = None
    videos: int | None = None
    interactions: int | None = None
    views: int | None = None
    growth: int | None = None


@dataclass(frozen=True, slots=True)
class CasePost:
    """A post something was printed about. `day` is one of Asia/Shanghai; None = nothing printed."""

    day: date
    kind: Kind
    text: str
    views: int | None = None
    likes_over: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an account; None = it did not."""

    suspended_at: datetime | None = None
    renamed_at: datetime | None = None
    new_handle: str = ""


@dataclass(frozen=True)
class Cases:
    """Everything in cases.yaml."""

    cells: dict[Key, Cell]
    records: dict[Key, Literal["volumes", "rates"]]
    posts: dict[Key, tuple[CasePost, ...]]
    events: dict[str, Event]
    """By the X handle that the registry has."""


@cache
def cases() -> Cases:
    """The file, read once."""
    told: dict[str, list[dict[str, Any]]] = yaml.safe_load(
        Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8")
    )
    posts: dict[Key, list[CasePost]] = {}
    for row in told["posts"]:
        post = CasePost(row["day"], row["kind"], row["text"], row.get("views"), row.get("likes_over"))
        posts.setdefault(_key(row), []).append(post)
    return Cases(
        cells={
            _key(row): Cell(**{n: v for n, v in row.items() if n not in {"month", "platform", "city_id"}})
            for row in told["cells"]
        },
        records={_key(row): row["of"] for row in told["records"]},
        events={row.pop("handle"): Event(**row) for row in told["events"]},
        posts={key: tuple(sorted(of, key=lambda post: post.day)) for key, of in posts.items()},
    )


def _key(row: dict[str, Any]) -> Key:
    return str(row["month"]), row["platform"], str(row["city_id"])
