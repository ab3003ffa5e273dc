"""Outliers: what is found, what is moved, which branch is taken."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smi_pipeline.index.engine.treatment import (
    box_cox,
    kurtosis,
    log_ct,
    log_ct_orig,
    log_ct_plus,
    log_gii,
    passes,
    skewness,
    treat,
    winsorise,
)

nan = np.nan
values = st.integers(-(10**6), 10**6).map(float)
columns = arrays(np.float64, st.integers(0, 25), elements=values | st.just(nan))
tables = arrays(np.float64, st.tuples(st.integers(0, 12), st.integers(0, 4)), elements=values | st.just(nan))


def test_skewness_and_kurtosis_done_by_hand():
    """1 2 3 10: d = -3 -2 -1 6, sums of powers 50, 180, 1394."""
    x = [1.0, 2, 3, 10]
    assert skewness(x) == pytest.approx(2 * 180 / 50**1.5 * math.sqrt(12) / 2)
    r = 4 * 1394 / 50**2
    assert kurtosis(x) == pytest.approx((5 * (r - 3) + 6) * 3 / (2 * 1))


def test_skewness_and_kurtosis_of_a_published_example():
    """The example of Excel's help pages for SKEW (0.359543) and KURT (-0.151799637)."""
    x = [3.0, 4, 5, 2, 3, 4, 5, 6, 4, 7]
    assert skewness(x) == pytest.approx(0.359543, abs=5e-7)
    assert kurtosis(x) == pytest.approx(-0.151799637, abs=5e-10)


def test_missing_values_are_left_out_and_short_or_even_columns_have_none():
    table = np.array(
        [[1.0, nan, 7, nan, 1, 0.1], [2, nan, 7, 5, 2, 0.1], [nan, nan, 7, nan, 9, 0.1], [3, nan, 7, 6, nan, 0.1]]
    )
    skew, kurt = skewness(table), kurtosis(table)
    assert skew[0] == pytest.approx(0)
    assert np.isnan(skew[[1, 2, 3, 5]]).all()
    assert np.isfinite(skew[4])
    assert np.isnan(kurt).all()  # none has four values and a spread
    assert passes(table).all()


def test_counts_of_any_size_do_not_overflow():
    x = np.array([1.0, 2, 3, 10])
    for unit in (1e-300, 1e300):
        assert skewness(x * unit) == pytest.approx(float(skewness(x)), rel=1e-12)
        assert kurtosis(x * unit) == pytest.approx(float(kurtosis(x)), rel=1e-12)


def test_draws_may_lead():
    table = np.random.default_rng(1).lognormal(size=(3, 20, 4))
    assert np.allclose(skewness(table)[1], skewness(table[1]))
    assert kurtosis(table).shape == (3, 4)


def test_one_point_is_moved_to_the_next_lower_value():
    got = winsorise([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 30, 100])
    assert got.values.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 30, 30]
    assert got.count == 1


def test_a_negative_tail_is_moved_up():
    got = winsorise([-1000.0, 1, 2, 3, 4, 5, 6, 7])
    assert got.values.tolist() == [1, 1, 2, 3, 4, 5, 6, 7]
    assert got.low.tolist() == [True] + [False] * 7
    assert not got.high.any()


def test_a_tie_takes_the_count_past_the_most():
    """Twelve at 1000 move together: the limit of 5 is looked at before, not in between."""
    x = np.array([float(n) for n in range(1, 101)] + [5000.0] * 3 + [9000.0] * 4)
    got = winsorise(x, most=5)
    assert got.count == 7
    assert got.values.max() == 100


def test_a_limit_of_none_moves_nothing_and_the_next_branch_is_taken():
    x = [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 30, 100]
    assert winsorise(x, most=0).values.tolist() == x
    got = treat(x, most=0)
    assert got.details.branch == "transformed"
    assert got.values.tolist() == log_ct(x).tolist()


def test_the_last_two_distinct_values_are_never_made_one():
    """One city in forty has any: winsorising would leave nothing to tell it by."""
    x = np.array([0.0] * 39 + [1])
    got = winsorise(x)
    assert got.values.tolist() == x.tolist()
    assert got.count == 0
    treated = treat(x)
    assert treated.details.branch == "transformed"
    assert not treated.details.passed_after
    assert treated.values[-1] > treated.values[0]


def test_what_is_moved_first_up_and_then_down_is_counted_at_both_ends():
    """Under a strict limit: 50 first, which leaves -40 the outlier."""
    x = np.concatenate([np.linspace(-1, 1, 60), [50.0], [-40.0]])
    got = winsorise(x, skew=0.1)
    assert got.high.nonzero()[0].tolist() == [60]
    assert got.low[61]
    assert got.count == got.high.sum() + got.low.sum() == 2
    assert got.values[[60, 61]].tolist() == [1, -1]


def test_thresholds_decide():
    x = [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 30, 100]
    assert not passes(x)
    assert passes(x, skew=3.1)
    assert passes(x, kurt=9.8)
    assert treat(x, skew=3.1).details.branch == "none"


def test_rounding_does_not_decide_whether_a_column_at_the_limit_passes():
    """Three equal and one greater: skewness 2 and kurtosis 4, whichever unit comes first."""
    for place in range(4):
        x = np.ones(4)
        x[place] = 3
        assert skewness(x) == pytest.approx(2)
        assert not passes(x)


