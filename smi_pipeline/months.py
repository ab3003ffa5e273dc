"""Calendar months in a declared zone: the only place with calendar sums.

A month is an interval of instants, half-open, in the edition's zone: in Asia/Shanghai May 2025 begins at
2025-04-30T16:00Z. Everything else passes instants (UTC) or the month's first day along and never adds days itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

PROVISIONAL_DAY = 3
FINAL_DAY = 10
CUT_HOUR = 6
MONTHS_AT_ONCE = 12
_KEY = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, order=True)
class Month:
    """One calendar month, known by its first day. Sorts by time."""

    first: date

    def __post_init__(self) -> None:
        if self.first.day != 1:
            raise ValueError(f"a month is given by its first day, not {self.first}")

    @classmethod
    def parse(cls, key: str) -> Self:
        """`2025-05` to a month.

        Raises:
            ValueError: the text is not YYYY-MM.
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise ValueError(f"a month is written YYYY-MM, like 2025-05; got {key!r}")
        return cls(date(int(match[1]), int(match[2]), 1))

    @classmethod
    def of(cls, instant: datetime, zone: ZoneInfo) -> Self:
        """The month of `zone` in which an aware instant falls."""
        return cls(instant.astimezone(zone).date().replace(day=1))

    @property
    def key(self) -> str:
        """The partition key, `2025-05`."""
        return f"{self.first:%Y-%m}"

    @property
    def last(self) -> date:
        """The month's last day."""
        return self.next.first - timedelta(days=1)

    @property
    def next(self) -> Month:
        """The following month."""
        return self.plus(1)

    @property
    def previous(self) -> Month:
        """The month before."""
        return self.plus(-1)

    def plus(self, months: int) -> Month:
        """So many months later; earlier for a negative number."""
        year, index = divmod(self.first.year * 12 + self.first.month - 1 + months, 12)
        return Month(date(year, index + 1, 1))

    def start(self, zone: ZoneInfo) -> datetime:
        """First instant of the month in `zone`, as UTC."""
        return datetime(self.first.year, self.first.month, 1, tzinfo=zone).astimezone(UTC)

    def end(self, zone: ZoneInfo) -> datetime:
        """First instant after the month in `zone`, as UTC."""
        return self.next.start(zone)

    def cut(self, zone: ZoneInfo, day: int) -> datetime:
        """06:00 in `zone` on `day` of the following month, as UTC: when the month is collected."""
        after = self.next.first
        return datetime(after.year, after.month, day, CUT_HOUR, tzinfo=zone).astimezone(UTC)

    def __str__(self) -> str:
        return self.key


def parse_day(text: str) -> date:
    """`2025-05-31` to a day.

    Raises:
        ValueError: the text is not YYYY-MM-DD, or there is no such day.
    """
    if not _DAY.fullmatch(text):
        raise ValueError(f"a day is written YYYY-MM-DD, like 2025-05-31; got {text!r}")
    return date.fromisoformat(text)


def day_span(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """First instant of a day of `zone` and of the day after it, as UTC."""
    first, after = day, day + timedelta(days=1)
    begin, end = (datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC) for one in (first, after))
    return begin, end


def snapshot_instant(day: date, zone: ZoneInfo) -> datetime:
    """06:00 in `zone` on a day, as UTC: when accounts' figures are taken."""
    return datetime(day.year, day.month, day.day, CUT_HOUR, tzinfo=zone).astimezone(UTC)


def in_years(months: Sequence[Month]) -> Iterator[Sequence[Month]]:
    """Months, twelve at a time: what a table's rows are read and written in, so that a long range has an end in sight.

    What is done with a lot is kept when a later one fails, and two hundred months need no more memory than twelve.
    """
    for first in range(0, len(months), MONTHS_AT_ONCE):
        yield months[first : first + MONTHS_AT_ONCE]


def month_range(first: Month, last: Month) -> list[Month]:
    """All months from `first` to `last`, both included.

    Raises:
        ValueError: `last` comes before `first`.
    """
    if last < first:
        raise ValueError(f"the range of months ends ({last}) before it begins ({first})")
    months = [first]
    while months[-1] < last:
        months.append(months[-1].next)
    return months
