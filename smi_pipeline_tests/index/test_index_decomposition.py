"""Why a score moved: the parts add up, and each says what it claims."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FOUR = ("facebook", "x", "instagram", "youtube")
APRIL, MAY = "2025-04", "2025-05"
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
measured = st.fixed_dictionaries(
    {
        "posts": st.integers(1, 400),
        "videos": st.integers(1, 100),
        "interactions": st.integers(0, 10**7),
        "followers": st.none() | st.integers(0, 10**7),
        "follower_growth": st.none() | st.integers(-(10**5), 10**6),
        "views": st.integers(0, 10**7),
    }
)
city = st.dictionaries(st.sampled_from(FOUR), st.tuples(st.none() | measured, st.none() | measured), max_size=4)


def sums(made) -> dict[str, float]:
    return dict(made.score_change.group_by("city_id").agg(pl.col("change").sum()).iter_rows())


@few
@given(cities=st.lists(city, min_size=1, max_size=5), rated=st.booleans())
def test_the_parts_of_a_change_add_up_to_it_whatever_is_missing(new_world, ratings, cities, rated):
    """The score of the month before is the one the change of rank is counted against: what May's edition says of April."""
    world = new_world()
    for number, on in enumerate(cities):
        world.city(f"c{number}", *on)
        for platform, months in on.items():
            for month, values in zip((APRIL, MAY), months, strict=True):
                if values is not None:
                    world.measure(month, platform, f"c{number}", **values)
    experts = {}
    if rated:
        levels = [{f"c{n}": 1 + (n * 3 + shift) % 9 for n in range(len(cities))} for shift in (0, 4)]
        experts = {"experts_previous": ratings(levels[0]), "experts": ratings(levels[1])}
    made = world.edition(MAY, **experts)
    april = world.edition(APRIL, experts=experts.get("experts_previous"))
    comparable = not {"changed_set", "status_changed"} & {flag for flags in made.composite["flags"] for flag in flags}
    if comparable and made.status == april.status:
        scores = [
            dict(one.composite.filter(pl.col("rank").is_not_null()).select("city_id", "score").iter_rows())
            for one in (april, made)
        ]
        for name in scores[0].keys() & scores[1].keys():
            assert sums(made).get(name, 0.0) == pytest.approx(scores[1][name] - scores[0][name], abs=1e-9)


def test_a_city_whose_figures_stay_moves_by_weights_alone(world):
    """The inputs change in May: what the city gains on one platform it loses on others, and no indicator has a part in it."""
    for name in ("a", "b"):
        world.city(name, *FOUR)
        for month in (APRIL, MAY):
            for level, platform in enumerate(FOUR, start=8):
                world.fill(month, platform, name, level=level)
    users = {"facebook": 0.5, "x": 3.0, "instagram": 2.0, "youtube": 2.5, "tiktok": 1.6}
    world.inputs = pl.concat([world.inputs, world.more_inputs("2025-05", users=users)])
    made = world.edition(MAY)
    parts = made.score_change.filter(city_id="a")
    moved = parts.filter(pl.col("change").abs() > 1e-12)
    assert set(moved["effect"]) == {"weight"}
    assert set(moved["platform"]) == set(FOUR)
    assert sum(parts["change"]) != 0


def test_performance_is_counted_at_the_mean_of_the_two_weights(world):
    """Posts of x go from 1 to 3: ln 4 / ln 201 - ln 2 / ln 201 points of 100, a tenth of the platform, a mean weight of it."""
    for name in ("a", "b"):
        world.city(name, *FOUR)
        for month in (APRIL, MAY):
            for platform in FOUR:
                world.fill(month, platform, name)
    for month, posts in ((APRIL, 1), (MAY, 3)):
        [row] = [m for m in world.metrics if (str(m["month"])[:7], m["platform"], m["city_id"]) == (month, "x", "a")]
        row["posts"] = posts
    made, april = world.edition(MAY), world.edition(APRIL)
    weights = [one.platform_weight.filter(platform="x")["weight"].item() for one in (april, made)]
    points = 100 * (0.6931471805599453) / 5.303304908059076  # ln 4 - ln 2 = ln 2, over ln 201
    part = made.score_change.filter(city_id="a", platform="x", indicator="posts")["change"].item()
    assert part == pytest.approx(sum(weights) / 2 * 0.2 * 0.5 * points, abs=1e-9)


def test_a_month_without_one_before_has_no_parts(world):
    world.city("a", *FOUR)
    for platform in FOUR:
        world.fill(MAY, platform, "a")
    made = world.edition(MAY)
    assert made.score_change.is_empty()
    assert made.composite["rank_at_previous_weights"].to_list() == [None]


def test_the_rank_under_last_months_weights_tells_who_moved_by_weights_alone(world):
    """a is strong on Facebook, b on X; the figures stay, the weights turn, and so does the order."""
    for name, strong in (("a", "facebook"), ("b", "x")):
        world.city(name, *FOUR)
        for month in (APRIL, MAY):
            for platform in FOUR:
                world.fill(month, platform, name, level=40 if platform == strong else 10)
    users = {"facebook": 0.01, "x": 9.0, "instagram": 2.0, "youtube": 2.5, "tiktok": 1.6}
    relevance = {"facebook": 0.05, "x": 0.65, "instagram": 0.1, "youtube": 0.1, "tiktok": 0.1}
    world.inputs = pl.concat([world.inputs, world.more_inputs("2025-05", users=users, relevance=relevance)])
    got = (
        world.edition(MAY).composite.sort("city_id").select("rank", "previous_rank", "rank_at_previous_weights").rows()
    )
    assert got == [(2, 1, 1), (1, 2, 2)]
