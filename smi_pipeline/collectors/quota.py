"""What asking costs: a ledger per endpoint and quota day, the budgets over it, and the rates shared by all processes.

Days are the platform's own (YouTube's begin at midnight in Los Angeles) and are told by the answers' `Date`. A budget
is a ceiling: what a request may take at most is reserved before it is sent, and one that could exceed a budget is not
sent: the collection is put off until the budget begins again.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal, cast

from pyrate_limiter import AbstractBucket, InMemoryBucket, Rate, RateItem, SQLiteBucket

from smi_pipeline.collectors.records import Deferred, Spent
from smi_pipeline.collectors.verdict import Reply
from smi_pipeline.registry.models import Platform

Measure = Literal["requests", "units", "records", "usd"]
Period = Literal["day", "month"]
_MEASURES: tuple[Measure, ...] = ("requests", "units", "records", "usd")
_CENT_OF_A_CENT = 1e-4  # sums of prices are no exact binary numbers


def _none(_: Reply) -> int:
    return 0


@dataclass(frozen=True)
class Endpoint:
    """One kind of request, by the name it has in the ledger.

    `units`: quota units a request uses, answered or not. `records`: how many counted objects an answer holds.
    `usd_a_record`: price of one of them. `rate`: requests allowed in so many seconds, null where none is published.
    """

    name: str
    units: int = 1
    records: Callable[[Reply], int] = _none
    usd_a_record: float = 0.0
    rate: tuple[int, int] | None = None

    @property
    def limit(self) -> str:
        """The name of the limit it counts against: its own where it has a rate, else the whole platform's."""
        return self.name if self.rate is not None else "all"


@dataclass(frozen=True)
class Budget:
    """How much of one measure a platform allows, or its owner is willing to spend, in a day or a calendar month."""

    measure: Measure
    limit: float
    period: Period

    def begins(self, day: date) -> date:
        """The first day of the period in which `day` lies."""
        return day.replace(day=1) if self.period == "month" else day

    def renewed(self, day: date, zone: tzinfo) -> datetime:
        """The instant (UTC) at which the period of `day` is over."""
        last = (day.replace(day=1) + timedelta(days=32)).replace(day=1) if self.period == "month" else day + _DAY
        return datetime(last.year, last.month, last.day, tzinfo=zone).astimezone(UTC)


@dataclass
class Ledger:
    """What this run has spent, what the lake knows of other runs, and whether there is anything left.

    `zone`: where the platform's quota days begin.
    """

    platform: Platform
    budgets: tuple[Budget, ...] = ()
    zone: tzinfo = UTC
    _known: list[Spent] = field(default_factory=list)
    _own: dict[tuple[date, str], list[float]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0.0]))
    _told: dict[tuple[date, str], list[float]] = field(default_factory=dict)
    _reserved: list[float] = field(default_factory=lambda: [0, 0, 0, 0.0])

    def know(self, rows: Iterable[Spent]) -> None:
        """Take what other runs have spent; replaces what was known before. This run's own rows are not among them."""
        self._known = list(rows)

    def room(self, endpoint: Endpoint, at: datetime) -> float:
        """How many counted records one more answer may hold, infinite where no budget counts them."""
        day, room = at.astimezone(self.zone).date(), math.inf
        for budget in self.budgets:
            price = {"records": 1.0, "usd": endpoint.usd_a_record}.get(budget.measure, 0.0)
            if price:
                room = min(room, (budget.limit - self.spent(budget, day) + _CENT_OF_A_CENT) / price)
        return max(room, 0.0)

    def must_wait(self, endpoint: Endpoint, at: datetime, most: int = 0) -> bool:
        """Whether there is enough for a request only if those on their way take less than is reserved for them."""
        return any(
            self._would_take(budget, endpoint, at, most) <= budget.limit + _CENT_OF_A_CENT
            and self._would_take(budget, endpoint, at, most) + self._reserved[_index(budget)]
            > budget.limit + _CENT_OF_A_CENT
            for budget in self.budgets
        )

    def begin(self, endpoint: Endpoint, at: datetime, most: int = 0) -> None:
        """A request is about to be sent, at `at` by the platform's clock as far as it is known.

        `most`: counted records its answer can hold, which are reserved until it is there.

        Raises:
            Deferred: it could exceed a budget; it must not be sent.
        """
        day = at.astimezone(self.zone).date()
        for budget in self.budgets:
            used, reserved = self.spent(budget, day), self._reserved[_index(budget)]
            takes = self._would_take(budget, endpoint, at, most) + reserved
            if takes > budget.limit + _CENT_OF_A_CENT or used >= budget.limit:
                more = _at_most(endpoint, most)[_index(budget)]
                raise Deferred(
                    f"{self.platform}: {used:,.10g} of {budget.limit:,.10g} {budget.measure} of this {budget.period}"
                    f" are used up, and the next request may take {more:,.10g}",
                    resume_at=budget.renewed(day, self.zone),
                    first_in=self._others(budget, day) == 0,
                )
        for index, more in enumerate(_at_most(endpoint, most)):
            self._reserved[index] += more

    def end(self, endpoint: Endpoint, reply: Reply | None, at: datetime, most: int = 0) -> None:
        """The request was answered by `reply`, or by nothing that could be read. `most`: as it was reserved."""
        for index, reserved in enumerate(_at_most(endpoint, most)):
            self._reserved[index] -= reserved
        row = self._own[at.astimezone(self.zone).date(), endpoint.name]
        records = endpoint.records(reply) if reply is not None else 0
        for index, more in enumerate((1, endpoint.units, records, records * endpoint.usd_a_record)):
            row[index] += more

    def spent(self, budget: Budget, day: date) -> float:
        """How much of a budget is used in the period of `day`, by everyone."""
        first, index = budget.begins(day), _index(budget)
        own = sum(row[index] for (when, _), row in self._own.items() if first <= when <= day)
        return float(self._others(budget, day) + own)

    def _others(self, budget: Budget, day: date) -> float:
        """How much of it other runs have used."""
        first = budget.begins(day)
        return float(sum(getattr(row, budget.measure) for row in self._known if first <= row.day <= day))

    def _would_take(self, budget: Budget, endpoint: Endpoint, at: datetime, most: int) -> float:
        """What of a budget is used once the request is answered, if its answer is as large as it can be."""
        return self.spent(budget, at.astimezone(self.zone).date()) + _at_most(endpoint, most)[_index(budget)]

    def take(self) -> list[Spent]:
        """What was spent since this was last called, to be kept."""
        rows = []
        for key, now in self._own.items():
            before = self._told.get(key, [0, 0, 0, 0.0])
            if now[0] > before[0]:
                requests, units, records, usd = (a - b for a, b in zip(now, before, strict=True))
                rows.append(Spent(*key, int(requests), int(units), int(records), round(usd, 6)))
            self._told[key] = list(now)
        return rows


