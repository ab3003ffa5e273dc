"""Slowing down before a limit is reached: what the answers' usage headers say about the next request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from smi_pipeline.collectors.verdict import Reply, asked_wait, part

# Above these the requests that are left are spread over the time that is left.
SCARCE = 0.05  # of X's requests remaining in a window
SLOW_FROM = 80.0  # percent of what Meta allows an app or a Page
LONGEST_GAP = 60.0  # seconds between two requests, at 100 percent
BLOCKED = 300.0  # seconds, where Meta says 100 percent and not for how long


class Pace(NamedTuple):
    """Seconds in which nothing may be sent, and seconds to leave between two requests after that. Both 0: go on."""

    hold: float = 0.0
    gap: float = 0.0


def pace_after(reply: Reply) -> Pace:
    """How fast to go on, by what an answer says of its limit."""
    window, share = _window(reply), _share(reply)
    return Pace(max(window.hold, share.hold), max(window.gap, share.gap))


def minutes_to_regain_access(reply: Reply) -> float:
    """Minutes until a used-up business use case works again, by Meta's header; 0 where it does not say."""
    return max((value for name, value in _usage(reply) if name == "estimated_time_to_regain_access"), default=0.0)


def _window(reply: Reply) -> Pace:
    """X: so many requests remain until the window ends."""
    limit, remaining = (reply.headers.get(f"x-rate-limit-{name}", "") for name in ("limit", "remaining"))
    if not (limit.isascii() and limit.isdecimal() and remaining.isascii() and remaining.isdecimal()):
        return Pace()
    left, wait = int(remaining), asked_wait(reply) or 0.0
    if left == 0:
        return Pace(hold=wait)
    return Pace() if left > int(limit) * SCARCE else Pace(wait / (left + 1), wait / (left + 1))


def _share(reply: Reply) -> Pace:
    """Meta: the largest percentage of any allowance that is used."""
    percent = max((value for name, value in _usage(reply) if name in _PERCENTAGES), default=0.0)
    if percent >= 100:  # noqa: PLR2004 - percent
        return Pace(hold=minutes_to_regain_access(reply) * 60 or BLOCKED)
    gap = max(percent - SLOW_FROM, 0.0) / (100 - SLOW_FROM) * LONGEST_GAP
    return Pace(gap, gap)


_PERCENTAGES = ("call_count", "total_time", "total_cputime")


def _usage(reply: Reply) -> Iterator[tuple[str, float]]:
    """Every figure of both usage headers, whatever they are nested in."""
    app, business = (_object(reply.headers.get(f"x-{name}-usage")) for name in ("app", "business-use-case"))
    uses = [app, *(use for some in business.values() if isinstance(some, list) for use in some)]
    for use in uses:
        for name in (*_PERCENTAGES, "estimated_time_to_regain_access"):
            value = part(use, name)
            if type(value) in (int, float) and value > 0:
                yield name, float(value)


def _object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
