"""An edit must reach every month that can see it, and no other: a published month is not disturbed for nothing."""

from datetime import date

import polars as pl
import pytest

from smi_pipeline.index.method import load_method
from smi_pipeline.index.reach import Files, edited, seen_by
from smi_pipeline.months import Month, month_range

M1 = load_method("m1")
MONTHS = month_range(Month.parse("2024-12"), Month.parse("2025-08"))


def cities(*rows):
    kinds = {"city_id": pl.String, "name_en": pl.String, "valid_from": pl.Date, "valid_to": pl.Date}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def accounts(*rows):
    kinds = {
        "city_id": pl.String, "platform": pl.String, "handle": pl.String, "account_id": pl.String,
        "in_index": pl.Boolean, "valid_from": pl.Date, "valid_to": pl.Date,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=kinds, orient="row")


def weights(*rows):
    kinds = {"month": pl.String, "platform": pl.String, "factor": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=kinds, orient="row")


NANJING = ("1", "Nanjing", date(2024, 1, 1), None)
X = ("1", "x", "nanjing", "77", True, date(2024, 1, 1), None)
USERS = ("2024-05", "x", "users", 0.5)


def files(*, city=(NANJING,), account=(X,), weight=(USERS,), method=M1, rule=None):
    return Files(cities(*city), accounts(*account), weights(*weight), method, rule)


def reached(month, before, after):
    return edited(seen_by(month, before), seen_by(month, after))


def months_reached(before, after):
    return {month.key: kinds for month in MONTHS if (kinds := reached(month, before, after))}


def first_reached(before, after):
    found = months_reached(before, after)
    assert list(found) == [month.key for month in MONTHS if month.key >= min(found)]
    return min(found)


def test_rows_in_another_order_reach_nobody():
    other = ("2", "Suzhou", date(2024, 1, 1), None)
    assert months_reached(files(city=(NANJING, other)), files(city=(other, NANJING))) == {}


@pytest.mark.parametrize(
    ("begins", "first"), [(date(2025, 3, 1), "2025-03"), (date(2025, 3, 31), "2025-03"), (date(2025, 4, 1), "2025-04")]
)
def test_an_account_that_joins_reaches_its_first_month_and_those_after(begins, first):
    joined = ("1", "youtube", "nanjing", "88", True, begins, None)
    assert first_reached(files(), files(account=(X, joined))) == first


@pytest.mark.parametrize(
    ("ends", "first"), [(date(2025, 3, 31), "2025-03"), (date(2025, 4, 1), "2025-04"), (date(2025, 4, 2), "2025-04")]
)
def test_an_account_that_leaves_reaches_the_first_month_in_which_it_is_no_longer_whole(ends, first):
    """valid_to is the first day no longer valid: with 1 April all of March is there, and April is without it."""
    left = (*X[:-1], ends)
    assert first_reached(files(), files(account=(left,))) == first


def test_an_account_that_begins_next_year_reaches_nothing_that_is_published():
    later = ("1", "youtube", "nanjing", "88", True, date(2026, 1, 1), None)
    assert months_reached(files(), files(account=(X, later))) == {}


def test_a_name_reaches_only_the_months_that_print_it():
    before, after = (("1", name, date(2024, 1, 1), date(2025, 2, 1)) for name in ("Nanking", "Nanjing"))
    found = months_reached(files(city=(before,)), files(city=(after,)))
    assert found == {month: ["cities"] for month in ("2024-12", "2025-01", "2025-02", "2025-03")}


def test_a_weight_input_reaches_its_month_and_those_after():
    new = ("2025-05", "x", "users", 0.6)
    assert first_reached(files(), files(weight=(USERS, new))) == "2025-05"


def test_a_method_and_a_rule_reach_the_months_they_are_of():
    other = M1.model_copy(update={"include_reposts": not M1.include_reposts})
    may = Month.parse("2025-05")
    assert reached(may, files(), files(method=other, rule="withheld")) == ["method", "editions"]
    said = M1.model_copy(update={"version": M1.version})
    assert reached(may, files(), files(method=said)) == []
