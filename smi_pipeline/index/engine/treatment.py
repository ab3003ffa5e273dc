"""Outliers: winsorise a few points, and where that does not help, take a logarithm.

The rule is data-dependent: from one month to the next a column can change from one branch to the other, and scores of
the two months are then not comparable. The index scores between fixed goalposts instead; this is its audit.

Source: COINr 1.1.14 (Treat, winsorise, check_SkewKurt, log_CT, ...), as stated in the reference's README.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smi_pipeline.index.engine.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    figures,
    greatest,
    least,
    mean,
    ratio,
    reported,
    units_axis,
)

Branch = Literal["none", "winsorised", "transformed"]
Transform = Callable[[FloatArray], FloatArray]

MOST_WINSORISED: Final = 5
SKEW: Final = 2.0
KURTOSIS: Final = 3.5
_SLACK: Final = 1e-9  # or the order of the units would decide on which side of a limit a column is
_LEAST_FOR_SKEW, _LEAST_FOR_KURTOSIS = 3, 4


def skewness(values: ArrayLike) -> FloatArray:
    """Sample skewness of each column, as spreadsheets have it.

    sqrt(n) * sum(d^3) / sum(d^2)^1.5 * sqrt(n (n - 1)) / (n - 2), d = x - mean, over the n reported values.

    Args:
        values: (units,) or (..., units, indicators); NaN = not reported.

    Returns:
        Without the units' axis; NaN under three values and where all are equal.

    Source: Joanes & Gill 1998, G1; COINr `skew`.
    """
    skew: FloatArray = np.asarray(_shape(figures(values))[0])
    return skew


def kurtosis(values: ArrayLike) -> FloatArray:
    """Sample excess kurtosis of each column, as spreadsheets have it: 0 for a normal distribution.

    ((n + 1)(r - 3) + 6)(n - 1) / ((n - 2)(n - 3)), r = n * sum(d^4) / sum(d^2)^2, d = x - mean.

    Args:
        values: (units,) or (..., units, indicators); NaN = not reported.

    Returns:
        Without the units' axis; NaN under four values and where all are equal.

    Source: Joanes & Gill 1998, G2; COINr `kurt`.
    """
    kurt: FloatArray = np.asarray(_shape(figures(values))[1])
    return kurt


def passes(values: ArrayLike, *, skew: float = SKEW, kurt: float = KURTOSIS) -> BoolArray:
    """Whether each column has no outliers to speak of: abs(skewness) < `skew` or kurtosis < `kurt`.

    A column too short or too even for either to be defined passes: there is nothing to treat.
    """
    return _Limits(skew, kurt).passed(_shape(figures(values)))


@dataclass(frozen=True)
class Winsorised:
    """A table with its extreme points pulled in.

    Attributes:
        values: the shape of the input; NaN kept.
        count: points moved, a column (0 axes for a vector): those tied at the high end and those at the low end.
        high: the cells pulled down.
        low: the cells pulled up.
    """

    values: FloatArray
    count: IntArray
    high: BoolArray
    low: BoolArray


def winsorise(
    values: ArrayLike, *, most: int = MOST_WINSORISED, skew: float = SKEW, kurt: float = KURTOSIS
) -> Winsorised:
    """Pull in the extreme points of each column, one distinct value at a time, until it passes.

    While a column does not pass and fewer than `most` points have been moved: at skewness >= 0 every point equal to the
    maximum is set to the next lower distinct value, otherwise every point equal to the minimum to the next higher.
    Points already moved are tied there and move on together, so a tie can take the count past `most`.

    Args:
        values: (units,) or (units, indicators); NaN = not reported.
        most: the number of points from which on no further one is moved; 0 moves none.
        skew: threshold of `passes`.
        kurt: threshold of `passes`.

    A column is never made constant: with two distinct values left it stays as it is and does not pass, where COINr
    stops with an error.

    Raises:
        ValueError: more than two axes, or an infinite value.
    """
    given = figures(values)
    x = _as_table(given)
    pulled, _ = _winsorised(x, _shape(x), most, _Limits(skew, kurt))
    shape = given.shape
    return Winsorised(
        pulled.values.reshape(shape),
        pulled.count.reshape(shape[1:]),
        pulled.high.reshape(shape),
        pulled.low.reshape(shape),
    )


def log_ct(values: ArrayLike) -> FloatArray:
    """ln(x - min + a), a = 0.01 (max - min), per column; NaN kept, and NaN throughout where all values are equal.

    Source: COINr `log_CT`.
    """
    x = figures(values)
    low, span = least(x), greatest(x) - least(x)
    return _ln(np.where(span > 0, x - low + 0.01 * span, np.nan))


def log_ct_plus(values: ArrayLike) -> FloatArray:
    """`log_ct` where the skewness is positive or undefined, else -ln(max + a - x): it pulls in the longer tail.

    Increasing in x on both branches. NaN kept, and NaN throughout where all values are equal.

    Source: COINr `log_CT_plus`.
    """
    x = figures(values)
    high, span = greatest(x), greatest(x) - least(x)
    downwards = np.expand_dims(skewness(x) <= _SLACK, units_axis(x))
    mirrored = -_ln(np.where(span > 0, high + 0.01 * span - x, np.nan))
    result: FloatArray = np.where(downwards, mirrored, log_ct(x))
    return result


def log_ct_orig(values: ArrayLike) -> FloatArray:
    """ln(x - min + 1), per column; NaN kept, 0 where all values are equal. Depends on the unit x is counted in.

    Source: COINr `log_CT_orig`.
    """
    x = figures(values)
    return _ln(x - least(x) + 1)


def log_gii(values: ArrayLike) -> FloatArray:
    """ln((max - 1)(x - min) / (max - min) + 1), from 0 at the minimum to ln(max); NaN kept, or where all are equal.

    COINr 1.1.14 computes this and returns the untouched x; this returns what it documents.

    Raises:
        ValueError: a column with spread has a maximum of 1 or less, at which the order would be lost or turned round.

    Source: Global Innovation Index 2020; COINr `log_GII`.
    """
    x = figures(values)
    low, high = least(x), greatest(x)
    too_low = (high > low) & (high <= 1)
    if too_low.any():
        raise ValueError(f"log_gii: expected a maximum above 1, got {float(high[too_low][0])}")
    return _ln((high - 1) * ratio(x - low, high - low) + 1)


def box_cox(values: ArrayLike, *, exponent: float, shift: bool = True) -> FloatArray:
    """(x^exponent - 1) / exponent, or ln x for exponent 0; x is first shifted to a minimum of 1, per column.

    Args:
        values: (units,) or (..., units, indicators); NaN kept.
        exponent: lambda, given and not fitted.
        shift: whether x is shifted to x - min + 1.

    Raises:
        ValueError: without the shift, a value of 0 or less.

    Source: Box & Cox 1964; COINr `boxcox`.
    """
    x = figures(values)
    if shift:
        x = x - least(x) + 1
    elif (x <= 0).any():
        raise ValueError(f"box_cox: expected values above 0, got {float(np.nanmin(x))}; shift them")
    return _ln(x) if exponent == 0 else (x**exponent - 1) / exponent


@dataclass(frozen=True)
class TreatmentDetails:
    """What was found and done, one entry a column (0 axes for a vector).

    Attributes:
        passed: whether the column needed no treatment.
        skew: before any treatment; NaN = undefined.
        kurt: likewise.
        winsorised: points moved, also where the column was transformed in the end and they were put back.
        passed_winsorised: whether it passes after winsorising; that of `passed` where none was needed.
        skew_winsorised: after winsorising.
        kurt_winsorised: likewise.
        branch: none, winsorised or transformed.
        passed_after: whether the treated column passes.
        skew_after: of the treated column.
        kurt_after: likewise.
    """

    passed: BoolArray
    skew: FloatArray
    kurt: FloatArray
    winsorised: IntArray
    passed_winsorised: BoolArray
    skew_winsorised: FloatArray
    kurt_winsorised: FloatArray
    branch: NDArray[np.str_]
    passed_after: BoolArray
    skew_after: FloatArray
    kurt_after: FloatArray


@dataclass(frozen=True)
class Treated:
    """A treated table of the input's shape, and what was done to each column."""

    values: FloatArray
    details: TreatmentDetails


