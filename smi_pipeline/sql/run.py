"""Brings the models into the lake: staging as views, the other layers as tables, months at a time behind gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import duckdb
import polars as pl

from smi_pipeline.lake.connection import Lake, LakeError, attempts, quoted
from smi_pipeline.lake.derived import Replaced, replace_months
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.sql.checks import check, gates
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
        with attempt, lake.write("staging views", over=["staging"]) as transaction:
            stale = _stale(transaction.cursor, graph)  # again, under the lock
            if not stale:
                transaction.discard()
            for model in stale:
                transaction.cursor.execute(f"create schema if not exists {model.layer}")
                transaction.cursor.execute(f"create or replace view {model.relation} as {model.sql}")
                transaction.cursor.execute(f"comment on view {model.relation} is {quoted(_comment(model, graph))}")
    return tuple(model.relation for model in stale)


def run_model(lake: Lake, model: Model, month: date) -> Replaced:
    """Replace one month of an intermediate or mart table; see `run_months`."""
    return run_months(lake, model, [month])[month]


def run_months(lake: Lake, model: Model, months: Sequence[date]) -> dict[date, Replaced]:
    """Replace months of an intermediate or mart table with what its SELECT gives, all in one commit.

    The column types are the SELECT's. The checks of the yml run on the new rows before the commit: where one fails, the
    old months stay.

    Args:
        lake: the lake, with the staging views built.
        model: a model that is no view.
        months: the months' first days.

    Raises:
        CheckFailed: the rows of a month break a check; the message counts and shows the offenders.
        SumTooGreat: a sum of a month does not fit in a bigint; names the rows and says the sums.
        ProjectError: a table that the model reads is not there yet, or has not the columns it expects.
    """
    if model.is_view:
        raise ProjectError(f"{model.relation} is a view over all months; build_views makes it")
    with _explained(lake, model, months):
        done = replace_months(lake, months, {model.relation: model.sql}, gates=gates(model, months))
    return done[model.relation]


@dataclass(frozen=True)
class Checked:
    """Months of a relation that passed its checks: how many rows each has, and the first ones of the last month."""

    rows: Mapping[date, int]
    first: pl.DataFrame


def check_months(lake: Lake, model: Model, months: Sequence[date]) -> Checked:
    """Run a model's checks on what the lake has of some months: for views, which no gate guards.

    Raises:
        CheckFailed: the rows of a month break a check.
        SumTooGreat: a sum of a month does not fit in a bigint.
        ProjectError: the relation is not there.
    """
    with _explained(lake, model, months), lake.read() as cursor:
        if model.relation not in _relations(cursor):
            raise ProjectError(f"{model.relation} is not in the lake yet: {_REMEDY.get(model.layer, 'run it first')}")
        # once, since planning a view over five platforms takes longer than reading its month
        listed = ", ".join(f"date '{month}'" for month in months)
        of_months = f"select * from {model.relation} where month in ({listed})"
        cursor.execute(f"create or replace temp table checked as {of_months}")
        check(cursor, model, "temp.main.checked", months)
        rows = dict(cursor.execute("select month, count(*) from temp.main.checked group by month").fetchall())
        last = f"from temp.main.checked where month = date '{max(months)}' limit {SHOWN}"
        return Checked({month: rows.get(month, 0) for month in months}, read_frame(cursor, last))


@contextmanager
def _explained(lake: Lake, model: Model, months: Sequence[date]) -> Iterator[None]:
    """Say which model and months a query that does not fit its tables belongs to, and whose sum fits in no bigint."""
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.DataError, LakeError) as error:
        told = isinstance(error, LakeError)  # a lake that is read says so itself, and names no row
        if isinstance(error.__cause__ if told else error, duckdb.ConversionException):
            for month in months:
                if (beyond := too_great(lake, model, month)) is not None:
                    raise beyond from error
        if told:
            raise
        if not model.is_view:
            with lake.read() as cursor:
                _require(cursor, model)
        span = " to ".join(sorted({f"{month:%Y-%m}" for month in (min(months), max(months))}))
        raise ProjectError(f"{model.relation} {span}: {str(error).splitlines()[0]}") from error


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
