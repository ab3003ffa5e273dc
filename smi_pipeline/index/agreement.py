"""How far raters agree: Krippendorff's alpha for interval data, and the intraclass correlation for absolute agreement.

Both take one matrix, raters by units, with NaN where a rater did not rate a unit. They answer different questions:
alpha uses every pair of ratings there is and so holds for incomplete designs; the correlation needs a full block, and
says how far one rater's score, or the mean of the block's raters, can be trusted. The arithmetic is the engine's; here
what is not defined is null, as in the tables.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from smi_pipeline.index.engine.reliability import icc, krippendorff_alpha

Ratings = NDArray[np.float64]
"""Raters by units; NaN is not rated."""

_PAIR = 2


def krippendorff_alpha_interval(values: Ratings) -> float | None:
    """Krippendorff's alpha, interval metric: 1 for perfect agreement, 0 for what chance would give.

    Null where no unit has two ratings, or all such ratings are equal, which shows neither agreement nor its lack.
    """
    return _known(krippendorff_alpha(values))


def icc_agreement(values: Ratings) -> tuple[float | None, float | None]:
    """ICC(A,1) and ICC(A,k): of a single rater, and of the raters' mean, over the units that all of them rated.

    Null with fewer than two raters or two such units, and where all ratings are equal.
    """
    return _known(icc(values)), _known(icc(values, of="mean"))


def complete_block(values: Ratings) -> Ratings:
    """The largest part of an incomplete design in which every rater rated every unit.

    Units rated by exactly the same raters make a block: in a balanced design these are panels. Most ratings win, and
    on a tie the block of the earlier raters. Larger blocks across panels are not looked for: nobody designed them.

    Args:
        values: raters by units, NaN where not rated.

    Returns:
        Its rows and columns, in their order. Without a unit that two raters rated, no rows and no columns.
    """
    rated = ~np.isnan(values)
    panels: dict[tuple[int, ...], list[int]] = {}
    for unit in range(values.shape[1]):
        panels.setdefault(tuple(np.flatnonzero(rated[:, unit]).tolist()), []).append(unit)
    blocks = [(raters, units) for raters, units in panels.items() if len(raters) >= _PAIR]
    if not blocks:
        return np.empty((0, 0))
    raters, units = min(blocks, key=lambda block: (-len(block[0]) * len(block[1]), block[0]))
    return values[np.ix_(raters, units)]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
