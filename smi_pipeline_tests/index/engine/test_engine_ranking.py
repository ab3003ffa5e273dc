"""Places and ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from smi_pipeline.index.engine.ranking import ascending, ranks

nan = np.nan
scores = arrays(
    np.float64, array_shapes(max_dims=3, max_side=8), elements=st.integers(-20, 20).map(lambda n: n / 4) | st.just(nan)
)


def same(got, expected):
    assert np.array_equal(got, np.asarray(expected, dtype=float), equal_nan=True)


def test_ties_share_the_best_place_and_the_next_ones_are_skipped():
    same(ranks([50.0, 70, nan, 70, 60]), [4, 1, nan, 1, 3])


def test_scores_that_differ_only_beyond_the_sixth_decimal_are_ties():
    """0.1 + 0.2 is not 0.3, yet nobody is better for the order of a sum."""
    same(ranks([0.1 + 0.2, 0.3, 0.300001]), [2, 2, 1])
    same(ranks([0.1 + 0.2, 0.3], decimals=None), [1, 2])
    same(ranks([1.4, 1.2, 0.9], decimals=0), [1, 1, 1])


def test_scores_too_great_to_have_decimals_are_ranked_as_they_are():
    same(ranks([1e308, 9e307, -1e308]), [1, 2, 3])


def test_mean_ranks_from_below():
    same(ascending([3.0, 1, 3, nan, 3, 2], ties="average"), [4, 1, 4, nan, 4, 2])
    same(ascending([3.0, 1, 3, nan, 3, 2]), [3, 1, 3, nan, 3, 2])
    same(ascending([nan, 5.0, 5], ties="average"), [nan, 1.5, 1.5])


def test_draws_lie_on_the_axes_before_the_units_or_the_axis_is_named():
    table = np.array([[1.0, 2, 3], [3, 2, 2]])
    same(ranks(table), [[3, 2, 1], [1, 2, 2]])
    same(ranks(table.T, axis=0), [[3, 1], [2, 2], [1, 2]])


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_nobody_to_rank(shape):
    assert ranks(np.empty(shape)).shape == shape


def test_nobody_scored():
    same(ranks([nan, nan]), [nan, nan])
    same(ranks([7.0]), [1])


def test_an_infinite_score_is_refused():
    with pytest.raises(ValueError, match="scores: expected finite numbers or NaN, got 1 infinite"):
        ranks([1.0, np.inf])


@given(scores)
def test_a_rank_is_one_more_than_the_number_of_greater_scores(x):
    by_hand = 1.0 + (x[..., np.newaxis, :] > x[..., :, np.newaxis]).sum(axis=-1)
    same(ranks(x), np.where(np.isnan(x), nan, by_hand))


@given(scores)
def test_mean_ranks_add_up_whatever_the_ties(x):
    got = ascending(x, ties="average")
    n = (~np.isnan(x)).sum(axis=-1)
    assert np.allclose(np.nan_to_num(got).sum(axis=-1), n * (n + 1) / 2)
    below = (x[..., np.newaxis, :] < x[..., :, np.newaxis]).sum(axis=-1)
    equal = (x[..., np.newaxis, :] == x[..., :, np.newaxis]).sum(axis=-1)
    same(got, np.where(np.isnan(x), nan, below + (equal + 1) / 2))


@given(scores, st.randoms(use_true_random=False))
def test_the_order_of_the_units_means_nothing(x, shuffler):
    order = list(range(x.shape[-1]))
    shuffler.shuffle(order)
    same(ranks(x[..., order]), ranks(x)[..., order])


@given(scores)
def test_the_given_array_is_left_alone(x):
    before = x.copy()
    ranks(x, axis=0)
    ascending(x, ties="average")
    same(x, before)
