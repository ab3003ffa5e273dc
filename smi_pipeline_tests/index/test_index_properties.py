"""Algebra of the index: what holds for any registry and any metrics."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

FOUR = ("facebook", "x", "instagram", "youtube")
APRIL, MAY = "2025-04", "2025-05"
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])

counts = st.integers(0, 10**7)
optional_counts = st.none() | counts
measured = st.fixed_dictionaries(
    {
        "posts": st.integers(1, 400),
        "videos": st.integers(1, 100),
        "interactions": counts,
        "followers": counts,
        "follower_growth": st.integers(-(10**5), 10**6),
        "views": counts,
    }
)
holes = st.fixed_dictionaries(
    {
        "posts": st.none() | st.integers(0, 400),
        "videos": st.integers(0, 100),
        "interactions": optional_counts,
        "followers": optional_counts,
        "follower_growth": st.none() | st.integers(-(10**5), 10**6),
        "views": optional_counts,
    }
)
# per city: which platforms it is on, and its metrics there (None = the account did not answer)
on_platforms = st.dictionaries(st.sampled_from(FOUR), st.none() | holes, max_size=4)
anything = st.lists(on_platforms, min_size=1, max_size=7)


def build(new_world, cities, month=MAY):
    world = new_world()
    for number, on in enumerate(cities):
        world.city(f"c{number}", *on)
        for platform, values in on.items():
            if values is not None and values["posts"] is not None:
                world.measure(month, platform, f"c{number}", **values)
    return world


def score_of(frame: pl.DataFrame, city: str) -> float:
    return frame.filter(city_id=city)["score"].item()


@few
@given(cities=anything, data=st.data())
def test_contributions_weights_and_scores_agree_whatever_is_missing(new_world, ratings, cities, data):
    world = build(new_world, cities)
    rated = data.draw(st.none() | st.lists(st.integers(1, 10), min_size=len(cities), max_size=len(cities)))
    experts = None if rated is None else ratings({f"c{n}": level for n, level in enumerate(rated)})
    made = world.edition(MAY, experts=experts)
    parts = dict(made.contribution.group_by("city_id").agg(pl.col("contribution").sum()).iter_rows())
    for city, score in made.composite.select("city_id", "score").iter_rows():
        assert score is None or 0 <= score <= 100 + 1e-9
        assert parts.get(city, 0.0) == pytest.approx(score or 0.0, abs=1e-9)
    total = made.platform_weight["weight"].sum()
    assert total == pytest.approx(1 if made.platform_weight["eligible"].any() else 0, abs=1e-9)
    scored = made.indicator_score.drop_nulls("weight").group_by("platform", "city_id").agg(pl.col("weight").sum())
    assert scored["weight"].to_list() == pytest.approx([1.0] * scored.height, abs=1e-9)
    assert scored.height == made.platform_index["score"].count()


@few
@given(cities=anything, seed=st.randoms(use_true_random=False))
def test_the_order_of_every_input_changes_nothing(new_world, cities, seed):
    world = build(new_world, cities)
    expected = world.edition(MAY)
    for rows in (world.cities, world.accounts, world.metrics):
        seed.shuffle(rows)
    world.inputs = world.inputs.sample(fraction=1, shuffle=True, seed=seed.randint(0, 10**6))
    got = world.edition(MAY)
    for name in ("indicator_score", "platform_index", "platform_weight", "composite", "contribution"):
        assert getattr(got, name).equals(getattr(expected, name)), name


@few
@given(
    base=measured,
    platform=st.sampled_from(FOUR),
    name=st.sampled_from(["posts", "videos", "interactions", "followers", "follower_growth", "views"]),
    more=st.integers(1, 10**6),
)
def test_more_of_one_indicator_never_lowers_a_score_or_a_rank(new_world, base, platform, name, more):
    """The rates are held: the index is monotone in each indicator, not in each post."""
    rates = {"engagement_rate": 50.0, "view_rate": 70.0}
    worlds = []
    for values in (base, base | {name: base[name] + more}):
        world = build(new_world, [dict.fromkeys(FOUR, base)] * 3)
        world.metrics = [m | rates for m in world.metrics]
        for row in world.metrics:
            if (row["platform"], row["city_id"]) == (platform, "c1"):
                row.update(values)
        worlds.append(world.edition(MAY))
    less, greater = worlds
    assert score_of(greater.composite, "c1") >= score_of(less.composite, "c1") - 1e-12
    rank = [made.composite.filter(city_id="c1")["rank"].item() for made in worlds]
    assert rank[1] <= rank[0]


@few
@given(rate=st.floats(0, 1e6), more=st.floats(0, 1e6), name=st.sampled_from(["engagement_rate", "view_rate"]))
def test_a_greater_rate_never_lowers_a_score(new_world, rate, more, name):
    scores = []
    for value in (rate, rate + more):
        world = new_world()
        world.city("c", *FOUR)
        for platform in FOUR:
            world.measure(
                MAY, platform, "c", posts=3, videos=3, interactions=9, followers=9, follower_growth=0, views=9
            )
        world.metrics = [m | {name: value} for m in world.metrics]
        scores.append(score_of(world.edition(MAY).composite, "c"))
    assert scores[0] <= scores[1] + 1e-12


@few
@given(cities=st.lists(st.fixed_dictionaries(dict.fromkeys(FOUR, measured)), min_size=2, max_size=5), viral=measured)
def test_cities_whose_data_stay_the_same_do_not_move_when_another_goes_viral(new_world, cities, viral):
    """That is what fixed goalposts are for."""
    before = build(new_world, cities).edition(MAY)
    top = {name: value * 1000 for name, value in viral.items()}
    after = build(new_world, [dict.fromkeys(FOUR, top), *cities[1:]]).edition(MAY)
    frozen = [f"c{number}" for number in range(1, len(cities))]
    for name in ("platform_index", "composite"):
        kept = [
            getattr(made, name)
            .filter(pl.col("city_id").is_in(frozen))
            .sort("city_id", *(["platform"] if name == "platform_index" else []))
            for made in (before, after)
        ]
        assert kept[0]["score"].equals(kept[1]["score"])
    order = [made.composite.filter(pl.col("city_id").is_in(frozen))["city_id"].to_list() for made in (before, after)]
    assert order[0] == order[1]


@few
@given(values=measured, size=st.integers(1, 6))
def test_cities_that_are_all_equal_are_all_first(new_world, values, size):
    made = build(new_world, [dict.fromkeys(FOUR, values)] * size).edition(MAY)
    assert made.composite["rank"].to_list() == [1] * size
    assert made.composite["city_id"].to_list() == sorted(made.composite["city_id"])


@settings(few, max_examples=5)
@given(cities=anything)
def test_a_month_is_the_same_alone_and_beside_its_neighbours(new_world, cities):
    """Only the changes look back; nothing looks ahead."""
    world = build(new_world, cities)
    alone = world.edition(MAY)
    assume(world.metrics)
    june = build(new_world, cities, month="2025-06").metrics
    world.metrics += june
    assert world.edition(MAY).composite.equals(alone.composite)
    assert world.edition("2025-06").composite["score"].equals(alone_in_june(new_world, cities))


def alone_in_june(new_world, cities) -> pl.Series:
    return build(new_world, cities, month="2025-06").edition("2025-06").composite["score"]
