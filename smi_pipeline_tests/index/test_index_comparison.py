"""Two editions of one month side by side."""

from __future__ import annotations

import pytest

from smi_pipeline.index.comparison import compare, in_words


@pytest.fixture
def scored(world):
    """Three cities that report everything on the four platforms."""
    for city, level in (("a", 9), ("b", 6), ("c", 3)):
        world.city(city, "facebook", "x", "instagram", "youtube")
        for platform in ("facebook", "x", "instagram", "youtube"):
            world.fill("2025-05", platform, city, level=level)
    return world


def test_the_same_edition_twice_differs_nowhere(scored):
    made = scored.edition("2025-05")
    got = compare(made, made)
    assert got["city_id"].to_list() == ["a", "b", "c"]
    assert set(got["rank_change"]) == {0}
    assert set(got["score_change"]) == {0.0}
    assert in_words(got).startswith("0 of 3 cities change their rank, by 0 at most; scores move by 0.00 points")
    assert in_words(got).endswith("3 of the first 3 stay among the first 10")


def test_a_city_that_only_one_edition_has_moves_nowhere(scored):
    whole = scored.edition("2025-05")
    scored.cities = [city for city in scored.cities if city["city_id"] != "a"]
    got = {row["city_id"]: row for row in compare(whole, scored.edition("2025-05")).iter_rows(named=True)}
    assert (got["a"]["rank_a"], got["a"]["rank_b"], got["a"]["rank_change"]) == (1, None, None)
    assert (got["b"]["rank_a"], got["b"]["rank_b"], got["b"]["rank_change"]) == (2, 1, 1)


def test_editions_that_rank_no_city_in_common_say_so(scored):
    whole = scored.edition("2025-05")
    scored.cities = []
    scored.city("d")  # without an account: listed, not ranked
    assert in_words(compare(whole, scored.edition("2025-05"))) == "no city is ranked under both"


def test_two_months_are_not_two_versions(scored):
    with pytest.raises(ValueError, match="expected two editions of one month, got 2025-05 and 2025-04"):
        compare(scored.edition("2025-05"), scored.edition("2025-04"))
