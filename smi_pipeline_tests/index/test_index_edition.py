"""A whole edition: composite, status, ranks, contributions."""

from __future__ import annotations

import polars as pl
import pytest

from smi_pipeline.index.edition import COMPOSITE, CONTRIBUTION, PLATFORM_WEIGHT
from smi_pipeline.index.ranks import with_changes

FOUR = ("facebook", "x", "instagram", "youtube")
MAY = "2025-05"


@pytest.fixture
def four(world):
    """Four cities: one everywhere, two on some platforms, one nowhere."""
    world.city("all", *FOUR)
    world.city("most", "facebook", "x", "youtube")
    world.city("some", "facebook", "instagram")
    world.city("none")
    for account in world.accounts:
        world.fill(MAY, account["platform"], account["city_id"], level=20 if account["city_id"] == "some" else 10)
    return world


def city(frame: pl.DataFrame, city_id: str) -> dict:
    [row] = frame.filter(city_id=city_id).to_dicts()
    return row


def scores_of(made) -> dict[str, float]:
    return dict(made.composite.select("city_id", "score").iter_rows())


def parts_of(made) -> dict[str, float]:
    return dict(made.contribution.group_by("city_id").agg(pl.col("contribution").sum()).iter_rows())


def test_without_ratings_an_edition_is_provisional_and_its_score_is_the_quantitative_index(four):
    made = four.edition(MAY)
    assert made.status == "provisional"
    assert made.composite["status"].unique().to_list() == ["provisional"]
    assert made.composite["qualitative"].null_count() == 4
    assert made.composite["score"].to_list() == made.composite["quantitative"].to_list()


def test_the_quantitative_index_weighs_the_platform_scores_and_no_account_is_zero(four):
    made = four.edition(MAY)
    weight = dict(made.platform_weight.select("platform", "weight").iter_rows())
    index = {(r["platform"], r["city_id"]): r["score"] for r in made.platform_index.to_dicts()}
    by_hand = sum(weight[p] * index[p, "most"] for p in ("facebook", "x", "youtube"))
    got = city(made.composite, "most")
    assert got["quantitative"] == pytest.approx(by_hand, abs=1e-9)
    assert got["observed_weight"] == pytest.approx(1)


def test_with_ratings_the_score_is_four_fifths_measured_and_one_fifth_judged(four, ratings):
    made = four.edition(MAY, experts=ratings({"all": 10, "most": 5.5, "some": 1, "none": 1}))
    assert made.status == "final"
    got = city(made.composite, "all")
    assert (got["qualitative"], got["raters"]) == (100, 3)
    assert got["score"] == pytest.approx(0.8 * got["quantitative"] + 20)
    assert got["method_version"] == "m1"


def test_a_provisional_cut_stays_provisional_whatever_the_experts_say(four, ratings):
    rated = ratings({"all": 5, "most": 4, "some": 3, "none": 2})
    made = four.edition(MAY, experts=rated, cut="provisional")
    assert made.status == "provisional"
    assert made.composite["qualitative"].null_count() == 4
    assert "expert" not in made.contribution["platform"].to_list()


@pytest.mark.parametrize("final", [True, False])
def test_contributions_add_up_to_the_score(four, ratings, final):
    levels = {"all": 7, "most": 4, "none": 1, "some": 10}
    made = four.edition(MAY, experts=ratings(levels) if final else None)
    parts = parts_of(made)
    for name, score in scores_of(made).items():
        assert parts.get(name, 0.0) == pytest.approx(score, abs=1e-9)
    expert = made.contribution.filter(platform="expert")
    assert expert["contribution"].to_list() == pytest.approx(
        [0.2 * 100 * (level - 1) / 9 for level in levels.values()] if final else []
    )


def test_a_contribution_is_its_weight_times_its_points(four):
    made = four.edition(MAY)
    keys = ["platform", "city_id", "indicator"]
    both = made.contribution.join(made.indicator_score.select(*keys, points="score"), on=keys)
    assert both.height == made.contribution.height
    assert (both["weight"] * both["points"]).to_list() == pytest.approx(both["contribution"].to_list())
    assert made.contribution.filter(city_id="all")["weight"].sum() == pytest.approx(1)


def test_a_city_without_any_account_is_listed_last_and_not_ranked(four):
    made = four.edition(MAY)
    assert made.composite["city_id"].to_list()[-1] == "none"
    got = city(made.composite, "none")
    assert (got["rank"], got["score"], got["flags"]) == (None, 0.0, ["no_account"])


