"""What every part of the engine takes: float64 arrays in which NaN means "not reported".

A vector is (units,); a table is (units, indicators), with any number of leading axes for draws. Statistics of a column
are taken along the units and over the reported values only. What is not defined (no value, no spread) is NaN and never
a warning: a column nobody reported is a finding, not an accident. Values are 0 or of a magnitude within 1e-100..1e100:
what lies beyond may leave float64 when squared or divided, and numpy then warns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def figures(values: ArrayLike, *, name: str = "values", least_axes: int = 1) -> FloatArray:
    """`values` as float64, of at least `least_axes` axes; NaN passes.

    Raises:
        ValueError: too few axes, or an infinite value, which no mean, range or rank could say anything about.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim < least_axes:
        raise ValueError(f"{name}: expected at least {least_axes} axes, got {array.ndim}")
    if np.isinf(array).any():
        raise ValueError(f"{name}: expected finite numbers or NaN, got {int(np.isinf(array).sum())} infinite")
    return array


def units_axis(values: FloatArray) -> int:
    """The axis the units lie on: the only one of a vector, the last but one of a table."""
    return 0 if values.ndim == 1 else -2


def directed(values: FloatArray, direction: ArrayLike) -> FloatArray:
    """`values` with the sign turned where less is better.

    Args:
        values: (units,) or (..., units, indicators).
        direction: +1 or -1, one for all or one an indicator.

    Raises:
        ValueError: a direction is neither +1 nor -1.
    """
    signs = np.asarray(direction, dtype=np.float64)
    if not np.isin(signs, (-1.0, 1.0)).all():
        raise ValueError(f"direction: expected +1 or -1, got {signs.tolist()}")
    return values * signs


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> FloatArray:
    """The quotient, NaN where the denominator is 0."""
    below = np.asarray(denominator, dtype=np.float64)
    result: FloatArray = np.asarray(numerator, dtype=np.float64) / np.where(below == 0, np.nan, below)
    return result


def reported(values: FloatArray) -> FloatArray:
    """How many values each column has; the units' axis stays, of length 1."""
    count: FloatArray = np.sum(~np.isnan(values), axis=units_axis(values), keepdims=True, dtype=np.float64)
    return count


def least(values: FloatArray) -> FloatArray:
    """Each column's smallest value, NaN if it has none; the units' axis stays, of length 1."""
    smallest: FloatArray = np.fmin.reduce(values, axis=units_axis(values), keepdims=True, initial=np.nan)
    return smallest


def greatest(values: FloatArray) -> FloatArray:
    """Each column's greatest value, NaN if it has none; the units' axis stays, of length 1."""
    largest: FloatArray = np.fmax.reduce(values, axis=units_axis(values), keepdims=True, initial=np.nan)
    return largest


def mean(values: FloatArray) -> FloatArray:
    """Each column's mean, NaN if it has no value; the units' axis stays, of length 1."""
    filled = np.where(np.isnan(values), 0.0, values)
    return ratio(np.sum(filled, axis=units_axis(values), keepdims=True), reported(values))


def deviation(values: FloatArray) -> FloatArray:
    """Each column's sample standard deviation (n - 1), the units' axis kept with length 1.

    Exactly 0 where all values are equal, whatever the rounding of their mean; NaN under two values.
    """
    off = values - mean(values)
    squares = np.sum(np.where(np.isnan(off), 0.0, off * off), axis=units_axis(values), keepdims=True)
    sd = np.sqrt(ratio(squares, np.maximum(reported(values) - 1, 0)))
    flat: FloatArray = np.where((least(values) == greatest(values)) & ~np.isnan(sd), 0.0, sd)
    return flat
