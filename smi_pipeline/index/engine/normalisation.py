"""From values of any unit to a common scale.

Only `goalposts` and `scaled` are the same whoever else is measured. The others look at the units present; give their
parameters to hold the scale fixed over several periods.

All take (units,) or (..., units, indicators) with NaN for "not reported", which stays NaN, and `direction`: +1, or -1
where less is better, one for all or one an indicator. Values given with it (low, high, target ...) are in the unit of
the values, the sign never turned by the caller. A parameter is one number or one an indicator.

Source: OECD/JRC, Handbook on Constructing Composite Indicators, step 5; COINr 1.1.14, functions n_*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import (
    FloatArray,
    deviation,
    directed,
    figures,
    greatest,
    least,
    mean,
    ratio,
    reported,
    units_axis,
)
from smi_pipeline.index.engine.ranking import Ties, ascending


def goalposts(
    values: ArrayLike, low: ArrayLike, high: ArrayLike, *, direction: ArrayLike = 1, top: float = 100, clip: bool = True
) -> FloatArray:
    """`top` * (x - low) / (high - low), cut to 0..`top`; at direction -1 `top` * (high - x) / (high - low).

    Nothing but the value itself enters: it gives the same points whatever the others did.

    Args:
        values: see the module.
        low: the lower goalpost.
        high: the upper goalpost, above the lower one.
        direction: see the module.
        top: the points of the better goalpost.
        clip: whether values beyond a goalpost get its points; otherwise the line goes on.

    Raises:
        ValueError: a lower goalpost is not below the upper one.

    Source: COINr `n_goalposts`.
    """
    x = figures(values)
    lower, upper = figures(low, name="low", least_axes=0), figures(high, name="high", least_axes=0)
    if not (lower < upper).all():
        raise ValueError(f"goalposts: expected low < high, got {lower.tolist()} and {upper.tolist()}")
    part = (x - lower) / (upper - lower)
    part = np.where(directed(np.ones(1), direction) > 0, part, 1 - part)
    return top * (np.clip(part, 0, 1) if clip else part)


def min_max(
    values: ArrayLike,
    *,
    bottom: float = 0,
    top: float = 100,
    direction: ArrayLike = 1,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
) -> FloatArray:
    """`bottom` + (`top` - `bottom`) * (y - min) / (max - min) of y = direction * x.

    Args:
        values: see the module.
        bottom: the points of the worst value.
        top: the points of the best one.
        direction: see the module.
        low: the smallest value to scale by; None takes each column's own.
        high: the greatest, likewise. Values beyond given ones go beyond the points.

    Returns:
        The shape of the values. A column in which all values are equal has no spread to place them by: NaN.

    Source: COINr `n_minmax`.
    """
    worst, span, y = _range(values, direction, low, high)
    return ratio(y - worst, span) * (top - bottom) + bottom


def z_score(
    values: ArrayLike,
    *,
    centre: float = 0,
    spread: float = 1,
    direction: ArrayLike = 1,
    average: ArrayLike | None = None,
    sd: ArrayLike | None = None,
) -> FloatArray:
    """`centre` + `spread` * direction * (x - mean) / sd, sd being that of a sample (n - 1).

    Args:
        values: see the module.
        centre: the points of the mean.
        spread: the points of one standard deviation.
        direction: see the module.
        average: the mean to scale by; None takes each column's own.
        sd: the standard deviation, likewise.

    Returns:
        The shape of the values. NaN where the standard deviation is 0, or undefined for want of a second value.

    Raises:
        ValueError: a given standard deviation, or `spread`, is not above 0.

    Source: COINr `n_zscore`.
    """
    x = figures(values)
    if spread <= 0 or (sd is not None and not (figures(sd, name="sd", least_axes=0) > 0).all()):
        raise ValueError(f"z_score: expected a spread and a standard deviation above 0, got {spread} and {sd!r}")
    middle = mean(x) if average is None else figures(average, name="average", least_axes=0)
    unit = deviation(x) if sd is None else figures(sd, name="sd", least_axes=0)
    return directed(ratio(x - middle, unit), direction) * spread + centre


def rank(values: ArrayLike, *, direction: ArrayLike = 1, ties: Ties = "min") -> FloatArray:
    """Ranks from below, so that the best has the greatest; equal values share one (see `ranking.ascending`).

    Source: COINr `n_rank`, whose ties are "min".
    """
    x = directed(figures(values), direction)
    return ascending(x, ties=ties, axis=units_axis(x))


def borda(values: ArrayLike, *, direction: ArrayLike = 1, ties: Ties = "min") -> FloatArray:
    """`rank` - 1: with ties "min" the number of units that are worse.

    Source: COINr `n_borda`.
    """
    return rank(values, direction=direction, ties=ties) - 1


def percentile_rank(values: ArrayLike, *, direction: ArrayLike = 1, ties: Ties = "min", top: float = 100) -> FloatArray:
    """`top` * (rank - 1) / (n - 1), n being the values reported: the share of the other units that are worse.

    COINr's `n_prank` is this with `top` 1. With ties "min" a best value that is shared stays below `top`; "average"
    treats both ends alike. NaN for a column with one value only: there are no others.
    """
    return top * ratio(borda(values, direction=direction, ties=ties), reported(figures(values)) - 1)


def distance_to_max(
    values: ArrayLike, *, direction: ArrayLike = 1, low: ArrayLike | None = None, high: ArrayLike | None = None
) -> FloatArray:
    """1 - (max - y) / (max - min) of y = direction * x: 1 for the best, 0 for the worst; NaN where all are equal.

    Source: COINr `n_dist2max`.
    """
    worst, span, y = _range(values, direction, low, high)
    return 1 - ratio(worst + span - y, span)


def distance_to_reference(
    values: ArrayLike, unit: int, *, direction: ArrayLike = 1, cap: bool = False, low: ArrayLike | None = None
) -> FloatArray:
    """1 - (ref - y) / (ref - min) of y = direction * x: 1 for the reference unit, 0 for the worst.

    Args:
        values: see the module.
        unit: the position of the reference unit.
        direction: see the module.
        cap: whether those beyond the reference get 1, too.
        low: the worst value to scale by; None takes each column's own.

    Returns:
        The shape of the values; NaN where the reference is not reported or not better than the worst.

    Raises:
        IndexError: there is no such unit.

    Source: COINr `n_dist2ref`.
    """
    x = figures(values)
    y = directed(x, direction)
    reference = np.expand_dims(np.take(y, unit, axis=units_axis(y)), units_axis(y))
    worst = least(y) if low is None else directed(figures(low, name="low", least_axes=0), direction)
    way = np.where(reference > worst, reference - worst, 0.0)
    return _capped(1 - ratio(reference - y, way), cap=cap)


def distance_to_target(
    values: ArrayLike, target: ArrayLike, *, direction: ArrayLike = 1, cap: bool = False, low: ArrayLike | None = None
) -> FloatArray:
    """(y - min) / (target - min) of y = direction * x and the target turned with it: 1 at the target, 0 for the worst.

    Args:
        values: see the module.
        target: what is aimed at, in the unit of the values: a high one, or at direction -1 a low one.
        direction: see the module.
        cap: whether those beyond the target get 1, too.
        low: the worst value to scale by (at direction -1 the greatest); None takes each column's own.

    Raises:
        ValueError: a target is not better than the worst value: scores would be infinite or turned round.

    Source: COINr `n_dist2targ`.
    """
    y = directed(figures(values), direction)
    aim = directed(figures(target, name="target", least_axes=0), direction)
    worst = least(y) if low is None else directed(figures(low, name="low", least_axes=0), direction)
    if np.isnan(aim).any() or (aim <= worst).any():
        raise ValueError(f"distance_to_target: expected targets better than the worst value, got {target!r}")
    return _capped((y - worst) / (aim - worst), cap=cap)


def fraction_of_max(values: ArrayLike, *, direction: ArrayLike = 1, best: ArrayLike | None = None) -> FloatArray:
    """The ratio x / max, and at direction -1 min / x: 1 for the best value, a fraction of it for the others.

    COINr's `n_fracmax` knows no direction: turning the sign, as it does before, would give the worst the highest score.

    Args:
        values: see the module; above 0.
        direction: see the module.
        best: the value to divide by (or, at -1, to be divided); None takes each column's own.

    Raises:
        ValueError: a negative value, or at direction -1 a value of 0: the ratio would not say which one is better.
    """
    x = figures(values)
    upwards = directed(np.ones(1), direction) > 0
    if (x < 0).any() or ((x == 0) & ~upwards).any():
        raise ValueError(f"fraction_of_max: expected values above 0, got {float(np.nanmin(x))}")
    given = None if best is None else figures(best, name="best", least_axes=0)
    highest, lowest = (greatest(x), least(x)) if given is None else (given, given)
    result: FloatArray = np.where(upwards, ratio(x, highest), ratio(lowest, x))
    return result


def scaled(values: ArrayLike, low: ArrayLike, high: ArrayLike, *, direction: ArrayLike = 1) -> FloatArray:
    """100 * (x - low) / (high - low), never cut; at direction -1 100 * (high - x) / (high - low).

    Source: COINr `n_scaled`: what `goalposts` are without the clip.
    """
    return goalposts(values, low, high, direction=direction, clip=False)


def _range(
    values: ArrayLike, direction: ArrayLike, low: ArrayLike | None, high: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The worst value, the way from it to the best, and the values, all turned to their direction.

    Raises:
        ValueError: a lower bound is not below the upper one, of which at least one was given.
    """
    x = figures(values)
    lower = least(x) if low is None else figures(low, name="low", least_axes=0)
    upper = greatest(x) if high is None else figures(high, name="high", least_axes=0)
    given = low is not None and high is not None
    if (lower > upper).any() or (given and not (lower < upper).all()):
        raise ValueError(f"expected low < high, got {lower.tolist()} and {upper.tolist()}")
    worst = np.where(directed(np.ones(1), direction) > 0, lower, -upper)
    return worst, upper - lower, directed(x, direction)


def _capped(part: FloatArray, *, cap: bool) -> FloatArray:
    return np.minimum(part, 1.0) if cap else part
