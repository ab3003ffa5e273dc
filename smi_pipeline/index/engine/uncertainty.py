"""How much a rank hangs on choices that could have been made otherwise.

Draws of weights and of the normalisation give draws of ranks; these are told as a median and an interval, and as tiers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import FloatArray, IntArray, figures
from smi_pipeline.index.engine.ranking import DECIMALS, ranks
from smi_pipeline.index.engine.tree import Tree, TreeError

_CHUNK: Final = 2048  # draws at a time: what is held beside the result stays in the cache


def noisy_weights(weights: ArrayLike, rng: np.random.Generator, *, draws: int, part: float = 0.25) -> FloatArray:
    """Draws of weights, each uniform within +-`part` of what it is, independent of the others.

    Args:
        weights: (nodes,); only proportions within a group will count.
        rng: a seeded generator: the same seed gives the same draws.
        draws: how many.
        part: at most 1, so that no weight becomes negative.

    Returns:
        (draws, nodes).

    Raises:
        ValueError: `part` is not within 0..1.

    Source: COINr `get_noisy_weights`.
    """
    if not 0 <= part <= 1:
        raise ValueError(f"noisy_weights: expected a part within 0..1, got {part}")
    given = figures(weights, name="weights")
    result: FloatArray = given * rng.uniform(1 - part, 1 + part, size=(draws, given.size))
    return result


def draw_ranks(
    tree: Tree,
    tables: ArrayLike,
    *,
    weights: ArrayLike,
    choice: ArrayLike | None = None,
    geometric: Collection[int] = (),
    decimals: int = DECIMALS,
) -> FloatArray:
    """The ranks under each draw of weights and of an alternative: a way to normalise, to fill gaps, to aggregate.

    Args:
        tree: the index.
        tables: (alternatives, units, leaves): the values, normalised, as each alternative has them; NaN = not reported.
        weights: (draws, nodes).
        choice: (draws,): which alternative each draw takes; None takes the first.
        geometric: the alternatives whose means are geometric, of values above 0; the others' are arithmetic.
        decimals: scores are rounded to this before ranking.

    Returns:
        (draws, units); NaN where a unit has no score.

    Raises:
        TreeError: shapes do not fit, or a draw chooses an alternative that is not there.
        ValueError: a geometric alternative has a value of 0 or less.
    """
    alternatives, drawn = figures(tables, name="tables", least_axes=3), figures(weights, name="weights", least_axes=2)
    which = np.zeros(len(drawn), dtype=np.int64) if choice is None else np.asarray(choice, dtype=np.int64)
    if which.shape != drawn.shape[:1] or ((which < 0) | (which >= len(alternatives))).any():
        raise TreeError(f"choice: expected one of {len(alternatives)} alternatives for each of {len(drawn)} draws")
    result = np.empty((len(drawn), alternatives.shape[1]))
    for number, table in enumerate(alternatives):
        taken = np.flatnonzero(which == number)
        mean: Literal["geometric", "arithmetic"] = "geometric" if number in geometric else "arithmetic"
        for start in range(0, len(taken), _CHUNK):
            some = taken[start : start + _CHUNK]
            result[some] = ranks(tree.scores(table, drawn[some], mean=mean), decimals=decimals)
    return result


def quantiles(values: ArrayLike, *probabilities: float) -> FloatArray:
    """Quantiles over the draws, type 7: linear between the sorted values at position (n - 1) p.

    Args:
        values: (draws, ...); NaN is left out.
        probabilities: each within 0..1.

    Returns:
        (probabilities, ...); NaN where no draw has a value.

    Source: Hyndman & Fan 1996, definition 7; R's default.
    """
    x = figures(values)
    count = np.sum(~np.isnan(x), axis=0)
    in_order = np.sort(np.moveaxis(x, 0, -1), axis=-1)  # NaN last; the draws together in memory
    result = np.full((len(probabilities), *x.shape[1:]), np.nan)
    for row, probability in enumerate(probabilities):
        if not 0 <= probability <= 1:
            raise ValueError(f"quantiles: expected probabilities within 0..1, got {probability}")
        if in_order.shape[-1]:
            result[row] = _at(in_order, count, probability)
    return result


@dataclass(frozen=True)
class RankSpread:
    """What the draws say about each unit's rank; every attribute (units,).

    Attributes:
        median: over the draws in which it is ranked; NaN if in none, as for the next three.
        mean: likewise.
        low: the 5 % quantile: the better end.
        high: the 95 % quantile.
        top: of the draws in which it is ranked, as for the four above, the share that ranks it `best` or better; 0 if
            it is ranked in none.
        ranked: the share of draws in which it is ranked.
    """

    median: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    top: FloatArray
    ranked: FloatArray


def rank_spread(drawn: ArrayLike, *, best: int = 10, low: float = 0.05, high: float = 0.95) -> RankSpread:
    """Median, mean, interval and the chance of being among the `best`.

    Args:
        drawn: (draws, units): ranks; NaN = not ranked. At least one draw.
        best: the rank down to which `top` counts.
        low: the interval's lower probability.
        high: its upper one.

    Raises:
        ValueError: no draws.
    """
    x = figures(drawn, name="ranks", least_axes=2)
    if not len(x):
        raise ValueError("rank_spread: expected at least one draw, got none")
    seen = ~np.isnan(x)
    count = seen.sum(axis=0)
    middle, lower, upper = quantiles(x, 0.5, low, high)
    total = np.where(seen, x, 0.0).sum(axis=0)
    return RankSpread(
        median=middle,
        mean=np.where(count > 0, total / np.maximum(count, 1), np.nan),
        low=lower,
        high=upper,
        top=np.asarray((x <= best).sum(axis=0) / np.maximum(count, 1)),
        ranked=np.asarray(seen.mean(axis=0)),
    )


def tiers(spread: RankSpread) -> FloatArray:
    """Tiers of units that the draws do not tell apart; (units,), 1 = first, NaN where a unit has no interval.

    Units are taken by median, then by the better and the worse end of their interval. The first one leads tier 1. Each
    next one joins the current tier if its interval begins no later than that of the tier's leader ends, and leads the
    next tier otherwise. So everyone in a tier overlaps its leader, and no tier grows without end along a chain of
    overlaps: the last of one tier may well overlap the first of the next. Units with the same figures are in the same
    tier, whatever order they come in.
    """
    result = np.full(spread.median.shape, np.nan)
    tier, ends = 0, -np.inf
    for unit in np.lexsort((spread.high, spread.low, spread.median)):
        if np.isnan(spread.median[unit]):
            break  # sorted last
        if spread.low[unit] > ends:
            tier, ends = tier + 1, spread.high[unit]
        result[unit] = tier
    return result


def mean_rank_shift(drawn: ArrayLike, nominal: ArrayLike) -> FloatArray:
    """How far ranks are from the nominal ones: the mean, over the units ranked in both, of the absolute difference.

    Args:
        drawn: (..., units): ranks; NaN = not ranked.
        nominal: (units,): the ranks as published.

    Returns:
        (...), one a draw; NaN where no unit is ranked in both.

    Source: COINr `get_sensitivity`, the outcome of its sensitivity analysis.
    """
    off = np.abs(figures(drawn, name="ranks") - figures(nominal, name="nominal"))
    seen = ~np.isnan(off)
    count = seen.sum(axis=-1)
    return np.asarray(np.where(count > 0, np.where(seen, off, 0.0).sum(axis=-1) / np.maximum(count, 1), np.nan))


def remove_one(tree: Tree, values: ArrayLike, *, decimals: int = DECIMALS) -> FloatArray:
    """How each unit's rank changes when one indicator is left out: nominal rank - rank without, so positive = better.

    The weight of the one left out goes to its siblings, or with the last of a group to the group's.

    Args:
        tree: the index; arithmetic means.
        values: (units, leaves), normalised; NaN = not reported.
        decimals: scores are rounded to this before ranking.

    Returns:
        (leaves, units); NaN where a unit is not ranked with and without. Leaving out the only leaf ranks nobody.

    Source: COINr `remove_elements`.
    """
    x = figures(values, least_axes=2)
    places = [tree.place(code) for code in tree.leaves]
    root = tree.place(tree.root)
    nominal = ranks(tree.aggregate(x)[..., root], decimals=decimals)
    shifts = np.empty((len(places), len(x)))
    for leaf in range(len(places)):
        without = x.copy()
        without[:, leaf] = np.nan
        shifts[leaf] = nominal - ranks(tree.aggregate(without)[..., root], decimals=decimals)
    return shifts


def _at(in_order: FloatArray, count: IntArray, probability: float) -> FloatArray:
    """The value at position (count - 1) * probability of each row, linear between two; NaN for an empty one."""
    place = np.maximum(count - 1, 0) * probability
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    lower = np.take_along_axis(in_order, below[..., np.newaxis], axis=-1)[..., 0]
    upper = np.take_along_axis(in_order, above[..., np.newaxis], axis=-1)[..., 0]
    result: FloatArray = lower + (place - below) * (upper - lower)
    return result
