"""`smi sql`: the models of dbt_like_sql run, tested, followed to raw columns, and written up."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from smi_pipeline.cli_arguments import existing_lake
from smi_pipeline.cli_arguments import month as parse_month

if TYPE_CHECKING:
    from smi_pipeline.sql.graph import Graph, Source
    from smi_pipeline.sql.project import Model

sql_app = typer.Typer(help="The SQL models: run, test, lineage of a column, the page of tables.", no_args_is_help=True)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)
DIFFERING_LINES = 20
_Month = Annotated[str, typer.Argument(metavar="MONTH", help="A month as YYYY-MM.")]
_Models = Annotated[
    list[str] | None, typer.Argument(metavar="[MODEL]...", help="Models, as rankings or marts.rankings. All if none.")
]


@sql_app.command("run")
def sql_run(month: _Month, models: _Models = None) -> None:
    """Make a month's tables anew, views first, each behind its gates; metrics and index must be derived before."""
    one = parse_month(month)
    lake = existing_lake()

    from smi_pipeline.sql.checks import CheckFailed  # noqa: PLC0415
    from smi_pipeline.sql.run import build_views, check_months, run_model  # noqa: PLC0415
    from smi_pipeline.sums import SumTooGreat  # noqa: PLC0415

    graph = _graph()
    wanted = _wanted(graph, models)
    made = set(build_views(lake, graph))
    table = Table("model", "rows", "changed")
    try:
        for model in wanted:
            if model.is_view:
                looked = check_months(lake, model, [one.first])
                table.add_row(
                    model.relation, str(looked.rows[one.first]), "view made anew" if model.relation in made else "no"
                )
            else:
                done = run_model(lake, model, one.first)
                table.add_row(model.relation, str(done.rows), "yes" if done.changed else "no")
    except (CheckFailed, SumTooGreat) as error:
        _told(table, [str(error)])
    _told(table, [])


@sql_app.command("test")
def sql_test(month: _Month, models: _Models = None) -> None:
    """Run the data tests on what the lake has of a month; name the offenders, exit 1 where there are any."""
    one = parse_month(month)
    lake = existing_lake()

    from smi_pipeline.sql.checks import CheckFailed  # noqa: PLC0415
    from smi_pipeline.sql.run import check_months  # noqa: PLC0415
    from smi_pipeline.sums import SumTooGreat  # noqa: PLC0415

    table, failures = Table("model", "rows", "tests", "fail"), []
    seen = 0
    for model in _wanted(_graph(), models):
        try:
            rows = check_months(lake, model, [one.first]).rows[one.first]
        except CheckFailed as error:
            failures += [f"{model.relation} {one}: {failure}" for failure in error.failures]
            seen += 1
            table.add_row(model.relation, "", str(len(model.tests)), str(len(error.failures)))
            continue
        except SumTooGreat as error:
            failures.append(str(error))
            seen += 1
            table.add_row(model.relation, "", "0", "1")
            continue
        seen += rows
        table.add_row(model.relation, str(rows), str(len(model.tests)), "0")
    _told(table, failures if seen else [f"{one} has no row in any of them; `smi run {one}` collects and derives it"])


@sql_app.command("lineage")
def sql_lineage(
    asked: Annotated[str, typer.Argument(metavar="TABLE[.COLUMN]", help="As rankings.score or marts.rankings.score.")],
    ends: Annotated[bool, typer.Option("--ends", help="Only the raw columns it ends in, one a line.")] = False,
) -> None:
    """What a column is made of, down to raw columns. Those that only decide which rows are there are not told."""
    from smi_pipeline.sql.graph import Source  # noqa: PLC0415

    graph = _graph()
    relation, column = graph.project.find(asked)
    columns = [column] if column else [one.name for one in graph.project.columns(relation)]
    if ends:
        for root in sorted({root for name in columns for root in graph.roots(relation, name)}, key=str):
            out.print(str(root), markup=False, soft_wrap=True)
        return
    shown: set[Source] = set()
    for name in columns:
        tree = Tree(Text(f"{relation}.{name}"))
        _grow(graph, Source(relation, name), tree, shown)
        out.print(tree, soft_wrap=True)


@sql_app.command("docs")
def sql_docs(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 where the page is not up to date.")
    ] = False,
) -> None:
    """Write docs/tables.md from the SQL, the yml beside it and the declared raw tables."""
    from smi_pipeline.sql.document import DOCUMENT, flags, tables_document  # noqa: PLC0415

    page = tables_document(_graph(), flags())
    there = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    if page == there:
        out.print(f"{DOCUMENT}: up to date", markup=False, soft_wrap=True)
        return
    if not check:
        DOCUMENT.write_text(page, encoding="utf-8")
        out.print(f"{DOCUMENT}: written", markup=False, soft_wrap=True)
        return
    err.print(f"{DOCUMENT} is not what the models say; `smi sql docs` writes it", markup=False, soft_wrap=True)
    differences = difflib.unified_diff(there.splitlines(), page.splitlines(), "there", "due", lineterm="", n=0)
    for line in islice(differences, DIFFERING_LINES):
        err.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(1)


def _graph() -> Graph:
    from smi_pipeline.sql.graph import build_graph  # noqa: PLC0415
    from smi_pipeline.sql.project import load_project  # noqa: PLC0415

    return build_graph(load_project())


def _wanted(graph: Graph, names: Sequence[str] | None) -> list[Model]:
    """The models that are named, or all, each after those it reads."""
    wanted = {graph.project[name].relation for name in names or graph.project.models}
    return [model for model in graph.order if model.relation in wanted]


def _told(table: Table, problems: Sequence[str]) -> None:
    """Print what was done; where there are problems, those and exit 1."""
    out.print(table)
    for problem in problems:
        err.print(problem, markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


def _grow(graph: Graph, source: Source, tree: Tree, shown: set[Source]) -> None:
    """Add what a column is made of; a column whose own parts were shown before is only named again."""
    above = graph.lineage.get(source.relation, {}).get(source.column, ())
    if not above and source.relation in graph.lineage:
        tree.add(Text("the SQL itself"))
    shown.add(source)
    for one in above:
        again = one in shown and one.relation in graph.lineage
        branch = tree.add(Text(f"{one} (see above)" if again else str(one)))
        if not again:
            _grow(graph, one, branch, shown)
