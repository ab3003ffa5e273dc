"""What the services allow in a day, an hour or a month, and what was used of it, by the sandbox's clock.

A failed request counts where the service says so: on YouTube each costs at least a unit, on TikTok errors count, on X
they are free. The same X object is billed once a UTC day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from smi_pipeline.sandbox.dataset import Platform
from smi_pipeline.sandbox.exchange import Answer, Ask, RefusedError
from smi_pipeline.sandbox.plan import Fault, Limits
from smi_pipeline.sandbox.refusals import refusal

PACIFIC = ZoneInfo("America/Los_Angeles")
USD_A_POST, USD_A_USER, USD_A_COUNT = 0.005, 0.010, 0.010


class Allowances:
    """Counters of the current days, and the refusals where one is used up."""

    def __init__(self) -> None:
        self._used: dict[tuple[Platform, str, str], int] = defaultdict(int)
        self._billing_day = ""  # of UTC, and the X objects read on it
        self._billed: set[str] = set()
        self._posts_by_day: dict[str, int] = defaultdict(int)
        self._usd: dict[str, float] = defaultdict(float)  # by calendar month

    def before(self, platform: Platform, endpoint: str | None, ask: Ask, limits: Limits) -> None:
        """Count a request that is about to be answered.

        Raises:
            RefusedError: its allowance is used up.
        """
        match platform:
            case "youtube":
                searches = endpoint == "search"
                name, limit = (
                    ("searches", limits.youtube.searches_a_day) if searches else ("units", limits.youtube.units_a_day)
                )
                self._take(platform, name, _day(ask, pacific=True), limit, ask)
            case "tiktok" if endpoint != "token":
                self._take(platform, "requests", _day(ask), limits.tiktok.requests_a_day, ask)
                if self._used[platform, "records", _day(ask)] >= limits.tiktok.records_a_day:
                    raise _used_up(platform, ask)

    def left_of_x(self, ask: Ask) -> None:
        """See that X is still paid for: asked once the token is accepted, as nobody else has an account there.

        Raises:
            RefusedError: 402, or 429 of the month's cap.
        """
        month, limits = f"{ask.now:%Y-%m}", ask.limits.x
        if limits.credits_usd is not None and self._usd[month] >= limits.credits_usd:
            raise _refused(Fault(platform="x", do="credits"), ask)
        if self.x_posts(ask.now) >= limits.posts_a_month:
            raise _used_up("x", ask)

    def x_posts(self, now: datetime) -> int:
        """How many posts were read in the month."""
        return self._used["x", "posts", f"{now:%Y-%m}"]

    def x_posts_by_day(self, now: datetime, days: int) -> dict[str, int]:
        """How many posts were read on each of the last days of UTC."""
        names = [f"{now - timedelta(days=back):%Y-%m-%d}" for back in range(days)]
        return {name: self._posts_by_day.get(name, 0) for name in names}

    def after(self, platform: Platform, endpoint: str | None, answer: Answer, ask: Ask) -> None:
        """Count what an answer holds."""
        if platform == "tiktok":
            self._used[platform, "records", _day(ask)] += sum(1 for _ in _listed(answer.body, "data", "videos"))
        elif endpoint == "counts":
            self._usd[f"{ask.now:%Y-%m}"] += USD_A_COUNT
        elif platform == "x" and endpoint != "usage":
            self._bill(answer.body, ask)

    def used(self) -> dict[str, Any]:
        """Everything that was used, by platform, measure and day."""
        told: dict[str, Any] = {}
        for (platform, measure, day), count in sorted(self._used.items()):
            told.setdefault(platform, {}).setdefault(measure, {})[day] = count
        if self._usd:
            told.setdefault("x", {})["usd"] = {month: round(usd, 6) for month, usd in sorted(self._usd.items())}
        return told

    def _take(self, platform: Platform, name: str, day: str, limit: int, ask: Ask) -> None:
        self._used[platform, name, day] += 1
        if self._used[platform, name, day] > limit:
            raise _used_up(platform, ask)

    def _bill(self, body: Any, ask: Ask) -> None:
        day, month = _day(ask), f"{ask.now:%Y-%m}"
        for one in _listed(body, "data"):
            kind = "user" if "username" in one else "post"
            name = f"{kind} {one.get('id')}"
            if self._billing_day != day:
                self._billing_day, self._billed = day, set()
            if name not in self._billed:
                self._billed.add(name)
                self._usd[month] += USD_A_USER if kind == "user" else USD_A_POST
            if kind == "post":
                self._used["x", "posts", month] += 1
                self._posts_by_day[day] += 1


def _day(ask: Ask, *, pacific: bool = False) -> str:
    return f"{ask.now.astimezone(PACIFIC) if pacific else ask.now:%Y-%m-%d}"


def _listed(body: Any, *path: str) -> Iterator[dict[str, Any]]:
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    some = body if isinstance(body, list) else [body]
    return (one for one in some if isinstance(one, dict))


def _used_up(platform: Platform, ask: Ask) -> RefusedError:
    return _refused(Fault(platform=platform, do="quota"), ask)


def _refused(fault: Fault, ask: Ask) -> RefusedError:
    answer = refusal(fault, ask)
    if answer is None:
        raise ValueError(f"{fault.platform} has no words for {fault.do}")
    return RefusedError(answer)
