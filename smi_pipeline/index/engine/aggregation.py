"""Means of a unit's children, weighted, with the weights renormalised over the children that are reported.

All take `values` (..., units, children), NaN = not reported, and `weights` (..., children), not negative, of any sum.
Leading axes broadcast, so that one table under many draws of weights is one matrix product: (units, children) with
(draws, children) gives (draws, units). A unit none of whose children is reported, or whose reported children have no
weight, is NaN.

`threshold` is the data a unit must have: the share of its children reported, by weight or by number, below which it is
NaN; 0 asks for none. A share within rounding of the threshold reaches it.

Source: COINr 1.1.14, a_amean, a_gmean, a_hmean, a_genmean, and `dat_thresh` (there by number).
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import FloatArray, figures, ratio

By = Literal["weight", "number"]

_SLACK: Final = 1e-12  # 0.3 + 0.3 of 1.0 reaches a threshold of 0.6


class Mean(Protocol):
    """One of this module's means; `partial(generalised, power=...)` is one, too."""

    def __call__(self, values: ArrayLike, weights: ArrayLike, *, threshold: float = 0, by: By = "weight") -> FloatArray:
        """The weighted mean of the children."""
        ...


def arithmetic(values: ArrayLike, weights: ArrayLike, *, threshold: float = 0, by: By = "weight") -> FloatArray:
    """sum(w x) / sum(w) over the reported children; see the module.

    Raises:
        ValueError: an infinite value, a negative or missing weight, or shapes that do not fit.
    """
    x, w = _checked(values, weights)
    return _mean(x, w, threshold, by)


def geometric(values: ArrayLike, weights: ArrayLike, *, threshold: float = 0, by: By = "weight") -> FloatArray:
    """exp(sum(w ln x) / sum(w)) over the reported children: a low child is made up for by others only in part.

    Raises:
        ValueError: as `arithmetic`; or a value of 0 or less, at which a product says nothing about the others. Scale to
            1..100 first.
    """
    x, w = _checked(values, weights)
    _positive(x, "geometric")
    result: FloatArray = np.exp(_mean(np.log(x), w, threshold, by))
    return result


def harmonic(values: ArrayLike, weights: ArrayLike, *, threshold: float = 0, by: By = "weight") -> FloatArray:
    """sum(w) / sum(w / x) over the reported children.

    Raises:
        ValueError: as `arithmetic`; or a value of 0 or less.
    """
    x, w = _checked(values, weights)
    _positive(x, "harmonic")
    return 1 / _mean(1 / x, w, threshold, by)


def generalised(
    values: ArrayLike, weights: ArrayLike, *, power: float, threshold: float = 0, by: By = "weight"
) -> FloatArray:
    """(sum(w x^p) / sum(w))^(1/p) over the reported children; the geometric mean at p = 0, its limit.

    Args:
        values: see the module.
        weights: see the module.
        power: p: 1 arithmetic, -1 harmonic; the smaller, the less a high child makes up for a low one.
        threshold: see the module.
        by: see the module.

    Raises:
        ValueError: as `arithmetic`; a negative value; at p <= 0 also a value of 0.
    """
    x, w = _checked(values, weights)
    if power <= 0:
        _positive(x, f"generalised with power {power}")
    elif (x < 0).any():
        raise ValueError(f"generalised: expected values of 0 or more, got {float(np.nanmin(x))}")
    if power == 0:
        result: FloatArray = np.exp(_mean(np.log(x), w, threshold, by))
        return result
    end = np.fmax if power > 0 else np.fmin  # in units of it no power overflows
    scale = end.reduce(x, axis=-1, keepdims=True, initial=np.nan)
    scale = np.where(scale > 0, scale, 1.0)
    return scale[..., 0] * _mean((x / scale) ** power, w, threshold, by) ** (1 / power)


def _mean(x: FloatArray, w: FloatArray, threshold: float, by: By) -> FloatArray:
    missing = np.isnan(x)
    whole = np.asarray(w.sum(axis=-1))[..., np.newaxis]
    if not missing.any():
        return ratio(_product(x, w), whole)
    seen = (~missing).astype(np.float64)
    weight = _product(seen, w)
    result = ratio(_product(np.where(missing, 0.0, x), w), weight)
    if threshold > 0:
        share = ratio(weight, whole) if by == "weight" else seen.sum(axis=-1) / max(x.shape[-1], 1)
        result = np.where(share >= threshold - _SLACK, result, np.nan)
    return result


def _product(x: FloatArray, w: FloatArray) -> FloatArray:
    """The sum, over the children, of x (..., units, children) times w (..., children)."""
    if x.ndim == 2:  # noqa: PLR2004 -- one table: all draws of weights in one product
        result: FloatArray = np.matmul(w, x.T)
    else:
        result = np.matmul(x, w[..., np.newaxis])[..., 0]
    return result


def _checked(values: ArrayLike, weights: ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, w = figures(values, least_axes=2), figures(weights, name="weights")
    if x.shape[-1] != w.shape[-1]:
        raise ValueError(f"weights: expected one for each of {x.shape[-1]} children, got {w.shape[-1]}")
    if not (w >= 0).all():
        raise ValueError("weights: expected 0 or more, got a negative or a missing one")
    return x, w


def _positive(x: FloatArray, name: str) -> None:
    if (x <= 0).any():
        raise ValueError(f"{name} mean: expected values above 0, got {float(np.nanmin(x))}")
