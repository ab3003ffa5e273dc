"""Who reads whom: tables and columns, read from the SQL itself by sqlglot, and the order the layers impose.

Of the tables that Python computes the yml says what each column is made of. So a column can be followed from any table
to the raw ones.
"""

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
from smi_pipeline.sql.project import DIALECT, LOGGED, YML, Layer, Model, Project, Table
from smi_pipeline.sql.yml import ProjectError, nearest

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

    def __str__(self) -> str:
        return f"{self.relation}.{self.column}"


Columns = Mapping[str, tuple[Source, ...]]


@dataclass(frozen=True)
class Graph:
    """The models of a project with what they read. Made by `build_graph`, which checks it."""

    project: Project
    reads: Mapping[str, tuple[str, ...]]
    """Relations each model reads, and each computed table is made of; sorted."""

    @cached_property
    def sequence(self) -> tuple[str, ...]:
        """Every relation after those it stands on; equal ones by name, so that the sequence is always the same."""
        sorter = TopologicalSorter(self.reads)
        sorter.prepare()
        found: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            found += ready
            sorter.done(*ready)
        return tuple(found)

    @cached_property
    def order(self) -> tuple[Model, ...]:
        """Every model after those it reads."""
        return tuple(self.project.models[name] for name in self.sequence if name in self.project.models)

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

    @cached_property
    def lineage(self) -> Mapping[str, Columns]:
        """For each model and computed table, for each column in order, the columns of other relations it is made of.

        Columns that only decide which rows are there (in a join or a filter) are not listed. A column that is a word
        of the SQL itself, or null in every row, has none.

        Raises:
            ProjectError: a column cannot be followed to a column that is there.
        """
        told = {
            table.relation: {column.name: tuple(map(_source, column.origins)) for column in table.columns}
            for table in self.project.tables.values()
            if table.relation not in LOGGED
        }
        return {**told, **{model.relation: self._of_model(model) for model in self.project}}

    def roots(self, relation: str, column: str) -> frozenset[Source]:
        """The raw columns a column comes from in the end; the column itself where it is raw."""
        if relation not in self.lineage:
            return frozenset({Source(relation, column)})
        above = self.lineage[relation][column]
        return frozenset(root for source in above for root in self.roots(source.relation, source.column))

    def _of_model(self, model: Model) -> dict[str, tuple[Source, ...]]:
        try:
            # the tree is this call's own, and what each node selects is never read: copying both costs most of the time
            roots = lineage(None, model.tree(), schema={}, dialect=DIALECT, trim_selects=False, copy=False)
        except SqlglotError as error:
            reason = " ".join(str(error).split())
            raise ProjectError(f"{model.path}: no lineage ({reason}); name each column's table") from error
        found = {}
        for column in model.columns:
            # sqlglot folds a selected name to lower case, as DuckDB compares names
            nodes = list(roots[column.name.lower()].walk())
            where = f"{model.path}: {column.name}"
            if lost := sorted(node.name for node in nodes if isinstance(node.expression, exp.Placeholder)):
                raise ProjectError(f"{where}: which table is {lost[0]} of? name it in the SQL")
            sources = {source for node in nodes if (source := _leaf(node)) is not None}
            if sources and column.origins:
                raise ProjectError(f"{where}: the SQL names what it is made of; {YML} must not (meta: from)")
            if not sources and any(node.expression.find(exp.AggFunc, exp.Window) for node in nodes):
                raise ProjectError(f"{where}: it counts rows and names no column; count one that is never null")
            for source in sources:
                _must_be_there(self.project, source, where)
            sources |= set(map(_source, column.origins))
            found[column.name] = tuple(sorted(sources, key=lambda one: (one.relation, one.column)))
        return found


def build_graph(project: Project) -> Graph:
    """Read from each model's SQL what it reads, and check it.

    Raises:
        ProjectError: a model reads from a layer above its own or from an unknown table, names a table without its
            schema, or the models read each other in a circle.
    """
    made_of = {table.relation: _made_of(project, table) for table in project.tables.values()}
    graph = Graph(project, {**made_of, **{model.relation: _read_by(project, model) for model in project}})
    for model in project:
        _made_of(project, model)
    try:
        _ = graph.sequence
    except CycleError as error:
        raise ProjectError(f"models read each other in a circle: {' -> '.join(error.args[1])}") from error
    return graph


def _read_by(project: Project, model: Model) -> tuple[str, ...]:
    """The relations a model reads, each of them there and of a layer it may read."""
    read = tables_read(model)
    for relation in read:
        if relation.partition(".")[0] not in MAY_READ[model.layer]:
            allowed = ", ".join(sorted(MAY_READ[model.layer]))
            raise ProjectError(
                f"{model.path}: {model.relation} reads {relation}; {model.layer} may read {allowed} only"
            )
        _must_be_there(project, Source(relation, ""), f"{model.path}: {model.relation} reads {relation}")
    return read


def _made_of(project: Project, table: Model | Table) -> tuple[str, ...]:
    """The relations that the yml says a table's columns are made of, each column of them there."""
    origins = [(column.name, _source(origin)) for column in table.columns for origin in column.origins]
    for name, source in origins:
        where = f"{table.path}, {table.relation}.{name} is made of {source}"
        if source.relation == table.relation:
            raise ProjectError(f"{where}, a column of the same table; name what that one is made of")
        _must_be_there(project, source, where)
    return tuple(sorted({source.relation for _, source in origins}))


def _must_be_there(project: Project, source: Source, where: str) -> None:
    """Refuse a relation, or a column of one, that nobody describes. `column` is empty for the relation alone."""
    every = {**project.models, **project.tables}
    if source.relation not in every:
        raise ProjectError(f"{where}, which has no file and no entry in sources; {nearest(source.relation, every)}")
    names = [column.name for column in project.columns(source.relation)]
    if source.column and source.column not in names:
        raise ProjectError(f"{where}: {source.relation} has no column {source.column}; {nearest(source.column, names)}")


def _source(origin: str) -> Source:
    relation, _, column = origin.rpartition(".")
    return Source(relation, column)


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
