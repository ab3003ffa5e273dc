"""Comparing pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smi_pipeline.index.engine.outranking import copeland, outranking

nan = np.nan
tables = arrays(
    np.float64, st.tuples(st.integers(0, 7), st.just(3)), elements=st.integers(0, 5).map(float) | st.just(nan)
)


def test_pairs_by_hand():
    """0 beats 1 in the first (0.5) and ties in the second (0.3 / 2); 2 reports the third alone."""
    table = [[9.0, 4, 1], [5, 4, 2], [nan, nan, 3]]
    expected = [[nan, 0.65, 0], [0.35, nan, 0], [1, 1, nan]]
    assert outranking(table, [5.0, 3, 2]) == pytest.approx(np.array(expected), nan_ok=True)
    assert copeland(table, [5.0, 3, 2]).tolist() == [0, -2, 2]


def test_less_may_be_better():
    assert copeland([[1.0], [2]], [1.0], direction=-1).tolist() == [1, -1]


def test_weights_that_split_evenly_are_a_draw():
    """0.1 + 0.2 against 0.3 is a draw, whatever a sum of floats says."""
    assert copeland([[1.0, 1, 0], [0, 0, 1]], [0.1, 0.2, 0.3]).tolist() == [0, 0]


def test_a_unit_that_reports_nothing_has_no_score_and_costs_nobody_one():
    assert copeland([[1.0], [nan], [2]], [1.0]) == pytest.approx([-1, nan, 1], nan_ok=True)


@pytest.mark.parametrize("wrong", [[1.0], [1.0, -1], [nan, 1]])
def test_weights_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="for each of 2 indicators"):
        outranking([[1.0, 2], [2, 1]], wrong)


@given(tables, st.randoms(use_true_random=False))
def test_pairs_add_up_to_one_scores_to_nothing_and_no_order_matters(table, shuffler):
    weights = [3.0, 2, 1]
    pairs, scores = outranking(table, weights), copeland(table, weights)
    both = pairs + pairs.T
    assert both[~np.isnan(both)] == pytest.approx(1)
    assert np.nansum(scores) == 0
    units = list(range(len(table)))
    shuffler.shuffle(units)
    assert np.array_equal(copeland(table[units], weights), scores[units], equal_nan=True)


@given(tables)
def test_only_the_order_within_an_indicator_counts(table):
    assert np.array_equal(copeland(np.exp(table), [3.0, 2, 1]), copeland(table, [3.0, 2, 1]), equal_nan=True)
