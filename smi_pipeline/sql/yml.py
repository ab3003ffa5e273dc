"""The yml files beside the SQL, in dbt's own vocabulary: what may stand in them, and clear words for what may not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError


class ProjectError(Exception):
    """The models do not hold together; the message names the file or the model, and what to change."""


def _flat(given: object) -> object:
    """Lists within lists are one list: an alias of YAML brings its list whole. Each entry once."""
    return list(dict.fromkeys(_leaves(given))) if isinstance(given, list) else given


def _leaves(given: list[object]) -> Iterator[object]:
    for one in given:
        if isinstance(one, list):
            yield from _leaves(one)
        else:
            yield one


class Meta(BaseModel):
    """What is not dbt's: the columns, as `schema.table.column`, that a column is made of where no SQL says so."""

    model_config = ConfigDict(extra="forbid")

    origins: Annotated[list[str], BeforeValidator(_flat)] = Field(alias="from", min_length=1)


class Entry(BaseModel):
    """Something with a name and a description."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    data_tests: list[str | dict[str, Any]] = []

    @property
    def line(self) -> str:
        """The description as one line."""
        return " ".join(self.description.split())

    def tells_null(self) -> bool:
        """Whether a reader learns what null means: in words, or because there is none."""
        return re.search(r"\bnull\b", self.line, re.IGNORECASE) is not None or "not_null" in self.data_tests


class ColumnEntry(Entry):
    """A column. `data_type` and `meta` stand only where no SQL tells them."""

    data_type: str | None = None
    meta: Meta | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        """What `meta.from` lists; empty without it."""
        return () if self.meta is None else tuple(self.meta.origins)


class TableEntry(Entry):
    """A model, or a table that models read."""

    columns: list[ColumnEntry]

    def complaints(self) -> list[str]:
        """What is wrong with the descriptions, whatever the table has."""
        twice = len({column.name for column in self.columns}) < len(self.columns)
        silent = [column.name for column in self.columns if column.line and not column.tells_null()]
        return [
            *(["a column is described twice"] if twice else []),
            *(f"{one.name} has an empty description" for one in (self, *self.columns) if not one.line),
            *(f"{name}: say what null means, or test it with not_null" for name in silent),
        ]


class ModelsFile(BaseModel):
    """`_models.yml` of a folder."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[2]
    models: list[TableEntry]


class SourceEntry(BaseModel):
    """A schema of tables that the models read and do not make."""

    model_config = ConfigDict(extra="forbid")

    name: str
    description: str
    tables: list[TableEntry]


class SourcesFile(BaseModel):
    """A yml of `sources/`."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[2]
    sources: list[SourceEntry]


AFile = TypeVar("AFile", bound=BaseModel)


def read_yml(path: Path, kind: type[AFile]) -> AFile:
    """A yml file of one kind.

    Raises:
        ProjectError: it cannot be read, is no YAML, or says something else; names the place.
    """
    try:
        return kind.model_validate(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
    except OSError as error:
        raise ProjectError(f"{path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ProjectError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ProjectError(f"{path}, {where}: {first['msg']}") from error


def listed(names: Iterable[str]) -> str:
    """Names in order, for a message."""
    return ", ".join(sorted(names))


def nearest(name: str, names: Iterable[str]) -> str:
    """What may have been meant by a name that is not among `names`, for a message; else what there is."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
