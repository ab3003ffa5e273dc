"""The year of an edition: months up to its own, what is not known as such, nothing of a month without ranks."""

from datetime import date

import polars as pl
import pytest

from smi_pipeline.months import Month
from smi_pipeline.report.context import report

FEBRUARY, MARCH, APRIL, MAY = (Month.parse(f"2025-0{number}") for number in (2, 3, 4, 5))


def test_the_year_runs_from_its_first_computed_month_to_the_edition_and_shows_a_gap(given):
    year = report(given()).year
    assert [month.month for month in year] == [FEBRUARY, MARCH, APRIL, MAY]
    assert [month.status for month in year] == ["final", None, "final", "final"]
    assert year[1].places == {}
    assert (year[2].places["c04"].rank, year[3].places["c04"].rank) == (2, 3)
    assert year[3].places["c02"].interval == (1.0, 3.5)
    assert year[3].places["c12"].rank is None


def test_a_month_after_the_edition_is_refused(given):
    """Else an edition written again would change because time went on."""
    later = given().composite_year.with_columns(month=pl.lit(date(2025, 6, 1)))
    with pytest.raises(
        ValueError, match="composite_year: expected rows of 2024-06-01 to 2025-05-01, got also 2025-06-01"
    ):
        given(composite_year=later)


def test_a_month_without_ranks_has_no_place_in_a_later_year(given):
    context = report(given(withheld_months=frozenset({APRIL})))
    april = next(month for month in context.year if month.month == APRIL)
    assert (april.withheld, april.places) == (True, {})
    assert all(APRIL not in profile.ranks for profile in context.profiles)
    assert any(MAY in profile.ranks for profile in context.profiles)


def test_a_first_month_is_a_year_of_one(given):
    only = given().composite_year.filter(month=date(2025, 5, 1))
    assert [month.month for month in report(given(composite_year=only)).year] == [MAY]
    assert report(given(composite_year=only.clear())).year == ()


def test_a_city_has_its_figures_measures_posts_and_ranks_and_no_other_ones(given, posts_frame):
    context = report(given())
    alpha, delta = context.profiles[0], context.profiles[3]
    assert [(m.indicator, m.value, m.points, m.contribution) for m in alpha.measures] == [
        ("posts", 31.0, 62.5, 40.0),
        ("followers", 5000.0, 80.0, 32.8),
        ("follower_growth", None, None, None),
    ]
    assert alpha.expert == 18.456
    assert [post.text for post in alpha.posts["facebook"]] == ["Spring #alpha"]
    assert delta.ranks == {APRIL: {"facebook": 14}, MAY: {"facebook": 2}}
    assert (delta.figures["facebook"].interactions, delta.measures, delta.posts) == (412907, (), {})
    assert len(context.profiles) == 12
