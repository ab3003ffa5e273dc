"""Ratings to scores, and when they are released."""

from __future__ import annotations

import polars as pl
import pytest

from smi_pipeline.index.experts import city_scores, expert_scores, is_released
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
    months = [given(("r", "now", "x", 10))]
    months += [given(("r", city, "x", 5), ("r", "now", "x", 2)) for city in ("one", "two", "three")]
    got = expert_scores(months, m1.experts)
    assert got.select("city_id", "carried").rows() == [("now", 0), ("one", 1), ("two", 2)]
    assert got["qualitative"][0] == 100


@pytest.mark.parametrize(("rated", "released"), [(19, True), (18, False)])
def test_a_month_is_released_when_95_percent_of_the_cities_have_three_raters(m1, ratings, rated, released):
    cities = pl.DataFrame({"city_id": [f"c{n}" for n in range(20)]})
    enough = ratings({f"c{n}": 5 for n in range(rated)}, raters=3)
    few = ratings({f"c{n}": 5 for n in range(rated, 20)} | {"elsewhere": 5}, raters=2)
    assert is_released(pl.concat([enough, few]), cities, m1.experts) is released


def test_nothing_is_released_without_a_file_or_a_city(m1, ratings):
    cities = pl.DataFrame({"city_id": ["a"]})
    assert not is_released(None, cities, m1.experts)
    assert not is_released(ratings({"a": 5}), cities.clear(), m1.experts)
