"""Ratings to scores, which cities must be rated again, and what is carried."""

from __future__ import annotations

import polars as pl
import pytest

from smi_pipeline.index.experts import city_scores, expert_city, expert_scores
from smi_pipeline.index.method import method_text, parse_method

SCHEMA = {"rater": pl.String, "city_id": pl.String, "criterion": pl.String, "score": pl.Float64}


def given(*rows: tuple[str, str, str, float | None]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=SCHEMA, orient="row")


def test_a_city_score_is_the_mean_over_raters_on_fixed_ends(m1):
    """Raters 7 and 5.5 on the mean: 6.25, so 100 * 5.25 / 9; a rater with one criterion counts as much as one with two."""
    ratings = given(("a", "c", "story", 8), ("a", "c", "craft", 6), ("b", "c", "story", 5.5), ("b", "c", "craft", None))
    [row] = city_scores(ratings, m1.experts).to_dicts()
    assert row["qualitative"] == pytest.approx(100 * (6.25 - 1) / 9)
    assert row["raters"] == 2


def test_the_ends_of_the_scale_are_nought_and_a_hundred(m1):
    got = city_scores(given(("a", "low", "x", 1), ("a", "top", "x", 10)), m1.experts)
    assert got.select("city_id", "qualitative").rows() == [("low", 0.0), ("top", 100.0)]


def test_criteria_weigh_what_the_method_says():
    method = parse_method(method_text("m1").replace("[experts.criteria]", "[experts.criteria]\nstory = 3"), name="m")
    [row] = city_scores(given(("a", "c", "story", 10), ("a", "c", "craft", 2)), method.experts).to_dicts()
    assert row["qualitative"] == pytest.approx(100 * ((3 * 10 + 2) / 4 - 1) / 9)


@pytest.mark.parametrize("score", [0.5, 10.5, -1, float("nan")])
def test_a_score_off_the_scale_is_refused_with_rater_and_city(m1, score):
    with pytest.raises(ValueError, match="rater 'a', city 'c', story: expected 1 to 10"):
        city_scores(given(("a", "c", "story", score)), m1.experts)


def test_a_rater_who_scores_twice_is_refused(m1):
    with pytest.raises(ValueError, match="rater 'a', city 'c', story: expected one score, got several"):
        city_scores(given(("a", "c", "story", 5), ("a", "c", "story", 6)), m1.experts)


def test_no_file_is_no_score(m1):
    assert city_scores(None, m1.experts).is_empty()
    assert expert_scores([None, None], m1.experts).columns == ["city_id", "qualitative", "raters", "carried"]


def test_a_missing_score_is_carried_for_two_months_and_no_longer(m1):
    def alike(city: str) -> pl.DataFrame:
        return given(*((rater, *row) for rater in "rs" for row in ((city, "x", 5), ("now", "x", 2))))

    months = [given(("r", "now", "x", 10)), alike("one"), alike("two"), alike("three")]
    got = expert_scores(months, m1.experts)
    assert got.select("city_id", "carried").rows() == [("now", 0), ("one", 1), ("two", 2)]
    assert got["qualitative"][0] == 100


def test_a_score_that_raters_did_not_agree_on_is_not_carried(m1):
    """What was withheld last month for want of agreement must not be published this month by being carried."""
    split = given(("r", "a", "x", 1), ("s", "a", "x", 10), ("r", "b", "x", 10), ("s", "b", "x", 1))
    alike = given(("r", "a", "x", 1), ("s", "a", "x", 1), ("r", "c", "x", 10), ("s", "c", "x", 10))
    got = expert_scores([None, split, alike], m1.experts)
    assert got.select("city_id", "carried").rows() == [("a", 2), ("c", 2)]


def by_city(*months: pl.DataFrame | None, rule, cities: str = "abcd") -> dict[str, dict]:
    frame = expert_city(pl.DataFrame({"city_id": list(cities)}), months, rule)
    return {row["city_id"]: row for row in frame.to_dicts()}


def test_a_city_with_few_raters_or_raters_far_apart_is_to_be_rated_again(m1):
    """Scores 2, 5, 8 have a sample deviation of 3; 4, 4, 7 of sqrt(3); the limit is 2.5 points of the scale."""
    levels = {"a": (2, 5, 8), "b": (4, 4, 7), "c": (6, 6)}
    rated = given(*((f"r{n}", city, "x", score) for city, scores in levels.items() for n, score in enumerate(scores)))
    got = by_city(rated, rule=m1.experts)
    assert (got["a"]["raters"], got["a"]["mean"], got["a"]["sd"]) == (3, 5, pytest.approx(3))
    assert got["b"]["sd"] == pytest.approx(3**0.5)
    assert {city: row["flags"] for city, row in got.items()} == {
        "a": ["rerate", "wide_spread"],
        "b": [],
        "c": ["few_raters", "rerate"],
        "d": ["few_raters", "no_expert_score", "rerate"],
    }
    assert (got["d"]["raters"], got["d"]["mean"], got["d"]["qualitative"]) == (0, None, None)


def test_a_deviation_of_exactly_the_limit_is_accepted(m1):
    """2.5, 5, 7.5: the sample deviation is 2.5."""
    rated = given(("r", "a", "x", 2.5), ("s", "a", "x", 5), ("t", "a", "x", 7.5))
    assert by_city(rated, rule=m1.experts)["a"]["flags"] == []


def test_in_a_month_without_ratings_there_is_nothing_to_rate_again(m1, ratings):
    got = by_city(None, ratings({"a": 3, "b": 8}), rule=m1.experts, cities="abc")
    assert [(row["qualitative"], row["carried"], row["flags"]) for row in got.values()] == [
        (pytest.approx(100 * 2 / 9), 1, ["expert_carried"]),
        (pytest.approx(100 * 7 / 9), 1, ["expert_carried"]),
        (None, None, ["no_expert_score"]),
    ]


def test_the_order_of_the_ratings_changes_nothing(m1, ratings):
    rated = ratings({"a": 3, "b": 8.3, "c": 4.7}, raters=5)
    shuffled = rated.sample(fraction=1, shuffle=True, seed=7)
    cities = pl.DataFrame({"city_id": ["c", "a", "b"]})
    assert expert_city(cities, [shuffled], m1.experts).equals(expert_city(cities, [rated], m1.experts))
