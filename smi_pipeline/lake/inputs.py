"""Input files as the lake keeps them: stored when they change, read back from there by every derivation.

So an edition can be derived again from exactly the registry, method, weight inputs and expert scores it had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import duckdb
import polars as pl
from pydantic import BaseModel

from smi_pipeline.lake.connection import Lake, LakeError, attempts
from smi_pipeline.registry.inputs import ExpertScore, Vintage, WeightInput
from smi_pipeline.registry.models import Account, City

Kind = Literal["cities", "accounts", "platform_inputs", "editions", "method", "expert_scores", "editorial"]
# Of these a lake keeps the newest text of each name: a method's version, an editors' file's language.
_NAMED = ("method", "editorial")

_CITIES = {
    "city_id": pl.String,
    "name_zh": pl.String,
    "name_en": pl.String,
    "province": pl.String,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
}
_ACCOUNTS = {
    "city_id": pl.String,
    "platform": pl.String,
    "handle": pl.String,
    "account_id": pl.String,
    "role": pl.String,
    "in_index": pl.Boolean,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
}
_WEIGHT_INPUTS = {
    "month": pl.String,
    "platform": pl.String,
    "factor": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "source": pl.String,
    "as_of": pl.Date,
    "retrieved_at": pl.Date,
}
_EXPERTS = {"rater": pl.String, "city_id": pl.String, "criterion": pl.String, "score": pl.Float64}


@dataclass(frozen=True)
class InputFile:
    """One input file's text. `month` only where a file belongs to one month (expert scores, editors' texts).

    A method's `name` tells its version, an editors' text's its language: a lake keeps the newest text of each. Of every
    other kind it keeps one.
    """

    kind: Kind
    name: str
    text: str
    month: date | None = None

    @property
    def key(self) -> tuple[str, date | None, str | None]:
        """What a newer text of the same file shares with this one."""
        return self.kind, self.month, self.name if self.kind in _NAMED else None

    @property
    def sha256(self) -> str:
        """Checksum of the text as UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def store_inputs(lake: Lake, files: Iterable[InputFile], loaded_at: datetime) -> StoredInputs:
    """Append the files whose text differs from the newest stored one; give everything stored back.

    None differ: one read, no commit.
    """
    given = list(files)
    with lake.read() as cursor:
        stored = _stored(lake, cursor)
    if not stored.changed(given):
        return stored
    for attempt in attempts():
        with attempt, lake.write("input files", over=["raw.input_file"]) as transaction:
            stored = _stored(lake, transaction.cursor)  # again, under the lock
            changed = stored.changed(given)
            if not changed:
                transaction.discard()
            for file in changed:
                transaction.cursor.execute(
                    "insert into raw.input_file by name select $1 as kind, $2::date as month, $3 as name,"
                    " $4 as sha256, $5 as text, $6::timestamptz as loaded_at",
                    [file.kind, file.month, file.name, file.sha256, file.text, loaded_at],
                )
            stored = _stored(lake, transaction.cursor)
    return stored


def stored_inputs(lake: Lake) -> StoredInputs:
    """The newest stored file of every kind (and month, and method version)."""
    with lake.read() as cursor:
        return _stored(lake, cursor)


@dataclass(frozen=True)
class StoredInputs:
    """What a lake has stored, by the files' keys."""

    lake: Lake
    files: dict[tuple[str, date | None, str | None], InputFile]
    vintages: dict[tuple[str, date | None, str | None], Vintage]

    def find(self, kind: Kind, month: date | None = None, *, name: str | None = None) -> InputFile | None:
        """The file of a kind (and month; where there are several its name), or null when the lake has none."""
        return self.files.get((kind, month, name))

    def vintage(self, kind: Kind, month: date | None = None) -> Vintage | None:
        """Which of the texts ever stored of a kind (and month) that file is, or null when the lake has none."""
        return self.vintages.get((kind, month, None))

    def changed(self, given: Iterable[InputFile]) -> list[InputFile]:
        """Those of the given files that are not stored so."""
        stored = {key: file.sha256 for key, file in self.files.items()}
        return [file for file in given if stored.get(file.key) != file.sha256]

    def need(self, kind: Kind, *, name: str | None = None) -> InputFile:
        """The file of a kind; of a method also its name.

        Raises:
            LakeError: the lake has none yet.
        """
        found = self.find(kind, name=name)
        if found is None:
            which = repr(kind) if name is None else f"{kind!r} and name {name!r}"
            raise LakeError(f"the lake {self.lake.path} holds no input file of kind {which} yet; collect a month first")
        return found


def _stored(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> StoredInputs:
    rows = cursor.execute(
        "select kind, month, last(name order by rowid), last(text order by rowid),"  # whatever clocks say
        " count(*), last(sha256 order by rowid), last(loaded_at order by rowid)"
        " from raw.input_file group by kind, month, if(list_contains($1, kind), name, null)",
        [list(_NAMED)],
    ).fetchall()
    files = [(InputFile(kind, name, text, month), Vintage(*which)) for kind, month, name, text, *which in rows]
    return StoredInputs(lake, {file.key: file for file, _ in files}, {file.key: which for file, which in files})


def cities_frame(cities: Iterable[City]) -> pl.DataFrame:
    """One row a city: city_id, name_zh, name_en, province, valid_from, valid_to (null while it lasts)."""
    return _frame(cities, _CITIES)


def accounts_frame(accounts: Iterable[Account]) -> pl.DataFrame:
    """One row an account: city_id, platform, handle, account_id, role, in_index, valid_from, valid_to."""
    return _frame(accounts, _ACCOUNTS)


def weight_inputs_frame(rows: Iterable[WeightInput]) -> pl.DataFrame:
    """One row a figure: month, platform, factor, value, unit, source, as_of, retrieved_at."""
    return _frame(rows, _WEIGHT_INPUTS)


def experts_frame(rows: Iterable[ExpertScore]) -> pl.DataFrame:
    """One row a score: rater, city_id, criterion, score."""
    return _frame(rows, _EXPERTS)


def _frame(rows: Iterable[BaseModel], schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    return pl.DataFrame([row.model_dump(include=set(schema)) for row in rows], schema=schema, orient="row")
