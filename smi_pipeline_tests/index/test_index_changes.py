"""A change compares like with like, or there is none and a flag says why."""

from __future__ import annotations

import polars as pl
import pytest

from smi_pipeline.index.ranks import with_changes

FOUR = ("facebook", "x", "instagram", "youtube")
APRIL, MAY = "2025-04", "2025-05"
CITIES = [f"c{number}" for number in range(6)]


@pytest.fixture
def steady(world):
    """Six cities in two months; in April in the order of their numbers, in May c5 leaps from last to first."""
    for number, name in enumerate(CITIES):
        world.city(name, *FOUR)
        for platform in FOUR:
            world.fill(APRIL, platform, name, level=30 - 2 * number)
            world.fill(MAY, platform, name, level=40 if name == "c5" else 30 - 2 * number)
    return world


def city(frame: pl.DataFrame, city_id: str, **keys: str) -> dict:
    [row] = frame.filter(city_id=city_id, **keys).to_dicts()
    return row


def moves(frame: pl.DataFrame) -> dict[str, tuple]:
    columns = ("city_id", "rank", "previous_rank", "rank_change")
    return {name: tuple(rest) for name, *rest in frame.select(columns).iter_rows()}


def without(world, month: str, platform: str, *fields: str) -> None:
    """Nobody's `fields` were observed on a platform in a month."""
    first = int(month[5:])
    for row in world.metrics:
        if row["platform"] == platform and row["month"].month == first:
            row.update(dict.fromkeys(fields))


def test_up_is_positive(steady):
    assert moves(steady.edition(MAY).composite) == {
        "c5": (1, 6, 5),
        "c0": (2, 1, -1),
        "c1": (3, 2, -1),
        "c2": (4, 3, -1),
        "c3": (5, 4, -1),
        "c4": (6, 5, -1),
    }
    assert moves(steady.edition(MAY).platform_index.filter(platform="x"))["c5"] == (1, 6, 5)


def test_without_a_month_before_there_is_no_change_and_nobody_is_new(steady):
    made = steady.edition(APRIL)
    for frame in (made.composite, made.platform_index):
        assert frame["rank_change"].null_count() == frame.height
        assert frame["flags"].list.len().sum() == 0


def test_a_city_that_joins_is_new_and_moves_nobody(steady):
    """It takes the first place, so the rank shown and the rank that is compared differ: a flag says so."""
    steady.city("joins", *FOUR, since="2025-05-01")
    for platform in FOUR:
        steady.fill(MAY, platform, "joins", level=60)
    made = steady.edition(MAY)
    assert moves(made.composite)["joins"] == (1, None, None)
    assert city(made.composite, "joins")["flags"] == ["new"]
    assert moves(made.composite)["c5"] == (2, 6, 5)
    assert city(made.composite, "c5")["flags"] == ["common_set"]
    assert city(made.platform_index, "joins", platform="x")["flags"] == ["new"]


def test_a_city_that_leaves_lifts_nobody(steady):
    """c0 led in April and is gone in May: c1 was first of those who stayed."""
    steady.cities[0]["valid_to"] = steady.metrics[-1]["month"]
    got = moves(steady.edition(MAY).composite)
    assert got["c1"] == (2, 1, -1)
    assert "c0" not in got


def test_a_first_account_on_a_platform_is_new_there_and_not_in_the_composite(steady):
    steady.city("half", "facebook", "x")
    steady.account("half", "youtube", since="2025-05-01")
    for platform in ("facebook", "x", "youtube"):
        steady.fill(MAY, platform, "half", level=10)
        if platform != "youtube":
            steady.fill(APRIL, platform, "half", level=10)
    made = steady.edition(MAY)
    assert city(made.platform_index, "half", platform="youtube")["flags"] == ["new"]
    assert "new" not in city(made.composite, "half")["flags"]
    assert city(made.composite, "half")["rank_change"] == 0


def test_in_a_platforms_first_month_nobody_is_called_new(steady):
    steady.city("t", "tiktok", "x")
    steady.fill("2025-03", "tiktok", "t")
    steady.fill("2025-02", "x", "t")
    [row] = steady.edition("2025-03").platform_index.filter(platform="tiktok").to_dicts()
    assert row["flags"] == []


def test_a_city_not_observed_last_month_is_not_new(steady):
    steady.metrics = [m for m in steady.metrics if m["city_id"] != "c1" or m["month"].month == 5]
    got = city(steady.edition(MAY).composite, "c1")
    assert (got["rank"], got["rank_change"]) == (3, None)
    assert "new" not in got["flags"]