def test_an_account_outside_the_composite_makes_a_city_ranked_with_zero(four):
    for number in range(6):
        four.city(f"f{number}", *FOUR)
    four.city("tiktok only", "tiktok")
    got = city(four.edition(MAY).composite, "tiktok only")
    assert (got["score"], got["flags"]) == (0.0, [])
    assert got["rank"] is not None


def test_what_was_not_observed_counts_by_the_rest(four):
    """X failed for one city: its other platforms carry its weight, and its contributions still add up."""
    four.metrics = [m for m in four.metrics if (m["platform"], m["city_id"]) != ("x", "all")]
    made = four.edition(MAY)
    weight = dict(made.platform_weight.select("platform", "weight").iter_rows())
    index = dict(made.platform_index.filter(city_id="all").select("platform", "score").iter_rows())
    rest = [p for p in FOUR if p != "x"]
    by_hand = sum(weight[p] * index[p] for p in rest) / sum(weight[p] for p in rest)
    got = city(made.composite, "all")
    assert got["quantitative"] == pytest.approx(by_hand)
    assert got["observed_weight"] == pytest.approx(1 - weight["x"])
    assert got["rank"] == 1
    assert parts_of(made)["all"] == pytest.approx(got["score"], abs=1e-9)


def test_with_less_than_two_thirds_observed_the_score_is_shown_but_not_ranked(four):
    four.metrics = [m for m in four.metrics if m["city_id"] != "all" or m["platform"] not in {"facebook", "x"}]
    got = city(four.edition(MAY).composite, "all")
    assert got["observed_weight"] < 2 / 3
    assert got["score"] > 0
    assert (got["rank"], got["flags"]) == (None, ["insufficient"])


def test_a_city_observed_nowhere_has_no_score_and_no_contributions(four):
    four.metrics = [m for m in four.metrics if m["city_id"] != "all"]
    made = four.edition(MAY)
    got = city(made.composite, "all")
    assert (got["score"], got["rank"], got["flags"]) == (None, None, ["insufficient"])
    assert "all" not in made.contribution["city_id"].to_list()


def test_a_city_without_a_rating_is_not_ranked_in_a_final_month(world, ratings):
    for number in range(21):
        world.city(f"c{number:02}", *FOUR)
        for platform in FOUR:
            world.fill(MAY, platform, f"c{number:02}", level=5 + number)
    rated = ratings({f"c{number:02}": 5 + number / 10 for number in range(20)})
    got = city(world.edition(MAY, experts=rated).composite, "c20")
    assert (got["score"], got["rank"], got["flags"]) == (None, None, ["no_expert_score", "rerate"])
    earlier = ratings({"c20": 8, "c00": 2}, raters=2)
    got = city(world.edition(MAY, experts=rated, experts_previous=earlier).composite, "c20")
    assert (got["rank"], got["flags"], got["raters"]) == (1, ["expert_carried", "rerate"], 2)
    got = city(world.edition(MAY, experts=rated, experts_previous=None, experts_earlier=[earlier]).composite, "c20")
    assert (got["rank"], got["flags"]) == (1, ["expert_carried", "rerate"])


def test_a_city_with_two_raters_is_flagged(world, ratings):
    for number in range(20):
        world.city(f"c{number:02}", *FOUR)
    rated = pl.concat([ratings({f"c{n:02}": 5 + n / 10 for n in range(19)}), ratings({"c19": 5}, raters=2)])
    made = world.edition(MAY, experts=rated)
    assert {"few_raters", "rerate"} <= set(city(made.composite, "c19")["flags"])
    assert "rerate" not in city(made.composite, "c18")["flags"]
    assert city(made.expert_city, "c19")["flags"] == ["few_raters", "rerate"]


def test_raters_who_do_not_agree_leave_a_month_provisional_with_the_cities_to_be_rated_again(four, ratings):
    """Two raters turn the order of the third round: nothing judged is shown, and the table says why."""
    levels = {"all": 9, "most": 6, "some": 4, "none": 1}
    turned = ratings(dict(zip(levels, reversed(levels.values()), strict=True)), raters=2)
    rated = pl.concat([ratings(levels, raters=1), turned.with_columns(pl.col("rater") + "b")])
    made = four.edition(MAY, experts=rated)
    assert made.status == "provisional"
    assert made.composite["qualitative"].null_count() == 4
    assert made.composite["score"].to_list() == made.composite["quantitative"].to_list()
    [row] = made.expert_agreement.to_dicts()
    assert (row["released"], row["flags"]) == (False, ["low_alpha"])
    # 9 and twice 1 deviate by 8 / sqrt(3) = 4.6 points, 6 and twice 4 by 1.2.
    again = {name for name in levels if "rerate" in city(made.composite, name)["flags"]}
    assert again == {"all", "none"}
    assert again == {r["city_id"] for r in made.expert_city.to_dicts() if "rerate" in r["flags"]}
    assert city(made.expert_city, "all")["qualitative"] == pytest.approx(100 * (11 / 3 - 1) / 9)


