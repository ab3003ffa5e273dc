"""Sensitivity indices of models whose indices are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.index.engine.sobol import Design, Outcomes, bootstrap, design, indices, resample


def ishigami(u):
    """Ishigami & Homma 1990 with a = 7, b = 0.1, on -pi..pi."""
    x = np.pi * (2 * u - 1)
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def run(model, points, factors, seed=11):
    made = design(points, factors, np.random.default_rng(seed))
    return made.outcomes(model(made.rows))


def test_the_design_by_hand():
    """Rows: A, B, then A with each column from B in turn."""
    made = Design(np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6], [7, 8]]))
    assert made.rows.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [5, 2], [7, 4], [1, 6], [3, 8]]
    got = made.outcomes(np.arange(8.0))
    assert got.a.tolist() == [0, 1]
    assert got.b.tolist() == [2, 3]
    assert got.ab.tolist() == [[4, 5], [6, 7]]


def test_the_formulas_by_hand():
    """yA 1 3, yB 2 6: V = 14 / 3; yAB 2 3: S1 = mean(2 * 1, 6 * 0) / V, ST = (1 + 0) / (2 * 2 V)."""
    got = indices(Outcomes(np.array([1.0, 3]), np.array([2.0, 6]), np.array([[2.0, 3]])))
    assert got.variance == pytest.approx(14 / 3)
    assert got.first == pytest.approx([1 / (14 / 3)])
    assert got.total == pytest.approx([1 / (4 * 14 / 3)])


def test_a_sum_of_factors_has_the_squares_of_their_coefficients():
    """x + 2 y + 3 z: 1, 4 and 9 fourteenths, alone and in total; one that does not enter has nothing."""
    got = indices(run(lambda u: u @ [1, 2, 3, 0], 200_000, 4))
    expected = np.array([1, 4, 9, 0]) / 14
    assert got.first == pytest.approx(expected, abs=0.02)
    assert got.total == pytest.approx(expected, abs=0.01)
    assert got.variance == pytest.approx(14 / 12, rel=0.01)
    assert got.first[3] == got.total[3] == 0


def test_the_ishigami_function():
    """V = a^2 / 8 + b pi^4 / 5 + b^2 pi^8 / 18 + 1 / 2; x3 matters through x1 alone."""
    a, b, pi4 = 7, 0.1, np.pi**4
    variance = a**2 / 8 + b * pi4 / 5 + b**2 * pi4**2 / 18 + 1 / 2
    one, two, both = (1 + b * pi4 / 5) ** 2 / 2, a**2 / 8, 8 * b**2 * pi4**2 / 225
    got = indices(run(ishigami, 200_000, 3))
    assert got.variance == pytest.approx(variance, rel=0.02)
    assert got.first == pytest.approx(np.array([one, two, 0]) / variance, abs=0.02)
    assert got.total == pytest.approx(np.array([one + both, two, both]) / variance, abs=0.01)


def test_an_outcome_that_never_varies_has_no_indices():
    got = indices(run(lambda u: np.full(len(u), 0.1), 50, 2))
    assert got.variance == 0
    assert np.isnan(got.first).all()
    assert np.isnan(got.total).all()
    interval = bootstrap(run(lambda u: np.full(len(u), 0.1), 50, 2), resample(50, np.random.default_rng(1)))
    assert np.isnan(interval.first_low).all()


def test_bootstrap_with_given_resamples_by_hand():
    """The identity gives the indices themselves; doubling the first point gives its own: V = (0 + 0 + 1 + 1) / 3."""
    outcomes = Outcomes(np.array([1.0, 3]), np.array([2.0, 6]), np.array([[2.0, 3]]))
    whole, same = indices(outcomes), bootstrap(outcomes, [[0, 1], [1, 0]])
    assert same.first_low == pytest.approx(whole.first)
    assert same.total_high == pytest.approx(whole.total)
    first = bootstrap(outcomes, [[0, 0]])
    assert first.first_low == pytest.approx([2 / (1 / 3)])
    assert first.total_low == pytest.approx([2 / (4 / 3)])


def test_the_interval_holds_the_truth_and_the_seed_decides():
    outcomes = run(lambda u: u @ [1, 2, 3], 512, 3)
    one = bootstrap(outcomes, resample(512, np.random.default_rng(5)), low=0.005, high=0.995)
    truth = np.array([1, 4, 9]) / 14
    for low, high in ((one.first_low, one.first_high), (one.total_low, one.total_high)):
        assert (low <= truth).all()
        assert (truth <= high).all()
    again = bootstrap(outcomes, resample(512, np.random.default_rng(5)), low=0.005, high=0.995)
    assert np.array_equal(one.first_low, again.first_low)
    assert np.array_equal(design(9, 2, np.random.default_rng(3)).rows, design(9, 2, np.random.default_rng(3)).rows)


def test_what_does_not_fit_is_refused():
    made = design(4, 2, np.random.default_rng(1))
    with pytest.raises(ValueError, match="one for each of 16 rows"):
        made.outcomes(np.zeros(15))
    with pytest.raises(ValueError, match="a number for every row"):
        made.outcomes([np.nan] * 16)
    with pytest.raises(ValueError, match=r"two equal \(points, factors\)"):
        Design(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"\(points,\) twice"):
        Outcomes(np.zeros(3), np.zeros(3), np.zeros((2, 4)))
    for resamples in ([[0, 1, 2]], [[0, 1, 2, 4]], [0, 1, 2, 3]):
        with pytest.raises(ValueError, match=r"positions 0\.\.3"):
            bootstrap(made.outcomes(np.zeros(16)), resamples)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 8.0]), st.permutations(range(3)))
def test_neither_the_unit_of_the_outcome_nor_the_order_of_factors_and_points_matters(seed, unit, order):
    rng = np.random.default_rng(seed)
    a, b, ab = rng.random(20), rng.random(20), rng.random((3, 20))
    got, points = indices(Outcomes(a, b, ab)), rng.permutation(20)
    other = indices(Outcomes(a[points] * unit, b[points] * unit, ab[list(order)][:, points] * unit))
    assert other.first == pytest.approx(got.first[list(order)])
    assert other.total == pytest.approx(got.total[list(order)])
    assert (got.total >= 0).all()
