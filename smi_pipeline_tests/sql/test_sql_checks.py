"""The yml's tests find what breaks them, and let a null pass where dbt does."""

from pathlib import Path

import duckdb
import pytest

from smi_pipeline.sql.checks import failing
from smi_pipeline.sql.project import Column, Model
from smi_pipeline.sql.project import Test as DataTest

ROWS = "(values (1, 'a', 10), (2, 'b', null), (2, null, -5), (null, 'a', 7)) as rows (id, kind, likes)"
MAY = "date '2025-05-01'"


def found(kind, column=None, *, rows=f"(select *, {MAY} as month from {ROWS})", **arguments):
    columns = tuple(Column(name, "d") for name in ("id", "kind", "likes"))
    model = Model("m", "marts", Path("m.sql"), f"from {ROWS}", "d", columns, (DataTest(kind, arguments, column),))
    connection = duckdb.connect()
    connection.execute("create schema index")
    connection.execute(
        "create table index.kinds as select * from (values (date '2025-05-01', 'a'), (date '2025-04-01', 'b')) as k (month, kind)"
    )
    failures = failing(connection, model, rows)
    connection.close()
    return [(failure.test, failure.offenders, [dict(row) for row in failure.examples]) for failure in failures]


def test_a_null_is_found_with_the_keys_of_its_row():
    [(name, offenders, examples)] = found("not_null", "likes")
    assert (name, offenders, examples) == ("not_null(likes)", 1, [{"id": 2, "kind": "b", "likes": None}])


def test_a_repeated_value_is_found_with_how_often_it_comes():
    assert found("unique", "id") == [("unique(id)", 1, [{"id": 2, "times": 2}])]
    assert found("dbt_utils.unique_combination_of_columns", combination_of_columns=["id", "kind"]) == []


def test_a_value_outside_the_list_is_found_and_null_is_not():
    [(name, offenders, examples)] = found("accepted_values", "kind", values=["a"])
    assert (name, offenders, [row["kind"] for row in examples]) == ("accepted_values(kind)", 1, ["b"])


def test_a_value_unknown_in_the_month_is_found_even_if_another_month_knows_it():
    [(name, offenders, examples)] = found("relationships", "kind", to="index.kinds", field="kind")
    assert (name, offenders, [row["kind"] for row in examples]) == ("relationships(kind in index.kinds.kind)", 1, ["b"])


def test_rows_of_two_months_are_neither_repetitions_of_each_other_nor_known_in_each_other():
    twice = f"(select 1 as id, kind, 0 as likes, month from index.kinds union all select 1, 'a', 0, {MAY} + interval 1 month)"
    assert found("unique", "id", rows=twice) == []
    [(_, offenders, examples)] = found("relationships", "kind", to="index.kinds", field="kind", rows=twice)
    assert (offenders, [row["kind"] for row in examples]) == (1, ["a"]), "June knows no kind at all"


def test_an_expression_that_is_false_is_found_and_one_that_is_unknown_passes():
    [(name, offenders, _)] = found("dbt_utils.expression_is_true", expression="likes >= 0")
    assert (name, offenders) == ("expression_is_true(likes >= 0)", 1)


@pytest.mark.parametrize("value", ["O'Hara", "x'; drop table index.kinds; --"])
def test_a_value_of_the_yml_is_only_ever_a_value(value):
    [(_, offenders, _)] = found("accepted_values", "kind", values=[value])
    assert offenders == 3
