"""Whether indicators hang together, and whether raters agree."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import FloatArray, figures, ratio
from smi_pipeline.index.engine.ranking import ascending

Use = Literal["pairwise", "complete"]
Metric = Literal["interval", "ordinal", "nominal", "ratio"]

_PAIR = 2
_ROUNDING = 1e-12


def covariance(values: ArrayLike, *, use: Use = "pairwise") -> FloatArray:
    """Sample covariances (n - 1) of the columns.

    Args:
        values: (units, indicators); NaN = not reported.
        use: "pairwise": each pair over the units that report both, with their means; "complete": over those that report
            everything.

    Returns:
        (indicators, indicators); NaN for a pair with fewer than two units.

    Source: R `cov`, use = "pairwise.complete.obs" and "complete.obs".
    """
    return _pairs(_used(values, use), ranked=False, standard=False)


def correlation(
    values: ArrayLike, *, method: Literal["pearson", "spearman"] = "pearson", use: Use = "pairwise"
) -> FloatArray:
    """Correlations of the columns.

    Args:
        values: (units, indicators); NaN = not reported.
        method: "spearman" is Pearson's of the ranks, mean ranks for ties, taken among the units of the pair.
        use: as in `covariance`.

    Returns:
        (indicators, indicators); NaN where a column of the pair has no spread among its units, or they are under two.

    Source: R `cor`.
    """
    return _pairs(_used(values, use), ranked=method == "spearman", standard=True)


def cronbach_alpha(values: ArrayLike, *, use: Use = "pairwise") -> float:
    """How well k indicators measure one thing: k^2 * mean covariance / sum of the whole covariance matrix.

    The mean is that of the pairs of different indicators. The same as k / (k - 1) * (1 - sum of variances / variance of
    the sum) where everything is reported.

    Args:
        values: (units, indicators), pointing the same way; NaN = not reported.
        use: as in `covariance`.

    Returns:
        1 for indicators that are one, negative where they contradict each other; with pairwise covariances it may pass
        1. NaN for fewer than two indicators, where their sum does not vary, and where a pair has no covariance: COINr
        counts that as 0, lowering alpha for what nobody saw.

    Source: Cronbach 1951; COINr `get_cronbach`.
    """
    table = covariance(values, use=use)
    k = table.shape[0]
    if k < _PAIR:
        return float("nan")
    whole = table.sum()
    between = (whole - np.trace(table)) / (k * (k - 1))
    return _share(k**2 * between, whole, of=float(np.abs(table).sum()))


def krippendorff_alpha(ratings: ArrayLike, *, metric: Metric = "interval") -> float:
    """Agreement of raters beyond chance: 1 - observed / expected disagreement.

    Disagreement is the mean difference of pairs of ratings: of the same unit (each unit by its pairable ratings), over
    those of any units. Units with fewer than two ratings say nothing about agreement and are left out.

    Args:
        ratings: (raters, units); NaN = not rated.
        metric: what a difference is. "interval" (a - b)^2; "ratio" ((a - b) / (a + b))^2; "nominal" 1 unless equal;
            "ordinal" the square of the ratings between, those of a and b counted half.

    Returns:
        1 for agreement, 0 for chance, negative below it. NaN where no unit has two ratings, or where none of these
        differ: that does not show whether raters can tell units apart.

    Raises:
        ValueError: a negative rating under "ratio", or an infinite one.

    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.
    """
    x = figures(ratings, name="ratings", least_axes=2)
    if metric == "ratio" and (x < 0).any():
        raise ValueError(f"krippendorff_alpha: expected ratings of 0 or more for a ratio, got {float(np.nanmin(x))}")
    x = x[:, np.sum(~np.isnan(x), axis=0) >= _PAIR]
    levels, codes = np.unique(x[~np.isnan(x)], return_inverse=True)
    if levels.size < _PAIR:
        return float("nan")
    units = np.broadcast_to(np.arange(x.shape[1]), x.shape)[~np.isnan(x)]
    given = np.zeros((x.shape[1], levels.size))  # how often each unit was given each level
    np.add.at(given, (units, codes.ravel()), 1)
    pairable = given.sum(axis=1)
    together = (given.T / (pairable - 1)) @ given  # a rating with itself, too: no difference, no harm
    frequency = given.sum(axis=0)
    apart = _differences(levels, frequency, metric)
    total = frequency.sum()
    expected = float(frequency @ apart @ frequency) / (total - 1)
    return float(1 - (together * apart).sum() / expected)


def icc(ratings: ArrayLike, *, of: Literal["single", "mean"] = "single") -> float:
    """Absolute agreement of the raters, two-way: ICC(A,1) of a single rating, or ICC(A,k) of the mean of all k.

    With the mean squares of units R, raters C and the rest E, n units and k raters:
    ICC(A,1) = (R - E) / (R + (k - 1) E + k (C - E) / n), ICC(A,k) = (R - E) / (R + (C - E) / n).

    Args:
        ratings: (raters, units); NaN = not rated. Only the units that all raters rated are used.
        of: the rating whose reliability is asked for.

    Returns:
        NaN for fewer than two raters or two complete units, where no rating differs from another, and where raters
        contradict each other so much that the variance below the line is not above 0.

    Source: McGraw & Wong 1996; Shrout & Fleiss 1979, there ICC(2,1) and ICC(2,k).
    """
    x = figures(ratings, name="ratings", least_axes=2)
    x = x[:, ~np.isnan(x).any(axis=0)]
    k, n = x.shape
    if k < _PAIR or n < _PAIR:
        return float("nan")
    off = x - x.mean()
    of_units, of_raters = off.mean(axis=0), off.mean(axis=1)
    rest = off - of_units - of_raters[:, np.newaxis]
    r, c = k * float(of_units @ of_units) / (n - 1), n * float(of_raters @ of_raters) / (k - 1)
    e = float((rest * rest).sum()) / ((n - 1) * (k - 1))
    below = r + (k - 1) * e + k * (c - e) / n if of == "single" else r + (c - e) / n
    return float("nan") if x.min() == x.max() else _share(r - e, below, of=r + c + e)


def _share(part: float, whole: float, *, of: float) -> float:
    """The part of a variance; NaN where the whole is not above 0 by more than the rounding of its terms, `of`."""
    return part / whole if whole > _ROUNDING * of else float("nan")


def _used(values: ArrayLike, use: Use) -> FloatArray:
    x = figures(values, least_axes=2)
    return x[~np.isnan(x).any(axis=1)] if use == "complete" else x


def _pairs(x: FloatArray, *, ranked: bool, standard: bool) -> FloatArray:
    columns = x.shape[1]
    result = np.full((columns, columns), np.nan)
    for i in range(columns):
        for j in range(i, columns):
            result[i, j] = result[j, i] = _pair(x[:, i], x[:, j], ranked=ranked, standard=standard)
    return result


def _pair(a: FloatArray, b: FloatArray, *, ranked: bool, standard: bool) -> float:
    both = ~(np.isnan(a) | np.isnan(b))
    n = int(both.sum())
    if n < _PAIR:
        return float("nan")
    a, b = a[both], b[both]
    flat = a.min() == a.max() or b.min() == b.max()
    if ranked:
        a, b = ascending(a, ties="average"), ascending(b, ties="average")
    a, b = a - a.mean(), b - b.mean()
    if not standard:
        return 0.0 if flat else float(a @ b) / (n - 1)
    if flat:
        return float("nan")
    a, b = a / np.abs(a).max(), b / np.abs(b).max()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1, 1))


def _differences(levels: FloatArray, frequency: FloatArray, metric: Metric) -> FloatArray:
    """(levels, levels): how far apart two ratings are."""
    one, other = levels[:, np.newaxis], levels[np.newaxis, :]
    if metric == "nominal":
        return np.asarray(one != other, dtype=np.float64)
    if metric == "ratio":
        return np.nan_to_num(ratio(one - other, one + other)) ** 2
    if metric == "ordinal":
        middle = np.cumsum(frequency) - frequency / 2
        one, other = middle[:, np.newaxis], middle[np.newaxis, :]
    return np.asarray((one - other) ** 2, dtype=np.float64)
