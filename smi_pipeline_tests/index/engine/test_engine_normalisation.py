"""From values of any unit to a common scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smi_pipeline.index.engine.normalisation import (
    borda,
    distance_to_max,
    distance_to_reference,
    distance_to_target,
    fraction_of_max,
    goalposts,
    min_max,
    percentile_rank,
    rank,
    scaled,
    z_score,
)

nan = np.nan
few = settings(max_examples=30)  # of each function, and there are many
x = np.array([2.0, 4, nan, 10])
whole = st.integers(-(10**6), 10**6).map(float)
tables = arrays(np.float64, st.tuples(st.integers(0, 10), st.integers(0, 4)), elements=whole | st.just(nan))
COMPARING = {
    "min_max": min_max,
    "z_score": z_score,
    "rank": rank,
    "borda": borda,
    "percentile_rank": percentile_rank,
    "distance_to_max": distance_to_max,
}
EVERY = COMPARING | {
    "goalposts": lambda values, direction=1: goalposts(values, -100, 1e5, direction=direction),
    "scaled": lambda values, direction=1: scaled(values, -100, 1e5, direction=direction),
}


def like(*expected):
    return pytest.approx(np.array(expected, dtype=float), nan_ok=True)


def test_goalposts_place_between_and_cut_beyond():
    assert goalposts([-5.0, 0, 25, 100, 200, nan], 0, 100) == like(0, 0, 25, 100, 100, nan)
    assert goalposts([-5.0, 25, 200], 0, 100, clip=False) == like(-5, 25, 200)
    assert goalposts([25.0], 0, 100, top=1) == like(0.25)


def test_goalposts_where_less_is_better():
    """COINr's example: (1 - 10) / (0 - 10)."""
    assert goalposts([1.0, -5, 20], 0, 10, direction=-1, top=1) == like(0.9, 1, 0)


def test_goalposts_of_each_indicator():
    table = np.array([[5.0, 5], [20, 20]])
    assert goalposts(table, [0, 10], [10, 30], direction=[1, -1]) == like([50, 100], [100, 50])


def test_goalposts_in_the_wrong_order_are_refused():
    for low, high in ((10, 10), (10, 5), (nan, 5)):
        with pytest.raises(ValueError, match="expected low < high"):
            goalposts(x, low, high)


def test_scaled_is_never_cut():
    assert scaled([-1.0, 0, 5, 20], 0, 10) == like(-10, 0, 50, 200)


def test_min_max_by_hand():
    assert min_max(x) == like(0, 25, nan, 100)
    assert min_max(x, direction=-1) == like(100, 75, nan, 0)
    assert min_max(x, bottom=1, top=5) == like(1, 2, nan, 5)


def test_min_max_with_bounds_that_hold_for_more_than_this_month():
    assert min_max(x, low=0, high=20) == like(10, 20, nan, 50)
    assert min_max(x, low=0, high=20, direction=-1) == like(90, 80, nan, 50)
    assert min_max(x, low=0) == like(20, 40, nan, 100)
    assert min_max([30.0], low=0, high=20) == like(150)


@pytest.mark.parametrize("bounds", [{"low": 20}, {"high": 1}, {"low": 5, "high": 5}])
def test_min_max_bounds_in_the_wrong_order_are_refused(bounds):
    with pytest.raises(ValueError, match="expected low < high"):
        min_max(x, **bounds)


def test_z_score_by_hand():
    """1 3 5: mean 3, sample sd 2."""
    y = [1.0, 3, nan, 5]
    assert z_score(y) == like(-1, 0, nan, 1)
    assert z_score(y, centre=50, spread=10, direction=-1) == like(60, 50, nan, 40)
    assert z_score(y, average=0, sd=0.5) == like(2, 6, nan, 10)


@pytest.mark.parametrize("wrong", [{"spread": 0}, {"sd": 0}, {"sd": [1, -1]}])
def test_a_spread_of_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="above 0"):
        z_score(np.ones((3, 2)), **wrong)


def test_ranks_borda_and_percentiles_by_hand():
    y = [10.0, 30, 20, 20, nan]
    assert rank(y) == like(1, 4, 2, 2, nan)
    assert borda(y) == like(0, 3, 1, 1, nan)
    assert percentile_rank(y) == like(0, 100, 100 / 3, 100 / 3, nan)
    assert percentile_rank(y, top=1) == like(0, 1, 1 / 3, 1 / 3, nan)
    assert percentile_rank(y, ties="average") == like(0, 100, 50, 50, nan)
    assert rank(y, direction=-1) == like(4, 1, 2, 2, nan)


def test_distances_by_hand():
    assert distance_to_max(x) == like(0, 0.25, nan, 1)
    assert distance_to_max(x, direction=-1) == like(1, 0.75, nan, 0)
    assert distance_to_max(x, low=0, high=20) == like(0.1, 0.2, nan, 0.5)
    assert distance_to_reference(x, 1) == like(0, 1, nan, 4)
    assert distance_to_reference(x, 1, cap=True) == like(0, 1, nan, 1)
    assert distance_to_reference(x, 1, direction=-1) == like(8 / 6, 1, nan, 0)
    assert distance_to_reference(x, 1, low=0) == like(0.5, 1, nan, 2.5)
    assert distance_to_target(x, 6) == like(0, 0.5, nan, 2)
    assert distance_to_target(x, 6, cap=True) == like(0, 0.5, nan, 1)
    assert distance_to_target(x, 4, direction=-1) == like(8 / 6, 1, nan, 0)
    assert distance_to_target(x, 6, low=-2) == like(0.5, 0.75, nan, 1.5)