def treat(
    values: ArrayLike,
    *,
    most: int = MOST_WINSORISED,
    skew: float = SKEW,
    kurt: float = KURTOSIS,
    transform: Transform = log_ct,
) -> Treated:
    """Leave a column that passes; winsorise one that does not; transform the original of one that then still does not.

    Args:
        values: (units,) or (units, indicators); NaN = not reported, and kept.
        most: see `winsorise`.
        skew: abs(skewness) below it passes.
        kurt: excess kurtosis below it passes.
        transform: `log_ct` or another of this module, given the columns that winsorising did not help.

    Raises:
        ValueError: more than two axes, an infinite value, or what the transform refuses.
    """
    given, limits = figures(values), _Limits(skew, kurt)
    x = _as_table(given)
    before = _shape(x)
    pulled, between = _winsorised(x, before, most, limits)
    passed, better = limits.passed(before), limits.passed(between)
    treated, after = pulled.values, between.copy()
    if not better.all():
        treated[:, ~better] = transform(x[:, ~better])
        after[:, ~better] = _shape(treated[:, ~better])
    shape = given.shape[1:]
    details = TreatmentDetails(
        passed=passed.reshape(shape),
        skew=before[0].reshape(shape),
        kurt=before[1].reshape(shape),
        winsorised=pulled.count.reshape(shape),
        passed_winsorised=better.reshape(shape),
        skew_winsorised=between[0].reshape(shape),
        kurt_winsorised=between[1].reshape(shape),
        branch=np.where(passed, "none", np.where(better, "winsorised", "transformed")).reshape(shape),
        passed_after=limits.passed(after).reshape(shape),
        skew_after=after[0].reshape(shape),
        kurt_after=after[1].reshape(shape),
    )
    return Treated(treated.reshape(given.shape), details)


