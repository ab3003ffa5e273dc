"""When the judged part is published, and what is said where it is not."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smi_pipeline.index.method import method_text, parse_method
from smi_pipeline.index.release import release
from smi_pipeline.registry.inputs import Vintage

LEVELS = {f"c{n:02}": 1 + n * 0.45 for n in range(20)}  # from 1 to 9.55: as far apart as cities are
CITIES = pl.DataFrame({"city_id": list(LEVELS)})


@pytest.fixture
def rule(m1):
    return m1.experts


@pytest.mark.parametrize(("rated", "failed"), [(19, []), (18, ["few_rated"])])
def test_a_month_is_released_when_95_percent_of_the_cities_have_three_raters(rule, ratings, rated, failed):
    """Nineteen of twenty are 95 percent. The others have two raters, and a city nobody monitors counts for nothing."""
    names = list(LEVELS)
    enough = ratings({name: LEVELS[name] for name in names[:rated]}, raters=3)
    few = ratings({name: LEVELS[name] for name in names[rated:]} | {"elsewhere": 5}, raters=2)
    got = release(pl.concat([enough, few]), CITIES, rule)
    assert list(got.failed) == failed
    assert got.released is (not failed)
    assert (got.cities, got.rated_cities, got.cities_with_enough) == (20, 20, rated)


def split(ratings, by: float) -> pl.DataFrame:
    """Three raters: one gives the level, one that much more, one that much less. The levels stay within the scale."""
    levels = {name: 2.5 + level * 0.6 for name, level in LEVELS.items()}
    shift = {"r0": 0.0, "r1": by, "r2": -by}
    return ratings(levels).with_columns(score=pl.col("score") + pl.col("rater").replace_strict(shift))


def alpha_by_hand(frame: pl.DataFrame) -> float:
    """Every city has three ratings: the pooled variance within cities over the variance of all."""
    return 1 - frame.group_by("city_id").agg(pl.col("score").var())["score"].mean() / frame["score"].var()


@pytest.mark.parametrize(
    ("by", "alpha", "failed", "noted"),
    [(0.5, 0.9051, [], False), (0.9, 0.7313, [], True), (1.2, 0.5816, ["low_alpha"], False)],
)
def test_raters_must_agree_and_a_middling_agreement_is_noted(rule, ratings, by, alpha, failed, noted):
    """The limits are 0.667 and 0.80. Cities stand 0.27 apart: 60 ratings with 145.43 + 40 by^2 squares, by^2 within."""
    rated = split(ratings, by)
    assert alpha_by_hand(rated) == pytest.approx(alpha, abs=5e-5)
    got = release(rated, CITIES, rule)
    assert got.alpha == pytest.approx(alpha_by_hand(rated), abs=1e-12)
    assert (list(got.failed), got.noted) == (failed, noted)


def test_an_agreement_of_exactly_the_limit_is_released(ratings):
    got = release(split(ratings, 0.9), CITIES, method_with(alpha_release=alpha_by_hand(split(ratings, 0.9))))
    assert (got.released, got.noted) == (True, True)


def method_with(**changed: float):
    text = method_text("m1").replace("alpha_release = 0.667", f"alpha_release = {changed['alpha_release']!r}")
    return parse_method(text, name="m").experts


def test_equal_scores_everywhere_show_no_agreement(rule, ratings):
    """A rater who gives everybody five has not looked; alpha is not defined and nothing is released."""
    got = release(ratings(dict.fromkeys(LEVELS, 5)), CITIES, rule)
    assert (got.alpha, list(got.failed)) == (None, ["alpha_undefined"])


def test_over_a_provisional_cut_nothing_is_released(rule, ratings):
    got = release(ratings(LEVELS), CITIES, rule, cut="provisional")
    assert got.failed == {"provisional_cut": "the counts are of a provisional cut"}


def test_every_condition_that_fails_is_told_with_its_figures(rule, ratings):
    levels = dict(list(LEVELS.items())[:8])
    swapped = pl.concat(
        [
            ratings(levels),
            ratings(dict(zip(levels, reversed(levels.values()), strict=True))).with_columns(pl.col("rater") + "b"),
        ]
    )
    row = release(swapped, CITIES, rule, cut="provisional").row(None).to_dicts()[0]
    assert row["flags"] == ["few_rated", "low_alpha", "provisional_cut"]
    assert row["reason"].startswith("the counts are of a provisional cut; ")
    assert "8 of 20 cities (40.0%) have 3 raters or more, expected 95%" in row["reason"]
    assert f"Krippendorff's alpha is {row['alpha']:.4f}, expected 0.667 or more" in row["reason"]
    assert row["share_with_enough"] == 0.4


@pytest.mark.parametrize("cities", [CITIES, CITIES.clear()])
def test_nothing_is_released_without_a_file_or_without_a_city(rule, ratings, cities):
    for rated in (None, ratings({"elsewhere": 5})):
        got = release(rated, cities, rule)
        assert (list(got.failed), got.raters, got.alpha) == (["no_ratings"], 0, None)
        assert got.row(None)["share_with_enough"].to_list() == [0.0 if cities.height else None]


def test_the_correlation_is_that_of_the_largest_panel(rule):
    """Two panels of two raters: three cities and two; the three are the columns 1-2, 4-5, 9-9 of judges p and q."""
    panels = {
        "c00": {"p": 1, "q": 2},
        "c01": {"p": 4, "q": 5},
        "c02": {"p": 9, "q": 9},
        "c03": {"r": 3, "s": 4},
        "c04": {"r": 6, "s": 6},
    }
    rated = pl.DataFrame(
        [(rater, city, "x", float(score)) for city, given_ in panels.items() for rater, score in given_.items()],
        schema=["rater", "city_id", "criterion", "score"],
        orient="row",
    )
    got = release(rated, CITIES, rule)
    assert (got.icc_raters, got.icc_cities) == (2, 3)
    # Means of cities 1.5, 4.5, 9 about 5: mean square 2 * 28.5 / 2; of raters 14/3, 16/3: 3 * (2/9) / 1; the rest 1/6.
    units, raters, error = 28.5, 2 / 3, 1 / 6
    assert got.icc_single == pytest.approx((units - error) / (units + error + 2 * (raters - error) / 3))
    assert got.icc_average == pytest.approx((units - error) / (units + (raters - error) / 3))


def test_the_row_says_which_file_it_rests_on(rule, ratings):
    at = datetime(2025, 6, 10, 1, tzinfo=UTC)
    [row] = release(ratings(LEVELS), CITIES, rule).row(Vintage(2, "0123456789abcdef", at)).to_dicts()
    assert (row["vintage"], row["file_sha256"], row["loaded_at"]) == (2, "0123456789ab", at)
    assert (row["released"], row["reason"], row["flags"]) == (True, None, [])


@given(
    st.lists(
        st.tuples(st.sampled_from("rstu"), st.sampled_from(list(LEVELS)[:6]), st.integers(1, 10)),
        max_size=24,
        unique_by=lambda r: r[:2],
    )
)
def test_released_means_that_no_condition_failed_whatever_the_ratings(m1, rows):
    rated = pl.DataFrame(
        [(r, c, "x", float(s)) for r, c, s in rows],
        schema={"rater": pl.String, "city_id": pl.String, "criterion": pl.String, "score": pl.Float64},
        orient="row",
    )
    [row] = release(rated, CITIES.head(3), m1.experts).row(None).to_dicts()
    assert row["released"] == (row["reason"] is None)
    assert row["released"] == (row["alpha"] is not None and row["alpha"] >= 0.667 and row["share_with_enough"] == 1)
    assert 0 <= row["cities_with_enough"] <= row["rated_cities"] <= row["cities"] == 3