def test_rounding_does_not_decide_which_tail_of_an_even_column_is_the_longer():
    """-0.3 -0.1 0.1 0.3, shifted: skewness 0 or 1e-17. The upper end is winsorised first, the mirrored logarithm taken."""
    x = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    for order in itertools.islice(itertools.permutations(range(7)), 0, None, 97):
        y = x[list(order)]
        assert winsorise(y, most=1, skew=0, kurt=-9).high.sum() == 1
        assert log_ct_plus(y) == pytest.approx(-np.log(0.706 - y))


def test_logarithms_by_hand():
    """0, 10, 100 and nothing: min 0, max 100, a = 1."""
    x = np.array([0.0, 10, nan, 100])
    assert log_ct(x) == pytest.approx([0, math.log(11), nan, math.log(101)], nan_ok=True)
    assert log_ct_orig(x + 5) == pytest.approx([0, math.log(11), nan, math.log(101)], nan_ok=True)
    assert log_gii(x) == pytest.approx([0, math.log(9.9 + 1), nan, math.log(100)], nan_ok=True)


def test_the_plus_logarithm_looks_at_the_longer_tail():
    """Skewed up it is log_ct; skewed down its mirror image, still increasing."""
    up, down = np.array([0.0, 10, 100]), np.array([0.0, 90, 100])
    assert log_ct_plus(up) == pytest.approx(log_ct(up))
    assert log_ct_plus(down) == pytest.approx([-math.log(101), -math.log(11), 0])
    both = log_ct_plus(np.stack([up, down], axis=1))
    assert both[:, 1] == pytest.approx([-math.log(101), -math.log(11), 0])
    assert log_ct_plus([1.0, 2]) == pytest.approx(log_ct([1.0, 2]))  # too short for a tail


def test_the_gii_logarithm_is_taken_and_refused_where_it_would_turn_the_order_round():
    assert log_gii([2.0, 3, 9])[1] != 3  # COINr gives back what it was given
    with pytest.raises(ValueError, match=r"maximum above 1, got 0\.5"):
        log_gii([0.1, 0.2, 0.5])


def test_logarithms_of_columns_without_spread():
    for x in ([4.0, 4, nan], [0.5, 0.5, nan], [nan, nan]):
        assert np.isnan(log_ct(x)).all()
        assert np.isnan(log_ct_plus(x)).all()
        assert np.isnan(log_gii(x)).all()
    assert log_ct_orig([4.0, 4, nan]) == pytest.approx([0, 0, nan], nan_ok=True)


def test_box_cox_by_hand():
    assert box_cox([3.0, 4, 6, nan], exponent=2) == pytest.approx([0, 1.5, 7.5, nan], nan_ok=True)
    assert box_cox([3.0, 4], exponent=0) == pytest.approx([0, math.log(2)])
    assert box_cox([3.0, 4], exponent=1, shift=False) == pytest.approx([2, 3])
    with pytest.raises(ValueError, match="above 0, got -1"):
        box_cox([-1.0, 4], exponent=0, shift=False)


def test_the_transform_is_a_choice():
    x = np.exp2(np.arange(100.0))
    got = treat(x, transform=partial(box_cox, exponent=0))
    assert got.details.branch == "transformed"
    assert got.values == pytest.approx(np.log(x), abs=1e-12)
    assert not got.details.passed_winsorised
    assert got.details.passed_after
    assert got.details.winsorised == 5
    assert got.details.skew_after == pytest.approx(0, abs=1e-9)


def test_a_table_is_treated_a_column_at_a_time():
    rng = np.random.default_rng(5)
    table = rng.lognormal(0, [0.1, 1, 2, 4], size=(60, 4))
    table[rng.random(table.shape) < 0.1] = nan
    whole = treat(table)
    for column in range(4):
        alone = treat(table[:, column])
        assert np.array_equal(whole.values[:, column], alone.values, equal_nan=True)
        assert whole.details.branch[column] == alone.details.branch
        assert whole.details.winsorised[column] == alone.details.winsorised
    assert set(whole.details.branch) == {"none", "winsorised", "transformed"}


@pytest.mark.parametrize("refused", [[1.0, math.inf], np.zeros((2, 2, 2))])
def test_what_cannot_be_treated_is_refused(refused):
    with pytest.raises(ValueError, match=r"expected"):
        treat(refused)


@given(tables)
def test_treatment_keeps_order_shape_and_what_is_missing(table):
    got = treat(table)
    assert np.array_equal(np.isnan(got.values), np.isnan(table))
    for before, after in zip(table.T, got.values.T, strict=True):
        seen = before[~np.isnan(before)].argsort(kind="stable")
        assert (np.diff(after[~np.isnan(before)][seen]) >= 0).all()


@given(columns, st.randoms(use_true_random=False))
def test_the_order_of_the_units_means_nothing(x, shuffler):
    order = list(range(len(x)))
    shuffler.shuffle(order)
    assert np.allclose(treat(x[order]).values, treat(x).values[order], rtol=1e-9, atol=1e-9, equal_nan=True)


@given(columns, st.sampled_from([0.5, 2, 1024]), st.sampled_from([-3.0, 0.0, 7.0]))
def test_neither_unit_nor_origin_changes_which_points_are_moved(x, unit, origin):
    """Powers of two and small numbers, so that no digit is lost."""
    one, other = winsorise(x), winsorise(x * unit + origin)
    assert one.count == other.count
    assert np.array_equal(one.values * unit + origin, other.values, equal_nan=True)
