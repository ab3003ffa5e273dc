"""The sandbox's clock: set once or many times, it runs on in real time from where it was set."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


class Clock:
    """What time it is in the sandbox."""

    def __init__(self, start: datetime | None = None) -> None:
        """Start at `start` (aware), or at the machine's own time."""
        self.set(start or datetime.now(UTC))

    def set(self, instant: datetime) -> None:
        """Make it `instant` now; forwards or backwards."""
        self._start = instant.astimezone(UTC)
        self._started = time.monotonic()

    def now(self) -> datetime:
        """The sandbox's instant, in UTC."""
        return self._start + timedelta(seconds=time.monotonic() - self._started)


def parse_instant(text: str) -> datetime:
    """Read an instant such as 2025-06-03T06:00:00+08:00.

    Raises:
        ValueError: not a time, or a time without its zone.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ValueError(f"expected an instant with its zone like 2025-06-03T06:00:00+08:00, found {text!r}")
    return instant.astimezone(UTC)


def http_date(instant: datetime) -> str:
    """An instant as the `Date` header has it (whole seconds, GMT)."""
    return format_datetime(instant.replace(microsecond=0), usegmt=True)
