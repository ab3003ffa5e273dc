"""Goalposts by rule from a baseline of months, so that nobody chooses them by the ranks they give.

Never part of a run: what comes out is read by a person and becomes a new version of the method, or, for a platform that
came later, its preliminary goalposts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Final

import polars as pl

from smi_pipeline.index.method import INDICATORS, CalibrationRule, Indicator, Method
from smi_pipeline.metrics.columns import Schema, columns
from smi_pipeline.metrics.rates import under
from smi_pipeline.registry.models import Platform

_METRICS: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "city_id": pl.String,
    **dict.fromkeys(INDICATORS, pl.Float64),
}
# Digits of a quantile that are meant: interpolating between 10 and 20 may give 19.999999999999996 for 20.
_DIGITS: Final = 12


@dataclass(frozen=True)
class Calibrated:
    """The goalposts of one indicator on one platform, and what they rest on.

    Attributes:
        ends: [lo, hi]; None where the figures leave no room between them, or there are none.
        low, high: the quantile and the maximum that were rounded; None without a figure.
        observed: city-months that reported a figure.
    """

    platform: Platform
    indicator: Indicator
    ends: tuple[float, float] | None
    low: float | None
    high: float | None
    observed: int


@dataclass(frozen=True)
class Calibration:
    """The goalposts of one platform.

    Attributes:
        months: months with an active city, of the baseline.
        cities: different cities that were active in any of them.
        preliminary: the baseline is shorter than the rule demands.
    """

    platform: Platform
    months: int
    cities: int
    preliminary: bool
    indicators: tuple[Calibrated, ...]


def calibrate(metrics: pl.DataFrame, *, method: Method, platforms: Sequence[Platform]) -> list[Calibration]:
    """Apply the method's calibration rule to a baseline.

    Args:
        metrics: metrics.city_platform_month of the months of the baseline.
        method: the rule, and which indicators apply to a platform.
        platforms: whose goalposts to work out.

    Returns:
        One a platform, in the order given. Only active city-platforms count: those with enough posts in a month. A
        figure that was not reported is left out, not taken for 0.

    Raises:
        ValueError: a column is missing.
    """
    rule = method.calibration
    active = columns(under(method.rates, metrics), _METRICS, name="metrics").filter(
        pl.col("posts") >= rule.active_posts
    )
    return [_calibrated(active.filter(pl.col("platform") == one), one, method) for one in platforms]


def _calibrated(active: pl.DataFrame, platform: Platform, method: Method) -> Calibration:
    rule = method.calibration
    found = []
    for indicator, tree in method.indicators.items():
        if platform in tree.applies:
            values = active[indicator].drop_nulls()
            low, high = values.quantile(rule.quantile, "linear"), values.quantile(1.0)
            ends = None if low is None or high is None else goalposts(indicator, low, high, rule)
            found.append(Calibrated(platform, indicator, ends, low, high, len(values)))
    months = active["month"].n_unique()
    return Calibration(platform, months, active["city_id"].n_unique(), months < rule.least_months, tuple(found))


def goalposts(indicator: Indicator, low: float, high: float, rule: CalibrationRule) -> tuple[float, float] | None:
    """[lo, hi] of an indicator whose low quantile and maximum over the baseline are `low` and `high`.

    lo is `low` rounded down to a step, hi is `high` rounded up. Of counts that begin with nothing lo is 0. Of the
    growth lo is the rule's floor, unless `low` lies below it: then it is rounded away from zero.

    Returns:
        None where hi would not lie above lo: every city had the same, or nothing.

    Source: METHOD.md 2.2.
    """
    if indicator in rule.zero_floor:
        lo = 0.0
    elif indicator == "follower_growth":
        lo = min(rule.growth_floor, rounded_down(low, rule.steps))
    else:
        lo = rounded_down(low, rule.steps)
    hi = 0.0 - rounded_down(-high, rule.steps)
    return (lo, hi) if lo < hi else None


def rounded_down(value: float, steps: Sequence[float]) -> float:
    """The greatest of 0 and +-(step x 10^k) that is not above `value`; a value that is one of them stays."""
    if value == 0:
        return 0.0
    size = float(f"{abs(value):.{_DIGITS}g}")
    power = floor(log10(size))
    # Written and read, not multiplied: 2e-1 is the float 0.2 that the file will hold.
    ladder = [float(f"{step:g}e{k}") for k in (power - 1, power, power + 1) for step in steps]
    return max(one for one in ladder if one <= size) if value > 0 else -min(one for one in ladder if one >= size)