@dataclass(frozen=True)
class _Limits:
    skew: float
    kurt: float

    def passed(self, shape: FloatArray) -> BoolArray:
        """Whether columns of this skewness and kurtosis pass; NaN does, one at the limit does not, rounding aside."""
        outliers: BoolArray = (np.abs(shape[0]) >= self.skew - _SLACK) & (shape[1] >= self.kurt - _SLACK)
        return np.asarray(~outliers)


def _winsorised(x: FloatArray, before: FloatArray, most: int, limits: _Limits) -> tuple[Winsorised, FloatArray]:
    """A table winsorised, and the skewness and kurtosis it has then; all columns that need it a step at a time."""
    result, shape = x.copy(), before.copy()
    high, low = np.zeros(x.shape, dtype=np.bool_), np.zeros(x.shape, dtype=np.bool_)
    count = np.zeros(x.shape[1], dtype=np.int64)
    todo = np.flatnonzero(~limits.passed(shape) & (count < most))
    while todo.size:
        sign = np.where(shape[0, todo] >= -_SLACK, 1.0, -1.0)
        turned = result[:, todo] * sign  # the end to pull in is now the maximum of each column
        at_end = turned == greatest(turned)
        rest = np.where(at_end, np.nan, turned)
        inner = greatest(rest)
        movable = (inner > least(rest))[0]
        todo, sign, at_end = todo[movable], sign[movable], at_end[:, movable]
        moved = np.where(at_end, inner[:, movable], turned[:, movable]) * sign
        result[:, todo], shape[:, todo] = moved, _shape(moved)
        high[:, todo] = np.where(sign > 0, at_end, high[:, todo])
        low[:, todo] = np.where(sign > 0, low[:, todo], at_end)
        count[todo] = high[:, todo].sum(axis=0) + low[:, todo].sum(axis=0)
        todo = todo[~limits.passed(shape[:, todo]) & (count[todo] < most)]
    return Winsorised(result, count, high, low), shape


def _shape(x: FloatArray) -> FloatArray:
    """(2, ...): skewness and kurtosis of each column, without the units' axis.

    Deviations are in units of the largest value: neither measure depends on the unit, and powers of large counts would
    overflow.
    """
    axis, largest = units_axis(x), greatest(np.abs(x))
    scaled = x / np.where(largest > 0, largest, np.nan)
    off = np.nan_to_num(scaled - mean(scaled), copy=False)
    squares = off * off
    second, fourth = squares.sum(axis=axis), (squares * squares).sum(axis=axis)
    third = np.multiply(squares, off, out=off).sum(axis=axis)
    n = reported(x).squeeze(axis)
    skew = ratio(np.sqrt(n) * third, second**1.5) * ratio(np.sqrt(n * (n - 1)), n - 2)
    r = ratio(n * fourth, second**2)
    kurt = ratio(((n + 1) * (r - 3) + 6) * (n - 1), (n - 2) * (n - 3))
    varied = np.squeeze(greatest(x) > least(x), axis=axis)  # or the rounding of the mean would be taken for spread
    result: FloatArray = np.stack(
        [
            np.where(varied & (n >= _LEAST_FOR_SKEW), skew, np.nan),
            np.where(varied & (n >= _LEAST_FOR_KURTOSIS), kurt, np.nan),
        ]
    )
    return result


def _as_table(x: FloatArray) -> FloatArray:
    if x.ndim > 2:  # noqa: PLR2004 -- a vector or a table
        raise ValueError(f"values: expected (units,) or (units, indicators), got {x.ndim} axes")
    return x[:, np.newaxis] if x.ndim == 1 else x


def _ln(x: FloatArray) -> FloatArray:
    result: FloatArray = np.log(x)
    return result