def _index(budget: Budget) -> int:
    return _MEASURES.index(budget.measure)


def _at_most(endpoint: Endpoint, most: int) -> tuple[float, ...]:
    """What one request can take: of requests, units, records and dollars."""
    return 1, endpoint.units, most, most * endpoint.usd_a_record


class Rates:
    """The published rates of a platform's endpoints, kept by everyone who shares `file` (null: by this run alone)."""

    def __init__(self, platform: Platform, file: Path | None, a_minute: int | None) -> None:
        self._platform = platform
        self._file = file
        self._a_minute = a_minute
        self._buckets: dict[str, AbstractBucket] = {}
        self._places: dict[str, int] = defaultdict(int)

    def wait(self, endpoint: Endpoint) -> float:
        """Take a place for one request now: 0, or the seconds after which to try again."""
        rate = self._rate(endpoint)
        if rate is None:
            return 0.0
        name = endpoint.limit
        if self._places[name] == 0:
            bucket = self._buckets.get(name) or self._open(name, rate)
            # Several places at a time where there are many: each taking is a transaction on the shared file.
            block = max(rate.limit // _BLOCKS, 1)
            item = RateItem(endpoint.name, _now_ms(), weight=block)
            if not bucket.put(item):
                return max(cast("int", bucket.waiting(item)) / 1000, _SHORTEST_WAIT)
            self._places[name] = block
        self._places[name] -= 1
        return 0.0

    def close(self) -> None:
        """Let the file go."""
        for bucket in self._buckets.values():
            bucket.close()
        self._buckets.clear()

    def _rate(self, endpoint: Endpoint) -> Rate | None:
        if endpoint.rate is not None:
            requests, seconds = endpoint.rate
            return Rate(requests, seconds * 1000)
        return None if self._a_minute is None else Rate(self._a_minute, 60_000)

    def _open(self, name: str, rate: Rate) -> AbstractBucket:
        if self._file is None:
            bucket: AbstractBucket = InMemoryBucket([rate])
        else:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            table = f"{self._platform}_{name}"
            bucket = SQLiteBucket.init_from_file([rate], table, str(self._file), use_file_lock=True)
            bucket.leak(_now_ms())
        self._buckets[name] = bucket
        return bucket


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_DAY = timedelta(days=1)
_SHORTEST_WAIT = 0.05
_BLOCKS = 1000
