"""Brings the models into the lake: staging as views, the other layers as tables, one month at a time behind gates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from smi_pipeline.lake.connection import Lake, LakeError, attempts, quoted
from smi_pipeline.lake.derived import Replaced, replace_month
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.sql.checks import CheckFailed, failing, gates
from smi_pipeline.sql.graph import Graph, tables_read
from smi_pipeline.sql.project import Model
from smi_pipeline.sql.sums import too_great
from smi_pipeline.sql.yml import ProjectError

SHOWN = 10
_REMEDY = {
    "staging": "build the views first",
    "metrics": "derive the metrics of a month first",
    "index": "derive the index of a month first",
    "raw": "the lake is older than this version; open it once with `smi status`",
}


def build_views(lake: Lake, graph: Graph) -> tuple[str, ...]:
    """Make the staging views what the files say, in one commit, or in none when they are so already.

    A view is replaced when its SQL or that of a view below it has changed: the comment of each keeps its fingerprint,
    because replacing one makes a snapshot even if nothing in it is new.

    Returns:
        The relations that were made or replaced, in the order in which they were.
    """
    with lake.read() as cursor:
        if not _stale(cursor, graph):
            return ()
    for attempt in attempts():
        with attempt, lake.write("staging views", over="staging") as transaction:
            stale = _stale(transaction.cursor, graph)  # again, under the lock
            if not stale:
                transaction.discard()
            for model in stale:
                transaction.cursor.execute(f"create schema if not exists {model.layer}")
                transaction.cursor.execute(f"create or replace view {model.relation} as {model.sql}")
                transaction.cursor.execute(f"comment on view {model.relation} is {quoted(_comment(model, graph))}")
    return tuple(model.relation for model in stale)


def run_model(lake: Lake, model: Model, month: date) -> Replaced:
    """Replace one month of an intermediate or mart table with what its SELECT gives; the column types are the SELECT's.

    The checks of the yml run on the new rows before the commit: where one fails, the old month stays.

    Args:
        lake: the lake, with the staging views built.
        model: a model that is no view.
        month: the month's first day.

    Raises:
        CheckFailed: the rows break a check; the message counts and shows the offenders.
        SumTooGreat: a sum of the month does not fit in a bigint; names the rows and says the sums.
        ProjectError: a table that the model reads is not there yet, or has not the columns it expects.
    """
    if model.is_view:
        raise ProjectError(f"{model.relation} is a view over all months; build_views makes it")
    with lake.read() as cursor:
        _require(cursor, model)
    with _explained(lake, model, month):
        return replace_month(lake, model.relation, month, model.sql, gates=gates(model, month))


@dataclass(frozen=True)
class Checked:
    """A month of a view that passed its checks: how many rows, and the first of them."""

    rows: int
    first: pl.DataFrame


def check_model(lake: Lake, model: Model, month: date) -> Checked:
    """Run a model's checks on what the lake has of a month: for views, which no gate guards.

    Raises:
        CheckFailed: the rows break a check.
        SumTooGreat: a sum of the month does not fit in a bigint.
        ProjectError: the relation is not there.
    """
    with _explained(lake, model, month), lake.read() as cursor:
        if model.relation not in _relations(cursor):
            raise ProjectError(f"{model.relation} is not in the lake yet: {_REMEDY.get(model.layer, 'run it first')}")
        cursor.execute("set variable month = $1::date", [month])
        # once, since planning a view over five platforms takes longer than reading its month
        month_of = f"select * from {model.relation} where month = getvariable('month')"
        cursor.execute(f"create or replace temp table checked as {month_of}")
        if failures := failing(cursor, model, "temp.main.checked"):
            raise CheckFailed(model.relation, month, failures)
        rows = cursor.execute("select count(*) from temp.main.checked").fetchone()
        return Checked(rows[0] if rows else 0, read_frame(cursor, f"from temp.main.checked limit {SHOWN}"))


@contextmanager
def _explained(lake: Lake, model: Model, month: date) -> Iterator[None]:
    """Say which model and month a query that does not fit its tables belongs to, and whose sum fits in no bigint."""
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.DataError, LakeError) as error:
        told = isinstance(error, LakeError)  # a lake that is read says so itself, and names no row
        failed_cast = isinstance(error.__cause__ if told else error, duckdb.ConversionException)
        if failed_cast and (beyond := too_great(lake, model, month)) is not None:
            raise beyond from error
        if told:
            raise
        raise ProjectError(f"{model.relation} {month:%Y-%m}: {str(error).splitlines()[0]}") from error


def _stale(cursor: duckdb.DuckDBPyConnection, graph: Graph) -> list[Model]:
    rows = cursor.execute(
        "select schema_name || '.' || view_name, comment from duckdb_views() where database_name = 'lake'"
    ).fetchall()
    there = dict(rows)
    return [model for model in graph.views() if there.get(model.relation) != _comment(model, graph)]


def _comment(model: Model, graph: Graph) -> str:
    return f"{model.description} [{graph.fingerprint(model)}]"


def _require(cursor: duckdb.DuckDBPyConnection, model: Model) -> None:
    there = _relations(cursor)
    missing = [relation for relation in tables_read(model) if relation not in there]
    if missing:
        schema = missing[0].partition(".")[0]
        remedy = _REMEDY.get(schema, f"run {missing[0]} first")
        raise ProjectError(f"{model.relation} reads {', '.join(missing)}, not in the lake yet: {remedy}")


def _relations(cursor: duckdb.DuckDBPyConnection) -> set[str]:
    rows = cursor.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'lake'"
        " union all select schema_name || '.' || view_name from duckdb_views() where database_name = 'lake'"
    ).fetchall()
    return {name for (name,) in rows}
