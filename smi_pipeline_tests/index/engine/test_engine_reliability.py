"""Do indicators hang together, do raters agree: published examples first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from smi_pipeline.index.engine.reliability import correlation, covariance, cronbach_alpha, icc, krippendorff_alpha

nan = np.nan
few = settings(max_examples=30)  # of each function, and there are many
# Krippendorff 2011: four observers, twelve units.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
)
# Shrout & Fleiss 1979, table 2: six targets (rows there), four judges.
JUDGES = np.array([[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]], dtype=float)
ratings = arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(0, 7)),
    elements=st.integers(1, 6).map(float) | st.just(nan),
)


@pytest.mark.parametrize(
    ("metric", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_krippendorffs_own_example(metric, published):
    assert krippendorff_alpha(OBSERVERS, metric=metric) == pytest.approx(published, abs=5e-4)


def test_krippendorff_by_hand():
    """Two raters, 1 1 / 1 2 / 3 3: D_o = 2 * 1 / 6; values 1 1 1 2 3 3, D_e = 2 * (3 + 24 + 2) / 30."""
    alpha = krippendorff_alpha([[1.0, 1, 3], [1, 2, 3]])
    assert alpha == pytest.approx(1 - (2 / 6) / (58 / 30))


def test_krippendorff_looks_only_at_units_with_two_ratings():
    lonely = np.column_stack([OBSERVERS, [9, nan, nan, nan]])
    assert krippendorff_alpha(lonely) == krippendorff_alpha(OBSERVERS)


def test_krippendorff_between_agreement_and_contradiction():
    assert krippendorff_alpha([[1.0, 2, 3], [1, 2, 3]]) == 1
    assert krippendorff_alpha([[1.0, 2], [2, 1]]) < 0
    assert krippendorff_alpha([[0.0, 1, 0], [0, 1, 1]], metric="ratio") == pytest.approx(
        krippendorff_alpha([[0.0, 1, 0], [0, 1, 1]], metric="nominal")
    )


@pytest.mark.parametrize("table", [[[5.0, 5], [5, 5]], [[1.0, nan], [nan, 2]], [[1.0, 2]], np.empty((2, 0))])
def test_krippendorff_says_nothing_where_nothing_differs_or_nobody_is_rated_twice(table):
    assert np.isnan(krippendorff_alpha(table))


def test_a_ratio_needs_ratings_of_zero_or_more():
    with pytest.raises(ValueError, match="0 or more for a ratio, got -1"):
        krippendorff_alpha([[-1.0, 2], [1, 2]], metric="ratio")


def test_shrout_and_fleiss_table():
    assert icc(JUDGES) == pytest.approx(0.29, abs=0.005)
    assert icc(JUDGES, of="mean") == pytest.approx(0.62, abs=0.005)


def test_icc_by_hand():
    """Raters 1 2 3 and 2 3 4: the units' mean square is 2, the raters' 1.5, the rest 0."""
    table = [[1.0, 2, 3], [2, 3, 4]]
    assert icc(table) == pytest.approx(2 / (2 + 2 * 1.5 / 3))
    assert icc(table, of="mean") == pytest.approx(2 / (2 + 1.5 / 3))


def test_icc_uses_the_units_all_have_rated():
    holes = np.column_stack([JUDGES, [1, 2, nan, 4]])
    assert icc(holes) == icc(JUDGES)


@pytest.mark.parametrize("table", [[[5.0, 5], [5, 5]], [[1.0], [2]], [[1.0, 2, 3]], [[1.0, nan], [nan, 2]]])
def test_icc_says_nothing_without_two_raters_two_units_and_a_difference(table):
    assert np.isnan(icc(table))


def test_raters_who_contradict_each_other_have_no_mean_to_rely_on():
    """The units' means are equal, and what is below the line is 0 but for rounding, or negative: not 3, as one would get."""
    assert np.isnan(icc([[4.0, 3, 4], [2, 4, 3]], of="mean"))
    assert np.isnan(icc([[1.0, 2, 3], [3, 2, 1]], of="mean"))
    assert icc([[1.0, 2, 3], [3, 2, 1]]) == pytest.approx(-2 / (2 - 2 * 2 / 3))
    assert np.isnan(cronbach_alpha([[0.1, 0.3], [0.2, 0.2], [0.3, 0.1]]))


def test_cronbach_by_hand():
    """Variances 1, 1 and 4, of the sum 13: 3 / 2 * (1 - 6 / 13)."""
    table = np.array([[1.0, 1, 2], [2, 3, 4], [3, 2, 6]])
    variance = table.var(axis=0, ddof=1)
    assert variance.tolist() == [1, 1, 4]
    assert table.sum(axis=1).var(ddof=1) == pytest.approx(13)
    assert cronbach_alpha(table) == pytest.approx(3 / 2 * (1 - 6 / 13))


