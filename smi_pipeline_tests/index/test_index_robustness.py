"""How sure a rank is: draws that are the same again, that contain the official index, and that find what moves it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from smi_pipeline.index.assessment import assess
from smi_pipeline.index.experts import rater_scores
from smi_pipeline.index.robustness import FACTORS, draw, rank_intervals, remove_one, sensitivity
from smi_pipeline.months import Month

FOUR = ("facebook", "x", "instagram", "youtube")
MAY = "2025-05"
AT = Month.parse(MAY)


@pytest.fixture
def crowd(world):
    """Twelve cities, each stronger than the one before, but every third one strong on one platform only."""
    for number in range(12):
        world.city(f"c{number:02}", *FOUR)
        for place, platform in enumerate(FOUR):
            odd = number % 3 == 0
            level = (70 if place == number % 4 else 6) if odd else 8 + 2 * number
            world.fill(MAY, platform, f"c{number:02}", level=level)
    return world


@pytest.fixture
def rated(ratings):
    return ratings({f"c{number:02}": 2 + number / 2 for number in range(12)})


def test_the_draw_in_which_nothing_varies_is_the_published_index(crowd, rated):
    """Scores, with missing figures, a missing account and a missing platform among the cities."""
    crowd.city("none")
    crowd.city("two", "facebook", "x")
    for platform in ("facebook", "x"):
        crowd.measure(MAY, platform, "two", posts=4, videos=1, interactions=90, followers=2000)
    crowd.metrics = [m for m in crowd.metrics if (m["platform"], m["city_id"]) != ("youtube", "c05")]
    for experts in (None, rated):
        made = crowd.edition(MAY, experts=experts)
        official = made.model.scores(made.model.official())[0]
        want = made.composite.sort("city_id")
        ranked = want["rank"].is_not_null().to_numpy()
        assert official[ranked] == pytest.approx(want["score"].to_numpy()[ranked], abs=1e-9)
        ranks = made.model.ranks(made.model.official())[0]
        assert [None if np.isnan(r) else int(r) for r in ranks] == want["rank"].to_list()


def test_the_same_month_draws_the_same_and_another_month_does_not(crowd):
    model = crowd.edition(MAY).model
    first, again, other = (draw(model, month, None) for month in (AT, AT, AT.next))
    assert np.array_equal(first.tree_weights, again.tree_weights)
    assert np.array_equal(model.ranks(first), model.ranks(again))
    assert not np.array_equal(first.tree_weights, other.tree_weights)


def test_weights_stay_within_a_quarter_and_every_alternative_is_drawn(crowd, m1):
    drawn = draw(crowd.edition(MAY).model, AT, None)
    for weights in (drawn.platform_weights, drawn.tree_weights):
        assert 0.75 <= weights.min() < 0.76
        assert 1.24 < weights.max() <= 1.25
    assert [len(set(column)) for column in drawn.alternatives.T] == [4, 2, 2, 2]
    assert len(drawn.alternatives) == m1.uncertainty.draws == 1000


def test_a_city_that_is_better_in_everything_is_first_in_every_draw(world):
    for name, level in (("best", 40), ("middle", 20), ("last", 5)):
        world.city(name, *FOUR)
        for platform in FOUR:
            world.fill(MAY, platform, name, level=level)
    got = assess(world.edition(MAY), experts=None).rank_interval
    columns = ("city_id", "rank", "median_rank", "rank_p05", "rank_p95", "top_probability", "tier")
    assert got.select(columns).rows() == [
        ("best", 1, 1.0, 1.0, 1.0, 1.0, 1),
        ("middle", 2, 2.0, 2.0, 2.0, 1.0, 2),
        ("last", 3, 3.0, 3.0, 3.0, 1.0, 3),
    ]


@pytest.mark.parametrize("names", [["alone"], [f"c{number:02}" for number in range(12)]])
def test_draws_that_rank_nobody_count_against_nobody(world, names):
    """Without a spread two of the four scales have nothing to divide by: all figures rest on the draws of the others."""
    for name in names:
        world.city(name, *FOUR)
        for platform in FOUR:
            world.fill(MAY, platform, name, level=20)
    made = world.edition(MAY)
    drawn = made.model.ranks(draw(made.model, AT, None))
    ranking = int((~np.isnan(drawn[:, 0])).sum())
    assert 0 < ranking < len(drawn)
    columns = ("rank", "median_rank", "rank_p05", "rank_p95", "top_probability", "tier", "draws")
    got = assess(made, experts=None).rank_interval.select(columns)
    assert set(got.rows()) == {(1, 1.0, 1.0, 1.0, 1.0, 1, ranking)}


def test_intervals_stand_beside_the_ranks_of_the_composite(crowd, rated):
    made = crowd.edition(MAY, experts=rated)
    got = assess(made, experts=rated)
    both = got.composite.join(got.rank_interval, on="city_id", suffix="_of")
    assert both.height == 12
    assert both["rank_p05"].equals(both["rank_p05_of"], check_names=False)
    assert (both["rank_p05"] <= both["median_rank"]).all()
    assert (both["median_rank"] <= both["rank_p95"]).all()
    assert (both["rank_p05"] < both["rank_p95"]).any()
    assert got.composite.drop("rank_p05", "rank_p95").equals(made.composite.drop("rank_p05", "rank_p95"))


def test_a_city_that_may_not_be_ranked_is_in_no_draw(crowd):
    crowd.city("none")
    made = crowd.edition(MAY)
    ranks = made.model.ranks(draw(made.model, AT, None))
    assert np.isnan(ranks[:, made.model.cities.index("none")]).all()
    assert "none" not in rank_intervals(made.model, ranks)["city_id"].to_list()


def test_a_z_score_is_worth_what_the_method_says(world, m1):
    """Two cities: each is 1 / sqrt 2 standard deviations from the mean, so 50 +- 20 / sqrt 2 on everything."""
    for name, level in (("a", 20), ("b", 5)):
        world.city(name, *FOUR)
        for platform in FOUR:
            world.fill(MAY, platform, name, level=level)
    model = world.edition(MAY).model
    chosen = np.array([[m1.uncertainty.normalisations.index("z_score"), 0, 0, 0]])
    scores = model.scores(replace(model.official(), alternatives=chosen))[0]
    assert scores.tolist() == pytest.approx([50 + 20 / 2**0.5, 50 - 20 / 2**0.5])


def test_a_geometric_mean_makes_up_less_for_a_silent_account(world, m1):
    """Silent on one platform: 0 points in two of three groups. Points are moved to 1..100 before they are multiplied."""
    world.city("a", "facebook", "x", "instagram")
    for platform in ("facebook", "x", "instagram"):
        world.measure(MAY, platform, "a", posts=0, videos=0, followers=10**9, follower_growth=10**9)
    model = world.edition(MAY).model
    official, geometric = (
        model.scores(replace(model.official(), alternatives=np.array([[0, aggregation, 0, 0]])))[0][0]
        for aggregation in (0, m1.uncertainty.aggregations.index("geometric"))
    )
    assert official == pytest.approx(40)  # Utilize in full
    assert geometric == pytest.approx((100**0.4 - 1) / 0.99)


def test_only_the_largest_account_may_count(world, m1):
    """a has two accounts; with the larger alone it falls behind b."""
    for name in ("a", "b"):
        world.city(name, *FOUR)
        for platform in FOUR:
            world.fill(MAY, platform, name, level=30 if name == "a" else 20)
    largest = world.metrics_frame
    for row in world.metrics:
        if row["city_id"] == "a":
            row.update(posts=5, videos=5, interactions=100, followers=1000, follower_growth=1, views=10)
            row.update(engagement_rate=20.0, view_rate=2.0)
    alone = world.metrics_frame
    world.metrics = largest.to_dicts()
    model = world.edition(MAY, metrics_largest=alone).model
    chosen = np.array([[0, 0, m1.uncertainty.many_accounts.index("largest"), 0]])
    assert model.ranks(model.official())[0].tolist() == [1, 2]
    assert model.ranks(replace(model.official(), alternatives=chosen))[0].tolist() == [2, 1]


def test_raters_are_drawn_within_what_they_gave(crowd, ratings, m1):
    """Three raters, 4, 7 and 10: the mean of three draws lies between, and all three the same happens in 1 of 9."""
    spread = pl.concat(
        [
            ratings({f"c{n:02}": level for n in range(12)}, raters=1).with_columns(rater=pl.lit(f"r{level}"))
            for level in (4, 7, 10)
        ]
    ).with_columns(pl.when(pl.col("city_id") < "c06").then(pl.col("score") / 4).otherwise(pl.col("score")))
    spread = spread.with_columns(pl.col("score").clip(1, 10))
    made = crowd.edition(MAY, experts=spread)
    model = replace(made.model, judged=np.full(12, 50.0))
    judged = draw(model, AT, rater_scores(spread, m1.experts), draws=900).judged
    last = 9 * judged[:, 11] / 100 + 1
    assert {round(float(mean), 6) for mean in last} == {4, 5, 6, 7, 8, 9, 10}
    assert np.isin(last.round(6), (4, 10)).mean() == pytest.approx(2 / 27, abs=0.03)


def test_a_factor_that_cannot_change_anything_has_no_index(crowd):
    """One account a city, and nothing is missing: these two choices are none."""
    got = {row["factor"]: row for row in sensitivity(crowd.edition(MAY).model, AT).to_dicts()}
    assert list(got) == list(FACTORS)
    for factor in ("many_accounts", "missing"):
        assert (got[factor]["first_order"], got[factor]["total_order"]) == (0.0, 0.0)
    assert got["normalisation"]["total_order"] > 0.2
    assert sum(row["total_order"] for row in got.values()) > 0.8
    assert {row["runs"] for row in got.values()} == {4096}


def test_one_city_alone_is_first_without_a_doubt_and_nothing_is_sensitive(world):
    world.city("a", *FOUR)
    for platform in FOUR:
        world.fill(MAY, platform, "a")
    got = assess(world.edition(MAY), experts=None)
    assert got.rank_interval.select("rank", "rank_p05", "rank_p95", "tier").rows() == [(1, 1.0, 1.0, 1)]
    assert got.sensitivity["first_order"].null_count() == len(FACTORS)


@pytest.mark.parametrize("what", ["no metrics", "no accounts"])
def test_a_month_of_which_nothing_is_known_is_assessed_without_a_rank(world, what):
    world.city("a", *([] if what == "no accounts" else FOUR))
    got = assess(world.edition(MAY), experts=None)
    assert got.rank_interval.is_empty()
    assert got.composite["rank_p05"].to_list() == [None]


def test_leaving_out_what_alone_tells_two_cities_apart_swaps_nobody_but_ties_them(world):
    """a beats b by its posts on Facebook; without them both are first: one place, for one of two cities."""
    for name in ("a", "b"):
        world.city(name, *FOUR)
        for platform in FOUR:
            world.fill(MAY, platform, name)
    for row in world.metrics:
        if (row["platform"], row["city_id"]) == ("facebook", "a"):
            row["posts"] += 50
    shifts = remove_one(world.edition(MAY).model)
    assert shifts["facebook", "posts"] == pytest.approx(0.5)
    assert {value for key, value in shifts.items() if key != ("facebook", "posts")} == {0.0}
