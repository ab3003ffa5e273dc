"""Which sum of a model a bigint does not hold: DuckDB refuses the cast and names no row.

The models cast every sum to bigint, and the cast fails where it does not fit. Only then is this asked: the model, and
the views it stands on, are run once more without those casts, and DuckDB adds up in 128 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import duckdb
from sqlglot import exp

from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.sql.checks import row_key
from smi_pipeline.sql.graph import build_graph
from smi_pipeline.sql.project import DIALECT, Model, load_project
from smi_pipeline.sums import EXAMPLES, LARGEST, SMALLEST, Beyond, SumTooGreat

_WIDE: Final = "HUGEINT"
_ADDING: Final = (exp.Sum, exp.Add, exp.Sub, exp.Mul)


def sums_in(tree: exp.Query) -> list[exp.Expression]:
    """Whatever adds, subtracts or multiplies in a SELECT, with the filter or the window it is under."""
    found = [*tree.find_all(*_ADDING), *(one for one in tree.find_all(exp.Anonymous) if one.name == "list_sum")]
    return [_with_clause(one) for one in found]


def is_cast(sum_: exp.Expression) -> bool:
    """Whether a sum is cast to bigint on the spot, by a cast that fails where it does not fit."""
    cast = sum_.parent
    return type(cast) is exp.Cast and cast.to.this == exp.DType.BIGINT


def exact(model: Model) -> str:
    """The model's SELECT without the casts of its sums, all of which are then hugeint."""
    tree = model.tree()
    for one in sums_in(tree):
        if is_cast(one) and one.parent is not None:
            one.parent.replace(one)
    return tree.sql(DIALECT)


def too_great(lake: Lake, model: Model, month: date) -> SumTooGreat | None:
    """What to say of a model whose month cannot be made for a sum; null where every sum fits.

    Args:
        lake: the lake, with all that the model reads.
        model: any model.
        month: the month's first day.
    """
    for one in (model, *_views_below(model)):
        try:
            with lake.read() as cursor:
                cursor.execute("set variable month = $1::date", [month])
                found = list(_beyond(cursor, one))
        except (duckdb.ConversionException, LakeError):
            continue  # a view below fails: its turn comes
        if found:
            sums = [beyond for beyonds, _ in found for beyond in beyonds]
            return SumTooGreat(one.relation, f"{month:%Y-%m}", sums, number=sum(number for _, number in found))
    return None


def _views_below(model: Model) -> list[Model]:
    """The views that a model stands on, each after those it reads."""
    graph = build_graph(load_project(model.path.parents[1]))
    wanted = {model.relation}
    for one in reversed(graph.order):
        if one.relation in wanted:
            wanted.update(graph.reads[one.relation])
    return [one for one in graph.views() if one.relation in wanted and one.relation != model.relation]


def _beyond(cursor: duckdb.DuckDBPyConnection, model: Model) -> Iterator[tuple[Sequence[Beyond], int]]:
    """For each column with sums that do not fit the first of them, and their number."""
    rows = f"({exact(model)}) as exact"
    described = cursor.execute(f"describe from {rows}").fetchall()
    keys = _named_by(model)
    listed = ", ".join(f'"{name}"' for name in keys)
    for column in [name for name, kind, *_ in described if kind == _WIDE]:
        found = cursor.execute(
            f"select {listed}, \"{column}\", count(*) over () from {rows} where month = getvariable('month')"
            f' and "{column}" not between $1 and $2 order by all limit {EXAMPLES}',
            [SMALLEST, LARGEST],
        ).fetchall()
        if found:
            told = [Beyond(column, amount, dict(zip(keys, key, strict=True))) for *key, amount, _ in found]
            yield told, found[0][-1]


def _named_by(model: Model) -> list[str]:
    """What names a row to a reader: whose it is, then the rest of its key; the month is said before."""
    owners = [name for name in ("platform", "account_id", "city_id") if name in {one.name for one in model.columns}]
    return [name for name in dict.fromkeys([*owners, *row_key(model)]) if name != "month"]


def _with_clause(one: exp.Expression) -> exp.Expression:
    while isinstance(one.parent, (exp.Filter, exp.Window, exp.Paren)) and one.parent.this is one:
        one = one.parent
    return one
