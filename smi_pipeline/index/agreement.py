"""How far raters agree: Krippendorff's alpha for interval data, and the intraclass correlation for absolute agreement.

Both take one matrix, raters by units, with NaN where a rater did not rate a unit. They answer different questions:
alpha uses every pair of ratings there is and so holds for incomplete designs; the correlation needs a full block, and
says how far one rater's score, or the mean of the block's raters, can be trusted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ratings = NDArray[np.float64]
"""Raters by units; NaN is not rated."""

PAIR = 2
"""The least that can agree or differ."""


def krippendorff_alpha_interval(values: Ratings) -> float | None:
    """Krippendorff's alpha, interval metric.

    alpha = 1 - D_o / D_e. D_o is the mean squared difference between ratings of the same unit, where a unit with m
    ratings counts m times and a unit with one rating has nothing to differ from; D_e is the mean squared difference
    between any two of those ratings, whatever their units.

    Args:
        values: raters by units, NaN where not rated.

    Returns:
        1 for perfect agreement, 0 for what chance would give, negative for systematic disagreement. Null where it is
        not defined: no unit has two ratings, or all ratings are equal, which shows neither agreement nor its lack.

    Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), sections C and D.
    """
    rated = ~np.isnan(values)
    paired = values[:, rated.sum(axis=0) >= PAIR]
    there = ~np.isnan(paired)
    given = paired[there]
    if given.size == 0 or given.min() == given.max():
        return None
    of_unit = there.sum(axis=0)
    # Differences do not depend on where zero is; squares of large numbers would lose them.
    centred = np.where(there, paired - given.mean(), 0.0)
    apart = np.where(there, centred - centred.sum(axis=0) / of_unit, 0.0)
    observed = float(((apart**2).sum(axis=0) / (of_unit - 1) * of_unit).sum()) / given.size
    expected = float((centred**2).sum()) / (given.size - 1)
    return 1.0 - observed / expected


def icc_agreement(values: Ratings) -> tuple[float | None, float | None]:
    """The intraclass correlation for absolute agreement, of a single rater and of the raters' mean.

    ICC(A,1) and ICC(A,k) of McGraw and Wong, ICC(2,1) and ICC(2,k) of Shrout and Fleiss: raters and units both stand
    for more of their kind, and a rater who is stricter throughout counts as disagreement.

    Args:
        values: raters by units, NaN where not rated. Units that any of the raters did not rate are left out.

    Returns:
        (single, average). Both null with fewer than two raters or two complete units, and where all ratings are equal;
        each null where its denominator is not positive.

    Source: P. E. Shrout, J. L. Fleiss, Intraclass Correlations (1979), Psychological Bulletin 86, 420-428.
    """
    block = values[:, ~np.isnan(values).any(axis=0)]
    raters, units = block.shape
    if raters < PAIR or units < PAIR or block.min() == block.max():
        return None, None
    block = block - block.mean()
    of_unit, of_rater = block.mean(axis=0), block.mean(axis=1)
    between_units = raters * float((of_unit**2).sum()) / (units - 1)
    between_raters = units * float((of_rater**2).sum()) / (raters - 1)
    rest = block - of_unit[np.newaxis, :] - of_rater[:, np.newaxis]
    error = float((rest**2).sum()) / ((units - 1) * (raters - 1))
    signal = between_units - error
    severity = (between_raters - error) / units
    single = between_units + (raters - 1) * error + raters * severity
    average = between_units + severity
    return signal / single if single > 0 else None, signal / average if average > 0 else None


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
    blocks = [(raters, units) for raters, units in panels.items() if len(raters) >= PAIR]
    if not blocks:
        return np.empty((0, 0))
    raters, units = min(blocks, key=lambda block: (-len(block[0]) * len(block[1]), block[0]))
    return values[np.ix_(raters, units)]
