"""Agreement of raters, against figures other people published and against the definitions written out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from smi_pipeline.index.agreement import complete_block, icc_agreement, krippendorff_alpha_interval

NAN = math.nan
_ = NAN
# Krippendorff (2011): four observers, twelve units. Interval alpha is printed there as 0.849.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ],
    dtype=float,
)
# Another often printed set, three coders and fifteen units: 0.811.
CODERS = np.array(
    [
        [_, _, _, _, _, 3, 4, 1, 2, 1, 1, 3, 3, _, 3],
        [1, _, 2, 1, 3, 3, 4, 3, _, _, _, _, _, _, _],
        [_, _, 2, 1, 3, 4, 4, _, 2, 1, 1, 3, 3, _, 4],
    ],
    dtype=float,
)
# Shrout and Fleiss (1979), table 2: four judges, six targets.
SHROUT_FLEISS = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]], dtype=float)

tables = arrays.arrays(
    float,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.just(NAN) | st.integers(1, 10).map(float),
)


def alpha_by_pairs(values):
    """The definition, one pair at a time."""
    units = [[v for v in column if not math.isnan(v)] for column in values.T]
    units = [unit for unit in units if len(unit) >= 2]
    every = [v for unit in units for v in unit]
    within = sum((a - b) ** 2 / (len(unit) - 1) for unit in units for a, b in itertools.permutations(unit, 2))
    across = sum((a - b) ** 2 for a, b in itertools.permutations(every, 2))
    return None if across == 0 else 1 - (within / len(every)) / (across / (len(every) * (len(every) - 1)))


def same(got, expected):
    assert (got is None) == (expected is None)
    assert got is None or got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("table", "printed"), [(KRIPPENDORFF, 0.849), (CODERS, 0.811)])
def test_alpha_is_the_published_one(table, printed):
    assert round(krippendorff_alpha_interval(table), 3) == printed


def test_the_intraclass_correlations_are_the_published_ones():
    single, average = icc_agreement(SHROUT_FLEISS)
    assert (round(single, 2), round(average, 2)) == (0.29, 0.62)


@given(tables)
def test_alpha_follows_its_definition_pair_by_pair(table):
    same(krippendorff_alpha_interval(table), alpha_by_pairs(table))


@given(tables, st.randoms(use_true_random=False))
def test_neither_raters_nor_units_have_an_order(table, random):
    turned = table[random.sample(range(table.shape[0]), table.shape[0])]
    turned = turned[:, random.sample(range(table.shape[1]), table.shape[1])]
    same(krippendorff_alpha_interval(turned), krippendorff_alpha_interval(table))
    for got, expected in zip(icc_agreement(turned), icc_agreement(table), strict=True):
        same(got, expected)


@given(tables, st.integers(-1000, 1000), st.sampled_from([-4.0, 0.25, 3.0]))
def test_neither_zero_nor_the_unit_of_the_scale_matters(table, shift, factor):
    moved = table * factor + shift
    same(krippendorff_alpha_interval(moved), krippendorff_alpha_interval(table))
    for got, expected in zip(icc_agreement(moved), icc_agreement(table), strict=True):
        same(got, expected)


@given(tables)
def test_agreement_is_never_more_than_perfect(table):
    for got in (krippendorff_alpha_interval(table), *icc_agreement(table)):
        assert got is None or got <= 1 + 1e-9


def test_raters_who_say_the_same_of_different_units_agree_perfectly():
    table = np.array([[1, 5, 9, _], [1, 5, 9, 2], [1, 5, _, 2]], dtype=float)
    assert krippendorff_alpha_interval(table) == pytest.approx(1)
    assert icc_agreement(table) == (pytest.approx(1), pytest.approx(1))


def test_one_strict_rater_lowers_absolute_agreement():
    """Two raters in the same order, one two points below: means 3 and 5, 5 and 7. A correlation would say 1."""
    table = np.array([[2, 4, 6], [4, 6, 8]], dtype=float)
    single, average = icc_agreement(table)
    assert single == pytest.approx(2 / 3)  # units' mean square 8, raters' 6, error 0: 8 / (8 + 2 * 6 / 3)
    assert average == pytest.approx(8 / (8 + 6 / 3))


@pytest.mark.parametrize(
    "table",
    [
        np.full((3, 4), 5.0),
        np.full((3, 4), NAN),
        np.array([[1, _, _], [_, 5, _], [_, _, 9]], dtype=float),
        np.empty((0, 0)),
    ],
    ids=["all equal", "nothing", "one rating a unit", "no raters"],
)
def test_without_pairs_or_differences_nothing_can_be_said(table):
    assert krippendorff_alpha_interval(table) is None
    assert icc_agreement(table) == (None, None)


def test_a_unit_with_one_rating_counts_for_nothing():
    alone = np.concatenate([KRIPPENDORFF, np.array([[9.0], [NAN], [NAN], [NAN]])], axis=1)
    assert krippendorff_alpha_interval(alone) == krippendorff_alpha_interval(KRIPPENDORFF)


def test_the_largest_panel_of_an_incomplete_design_is_found():
    """Raters 1 and 2 rated three units, 2 and 3 two, all three a single one."""
    table = np.array([[1, 2, 3, _, _, 7], [4, 5, 6, 7, 8, 9], [_, _, _, 1, 2, 3]], dtype=float)
    assert complete_block(table).tolist() == [[1, 2, 3], [4, 5, 6]]


def test_panels_of_equal_size_go_by_the_earlier_rater():
    table = np.array([[_, _, 1, 2], [3, 4, 5, 6], [7, 8, _, _]], dtype=float)
    assert complete_block(table).tolist() == [[1, 2], [5, 6]]


def test_there_is_no_block_where_no_two_rated_the_same():
    assert complete_block(np.array([[1, _], [_, 2]], dtype=float)).shape == (0, 0)
