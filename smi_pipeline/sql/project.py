"""The models of dbt_like_sql as they lie on disk: one SELECT a file, described and checked by a `_models.yml` a folder.

The folder is the schema, the file's stem the relation. What the yml says and what the SQL selects must be the same
columns: a description that outlives its column, or a column nobody described, stops the load. The tables that models
read and do not make (raw, metrics, index) are described in `sources/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from smi_pipeline.lake.tables import DECLARED
from smi_pipeline.sql.yml import ModelsFile, ProjectError, SourcesFile, TableEntry, listed, nearest, read_yml

Layer = Literal["staging", "intermediate", "marts"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
ROOT: Final = Path(__file__).parents[2] / "dbt_like_sql"
YML: Final = "_models.yml"
SOURCES: Final = "sources"
COMPUTED: Final = ("metrics", "index")
DIALECT: Final = "duckdb"
# dbt's data tests (and the two of dbt_utils) that checks.py knows, with the arguments each must have.
TESTS: Final[Mapping[str, frozenset[str]]] = {
    "not_null": frozenset(),
    "unique": frozenset(),
    "accepted_values": frozenset({"values"}),
    "relationships": frozenset({"to", "field"}),
    "dbt_utils.expression_is_true": frozenset({"expression"}),
    "dbt_utils.unique_combination_of_columns": frozenset({"combination_of_columns"}),
}
# What the lake declares, and the one view among it.
# Tables that are only added to, and the views of the last state of what they log.
LOGGED: Final = {
    **DECLARED,
    "raw.collection": DECLARED["raw.collection_log"],
    "index.edition": DECLARED["index.edition_log"],
}
_OF_A_MODEL: Final = frozenset({"dbt_utils.expression_is_true", "dbt_utils.unique_combination_of_columns"})
_REFERENCE: Final = re.compile(r"""(?:ref\(\s*|source\(\s*['"](\w+)['"]\s*,\s*)['"](\w+)['"]\s*\)""")


@dataclass(frozen=True)
class Test:
    """One entry of `data_tests`. `column` is null for a test of the whole model."""

    __test__ = False  # not for pytest

    kind: str
    arguments: Mapping[str, Any]
    column: str | None = None

    @property
    def name(self) -> str:
        """The test as people call it: `not_null(score)`, `expression_is_true(posts > 0)`."""
        match self.kind:
            case "dbt_utils.expression_is_true":
                about = str(self.arguments["expression"])
            case "dbt_utils.unique_combination_of_columns":
                about = ", ".join(self.arguments["combination_of_columns"])
            case "relationships":
                about = f"{self.column} in {self.arguments['to']}.{self.arguments['field']}"
            case _:
                about = str(self.column)
        return f"{self.kind.removeprefix('dbt_utils.')}({about})"


@dataclass(frozen=True)
class Column:
    """One column as the yml describes it: meaning, unit, and what null means.

    `origins` are the columns (`schema.table.column`) the yml says it is made of: all of a column that Python computes,
    of a model only where its SQL names no column. `type` is DuckDB's word, empty where the SQL decides.
    """

    name: str
    description: str
    origins: tuple[str, ...] = ()
    type: str = ""


@dataclass(frozen=True)
class Model:
    """One relation. `sql` is the file without its last semicolon; `columns` are in the order the SQL selects them."""

    name: str
    layer: Layer
    path: Path
    sql: str
    description: str
    columns: tuple[Column, ...]
    tests: tuple[Test, ...]

    @property
    def relation(self) -> str:
        """Where it lives in the lake, `marts.rankings`."""
        return f"{self.layer}.{self.name}"

    @property
    def is_view(self) -> bool:
        """Staging is a view over all months; the other layers are tables replaced a month at a time."""
        return self.layer == "staging"

    def tests_by_kind(self) -> dict[str, list[str]]:
        """The names of its tests by what they are called before the bracket, in the order of the yml."""
        kinds: dict[str, list[str]] = {}
        for test in self.tests:
            kinds.setdefault(test.name.partition("(")[0], []).append(test.name)
        return kinds

    def tree(self) -> exp.Query:
        """The SELECT as sqlglot reads it.

        Raises:
            ProjectError: the file is not exactly one SELECT.
        """
        return _parse(self.sql, self.path)


@dataclass(frozen=True)
class Table:
    """A table that models read and do not make: logged (raw, editions) or computed by Python; columns have types.

    Every column of a computed one has its origins; what is logged has none.
    """

    relation: str
    path: Path
    description: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Project:
    """All models, and the tables they may read besides each other, by relation.

    `schemas` describes the schemas of the latter.
    """

    models: Mapping[str, Model]
    tables: Mapping[str, Table]
    schemas: Mapping[str, str]

    def __iter__(self) -> Iterator[Model]:
        return iter(self.models.values())

    def __getitem__(self, relation: str) -> Model:
        """The model of a relation or of a bare name, as `ref()` gives it.

        Raises:
            ProjectError: there is none, or it is not one of ours.
        """
        for model in self:
            if relation in (model.relation, model.name):
                return model
        raise ProjectError(f"no model {relation!r}; {nearest(relation, self._names(self.models))}")

    def find(self, asked: str) -> tuple[str, str | None]:
        """The relation, and the column if one is named, of `table`, `schema.table` or either with `.column`.

        Raises:
            ProjectError: there is no such relation or column; says which ones come near.
        """
        relation, column = self._relation(asked), None
        if relation is None and "." in asked:
            table, _, column = asked.rpartition(".")
            relation = self._relation(table)
        if relation is None:
            known = self._names({**self.models, **self.tables})
            table = asked if asked.count(".") == 0 else ".".join(asked.split(".")[:2])
            raise ProjectError(f"no model or table {asked!r}; {nearest(table, known)}")
        names = [one.name for one in self.columns(relation)]
        if column is not None and column not in names:
            raise ProjectError(f"{relation} has no column {column!r}; {nearest(column, names)}")
        return relation, column

    def columns(self, relation: str) -> tuple[Column, ...]:
        """The columns of a model or a table, in their order; `relation` must be one."""
        return self.models[relation].columns if relation in self.models else self.tables[relation].columns

    def _relation(self, asked: str) -> str | None:
        every = [*self.models, *self.tables]
        found = [relation for relation in every if asked in (relation, relation.partition(".")[2])]
        if len(found) > 1 and asked not in found:
            raise ProjectError(f"{asked!r} is {' and '.join(found)}; give it with its schema")
        return found[0] if found else None

    @staticmethod
    def _names(relations: Mapping[str, object]) -> list[str]:
        return [name for relation in relations for name in (relation, relation.partition(".")[2])]


def load_project(root: Path = ROOT) -> Project:
    """Read every model and every source under `root`.

    Raises:
        ProjectError: a file lacks its yml entry or the reverse, the columns of the two differ, a name is used twice,
            a description is empty or does not say what null means, or a file is not one SELECT.
    """
    models = [model for layer in LAYERS for model in _folder(root / layer, layer)]
    if not models:
        raise ProjectError(f"no models in {root}; expected {', '.join(LAYERS)} with *.sql and {YML}")
    seen: dict[str, Model] = {}
    for model in models:
        if model.name in seen:
            raise ProjectError(f"two models are called {model.name}: {seen[model.name].path} and {model.path}")
        seen[model.name] = model
    tables, schemas = _sources(root / SOURCES)
    named = [
        replace(model, tests=tuple(_with_target(test, model, seen, tables) for test in model.tests)) for model in models
    ]
    return Project({model.relation: model for model in named}, tables, schemas)


def _sources(folder: Path) -> tuple[dict[str, Table], dict[str, str]]:
    """The tables of all files of a folder by relation, and what each schema is."""
    tables: dict[str, Table] = {}
    schemas: dict[str, str] = {}
    for path in sorted(folder.glob("*.yml")):
        for source in read_yml(path, SourcesFile).sources:
            schemas[source.name] = _line(source.description)
            for entry in source.tables:
                relation = f"{source.name}.{entry.name}"
                if relation in tables:
                    raise ProjectError(f"{path} describes {relation} a second time")
                tables[relation] = _table(path, relation, entry)
    logged = {relation for relation in tables if relation.startswith("raw.") or relation in LOGGED}
    expected = {relation for relation in LOGGED if relation.partition(".")[0] in schemas}
    if differ := logged ^ expected:
        raise ProjectError(
            f"{folder}: {listed(differ)} stands in the yml or in smi_pipeline/lake/tables.py and not in both"
        )
    return tables, schemas


def _table(path: Path, relation: str, entry: TableEntry) -> Table:
    declared = LOGGED.get(relation, {})
    names = [column.name for column in entry.columns]
    complaints = entry.complaints()
    if relation.startswith("raw.") or relation in LOGGED:
        if differ := set(names) ^ declared.keys():
            complaints.append(f"{listed(differ)}: in the yml or in smi_pipeline/lake/tables.py and not in both")
        complaints += [
            f"{one.name}: a declared column has no data_type and no meta here"
            for one in entry.columns
            if one.data_type or one.meta
        ]
    else:
        complaints += [
            f"{one.name} lacks its data_type or what it is made of (meta: {{ from: [...] }})"
            for one in entry.columns
            if not one.data_type or not one.meta
        ]
    if any(column.data_tests for column in (entry, *entry.columns)):
        complaints.append("data_tests are run on models only")
    if complaints:
        raise ProjectError(f"{path}, {relation}: {'; '.join(complaints)}")
    return Table(
        relation,
        path,
        entry.line,
        tuple(
            Column(one.name, one.line, one.origins, declared.get(one.name) or one.data_type or "")
            for one in entry.columns
        ),
    )


def _folder(folder: Path, layer: Layer) -> Iterator[Model]:
    files = {path.stem: path for path in sorted(folder.glob("*.sql"))}
    yml = folder / YML
    entries = {entry.name: entry for entry in read_yml(yml, ModelsFile).models} if files or yml.exists() else {}
    if lost := entries.keys() - files.keys():
        raise ProjectError(f"{yml} describes {listed(lost)}, but {folder} has no such .sql file")
    if unknown := files.keys() - entries.keys():
        raise ProjectError(f"{yml} does not describe {listed(unknown)}, whose .sql file is in {folder}")
    return (_model(path, layer, entries[name]) for name, path in files.items())


def _model(path: Path, layer: Layer, entry: TableEntry) -> Model:
    sql = path.read_text(encoding="utf-8").strip().removesuffix(";")
    selected = _parse(sql, path).named_selects
    described = {column.name: column for column in entry.columns}
    if "*" in selected:
        raise ProjectError(f"{path}: selects *; name the columns, so that a new one upstream is a decision")
    complaints = [
        f"the yml describes {listed(described.keys() - set(selected))}, which the SQL does not select"
        if described.keys() - set(selected)
        else "",
        f"the SQL selects {listed(set(selected) - described.keys())}, which the yml does not describe"
        if set(selected) - described.keys()
        else "",
        "a column is selected twice" if len(set(selected)) < len(selected) else "",
        *entry.complaints(),
        *(f"{one.name}: its type is that of the SELECT, not of the yml" for one in entry.columns if one.data_type),
    ]
    if found := "; ".join(filter(None, complaints)):
        raise ProjectError(f"{path} and {path.parent / YML}: {layer}.{path.stem}: {found}")
    return Model(
        name=path.stem,
        layer=layer,
        path=path,
        sql=sql,
        description=entry.line,
        columns=tuple(Column(name, described[name].line, described[name].origins) for name in selected),
        tests=(
            *(_test(given, path) for given in entry.data_tests),
            *(_test(given, path, column.name) for column in entry.columns for given in column.data_tests),
        ),
    )


def _test(given: str | dict[str, Any], path: Path, column: str | None = None) -> Test:
    kind, arguments = next(iter(given.items())) if isinstance(given, dict) and len(given) == 1 else (given, {})
    where = f"{path.parent / YML}, {path.stem}{f'.{column}' if column else ''}"
    if not isinstance(kind, str) or kind not in TESTS:
        raise ProjectError(f"{where}: unknown data test {kind!r}; there are {', '.join(TESTS)}")
    if not isinstance(arguments, dict) or arguments.keys() != TESTS[kind]:
        raise ProjectError(f"{where}: {kind} takes {listed(TESTS[kind]) or 'no arguments'}, got {arguments}")
    if (column is None) != (kind in _OF_A_MODEL):
        raise ProjectError(f"{where}: {kind} is a test of a {'model' if column else 'column'}")
    return Test(kind, arguments, column)


def _with_target(test: Test, model: Model, models: Mapping[str, Model], tables: Mapping[str, Table]) -> Test:
    """A `relationships` test with its target as `schema.name` in place of dbt's ref() or source()."""
    if test.kind != "relationships":
        return test
    target, field = str(test.arguments["to"]), str(test.arguments["field"])
    where = f"{model.path.parent / YML}, {model.name}.{test.column}"
    match = _REFERENCE.fullmatch(target)
    if match is None:
        raise ProjectError(f"{where}: expected ref('model') or source('schema', 'table'), got {target}")
    schema, name = match.groups()
    known: Mapping[str, Model | Table] = models if schema is None else tables
    found = known.get(name if schema is None else f"{schema}.{name}")
    if found is None:
        raise ProjectError(
            f"{where}: {target} is not there; {nearest(name if schema is None else f'{schema}.{name}', known)}"
        )
    columns = [column.name for column in found.columns]
    if field not in columns:
        raise ProjectError(f"{where}: {found.relation} has no column {field!r}; {nearest(field, columns)}")
    return replace(test, arguments={**test.arguments, "to": found.relation})


def _parse(sql: str, path: Path) -> exp.Query:
    try:
        trees = sqlglot.parse(sql, read=DIALECT)
    except SqlglotError as error:
        raise ProjectError(f"{path} cannot be parsed: {' '.join(str(error).split())}") from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query):
        raise ProjectError(f"{path}: expected one SELECT, got {len(trees)} statements")
    return tree


def _line(text: str) -> str:
    return " ".join(text.split())
