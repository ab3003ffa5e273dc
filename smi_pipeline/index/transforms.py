"""From a raw value to points: a transform, then fixed goalposts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import FloatArray, figures
from smi_pipeline.index.engine.normalisation import goalposts
from smi_pipeline.index.method import TransformName


def transformed(values: ArrayLike, transform: TransformName) -> FloatArray:
    """The values on the scale on which points are dealt out; NaN stays NaN.

    ln1p: ln(1 + x) of a count or rate >= 0, on which each doubling of a large x adds the same amount. asinh100:
    asinh(x / 100), nearly linear within +-100, logarithmic beyond, and odd, so that losses count like gains.
    """
    x = figures(values, least_axes=0)
    result: FloatArray = np.log1p(x) if transform == "ln1p" else np.arcsinh(x / 100)
    return result


def points(values: ArrayLike, transform: TransformName, lo: float, hi: float) -> FloatArray:
    """0..100 for raw values between raw goalposts: 0 at lo and below, 100 at hi and above; NaN stays NaN.

    Nothing of the month enters: a value gives the same points whatever the other cities did.
    """
    return goalposts(transformed(values, transform), transformed(lo, transform), transformed(hi, transform))