def test_an_edition_is_final_exactly_where_its_experts_are_released(four, ratings):
    rated = ratings({"all": 5, "most": 4, "some": 3, "none": 2})
    for given in ({}, {"experts": rated}, {"experts": rated, "cut": "provisional"}):
        made = four.edition(MAY, **given)
        assert made.expert_agreement["released"].to_list() == [made.status == "final"]
        assert made.expert_city["city_id"].to_list() == sorted(made.composite["city_id"])


def test_equal_scores_share_the_best_rank_and_are_listed_by_code(four):
    four.city("twin", "facebook", "instagram")
    for platform in ("facebook", "instagram"):
        four.fill(MAY, platform, "twin", level=20)
    made = four.edition(MAY).composite
    ranks = dict(made.select("city_id", "rank").iter_rows())
    assert ranks["some"] == ranks["twin"]
    order = made["city_id"].to_list()
    assert order.index("twin") == order.index("some") + 1
    assert ranks["twin"] == 1 + sum(score > city(made, "twin")["score"] for score in made["score"])


def test_scores_that_differ_only_in_the_noise_of_summation_are_a_tie(four):
    frame = pl.DataFrame({"city_id": ["a", "b", "c", "d"], "score": [50.0, 50.0 + 1e-12, 50.1, None]})
    assert with_changes(frame, None, decimals=6)["rank"].to_list() == [2, 2, 1, None]


def test_one_city_alone_is_first(world):
    world.city("only", *FOUR)
    for platform in FOUR:
        world.fill(MAY, platform, "only")
    [row] = world.edition(MAY).composite.to_dicts()
    assert (row["rank"], row["previous_rank"], row["rank_change"]) == (1, None, None)


def test_without_an_eligible_platform_nobody_has_a_score(world):
    for number in range(10):
        world.city(f"c{number}", *(FOUR if number == 0 else ()))
    world.fill(MAY, "facebook", "c0")
    made = world.edition(MAY)
    assert made.platform_weight["weight"].to_list() == [0.0] * 5
    assert made.composite["score"].null_count() == 10
    assert made.platform_index.filter(platform="facebook")["rank"].to_list() == [1]
    assert made.contribution.is_empty()


def test_a_month_without_metrics_keeps_every_schema(four):
    four.metrics = []
    made = four.edition(MAY)
    assert made.composite.schema == pl.Schema(COMPOSITE)
    assert made.contribution.schema == pl.Schema(CONTRIBUTION)
    assert made.platform_weight.schema == pl.Schema(PLATFORM_WEIGHT)
    assert made.composite["rank"].null_count() == 4


def test_an_empty_registry_gives_empty_frames(four):
    four.cities = [c | {"valid_from": c["valid_from"].replace(year=2030)} for c in four.cities]
    made = four.edition(MAY)
    assert made.composite.is_empty()
    assert made.composite.schema == pl.Schema(COMPOSITE)
    assert made.platform_index.is_empty()


def test_the_interval_of_a_rank_is_left_open(four):
    made = four.edition(MAY).composite
    assert made["rank_p05"].null_count() == made["rank_p95"].null_count() == made.height


@pytest.mark.parametrize(("rule", "rate"), [("reported", 600.0), ("all", 450.0)])
def test_the_methods_rule_decides_which_rate_is_scored(world, m1, rule, rate):
    """One city hides the likes of one of its four posts, in this month and in the one before: both compare under one."""
    for city_id in ("open", "hiding"):
        world.city(city_id, "instagram")
    for month in ("2025-04", MAY):
        for city_id in ("open", "hiding"):
            world.fill(month, "instagram", city_id)
        world.metrics[-1] |= {"posts": 4, "interactions": 1800, "engagement_rate": 450.0}
        world.metrics[-1] |= {"complete_posts": 3, "complete_interactions": 1800, "engagement_rate_reported": 600.0}
    made = world.edition(MAY, method=m1.model_copy(update={"rates": rule}))
    scored = made.indicator_score.filter(city_id="hiding", indicator="engagement_rate")
    assert scored["value"].to_list() == [rate]
    change = made.score_change.filter(city_id="hiding", indicator="engagement_rate")["change"]
    assert change.to_list() == [0.0] * len(change)