def test_an_indicator_that_went_away_is_taken_out_of_the_month_before(steady):
    """Growth was all that put c5 last on X in April; in May nobody shows growth: c5 did not move."""
    steady.metrics = [m for m in steady.metrics if m["platform"] != "x"]
    for number, name in enumerate(CITIES):
        reactions = 6000 if name == "c5" else 5000 - number
        same = {"posts": 10, "videos": 5, "interactions": reactions, "followers": 50000}
        steady.measure(APRIL, "x", name, **same, follower_growth=-100 if name == "c5" else 20000)
        steady.measure(MAY, "x", name, **same)
    april = moves(steady.edition(APRIL).platform_index.filter(platform="x"))
    assert april["c5"][0] == 6
    made = steady.edition(MAY)
    assert moves(made.platform_index.filter(platform="x"))["c5"] == (1, 1, 0)
    assert "changed_set" in city(made.platform_index, "c5", platform="x")["flags"]
    assert "changed_set" in city(made.composite, "c0")["flags"]
    assert city(made.composite, "c0")["rank_change"] is not None
    assert "changed_set" not in city(made.platform_index, "c5", platform="facebook")["flags"]


def test_an_indicator_that_came_leaves_no_change(steady):
    """Growth cannot be observed in the first month of all: the second one has no change on that platform."""
    without(steady, APRIL, "facebook", "follower_growth")
    made = steady.edition(MAY)
    facebook = made.platform_index.filter(platform="facebook")
    assert facebook["rank_change"].null_count() == 6
    assert facebook["flags"].to_list() == [["changed_set"]] * 6
    assert made.platform_index.filter(platform="x")["rank_change"].null_count() == 0
    assert made.composite["rank_change"].null_count() == 6
    assert made.composite["flags"].to_list() == [["changed_set"]] * 6


def test_a_change_on_a_platform_outside_the_composite_leaves_the_composite_alone(steady):
    """TikTok's second month has growth, its first had none."""
    steady.account("c0", "tiktok")
    steady.fill(APRIL, "tiktok", "c0")
    steady.fill(MAY, "tiktok", "c0")
    without(steady, APRIL, "tiktok", "follower_growth")
    made = steady.edition(MAY)
    assert made.platform_index.filter(platform="tiktok")["rank_change"].to_list() == [None]
    assert made.composite["rank_change"].null_count() == 0


def test_a_provisional_month_is_compared_with_last_months_quantitative_ranks(steady, ratings):
    """In April the experts turned the order round; in May they have not spoken yet."""
    turned = ratings({name: 1 + number * 1.8 for number, name in enumerate(CITIES)})
    april = moves(steady.edition(APRIL, experts=turned).composite)
    assert april["c0"][0] == 6
    assert moves(steady.edition(MAY, experts_previous=turned).composite)["c0"] == (2, 1, -1)


def test_a_final_month_is_compared_with_last_months_final_ranks(steady, ratings):
    turned = ratings({name: 1 + number * 1.8 for number, name in enumerate(CITIES)})
    got = moves(steady.edition(MAY, experts=turned, experts_previous=turned).composite)
    assert got["c0"][1] == 6


@pytest.mark.parametrize("previous", [{}, {"cut_previous": "provisional"}])
def test_a_final_rank_is_not_compared_with_a_provisional_one(steady, ratings, previous):
    rated = ratings({name: 9 - number for number, name in enumerate(CITIES)})
    before = rated if previous else None
    made = steady.edition(MAY, experts=rated, experts_previous=before, **previous)
    assert made.status == "final"
    assert made.composite["rank_change"].null_count() == 6
    assert made.composite["flags"].to_list() == [["status_changed"]] * 6
    assert made.platform_index["rank_change"].null_count() == 0  # platform indices know no experts


def test_the_first_month_of_the_inputs_has_no_composite_before_it(steady, weight_inputs):
    steady.inputs = weight_inputs(MAY)
    made = steady.edition(MAY)
    assert made.composite["rank"].null_count() == 0
    assert made.composite["rank_change"].null_count() == 6
    assert made.platform_index["rank_change"].null_count() == 0


def test_the_month_before_gives_the_ranks_it_gives_alone(steady):
    alone = moves(steady.edition(APRIL).composite)
    assert {n: m[1] for n, m in moves(steady.edition(MAY).composite).items()} == {n: m[0] for n, m in alone.items()}


def test_ranks_of_a_common_set_by_hand():
    """b and c are in both months: b was behind c and is now ahead of it, whoever else came and went."""
    now = pl.DataFrame({"city_id": ["a", "b", "c"], "score": [9.0, 8.0, 7.0]})
    before = pl.DataFrame({"city_id": ["b", "c", "d"], "score": [5.0, 6.0, 7.0]})
    got = with_changes(now, before, decimals=6)
    assert got.select("city_id", "rank", "common_rank", "previous_rank", "rank_change").rows() == [
        ("a", 1, None, None, None),
        ("b", 2, 1, 2, 1),
        ("c", 3, 2, 1, -1),
    ]
