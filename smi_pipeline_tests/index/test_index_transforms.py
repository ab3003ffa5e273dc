"""Raw values to points."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.index.transforms import points


def score(value: float | None, transform: str, lo: float, hi: float) -> float | None:
    [got] = points([math.nan if value is None else value], transform, lo, hi).tolist()
    return None if math.isnan(got) else got


def test_the_goalposts_are_zero_and_a_hundred_and_nothing_lies_beyond():
    got = [score(x, "ln1p", 20, 1_000_000) for x in (0, 20, 1_000_000, 10**9)]
    assert got == [0, 0, 100, 100]
    assert [score(x, "asinh100", -100, 100_000) for x in (-5000, -100, 100_000)] == [0, 0, 100]


def test_a_value_between_is_placed_by_its_logarithm():
    """ln(1 + 99) / ln(1 + 9999) = ln 100 / ln 10000 = 1/2."""
    assert score(99, "ln1p", 0, 9999) == pytest.approx(50)


def test_no_change_in_followers_is_worth_something_because_losing_them_is_worse():
    lo, hi = -math.asinh(1), math.asinh(1000)
    assert score(0, "asinh100", -100, 100_000) == pytest.approx(100 * (0 - lo) / (hi - lo))


def test_every_doubling_is_worth_the_same_points():
    """Once x is large against 1."""
    steps = [score(x, "ln1p", 0, 1e12) for x in (1e6, 2e6, 4e6)]
    assert steps[1] - steps[0] == pytest.approx(steps[2] - steps[1], rel=1e-5)


def test_what_is_unknown_stays_unknown():
    assert score(None, "ln1p", 0, 10) is None


@given(a=st.integers(-(10**7), 10**9), b=st.integers(-(10**7), 10**9))
def test_more_never_scores_less(a, b):
    low, high = sorted((a, b))
    assert score(low, "asinh100", -100, 100_000) <= score(high, "asinh100", -100, 100_000)
    assert score(abs(low), "ln1p", 5, 20_000) <= score(max(abs(low), abs(high)), "ln1p", 5, 20_000)
