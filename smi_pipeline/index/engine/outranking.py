"""Who beats whom: ranking by comparing pairs, which no normalisation enters.

Only the order within each indicator counts, so this asks whether a ranking hangs on the scale the values were put on.
It needs every pair of units: n units take n^2 cells.

Source: Munda & Nardo 2009; COINr 1.1.14, `outrankMatrix` and `a_copeland`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import FloatArray, directed, figures, ratio

_SLACK = 1e-9  # weights that split evenly are a draw, however they add up


def outranking(values: ArrayLike, weights: ArrayLike, *, direction: ArrayLike = 1) -> FloatArray:
    """The weight of the indicators in which one unit beats another, those in which they are equal counted half.

    Args:
        values: (units, indicators), in any unit; NaN = not reported.
        weights: (indicators,), not negative, of any sum.
        direction: +1, or -1 where less is better, one for all or one an indicator.

    Returns:
        (units, units): how far the row's unit beats the column's, within 0..1; a pair's two cells add up to 1. The
        weights are those of the indicators both report; NaN where they share none, and on the diagonal. COINr takes
        those of all indicators, so that whoever comes first in the table loses what is missing.

    Raises:
        ValueError: an infinite value, a negative or missing weight, or one too many or too few.
    """
    x, w = directed(figures(values, least_axes=2), direction), figures(weights, name="weights")
    if w.shape != x.shape[1:] or not (w >= 0).all():
        raise ValueError(f"weights: expected one of 0 or more for each of {x.shape[1]} indicators, got {w.tolist()}")
    wins, shared = np.zeros((len(x), len(x))), np.zeros((len(x), len(x)))
    for column, weight in zip(x.T, w, strict=True):
        one, other = column[:, np.newaxis], column[np.newaxis, :]
        wins += weight * ((one > other) + 0.5 * (one == other))
        shared += weight * (~np.isnan(one) & ~np.isnan(other))
    np.fill_diagonal(shared, 0)
    return ratio(wins, shared)


def copeland(values: ArrayLike, weights: ArrayLike, *, direction: ArrayLike = 1) -> FloatArray:
    """Units beaten minus units lost to: a unit beats another with more than half of the weight they share.

    Args:
        values: see `outranking`.
        weights: likewise.
        direction: likewise.

    Returns:
        (units,), within -(n - 1)..n - 1, adding up to 0; NaN for a unit that reports nothing. Rank them with `ranks`.
    """
    pairs = outranking(values, weights, direction=direction)
    lead = np.nan_to_num(pairs - 0.5)
    score: FloatArray = np.where(np.abs(lead) > _SLACK, np.sign(lead), 0.0).sum(axis=1)
    score[np.isnan(figures(values)).all(axis=1)] = np.nan
    return score
