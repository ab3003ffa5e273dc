"""The models of dbt_like_sql as they lie on disk: one SELECT a file, described and checked by a `_models.yml` a folder.

The folder is the schema, the file's stem the relation. What the yml says and what the SQL selects must be the same
columns: a description that outlives its column, or a column nobody described, stops the load.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import sqlglot
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlglot import exp
from sqlglot.errors import SqlglotError

Layer = Literal["staging", "intermediate", "marts"]
LAYERS: Final[tuple[Layer, ...]] = get_args(Layer)
ROOT: Final = Path(__file__).parents[2] / "dbt_like_sql"
YML: Final = "_models.yml"
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
_OF_A_MODEL: Final = frozenset({"dbt_utils.expression_is_true", "dbt_utils.unique_combination_of_columns"})
_REFERENCE: Final = re.compile(r"""(?:ref\(\s*|source\(\s*['"](\w+)['"]\s*,\s*)['"](\w+)['"]\s*\)""")


class ProjectError(Exception):
    """The models do not hold together; the message names the file or the model, and what to change."""


@dataclass(frozen=True)
class Test:
    """One entry of `data_tests`. `column` is null for a test of the whole model."""

    __test__ = False  # not for pytest

    kind: str
    arguments: Mapping[str, Any]
    column: str | None = None


@dataclass(frozen=True)
class Column:
    """One column as the yml describes it: meaning, unit, and what null means."""

    name: str
    description: str


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

    def tree(self) -> exp.Query:
        """The SELECT as sqlglot reads it.

        Raises:
            ProjectError: the file is not exactly one SELECT.
        """
        return _parse(self.sql, self.path)


@dataclass(frozen=True)
class Project:
    """All models, by relation."""

    models: Mapping[str, Model]

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
        raise ProjectError(f"no model {relation!r}; there are {', '.join(self.models)}")

    def of(self, *layers: Layer) -> list[Model]:
        """The models of some layers."""
        return [model for model in self if model.layer in layers]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    data_tests: list[str | dict[str, Any]] = []


class _ModelEntry(_Entry):
    columns: list[_Entry]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[2]
    models: list[_ModelEntry]


def load_project(root: Path = ROOT) -> Project:
    """Read every model under `root`.

    Raises:
        ProjectError: a file lacks its yml entry or the reverse, the columns of the two differ, a name is used twice,
            a description is empty, or a file is not one SELECT.
    """
    models = [model for layer in LAYERS for model in _folder(root / layer, layer)]
    if not models:
        raise ProjectError(f"no models in {root}; expected {', '.join(LAYERS)} with *.sql and {YML}")
    seen: dict[str, Model] = {}
    for model in models:
        if model.name in seen:
            raise ProjectError(f"two models are called {model.name}: {seen[model.name].path} and {model.path}")
        seen[model.name] = model
    return Project(
        {
            model.relation: replace(model, tests=tuple(_with_target(test, model, seen) for test in model.tests))
            for model in models
        }
    )


def _folder(folder: Path, layer: Layer) -> Iterator[Model]:
    files = {path.stem: path for path in sorted(folder.glob("*.sql"))}
    entries = {entry.name: entry for entry in _entries(folder / YML)} if files or (folder / YML).exists() else {}
    if lost := entries.keys() - files.keys():
        raise ProjectError(f"{folder / YML} describes {_listed(lost)}, but {folder} has no such .sql file")
    if unknown := files.keys() - entries.keys():
        raise ProjectError(f"{folder / YML} does not describe {_listed(unknown)}, whose .sql file is in {folder}")
    return (_model(path, layer, entries[name]) for name, path in files.items())


def _entries(path: Path) -> list[_ModelEntry]:
    try:
        return _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).models
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ProjectError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ProjectError(f"{path}, {where}: {first['msg']}") from error


def _model(path: Path, layer: Layer, entry: _ModelEntry) -> Model:
    sql = path.read_text(encoding="utf-8").strip().removesuffix(";")
    selected = _parse(sql, path).named_selects
    described = {column.name: column for column in entry.columns}
    if "*" in selected:
        raise ProjectError(f"{path}: selects *; name the columns, so that a new one upstream is a decision")
    complaints = [
        f"the yml describes {_listed(described.keys() - set(selected))}, which the SQL does not select"
        if described.keys() - set(selected)
        else "",
        f"the SQL selects {_listed(set(selected) - described.keys())}, which the yml does not describe"
        if set(selected) - described.keys()
        else "",
        "a column is selected twice" if len(set(selected)) < len(selected) else "",
        "a column is described twice" if len(described) < len(entry.columns) else "",
        *(f"{one.name} has an empty description" for one in (entry, *entry.columns) if not one.description.strip()),
    ]
    if found := "; ".join(filter(None, complaints)):
        raise ProjectError(f"{layer}.{path.stem} ({path.name} and {YML}): {found}")
    return Model(
        name=path.stem,
        layer=layer,
        path=path,
        sql=sql,
        description=_line(entry.description),
        columns=tuple(Column(name, _line(described[name].description)) for name in selected),
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
        raise ProjectError(f"{where}: {kind} takes {_listed(TESTS[kind]) or 'no arguments'}, got {arguments}")
    if (column is None) != (kind in _OF_A_MODEL):
        raise ProjectError(f"{where}: {kind} is a test of a {'model' if column else 'column'}")
    return Test(kind, arguments, column)


def _with_target(test: Test, model: Model, models: Mapping[str, Model]) -> Test:
    """A `relationships` test with its target as `schema.name` in place of dbt's ref() or source()."""
    if test.kind != "relationships":
        return test
    target = str(test.arguments["to"])
    match = _REFERENCE.fullmatch(target)
    if match is None or (match[1] is None and match[2] not in models):
        raise ProjectError(
            f"{model.relation}.{test.column}: expected ref('model') or source('schema', 'table'), got {target}"
        )
    relation = f"{match[1]}.{match[2]}" if match[1] else models[match[2]].relation
    return replace(test, arguments={**test.arguments, "to": relation})


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


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
