"""What draws say about ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smi_pipeline.index.engine.aggregation import arithmetic, geometric
from smi_pipeline.index.engine.normalisation import min_max, percentile_rank
from smi_pipeline.index.engine.ranking import ranks
from smi_pipeline.index.engine.tree import Tree, TreeError
from smi_pipeline.index.engine.uncertainty import (
    RankSpread,
    draw_ranks,
    mean_rank_shift,
    noisy_weights,
    quantiles,
    rank_spread,
    remove_one,
    tiers,
)

nan = np.nan
TREE = Tree.of([("a", "g", 1.0), ("b", "g", 1.0), ("c", "index", 1.0), ("g", "index", 1.0), ("index", None)])
drawn_ranks = arrays(
    np.float64, st.tuples(st.integers(1, 9), st.integers(1, 6)), elements=st.integers(1, 6).map(float) | st.just(nan)
)


def like(*expected):
    return pytest.approx(np.array(expected, dtype=float), nan_ok=True)


def spread_of(*intervals):
    """From (low, median, high) of each unit."""
    low, median, high = np.array(intervals, dtype=float).T
    return RankSpread(median=median, mean=median, low=low, high=high, top=median, ranked=median)


def test_quantiles_of_type_seven_by_hand():
    """Of 1 2 4 8 the 5 % quantile lies at position 0.15: 1.15; the 95 % one at 2.85: 4 + 0.85 * 4."""
    x = np.array([[8.0, nan], [1, 5], [2, nan], [4, nan]])
    got = quantiles(x, 0.05, 0.5, 0.95)
    assert got[:, 0] == like(1.15, 3, 7.4)
    assert got[:, 1] == like(5, 5, 5)


def test_the_outermost_quantiles_are_the_least_and_the_greatest():
    assert quantiles([8.0, 1, 2, 4], 0, 1) == like(1, 8)


def test_quantiles_of_nothing():
    assert np.isnan(quantiles(np.full((3, 2), nan), 0.5)).all()
    assert np.isnan(quantiles(np.empty((0, 2)), 0.5)).all()
    with pytest.raises(ValueError, match=r"within 0\.\.1, got 5"):
        quantiles([1.0, 2], 5)


def test_a_spread_by_hand():
    drawn = np.array([[1.0, 2, nan, nan], [1, 2, 3, nan], [2, 1, nan, nan], [1, 4, 3, nan]])
    got = rank_spread(drawn, best=1)
    assert got.median == like(1, 2, 3, nan)
    assert got.mean == like(1.25, 2.25, 3, nan)
    assert got.low == like(1, 1.15, 3, nan)
    assert got.high == like(1.85, 3.7, 3, nan)
    assert got.top == like(0.75, 0.25, 0, 0)
    assert got.ranked == like(1, 1, 0.5, 0)


def test_the_chance_of_the_top_rests_on_the_draws_that_rank_a_unit_as_the_median_does():
    got = rank_spread(np.array([[1.0, nan], [nan, nan], [nan, nan], [2, nan]]), best=1)
    assert got.median == like(1.5, nan)
    assert got.top == like(0.5, 0)


def test_one_draw_is_enough_for_a_mean():
    assert rank_spread([[3.0], [nan]]).mean == like(3)


def test_a_spread_needs_a_draw():
    with pytest.raises(ValueError, match="at least one draw"):
        rank_spread(np.empty((0, 3)))


def test_tiers_by_hand():
    """1-3 leads; 2-6 begins before 3; 4-5 does not and leads; 5-9 joins it, though 2-6 reached as far."""
    assert tiers(spread_of((1, 2, 3), (2, 3, 6), (4, 4.5, 5), (5, 6, 9), (5.5, 7, 8))) == like(1, 1, 2, 2, 3)


def test_tiers_that_touch_are_one_and_the_unranked_are_in_none():
    assert tiers(spread_of((4, 4, 4), (nan, nan, nan), (1, 2, 4), (1, 1, 1))) == like(2, nan, 1, 1)


def test_tiers_do_not_grow_along_a_chain():
    """Each overlaps the next by half: one tier by overlaps alone, but nobody would call 1 and 10 equals."""
    assert tiers(spread_of(*((n, n + 1, n + 2) for n in range(1, 10)))) == like(1, 1, 1, 2, 2, 2, 3, 3, 3)


@given(drawn_ranks, st.randoms(use_true_random=False))
def test_tiers_hang_on_no_order_and_everyone_overlaps_the_leader(drawn, shuffler):
    spread = rank_spread(drawn)
    got = tiers(spread)
    order = list(range(len(got)))
    shuffler.shuffle(order)
    assert np.array_equal(tiers(rank_spread(drawn[:, order])), got[order], equal_nan=True)
    assert np.array_equal(np.isnan(got), np.isnan(spread.median))
    for tier in np.unique(got[~np.isnan(got)]):
        members = np.flatnonzero(got == tier)
        leader = members[np.lexsort((spread.high[members], spread.low[members], spread.median[members]))[0]]
        assert (spread.low[members] <= spread.high[leader]).all()
        assert (spread.high[members] >= spread.low[leader]).all()
    numbers = np.unique(got[~np.isnan(got)])
    assert numbers.tolist() == list(range(1, len(numbers) + 1))


@given(drawn_ranks)
def test_quantiles_are_numpys_where_it_has_them(drawn):
    seen = ~np.isnan(drawn).all(axis=0)
    expected = np.nanquantile(drawn[:, seen], [0.05, 0.5, 0.95], axis=0)
    assert np.allclose(quantiles(drawn, 0.05, 0.5, 0.95)[:, seen], expected)


def test_noisy_weights_stay_within_their_part_and_the_seed_decides():
    weights = np.array([0.0, 1, 4])
    one = noisy_weights(weights, np.random.default_rng(7), draws=500)
    assert one.shape == (500, 3)
    assert (one >= 0.75 * weights).all()
    assert (one <= 1.25 * weights).all()
    assert one[:, 2].min() < 3.1
    assert one[:, 2].max() > 4.9
    assert np.array_equal(one, noisy_weights(weights, np.random.default_rng(7), draws=500))
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        noisy_weights(weights, np.random.default_rng(7), draws=1, part=1.5)


def test_ranks_of_draws_are_those_of_each_draw_alone():
    rng = np.random.default_rng(8)
    values = rng.lognormal(size=(12, 3))
    values[rng.random(values.shape) < 0.2] = nan
    tables = np.stack([min_max(values), percentile_rank(values)])
    weights, choice = noisy_weights(TREE.weights, rng, draws=2500, part=0.9), rng.integers(0, 2, size=2500)
    got = draw_ranks(TREE, tables, weights=weights, choice=choice)
    for draw in (0, 1, 2, 1200, 2400, 2499):
        scores = TREE.aggregate(tables[choice[draw]], weights=weights[draw])[:, TREE.place("index")]
        assert np.array_equal(got[draw], ranks(scores), equal_nan=True)
    twice = draw_ranks(TREE, np.stack([values, values]), weights=weights[:2], choice=[0, 1], geometric={1})
    for draw, mean in enumerate((arithmetic, geometric)):
        scores = TREE.aggregate(values, weights=weights[draw], mean=mean)[:, TREE.place("index")]
        assert np.array_equal(twice[draw], ranks(scores), equal_nan=True)
    first = draw_ranks(TREE, tables, weights=weights[:3])
    assert np.array_equal(first, draw_ranks(TREE, tables[:1], weights=weights[:3]), equal_nan=True)


@pytest.mark.parametrize("choice", [[0, 2], [0, -1], [0], [0, 0, 0]])
def test_a_choice_that_is_not_there_is_refused(choice):
    with pytest.raises(TreeError, match="one of 2 alternatives for each of 2 draws"):
        draw_ranks(TREE, np.zeros((2, 3, 3)), weights=np.ones((2, 5)), choice=choice)


def test_the_mean_shift_by_hand():
    assert mean_rank_shift([[1.0, 2, 3], [3, 2, 1], [2, nan, nan], [nan] * 3], [1.0, 2, 3]) == like(0, 4 / 3, 1, nan)
    assert mean_rank_shift([2.0, 1, 3], [1.0, 2, nan]) == pytest.approx(1)


def test_leaving_one_indicator_out_by_hand():
    """Index = (c + (a + b) / 2) / 2. Unit 0: 40, unit 1: 50, unit 2: 32.5."""
    values = [[90.0, 10, 30], [0, 0, 100], [50, 80, 0]]
    got = remove_one(TREE, values)
    # without a: 20, 50, 40; without b: 60, 50, 25; without c: 50, 0, 65
    assert got.tolist() == [[-1, 0, 1], [1, -1, 0], [0, -2, 2]]


def test_leaving_out_the_last_of_a_group_drops_the_group_and_the_only_leaf_ranks_nobody():
    tree = Tree.of([("a", "g", 1.0), ("b", "index", 1.0), ("g", "index", 1.0), ("index", None)])
    assert remove_one(tree, [[9.0, 1], [1, 8]]).tolist() == [[-1, 1], [0, 0]]
    assert np.isnan(remove_one(Tree.flat({"a": 1}), [[9.0], [1]])).all()
