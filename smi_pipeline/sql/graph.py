"""Who reads whom: tables and columns, read from the SQL itself by sqlglot, and the order the layers impose."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Final

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.scope import traverse_scope

from smi_pipeline.lake.tables import DECLARED
from smi_pipeline.sql.project import DIALECT, Layer, Model, Project, ProjectError

# A mart never looks at raw data: what a field means is decided once, in staging.
MAY_READ: Final[Mapping[Layer, frozenset[str]]] = {
    "staging": frozenset({"raw", "staging"}),
    "intermediate": frozenset({"staging", "intermediate"}),
    "marts": frozenset({"staging", "intermediate", "metrics", "index", "marts"}),
}
_SPELT: Final = {table: {column.lower(): column for column in columns} for table, columns in DECLARED.items()}


@dataclass(frozen=True)
class Source:
    """A column of another relation that a column is made of."""

    relation: str
    column: str


@dataclass(frozen=True)
class Graph:
    """The models of a project with what they read. Made by `build_graph`, which checks it."""

    project: Project
    reads: Mapping[str, tuple[str, ...]]
    """Relations each model reads, raw and computed ones included, sorted."""

    @cached_property
    def order(self) -> tuple[Model, ...]:
        """Every model after those it reads; equal ones by name, so that the order is always the same."""
        ours = self.project.models
        sorter = TopologicalSorter({name: [other for other in self.reads[name] if other in ours] for name in ours})
        sorter.prepare()
        found: list[Model] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            found += [ours[name] for name in ready]
            sorter.done(*ready)
        return tuple(found)

    def views(self) -> tuple[Model, ...]:
        """The staging views, each after those it reads."""
        return tuple(model for model in self.order if model.is_view)

    def tables(self, layer: Layer) -> tuple[Model, ...]:
        """The models of one layer, each after those it reads."""
        return tuple(model for model in self.order if model.layer == layer)

    def fingerprint(self, model: Model) -> str:
        """Changes when the model's SQL does, or that of a model it stands on, however far below."""
        parts = [model.sql, *(self._below(name) for name in self.reads[model.relation])]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def _below(self, relation: str) -> str:
        model = self.project.models.get(relation)
        return relation if model is None else self.fingerprint(model)

    def column_lineage(self, model: Model) -> dict[str, tuple[Source, ...]]:
        """For each column, in order, the columns it is made of in the relations the model reads itself.

        A column made of nothing but constants or row counts has none. Columns that only decide which rows are there
        (in a join or a filter) are not listed.

        Raises:
            ProjectError: sqlglot cannot follow a column to the relation it comes from.
        """
        try:
            # the tree is this call's own, and what each node selects is never read: copying both costs most of the time
            roots = lineage(None, model.tree(), schema={}, dialect=DIALECT, trim_selects=False, copy=False)
        except SqlglotError as error:
            reason = " ".join(str(error).split())
            raise ProjectError(f"{model.relation}: no lineage ({reason}); name each column's table") from error
        found = {}
        for column in model.columns:
            # sqlglot folds a selected name to lower case, as DuckDB compares names
            nodes = list(roots[column.name.lower()].walk())
            if lost := sorted(node.name for node in nodes if isinstance(node.expression, exp.Placeholder)):
                raise ProjectError(f"{model.relation}.{column.name}: which table is {lost[0]} of? name it in the SQL")
            sources = {source for node in nodes if (source := _leaf(node)) is not None}
            found[column.name] = tuple(sorted(sources, key=lambda one: (one.relation, one.column)))
        return found


def build_graph(project: Project) -> Graph:
    """Read from each model's SQL what it reads, and check it.

    Raises:
        ProjectError: a model reads from a layer above its own or from an unknown model, names a table without its
            schema, or the models read each other in a circle.
    """
    graph = Graph(project, {model.relation: tables_read(model) for model in project})
    for model in project:
        for relation in graph.reads[model.relation]:
            schema = relation.partition(".")[0]
            if schema not in MAY_READ[model.layer]:
                allowed = ", ".join(sorted(MAY_READ[model.layer]))
                raise ProjectError(f"{model.relation} reads {relation}; {model.layer} may read {allowed} only")
            if schema in MAY_READ and relation not in project.models:
                raise ProjectError(f"{model.relation} reads {relation}, which has no file in {model.path.parents[1]}")
    try:
        _ = graph.order
    except CycleError as error:
        raise ProjectError(f"models read each other in a circle: {' -> '.join(error.args[1])}") from error
    return graph


def tables_read(model: Model) -> tuple[str, ...]:
    """Every table of the SELECT that is not one of its own CTEs, as `schema.name`, sorted.

    Raises:
        ProjectError: a table is named without its schema, or with its database.
    """
    tables = {
        source
        for scope in traverse_scope(model.tree())
        for source in scope.sources.values()
        if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier)
    }
    for table in tables:
        if not table.db or table.catalog:
            raise ProjectError(f"{model.path}: expected schema.table, got {table.sql(DIALECT)}")
    return tuple(sorted({f"{table.db}.{table.name}" for table in tables}))


def _leaf(node: Node) -> Source | None:
    table = node.expression
    if node.downstream or not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    relation = f"{table.db}.{table.name}"
    # the leaf's name keeps the quotes of its column, and has lost the capitals of the platform's word
    name = exp.to_column(node.name).name
    return Source(relation, _SPELT.get(relation, {}).get(name, name))