def test_cronbach_of_pairs_and_of_complete_units():
    """Covariances by pairs: 1 (three units), 0.5 and 0.5 (two): variances 1, 1, 0.5 over the units each has."""
    table = np.array([[1.0, 1, 1], [2, 2, 2], [3, 3, nan]])
    cov = np.array([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 0.5]])
    assert covariance(table) == pytest.approx(cov)
    assert cronbach_alpha(table) == pytest.approx(9 * (4 / 6) / cov.sum())
    assert cronbach_alpha(table, use="complete") == pytest.approx(1)


@pytest.mark.parametrize("table", [[[1.0], [2]], [[1.0, 2], [1, 2]], [[1.0, nan], [2, nan]], np.empty((0, 3))])
def test_cronbach_says_nothing_without_two_indicators_and_a_spread(table):
    assert np.isnan(cronbach_alpha(table))


def test_correlation_of_pairs_by_hand():
    """1 2 3 4 against 1 3 2 and nothing: r = 0.5 over three units; against a constant nothing."""
    table = np.array([[1.0, 1, 7], [2, 3, 7], [3, 2, 7], [4, nan, 7]])
    got = correlation(table)
    assert got[0, 1] == pytest.approx(0.5)
    assert got[1, 0] == got[0, 1]
    assert np.isnan(got[2]).all()
    assert got[0, 0] == 1
    assert covariance(table)[2] == pytest.approx([0, 0, 0])


def test_spearman_is_pearson_of_the_ranks_within_the_pair():
    """d = 0 1 -1 0 ...: 1 - 6 * 2 / (4 * 15) = 0.8; a missing one is taken out before ranking."""
    x, y = [1.0, 10, 100, 1000, 5], [1.0, 3, 2, 4, nan]
    assert correlation(np.column_stack([x, y]), method="spearman")[0, 1] == pytest.approx(0.8)
    ties = correlation(np.array([[1.0, 1], [1, 2], [2, 3]]), method="spearman")[0, 1]
    assert ties == pytest.approx(np.corrcoef([1.5, 1.5, 3], [1, 2, 3])[0, 1])


def test_complete_units_are_what_numpy_takes():
    table = np.random.default_rng(4).normal(size=(30, 5))
    assert correlation(table) == pytest.approx(np.corrcoef(table, rowvar=False))
    assert covariance(table) == pytest.approx(np.cov(table, rowvar=False))
    holes = table.copy()
    holes[3, 1] = holes[7, 2] = nan
    kept = np.delete(table, [3, 7], axis=0)
    assert correlation(holes, use="complete") == pytest.approx(np.corrcoef(kept, rowvar=False))


def alpha_by_pairs(table, metric):
    """Krippendorff's alpha from its definition, a pair at a time."""
    units = [column[~np.isnan(column)] for column in table.T]
    units = [unit for unit in units if unit.size > 1]
    every = np.concatenate(units) if units else np.array([])
    if np.unique(every).size < 2:
        return nan

    def apart(a, b):
        if metric == "nominal":
            return float(a != b)
        if metric == "ratio":
            return ((a - b) / (a + b)) ** 2
        if metric == "ordinal":
            low, high = sorted((a, b))
            between = ((every >= low) & (every <= high)).sum()
            return (between - (every == a).sum() / 2 - (every == b).sum() / 2) ** 2 if a != b else 0.0
        return (a - b) ** 2

    seen = sum(
        apart(a, b) / (unit.size - 1)
        for unit in units
        for i, a in enumerate(unit)
        for j, b in enumerate(unit)
        if i != j
    )
    chance = sum(apart(a, b) for i, a in enumerate(every) for j, b in enumerate(every) if i != j)
    return 1 - (seen / every.size) / (chance / (every.size * (every.size - 1)))


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval", "ratio"])
@few
@given(table=ratings)
def test_krippendorff_is_what_its_definition_gives_a_pair_at_a_time(metric, table):
    assert krippendorff_alpha(table, metric=metric) == pytest.approx(alpha_by_pairs(table, metric), nan_ok=True)


@given(table=ratings, order=st.randoms(use_true_random=False), unit=st.sampled_from([0.5, 4.0]))
def test_neither_the_order_of_raters_and_units_nor_the_unit_of_measure_matters(table, order, unit):
    raters, units = list(range(table.shape[0])), list(range(table.shape[1]))
    order.shuffle(raters)
    order.shuffle(units)
    other = table[raters][:, units] * unit + 3
    assert krippendorff_alpha(other) == pytest.approx(krippendorff_alpha(table), nan_ok=True)
    for of in ("single", "mean"):
        assert icc(other, of=of) == pytest.approx(icc(table, of=of), nan_ok=True, abs=1e-9)
    assert cronbach_alpha(other.T) == pytest.approx(cronbach_alpha(table[raters].T), nan_ok=True)


@given(ratings)
def test_a_correlation_is_within_its_bounds_and_symmetric(table):
    for method in ("pearson", "spearman"):
        got = correlation(table.T, method=method)
        assert np.array_equal(got, got.T, equal_nan=True)
        assert (np.abs(got[~np.isnan(got)]) <= 1).all()
