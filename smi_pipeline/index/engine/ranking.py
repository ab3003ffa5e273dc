"""Places: competition ranks of scores, and ranks of values from below."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import FloatArray, figures

Ties = Literal["min", "average"]

DECIMALS: Final = 6
_EXACT_UP_TO: Final = 2.0**52  # a float64 beyond it has no decimals to round


def ranks(scores: ArrayLike, *, decimals: int | None = DECIMALS, axis: int = -1) -> FloatArray:
    """1 + the number of greater scores; equal scores share the best rank (1, 2, 2, 4).

    Args:
        scores: any shape; NaN = not scored.
        decimals: scores are rounded to this first, so that a rank does not hang on the order in which a sum was added
            up; None takes them as they are.
        axis: the units' axis: the last one of (units,) and (draws, units), the first one of (units, nodes).

    Returns:
        The shape of `scores`; NaN where the score is.

    Source: COINr `rank_df`: rank(-x, ties = "min"), with missing values kept.
    """
    x = figures(scores, name="scores")
    return ascending(-(x if decimals is None else rounded(x, decimals)), axis=axis)


def ascending(values: ArrayLike, *, ties: Ties = "min", axis: int = -1) -> FloatArray:
    """Ranks from below: 1 for the smallest value; NaN stays NaN and counts for nobody.

    Args:
        values: any shape; NaN = not reported.
        ties: equal values share the smallest rank of theirs ("min") or the mean of all of them ("average").
        axis: the units' axis.
    """
    x = np.ascontiguousarray(np.moveaxis(figures(values), axis, -1))
    rank = _rows(x.reshape(-1, x.shape[-1]), ties) if x.size else x
    return np.moveaxis(rank.reshape(x.shape), -1, axis)


def _rows(x: FloatArray, ties: Ties) -> FloatArray:
    """Ranks within each row of a contiguous (rows, units)."""
    rows, units = x.shape
    order = np.argsort(x, axis=1)  # NaN last; how ties are ordered does not matter, they get one rank
    order += units * np.arange(rows)[:, np.newaxis]
    in_order = x.ravel()[order]
    opens = np.ones(x.shape, dtype=np.bool_)
    np.not_equal(in_order[:, 1:], in_order[:, :-1], out=opens[:, 1:])
    rank = np.arange(1.0, units + 1) * opens
    np.maximum.accumulate(rank, axis=1, out=rank)
    if ties == "average":
        closes = np.ones(x.shape, dtype=np.bool_)
        closes[:, :-1] = opens[:, 1:]
        last = np.where(closes, np.arange(1.0, units + 1), float(units))
        rank += np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
        rank /= 2
    rank[np.isnan(in_order)] = np.nan
    result = np.empty(x.size)
    result[order] = rank
    return result.reshape(x.shape)


def rounded(values: FloatArray, decimals: int) -> FloatArray:
    """`values` to `decimals` places; one so great that it has no such place stays as it is, instead of overflowing."""
    rounding = np.abs(values) < _EXACT_UP_TO / 10.0**decimals
    result: FloatArray = np.where(rounding, values, 0.0).round(decimals)
    np.copyto(result, values, where=~rounding)
    return result
