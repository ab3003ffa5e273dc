"""Goalposts by rule, done by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.index.calibration import calibrate, goalposts, rounded_down

STEPS = (1, 2, 5)


def ends(done):
    return {one.indicator: one.ends for one in done.indicators}


@pytest.fixture
def baseline(world):
    """Three months of one city on X that posts 10, 20, 40 times; its followers fall, stay and rise."""
    world.city("a", "x")
    rows = {"2024-05": (10, 4000, -180), "2024-06": (20, 4200, 0), "2024-07": (40, 5100, 900)}
    for month, (posts, followers, growth) in rows.items():
        world.measure(
            month, "x", "a", posts=posts, videos=1, interactions=posts * 3, followers=followers, follower_growth=growth
        )
    return world


def test_a_small_baseline_is_calibrated_as_by_hand(baseline, m1):
    """Type 7 on three values: the quantile lies a tenth of the way from the first to the second."""
    [x] = calibrate(baseline.metrics_frame, method=m1, platforms=["x"])
    assert (x.platform, x.months, x.cities, x.preliminary) == ("x", 3, 1, False)
    assert ends(x) == {
        "posts": (0, 50),
        "videos": (0, 1),
        "interactions": (20, 200),  # 30 + 0.1 * 30 = 33 -> 20; 120 -> 200
        "engagement_rate": (2, 5),  # 3 in every month
        "followers": (2000, 10000),  # 4000 + 0.1 * 200 = 4020 -> 2000; 5100 -> 10000
        "follower_growth": (-200, 1000),  # -180 + 0.1 * 180 = -162 -> -200; 900 -> 1000
    }
    assert x.indicators[2].low == pytest.approx(33)
    assert x.indicators[2].observed == 3


def test_who_posted_nothing_is_not_part_of_the_baseline(baseline, m1):
    before = calibrate(baseline.metrics_frame, method=m1, platforms=["x"])
    baseline.city("silent", "x")
    baseline.measure("2024-05", "x", "silent", posts=0, videos=0, followers=9_000_000, follower_growth=-90_000)
    assert calibrate(baseline.metrics_frame, method=m1, platforms=["x"]) == before


def test_what_was_not_reported_is_left_out_and_not_taken_for_zero(baseline, m1):
    baseline.measure("2024-07", "x", "b", posts=40, videos=1, followers=None)
    [x] = calibrate(baseline.metrics_frame, method=m1, platforms=["x"])
    assert ends(x)["followers"] == (2000, 10000)
    assert {one.indicator: one.observed for one in x.indicators}["followers"] == 3


def test_fewer_months_than_the_rule_demands_are_preliminary(baseline, m1):
    baseline.metrics = baseline.metrics[:2]
    [x, tiktok] = calibrate(baseline.metrics_frame, method=m1, platforms=["x", "tiktok"])
    assert (x.months, x.preliminary) == (2, True)
    assert (tiktok.months, tiktok.cities, tiktok.preliminary) == (0, 0, True)
    assert set(ends(tiktok).values()) == {None}


def test_only_indicators_that_apply_to_a_platform_are_calibrated(baseline, m1):
    [youtube] = calibrate(baseline.metrics_frame, method=m1, platforms=["youtube"])
    assert set(ends(youtube)) == set(m1.goalposts.youtube)


@pytest.mark.parametrize(
    ("indicator", "low", "high", "expected"),
    [
        ("posts", 7, 150, (0, 200)),
        ("interactions", 0, 10, (0, 10)),  # a quantile of 0 gives 0
        ("interactions", 20, 1000, (20, 1000)),  # what is a step stays
        ("interactions", 19.999999999999996, 1000.0000000000001, (20, 1000)),  # and interpolation's last bit is none
        ("engagement_rate", 0.3, 0.7, (0.2, 1)),
        ("follower_growth", -99, 300, (-100, 500)),
        ("follower_growth", -100, 300, (-100, 500)),
        ("follower_growth", -100.5, 300, (-200, 500)),
        ("follower_growth", 40, 300, (-100, 500)),  # nobody lost followers: the floor is still there
        ("follower_growth", -700, -300, (-1000, -200)),
        ("views", 0, 0, None),  # nobody had a view: no room between lo and hi
        ("follower_growth", -100, -100, None),
    ],
)
def test_ends_follow_the_rule(m1, indicator, low, high, expected):
    assert goalposts(indicator, low, high, m1.calibration) == expected


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_rounding_down_leaves_at_least_two_fifths_and_rounding_twice_changes_nothing(value):
    got = rounded_down(value, STEPS)
    assert 0.4 * value * (1 - 1e-9) <= got <= value * (1 + 1e-9)
    assert rounded_down(got, STEPS) == got
    assert rounded_down(-value, STEPS) <= -value * (1 - 1e-9)
