"""Means of children, some of whom are missing."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smi_pipeline.index.engine.aggregation import arithmetic, generalised, geometric, harmonic

nan = np.nan
few = settings(max_examples=30)  # of each function, and there are many
MEANS = {
    "arithmetic": arithmetic,
    "geometric": geometric,
    "harmonic": harmonic,
    "quadratic": partial(generalised, power=2),
    "to the limit": partial(generalised, power=0),
    "to minus three": partial(generalised, power=-3),
}
positive = st.integers(1, 10**4).map(lambda n: n / 100)
weights = st.lists(st.integers(1, 9).map(float), min_size=3, max_size=3)
tables = arrays(np.float64, st.tuples(st.integers(0, 6), st.just(3)), elements=positive | st.just(nan))


def like(*expected):
    return pytest.approx(np.array(expected, dtype=float), nan_ok=True)


def test_means_by_hand():
    table, weight = [[2.0, 8], [2, nan], [nan, nan]], [3.0, 1]
    assert arithmetic(table, weight) == like(14 / 4, 2, nan)
    assert geometric(table, weight) == like(2**1.5, 2, nan)  # (2^3 * 8)^(1/4)
    assert harmonic(table, weight) == like(4 / (3 / 2 + 1 / 8), 2, nan)
    assert generalised(table, weight, power=2) == like(((3 * 4 + 64) / 4) ** 0.5, 2, nan)


def test_the_generalised_mean_contains_the_others():
    table, weight = [[2.0, 8, 5], [3, nan, 1]], [3.0, 1, 2]
    assert generalised(table, weight, power=1) == pytest.approx(arithmetic(table, weight))
    assert generalised(table, weight, power=0) == pytest.approx(geometric(table, weight))
    assert generalised(table, weight, power=1e-7) == pytest.approx(geometric(table, weight), rel=1e-6)
    assert generalised(table, weight, power=-1) == pytest.approx(harmonic(table, weight))


def test_high_powers_of_large_values_do_not_overflow():
    assert generalised([[1e300, 2e300], [0, 0]], [1.0, 1], power=400) == like(2e300 * 0.5 ** (1 / 400), 0)
    assert generalised([[1e-300, 2e-300]], [1.0, 1], power=-400) == like(1e-300 * 0.5 ** (-1 / 400))


@pytest.mark.parametrize(
    ("mean", "value"),
    [
        (geometric, 0),
        (geometric, -1),
        (harmonic, 0),
        (partial(generalised, power=-1), 0),
        (partial(generalised, power=0), 0),
        (partial(generalised, power=2), -1),
    ],
)
def test_values_a_mean_cannot_take_are_refused(mean, value):
    """A city with nothing on one platform would take the whole index to 0, or out of the real numbers."""
    with pytest.raises(ValueError, match=f"got {value}"):
        mean([[1.0, value, nan]], [1.0, 1, 1])


def test_a_weight_of_nothing_leaves_a_child_out():
    assert arithmetic([[1.0, 9], [nan, 9]], [1.0, 0]) == like(1, nan)


def test_too_little_data_is_no_score():
    table = [[1.0, 2, 3], [1, nan, 3], [nan, 2, nan], [nan, nan, nan]]
    weight = [0.6, 0.3, 0.1]
    assert np.isnan(arithmetic(table, weight, threshold=0.6)).tolist() == [False, False, True, True]
    assert np.isnan(arithmetic(table, weight, threshold=0.75)).tolist() == [False, True, True, True]
    assert np.isnan(arithmetic(table, weight, threshold=0.6, by="number")).tolist() == [False, False, True, True]
    assert np.isnan(arithmetic(table, weight, threshold=0.7, by="number")).tolist() == [False, True, True, True]


def test_rounding_does_not_cost_a_unit_its_score():
    """0.1 + 0.2 + 0.3 is a little more than 0.6, 0.7 of it may be a little less."""
    assert not np.isnan(arithmetic([[1.0, 2, 3, nan]], [0.1, 0.2, 0.3, 0.4], threshold=0.6)).any()
    assert not np.isnan(arithmetic([[1.0, 2, nan]], [0.7, 0.1, 0.2], threshold=0.8)).any()


def test_draws_of_weights_and_of_values():
    table = np.array([[2.0, 8], [2, nan]])
    drawn = np.array([[1.0, 1], [3, 1], [0, 1]])
    assert arithmetic(table, drawn) == like([5, 2], [3.5, 2], [8, nan])
    both = np.stack([table, table + 1, table + 2])
    assert arithmetic(both, drawn) == like([5, 2], [4.5, 3], [10, nan])
    assert arithmetic(both, [1.0, 1]) == like([5, 2], [6, 3], [7, 4])
    assert arithmetic(both, drawn, threshold=0.6, by="number") == like([5, nan], [4.5, nan], [10, nan])


@pytest.mark.parametrize("wrong", [[1.0], [1.0, -1], [1.0, nan]])
def test_weights_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="weights: expected"):
        arithmetic([[1.0, 2]], wrong)


@pytest.mark.parametrize("name", sorted(MEANS))
@few
@given(table=tables, weight=weights, scale=st.sampled_from([0.5, 3.0, 100.0]))
def test_a_mean_lies_between_and_only_proportions_count(name, table, weight, scale):
    mean = MEANS[name]
    got = mean(table, weight)
    for row, value in zip(table, got, strict=True):
        seen = row[~np.isnan(row)]
        assert np.isnan(value) if not seen.size else seen.min() - 1e-9 <= value <= seen.max() + 1e-9
    assert np.allclose(got, mean(table, np.multiply(weight, scale)), equal_nan=True)
    assert np.allclose(got * scale, mean(table * scale, weight), equal_nan=True)


@pytest.mark.parametrize("name", sorted(MEANS))
@few
@given(table=tables, weight=weights, more=positive, child=st.integers(0, 2))
def test_more_of_a_child_is_never_less_of_the_whole(name, table, weight, more, child):
    raised = table.copy()
    raised[:, child] += more
    low, high = MEANS[name](table, weight), MEANS[name](raised, weight)
    assert (high[~np.isnan(high)] >= low[~np.isnan(high)] - 1e-9).all()


@given(table=tables, weight=weights)
def test_the_means_stand_in_their_order(table, weight):
    got = [harmonic(table, weight), geometric(table, weight), arithmetic(table, weight)]
    got = [mean[~np.isnan(mean)] for mean in (*got, generalised(table, weight, power=2))]
    for less, more in pairwise(got):
        assert (less <= more + 1e-9).all()


@given(table=tables, weight=weights, order=st.permutations(range(3)))
def test_the_order_of_the_children_means_nothing(table, weight, order):
    got = arithmetic(table[:, order], np.array(weight)[list(order)])
    assert np.allclose(got, arithmetic(table, weight), equal_nan=True)
