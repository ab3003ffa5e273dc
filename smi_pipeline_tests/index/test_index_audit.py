"""Alarms of indicators, and how those of a group hang together."""

from __future__ import annotations

import pytest

from smi_pipeline.index.assessment import assess

FOUR = ("facebook", "x", "instagram", "youtube")
MAY = "2025-05"


@pytest.fixture
def crowd(world):
    for number in range(20):
        world.city(f"c{number:02}", *FOUR)
        for platform in FOUR:
            world.fill(MAY, platform, f"c{number:02}", level=5 + number)
    return world


def row(frame, **keys):
    [found] = frame.filter(**keys).to_dicts()
    return found


def test_more_than_a_twentieth_at_the_upper_goalpost_is_an_alarm(crowd):
    """Goalpost of Facebook's posts: 200. One of twenty is five per cent, two are ten."""
    rows = [m for m in crowd.metrics if m["platform"] == "facebook"]
    rows[0]["posts"] = 200
    got = row(assess(crowd.edition(MAY), experts=None).indicator_audit, platform="facebook", indicator="posts")
    assert (got["cities"], got["clipped_high"]) == (20, 0.05)
    assert "clipped" not in got["flags"]
    rows[1]["posts"] = 5000
    got = row(assess(crowd.edition(MAY), experts=None).indicator_audit, platform="facebook", indicator="posts")
    assert got["clipped_high"] == 0.1
    assert "clipped" in got["flags"]


def test_one_city_far_from_all_others_is_an_alarm_of_shape(crowd):
    for number, m in enumerate(m for m in crowd.metrics if m["platform"] == "x"):
        m["followers"] = 10**9 if number == 0 else 1000 + number
    got = row(assess(crowd.edition(MAY), experts=None).indicator_audit, platform="x", indicator="followers")
    assert got["skewness"] > 4
    assert "shape" in got["flags"]


def test_silent_accounts_say_nothing_about_an_indicator(crowd):
    for m in crowd.metrics[:4]:
        m.update(posts=0, videos=0, interactions=None, engagement_rate=None, views=None, view_rate=None)
    got = row(assess(crowd.edition(MAY), experts=None).indicator_audit, platform="facebook", indicator="interactions")
    assert (got["cities"], got["clipped_low"]) == (19, 0.0)


def test_two_indicators_that_are_one_have_an_alpha_of_one(crowd):
    """posts = videos in this crowd, and the goalposts differ only in the upper end: both are lines of ln(1 + x)."""
    made = crowd.edition(MAY)
    got = assess(made, experts=None)
    pair = row(got.indicator_correlation, platform="x", indicator="posts", other="videos")
    assert pair["correlation"] == pytest.approx(1)
    assert (pair["same_group"], pair["cities"]) == (True, 20)
    group = row(got.group_audit, platform="x", indicator_group="generate")
    # k / (k - 1) * (1 - sum of variances / variance of the sum), for y and c y with c = ln 201 / ln 101
    c = 5.303304908059076 / 4.61512051684126
    assert group["alpha"] == pytest.approx(2 * (1 - (1 + c * c) / (1 + c) ** 2))
    assert group["mean_correlation"] == pytest.approx(1)


def test_a_group_of_one_indicator_has_no_alpha(crowd):
    group = row(assess(crowd.edition(MAY), experts=None).group_audit, platform="youtube", indicator_group="generate")
    assert (group["indicators"], group["alpha"], group["mean_correlation"], group["flags"]) == (1, None, None, [])


def test_what_pulls_apart_is_told(crowd):
    """Growth falls where followers rise."""
    for m in crowd.metrics:
        m["follower_growth"] = 10**6 // m["followers"]
    group = row(assess(crowd.edition(MAY), experts=None).group_audit, platform="facebook", indicator_group="utilize")
    assert group["alpha"] < 0
    assert group["flags"] == ["low_alpha"]
