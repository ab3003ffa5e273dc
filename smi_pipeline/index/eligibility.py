"""Which platforms enter the composite: those on which enough of the monitored cities have an account.

Decided from the registry alone, so that a month gives the same answer however many months were collected.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from smi_pipeline.index.method import Method, PlatformWeightRule
from smi_pipeline.index.panel import ACCOUNTS, CITIES
from smi_pipeline.metrics.columns import columns
from smi_pipeline.months import Month, month_range
from smi_pipeline.registry.models import PLATFORMS, Platform


@dataclass(frozen=True)
class Eligibility:
    """Coverage and eligibility of each platform, month by month since the registry's first one.

    Attributes:
        first: the first month with a monitored city; None for an empty registry.
        coverage: per platform and month, cities with an account in the index / cities monitored; a month before the
            platform was measured has no entry.
        eligible: per month, the platforms that count, in the project's order.
    """

    first: Month | None
    coverage: dict[tuple[Platform, Month], float]
    eligible: dict[Month, tuple[Platform, ...]]


def eligibility(cities: pl.DataFrame, accounts: pl.DataFrame, *, last: Month, method: Method) -> Eligibility:
    """Apply the coverage rule to every month from the registry's first to `last`.

    Args:
        cities: city_id, valid_from, valid_to.
        accounts: city_id, platform, in_index, valid_from, valid_to.
        last: the month to end with.
        method: thresholds, and since when a platform is measured.
    """
    spans = list(columns(cities, CITIES, name="cities").drop_nulls("valid_from").iter_rows())
    if not spans or min(start for _, start, _ in spans) >= last.next.first:
        return Eligibility(first=None, coverage={}, eligible={})
    months = month_range(Month(min(start for _, start, _ in spans).replace(day=1)), last)
    firsts = [month.first for month in months]
    firsts.append(last.next.first)  # what begins after the last month begins in a column that is cut off again
    row_of = {city: row for row, city in enumerate(sorted({city for city, *_ in spans}))}
    monitored = np.zeros((len(row_of), len(firsts)), dtype=np.bool_)
    for city, start, end in spans:
        monitored[row_of[city], _touched(firsts, start, end)] = True
    holds = {platform: np.zeros_like(monitored) for platform in PLATFORMS}
    for city, platform, in_index, start, end in columns(accounts, ACCOUNTS, name="accounts").iter_rows():
        if in_index and city in row_of:
            holds[platform][row_of[city], _touched(firsts, start, end)] = True
    count = monitored.sum(axis=0)
    coverage: dict[tuple[Platform, Month], float] = {}
    eligible: dict[Month, list[Platform]] = {month: [] for month in months}
    for platform in PLATFORMS:
        share = ((holds[platform] & monitored).sum(axis=0) / np.maximum(count, 1))[: len(months)]
        begins = bisect_left(months, Month.parse(since)) if (since := method.platforms_from.get(platform)) else 0
        measured = [float(value) for value in share[begins:]]
        states = enter_and_leave(measured, method.platform_weights)
        for month, value, state in zip(months[begins:], measured, states, strict=True):
            coverage[platform, month] = value
            if state and method.goalposts.are_frozen(platform, month):
                eligible[month].append(platform)
    return Eligibility(first=months[0], coverage=coverage, eligible={m: tuple(p) for m, p in eligible.items()})


def enter_and_leave(coverage: Sequence[float], rule: PlatformWeightRule) -> list[bool]:
    """Whether a platform counts in each month, from its coverage in consecutive months.

    The first month decides by itself. After that it takes `rule.months` consecutive months at or above `enter_from`
    to enter, and as many below `leave_below` to leave: coverage that trembles around one threshold changes nothing.
    """
    states: list[bool] = []
    for index, share in enumerate(coverage):
        window = coverage[max(0, index - rule.months + 1) : index + 1]
        if index == 0:
            state = share >= rule.enter_from
        elif len(window) < rule.months:
            state = states[-1]
        elif states[-1]:
            state = not all(value < rule.leave_below for value in window)
        else:
            state = all(value >= rule.enter_from for value in window)
        states.append(state)
    return states


def _touched(firsts: list[date], start: date, end: date | None) -> slice:
    """The months that have a day in [start, end)."""
    return slice(max(0, bisect_right(firsts, start) - 1), len(firsts) if end is None else bisect_left(firsts, end))
