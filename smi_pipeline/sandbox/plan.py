"""What goes wrong in the sandbox: limits, rare behaviours and faults, as a fault file says.

Without one the sandbox has the limits the services document, and nothing else goes wrong. The file is YAML; the same
shape as JSON goes to `PUT /_sandbox/faults` while the sandbox runs. docs/sandbox.md describes every key.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from smi_pipeline.sandbox.dataset import Platform

# What a platform can be asked for, by the names a fault file uses.
ENDPOINTS: dict[Platform, tuple[str, ...]] = {
    "facebook": ("page", "posts", "batch"),
    "x": ("users", "timeline", "posts", "search", "counts", "usage"),
    "instagram": ("business_discovery", "account"),
    "youtube": ("channels", "playlistItems", "videos", "search"),
    "tiktok": ("token", "user", "videos"),
}
Action = Literal[
    "status",
    "rate_limit",
    "quota",
    "credits",
    "token_expired",
    "permission",
    "server_error",
    "transient",
    "html",
    "less_data",
    "invalid_cursor",
    "reject_field",
    "drop_field",
    "add_field",
    "rename_field",
    "usage",
    "truncated",
    "cut",
    "drip",
    "delay",
]
ACTIONS: tuple[Action, ...] = get_args(Action)
_ONLY: dict[Action, tuple[Platform, ...]] = {
    "quota": ("x", "youtube", "tiktok"),
    "credits": ("x",),
    "less_data": ("facebook", "instagram"),
    "usage": ("x", "facebook", "instagram"),
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class XLimits(_Part):
    """Requests per quarter of an hour (search: also one a second), dollars and posts per calendar month, UTC."""

    users: int = 300
    timeline: int = 10_000
    posts: int = 3_500
    search: int = 300
    counts: int = 300
    usage: int = 50
    credits_usd: float | None = None
    posts_a_month: int = 3_000_000


class YouTubeLimits(_Part):
    """Quota units and searches a day; days begin at midnight in Los Angeles."""

    units_a_day: int = 10_000
    searches_a_day: int = 100


class TikTokLimits(_Part):
    """Requests and videos a day, UTC."""

    requests_a_day: int = 1_000
    records_a_day: int = 100_000


class GraphLimits(_Part):
    """Calls of the app an hour."""

    calls_an_hour: int = 200_000


class Limits(_Part):
    """What the services allow."""

    x: XLimits = XLimits()
    youtube: YouTubeLimits = YouTubeLimits()
    tiktok: TikTokLimits = TikTokLimits()
    facebook: GraphLimits = GraphLimits()
    instagram: GraphLimits = GraphLimits()


class XBehaviour(_Part):
    """`short_pages`: posts a page at most, though more were asked for and more follow."""

    short_pages: int | None = Field(default=None, ge=1)


class FacebookBehaviour(_Part):
    """How Facebook may answer.

    `empty_pages`: so many empty pages with a next one before the posts. `time_paging`: `paging.next` of the older form
    with since, until and __paging_token and no `cursors.after`. `require_proof`: no answer without an appsecret_proof.
    `slack_seconds`: posts so far outside since and until are let in. `largest_page`: a larger limit is too much data.
    """

    empty_pages: int = Field(default=0, ge=0)
    time_paging: bool = False
    require_proof: bool = False
    slack_seconds: int = Field(default=0, ge=0)
    largest_page: int | None = Field(default=None, ge=1)


class InstagramBehaviour(_Part):
    """`largest_page`: a larger limit is too much data. `pinned`: so many of the oldest media stand before all others.

    A pinned medium stands there alone, not again at its own time.
    """

    largest_page: int | None = Field(default=None, ge=1)
    pinned: int = Field(default=0, ge=0)


class TikTokBehaviour(_Part):
    """How TikTok may answer.

    `short_pages`: videos a page at most, though the cursor moves by what was asked for. `stale_search`: so many times
    the search id of a page after the first is not known yet. `token_seconds`: how long a token is good.
    `token_status`: the HTTP status with which a client is refused.
    """

    short_pages: int | None = Field(default=None, ge=0)
    stale_search: int = Field(default=0, ge=0)
    token_seconds: int = Field(default=7_200, ge=1)
    token_status: int = 400


class Behaviours(_Part):
    """What is rare but real."""

    x: XBehaviour = XBehaviour()
    facebook: FacebookBehaviour = FacebookBehaviour()
    instagram: InstagramBehaviour = InstagramBehaviour()
    tiktok: TikTokBehaviour = TikTokBehaviour()


class Fault(_Part):
    """One thing that goes wrong with some requests: which ones, and what happens instead of an answer, or to it.

    `at`, `from` and `times` count the requests that fit `platform`, `endpoint` and `match`, from 1.
    """

    platform: Platform
    endpoint: str | None = None
    match: str | None = None
    at: tuple[int, ...] | None = None
    since: int = Field(default=1, alias="from", ge=1)
    times: int | None = Field(default=None, ge=1)
    do: Action
    status: int | None = Field(default=None, ge=200, le=599)
    body: Any = None
    headers: dict[str, str] = {}
    variant: str | int | None = None
    retry_after: str | int | None = None
    reset: int | None = None
    field: str | None = None
    to: str | None = None
    value: Any = None
    seconds: float = Field(default=1.0, ge=0)
    percent: int = Field(default=95, ge=0)

    @model_validator(mode="after")
    def _is_possible(self) -> Fault:
        if self.endpoint is not None and self.endpoint not in ENDPOINTS[self.platform]:
            known = ", ".join(ENDPOINTS[self.platform])
            raise ValueError(f"endpoint: expected one of {known} of {self.platform}, found {self.endpoint!r}")
        if self.platform not in _ONLY.get(self.do, (self.platform,)):
            raise ValueError(f"do: {self.do} happens on {', '.join(_ONLY[self.do])} only, not on {self.platform}")
        if self.do.endswith("_field") and not self.field:
            raise ValueError(f"field: {self.do} needs the name of a field")
        if self.do == "rename_field" and not self.to:
            raise ValueError("to: rename_field needs the new name")
        if self.do == "status" and self.status is None:
            raise ValueError("status: expected the HTTP status")
        return self


class FaultPlan(_Part):
    """A fault file. `latency_seconds`: how much later every answer comes."""

    latency_seconds: float = Field(default=0.0, ge=0)
    limits: Limits = Limits()
    behaviours: Behaviours = Behaviours()
    faults: tuple[Fault, ...] = ()


class FaultFileError(Exception):
    """The fault file is not one: one line that names the place and what was expected there."""


def read_plan(path: Path) -> FaultPlan:
    """Read a fault file.

    Raises:
        FaultFileError: it cannot be read, or something in it is not what it should be.
    """
    try:
        return parse_plan(yaml.safe_load(path.read_text(encoding="utf-8")), str(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FaultFileError(f"{path}: expected a YAML file: {' '.join(str(error).split())}") from error


def parse_plan(value: Any, name: str) -> FaultPlan:
    """Check what a fault file holds.

    Raises:
        FaultFileError: something in it is not what it should be.
    """
    try:
        return FaultPlan.model_validate(value or {})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the whole"
        raise FaultFileError(f"{name}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
