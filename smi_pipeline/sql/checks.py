"""The yml's data tests as queries that find the offenders. None found: the test holds.

As in dbt, a null breaks `not_null` only: it passes `accepted_values`, `relationships`, `unique` and an expression that
comes out null. Every test looks at each month by itself, however many it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import duckdb

from smi_pipeline.lake.connection import quoted
from smi_pipeline.lake.derived import Gate
from smi_pipeline.sql.project import Model, Test

EXAMPLES: Final = 3
WIDTH: Final = 60


@dataclass(frozen=True)
class Failure:
    """A test that does not hold: how many rows (or repeated values) break it, and the first of them."""

    test: str
    offenders: int
    examples: tuple[Mapping[str, Any], ...]

    @property
    def kind(self) -> str:
        """Which kind of test it is, as in `Model.tests_by_kind`."""
        return self.test.partition("(")[0]

    def __str__(self) -> str:
        shown = "; ".join(", ".join(f"{k}={_short(v)}" for k, v in row.items()) for row in self.examples)
        return f"{self.test}: {self.offenders} offending, e.g. {shown}"


class CheckFailed(Exception):  # noqa: N818 - says what happened, like the collectors' Deferred
    """A month broke the checks of its model. Nothing of it was written."""

    def __init__(self, relation: str, month: date, failures: Sequence[Failure]) -> None:
        super().__init__(f"{relation} {month:%Y-%m} fails its checks: {' | '.join(map(str, failures))}")
        self.relation = relation
        self.month = month
        self.failures = tuple(failures)


def gates(model: Model, months: Sequence[date]) -> tuple[Gate, ...]:
    """The model's tests as one gate for `replace_months`: it raises CheckFailed with everything wrong in a month."""

    def gate(cursor: duckdb.DuckDBPyConnection, rows: str) -> None:
        check(cursor, model, rows, months)

    return (gate,)


def check(cursor: duckdb.DuckDBPyConnection, model: Model, rows: str, months: Sequence[date]) -> None:
    """Run all tests of a model on the rows of some months, at once where they hold.

    Raises:
        CheckFailed: a test does not hold; of the first month in which one does not.
    """
    if not (found := failing(cursor, model, rows)):
        return
    for month in months:
        if failures := failing(cursor, model, f"(select * from {rows} where month = date '{month}')"):
            raise CheckFailed(model.relation, month, failures)
    raise CheckFailed(model.relation, min(months), found)  # rows of no month at all


def failing(cursor: duckdb.DuckDBPyConnection, model: Model, rows: str) -> list[Failure]:
    """Run all tests of a model.

    Args:
        cursor: on the lake.
        model: the model.
        rows: what may stand behind FROM: a table, or a query in brackets.

    Returns:
        The tests that do not hold, in the order of the yml.
    """
    found = (_run(cursor, test, offenders_sql(test, model, rows)) for test in model.tests)
    return [failure for failure in found if failure is not None]


def offenders_sql(test: Test, model: Model, rows: str) -> str:
    """The query that returns what breaks a test: the rows by their keys, or the repeated values with how often."""
    key = ", ".join(f'"{name}"' for name in row_key(model))
    column = f'"{test.column}"'
    of_rows = f"select {key}{'' if column in key.split(', ') else f', {column}'} from {rows} as checked where "
    match test.kind:
        case "not_null":
            return f"{of_rows} {column} is null"
        case "unique":
            return _repeated([column], rows)
        case "accepted_values":
            values = ", ".join(quoted(str(value)) for value in test.arguments["values"])
            return f"{of_rows} {column}::varchar not in ({values})"
        case "relationships":
            to, field = test.arguments["to"], test.arguments["field"]
            known = f'select 1 from {to} as known where known.month = checked.month and known."{field}"'
            return f"{of_rows} {column} is not null and not exists ({known} = checked.{column})"
        case "dbt_utils.unique_combination_of_columns":
            return _repeated([f'"{name}"' for name in test.arguments["combination_of_columns"]], rows)
        case _:
            return f"select {key} from {rows} as checked where not ({test.arguments['expression']})"


def _repeated(columns: Sequence[str], rows: str) -> str:
    listed = ", ".join(columns)
    there = " and ".join(f"{column} is not null" for column in columns)
    return f"select {listed}, count(*) as times from {rows} where {there} group by month, {listed} having count(*) > 1"


def row_key(model: Model) -> list[str]:
    """The columns that name a row: those of the model's unique combination, else all that are ids or the month."""
    for test in model.tests:
        if test.kind == "dbt_utils.unique_combination_of_columns":
            return list(test.arguments["combination_of_columns"])
    names = [column.name for column in model.columns]
    return [name for name in names if name in ("platform", "month") or name.endswith("_id")] or names


def _run(cursor: duckdb.DuckDBPyConnection, test: Test, sql: str) -> Failure | None:
    result = cursor.execute(f"select count(*) over () as offending, * from ({sql}) order by all limit {EXAMPLES}")
    names = [column[0] for column in result.description or []][1:]
    rows = result.fetchall()
    if not rows:
        return None
    return Failure(test.name, rows[0][0], tuple(dict(zip(names, row[1:], strict=True)) for row in rows))


def _short(value: object) -> str:
    text = " ".join(str(value).split()) if value is not None else "null"
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
