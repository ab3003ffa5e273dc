"""docs/tables.md: every table with its columns, their types, what they mean and what they are made of.

All of it comes from the SQL, the yml beside it and the declared raw tables, as do the columns of the UI.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict

from smi_pipeline.lake.tables import SCHEMAS
from smi_pipeline.sql.binding import Types, column_types
from smi_pipeline.sql.graph import Graph, Source
from smi_pipeline.sql.project import ROOT, Model, Table
from smi_pipeline.sql.yml import read_yml

DOCUMENT: Final = ROOT.parent / "docs" / "tables.md"
FLAGS: Final = "flags.yml"
_HEAD: Final = """\
# The tables

<!-- Written by `smi sql docs` from dbt_like_sql/ and smi_pipeline/lake/tables.py: mend those, not this page. -->

Counts are integers, rates and scores floating point, times UTC with microseconds, `month` the month's first day. **Null means not
reported, zero means zero.** Flags are lists of words; what each means stands [at the end](#flags). Types are DuckDB's.

A count is a bigint, at most 9223372036854775807 (2^63 - 1); a greater one is refused when it is collected, as a bad count. **A sum that
no bigint holds is refused too,** in every table alike: nothing of the month is written to it, and the error names table, month, column
and account (or city, platform, hashtag) and says the exact sum. It never becomes null, nor another number.

Under *made of* stand the columns of other tables that a column's value comes from, not those that only decide which rows are
there; `smi sql lineage TABLE.COLUMN` follows them to raw columns. `raw.input_file.text` there is a file that people hand in:
registry, method, weight inputs or expert scores. "The SQL itself" is a word of the SQL, or null in every row.
"""
_LAYERS: Final = {
    "staging": "Each platform's posts and accounts in common words, then all of them: views over all months.",
    "intermediate": "What metrics are reckoned from: tables, replaced a month at a time.",
    "marts": "What people look for: tables, replaced a month at a time.",
}


class _Flags(BaseModel):
    model_config = ConfigDict(extra="forbid")

    flags: dict[str, str]


def flags(root: Path = ROOT) -> dict[str, str]:
    """What each flag means.

    Raises:
        ProjectError: the file cannot be read.
    """
    return read_yml(root / FLAGS, _Flags).flags


def tables_document(graph: Graph, words: dict[str, str]) -> str:
    """The page as markdown.

    Args:
        graph: the models and the tables they read.
        words: what each flag means.

    Raises:
        ProjectError: a model does not fit the tables it reads.
    """
    types = column_types(graph)
    parts = [_HEAD]
    for schema in SCHEMAS:
        parts.append(f"## {schema}\n\n{graph.project.schemas.get(schema) or _LAYERS[schema]}\n")
        every = [*graph.project.tables.values(), *graph.project]
        parts += [_table(graph, one, types) for one in every if one.relation.startswith(f"{schema}.")]
    parts.append("## Flags\n\n" + "\n".join(_rows(("flag", "meaning"), words.items())) + "\n")
    return "\n".join(parts)


def _table(graph: Graph, table: Model | Table, types: Types) -> str:
    lineage = graph.lineage.get(table.relation)
    of_type = types[table.relation]
    if lineage is None:
        head: Sequence[str] = ("column", "type", "meaning")
        rows: list[Sequence[str]] = [(one.name, of_type[one.name], one.description) for one in table.columns]
    else:
        head = ("column", "type", "meaning", "made of")
        rows = [(one.name, of_type[one.name], one.description, _made_of(lineage[one.name])) for one in table.columns]
    tests = [test.name for test in table.tests if test.kind != "not_null"] if isinstance(table, Model) else []
    checked = ["", "Checked each month: " + "; ".join(f"`{name}`" for name in tests) + "."] if tests else []
    return "\n".join([f"### {table.relation}", "", table.description, "", *_rows(head, rows), *checked]) + "\n"


def _made_of(sources: Sequence[Source]) -> str:
    if not sources:
        return "the SQL itself"
    relations: dict[str, list[str]] = {}
    for source in sources:
        relations.setdefault(source.column, []).append(source.relation)
    return "; ".join(
        f"{where[0]}.{column}" if len(where) == 1 else f"{column} of {', '.join(where)}"
        for column, where in relations.items()
    )


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