def test_a_reference_that_shows_no_distance_gives_none():
    assert distance_to_reference(x, 0) == like(nan, nan, nan, nan)  # the worst itself
    assert distance_to_reference(x, 2) == like(nan, nan, nan, nan)  # not reported
    with pytest.raises(IndexError):
        distance_to_reference(x, 4)


def test_a_target_already_left_behind_is_refused():
    for target, direction in ((2, 1), (10, -1), (nan, 1)):
        with pytest.raises(ValueError, match="better than the worst"):
            distance_to_target(x, target, direction=direction)


def test_fractions_of_the_best():
    assert fraction_of_max(x) == like(0.2, 0.4, nan, 1)
    assert fraction_of_max(x, direction=-1) == like(1, 0.5, nan, 0.2)
    assert fraction_of_max(x, best=20) == like(0.1, 0.2, nan, 0.5)
    assert fraction_of_max([0.0, 0]) == like(nan, nan)
    for y, direction in (([-1.0, 2], 1), ([0.0, 2], -1)):
        with pytest.raises(ValueError, match="above 0"):
            fraction_of_max(y, direction=direction)


def test_a_direction_is_one_up_or_one_down():
    with pytest.raises(ValueError, match=r"expected \+1 or -1, got 0"):
        min_max(x, direction=0)


def test_the_parameters_of_a_panel_make_its_months_comparable():
    """Two months as one table of all their rows, or each with the panel's bounds: the same points."""
    months = np.random.default_rng(2).normal(size=(2, 20, 3))
    panel = months.reshape(40, 3)
    low, high = panel.min(axis=0), panel.max(axis=0)
    assert np.allclose(min_max(panel).reshape(2, 20, 3), min_max(months, low=low, high=high))
    average, sd = panel.mean(axis=0), panel.std(axis=0, ddof=1)
    assert np.allclose(z_score(panel).reshape(2, 20, 3), z_score(months, average=average, sd=sd))


@pytest.mark.parametrize("name", sorted(COMPARING))
@pytest.mark.parametrize("column", [[0.1, 0.1, 0.1], [0.1], [nan, nan], []])
def test_columns_that_say_nothing(name, column):
    """All equal, alone, unreported or without units: NaN and never a warning; a rank can still be told."""
    got = COMPARING[name](np.array(column, dtype=float))
    if name in {"rank", "borda"}:
        assert got.tolist() == pytest.approx(
            [nan if np.isnan(value) else float(name == "rank") for value in column], nan_ok=True
        )
    elif name == "percentile_rank" and len(column) == 3:
        assert got.tolist() == [0, 0, 0]
    else:
        assert np.isnan(got).all()


@pytest.mark.parametrize("name", sorted(EVERY))
@few
@given(table=tables, shuffler=st.randoms(use_true_random=False))
def test_the_order_of_the_units_means_nothing(name, table, shuffler):
    order = list(range(len(table)))
    shuffler.shuffle(order)
    assert np.allclose(EVERY[name](table[order]), EVERY[name](table)[order], rtol=1e-9, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("name", sorted(EVERY))
@few
@given(table=tables)
def test_more_is_never_worse_and_at_direction_minus_one_never_better(name, table):
    for direction in (1, -1):
        points = EVERY[name](table, direction=direction)
        assert points.shape == table.shape
        for before, after in zip(table.T, points.T, strict=True):
            seen = ~np.isnan(after)
            assert not np.isnan(before[seen]).any()
            assert (direction * np.diff(after[seen][np.argsort(before[seen], kind="stable")]) >= -1e-9).all()


@pytest.mark.parametrize("name", sorted(COMPARING))
@few
@given(table=tables, unit=st.sampled_from([0.25, 1.0, 1000.0]), origin=st.integers(-1000, 1000))
def test_neither_unit_nor_origin_matters(name, table, unit, origin):
    one, other = COMPARING[name](table), COMPARING[name](table * unit + origin)
    assert np.allclose(one, other, rtol=1e-6, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", sorted(EVERY))
@few
@given(table=tables)
def test_equal_values_get_equal_points_and_each_column_is_by_itself(name, table):
    points = EVERY[name](table)
    for column in range(table.shape[1]):
        alone = EVERY[name](table[:, column])
        assert np.allclose(points[:, column], alone, rtol=1e-12, atol=1e-12, equal_nan=True)
        for value in np.unique(table[~np.isnan(table[:, column]), column]):
            assert np.unique(points[table[:, column] == value, column]).size == 1


@given(tables)
def test_min_max_and_z_scores_have_the_scale_they_promise(table):
    points, z = min_max(table), z_score(table, centre=50, spread=10)
    for column in range(table.shape[1]):
        seen = points[~np.isnan(points[:, column]), column]
        assert not seen.size or (seen.min(), seen.max()) == (0, 100)
        seen = z[~np.isnan(z[:, column]), column]
        assert not seen.size or (seen.mean(), seen.std(ddof=1)) == pytest.approx((50, 10))


@given(table=tables, others=tables)
def test_fixed_goalposts_do_not_look_at_the_others(table, others):
    value = np.array([[3.0]])
    alone = goalposts(value, 0, 10)
    assert goalposts(np.concatenate([value, others[:, :1].reshape(-1, 1)]), 0, 10)[0] == alone[0]
