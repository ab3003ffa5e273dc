"""The record of editions: what each month was published from, and as what. Append-only, like everything that was said.

A month has at most one draft, derived anew as often as one likes, and published editions 1, 2, ..., which never change.
`index.edition_log` has every state an edition was in; `index.edition` the last one of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from typing import Any, Literal

import duckdb

from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.months import Month

State = Literal["draft", "published", "dropped"]  # dropped: the month derives to the published edition again


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What an edition is made from. Equal bases under equal code give equal bytes.

    Attributes:
        status: provisional or final.
        ranks: shown, or withheld (see the registry's editions.csv).
        method_version: what the method calls itself.
        method_files: the name in raw.input_file of its method, and of those of the two months before it, by month.
        zone: where months begin.
        code_version: of this software.
        snapshot: the lake's snapshot that holds every input.
        collection_ids: the collections it rests on, those of the two months before and of single days included.
        inputs: checksum of each input file by what it is (`cities`, `expert_scores 2025-05`), and of the ranks of the
            year before it (`year`), which charts show.
    """

    status: str
    ranks: str
    method_version: str
    method_files: Mapping[str, str]
    zone: str
    code_version: str
    snapshot: int
    collection_ids: list[str]
    inputs: Mapping[str, str]

    @property
    def methods(self) -> dict[Month, str]:
        """The name of each month's method."""
        return {Month.parse(key): name for key, name in self.method_files.items()}

    def differences(self, other: Basis) -> dict[str, list[str]]:
        """What another basis has otherwise, by kind, with what is new in it; nothing where both are the same.

        data: collections; status; method: versions and texts; experts: months whose scores differ; panel: cities,
        accounts; weights: inputs of the platform weights; publication: editions.csv; year: ranks of the months before;
        editorial: editors' texts; code: version of the software.
        """
        files = {key for key in {*self.inputs, *other.inputs} if self.inputs.get(key) != other.inputs.get(key)}
        method = self.method_version != other.method_version or any(key.startswith("method ") for key in files)
        found: dict[str, list[str]] = {
            "data": sorted({*other.collection_ids} - {*self.collection_ids})
            or sorted({*self.collection_ids} - {*other.collection_ids}),
            "status": [other.status] if self.status != other.status else [],
            "method": [other.method_version] if method else [],
            "experts": sorted(key.split()[1] for key in files if key.startswith("expert_scores ")),
            "panel": [key for key in ("cities", "accounts") if key in files],
            "weights": ["platform_inputs"] if "platform_inputs" in files else [],
            "publication": ["editions"] if "editions" in files else [],
            "year": ["ranks"] if "year" in files else [],
            "editorial": sorted(key.split(maxsplit=1)[1] for key in files if key.startswith("editorial ")),
            "code": [other.code_version] if self.code_version != other.code_version else [],
        }
        return {kind: what for kind, what in found.items() if what}


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One row of index.edition: an edition in its last state.

    Attributes:
        month: the month's first day.
        number: 1 for a month's first edition.
        state: a draft may be derived anew, a published edition never.
        basis: what it is made from.
        tables_snapshot: the lake's snapshot that holds its derived tables.
        tables: SHA-256 of the month's rows of each derived table, as `smi export --format json` writes them.
        files: SHA-256 of each file.
        reason: why the month was published again; null for a first edition, a draft, and a final after a provisional.
        recorded_at: when it came into this state. In no file of the edition.
        entry: counts the rows of a month, in the order in which they were written.
    """

    month: date
    number: int
    state: State
    basis: Basis
    tables_snapshot: int
    tables: Mapping[str, str]
    files: Mapping[str, str]
    reason: str | None = None
    recorded_at: datetime
    entry: int = field(default=0, compare=False)

    def says_the_same(self, other: Edition) -> bool:
        """Whether both are the same edition in the same state, whenever that was recorded."""
        mine, theirs = (replace(one, recorded_at=self.recorded_at, tables_snapshot=0) for one in (self, other))
        return mine == theirs


_BASIS = tuple(one.name for one in fields(Basis))
_JSON = ("method_files", "inputs", "tables", "files")


def editions(cursor: duckdb.DuckDBPyConnection, month: date | None = None) -> list[Edition]:
    """The editions of a month (or all) in their last state, by month and number; dropped drafts are not among them."""
    found = cursor.execute(
        "select * from index.edition where state <> 'dropped' and ($1 is null or month = $1) order by month, number",
        [month],
    )
    return _read(found)


def published(cursor: duckdb.DuckDBPyConnection, month: date, number: int | None = None) -> Edition | None:
    """A published edition of a month, the newest when no number is given; null when there is none."""
    there = [one for one in editions(cursor, month) if one.state == "published" and number in {None, one.number}]
    return there[-1] if there else None


def draft(cursor: duckdb.DuckDBPyConnection, month: date) -> Edition | None:
    """The month's draft, or null."""
    return next((one for one in editions(cursor, month) if one.state == "draft"), None)


def edition_snapshots(cursor: duckdb.DuckDBPyConnection) -> list[int]:
    """The snapshots that editions need, drafts included: those of their inputs and of their tables, sorted.

    Whatever expires snapshots must leave these: an edition is rebuilt from the first and read from the second.
    """
    rows = cursor.execute(
        "select distinct unnest([snapshot, tables_snapshot]) as kept from index.edition where state <> 'dropped'"
        " order by kept"
    ).fetchall()
    return [kept for (kept,) in rows]


def record(lake: Lake, edition: Edition) -> bool:
    """Append a state of an edition; false, and nothing is written, when it is the last one already.

    Hold the lake's lock of the month's editions meanwhile (see `lock_name`).

    Raises:
        LakeError: the edition is published: it never changes.
    """
    with lake.write(f"{edition.month:%Y-%m} edition {edition.number}: {edition.state}") as transaction:
        cursor = transaction.cursor
        last = _last(cursor, edition.month, edition.number)
        if last is not None and last.says_the_same(edition):
            transaction.discard()
            return False
        if last is not None and last.state == "published":
            raise LakeError(f"edition {edition.number} of {edition.month:%Y-%m} is published and never changes")
        row = cursor.execute(
            "select coalesce(max(entry), 0) + 1 from index.edition_log where month = $1", [edition.month]
        ).fetchone()
        told = row_of(edition) | {"entry": row[0] if row else 1}
        told |= {name: json.dumps(told[name], sort_keys=True) for name in _JSON}
        columns = ", ".join(f'${name} as "{name}"' for name in told)
        cursor.execute(f"insert into index.edition_log by name select {columns}", told)
    return True


def row_of(edition: Edition) -> dict[str, Any]:
    """The columns of index.edition, checksums as objects."""
    told: dict[str, Any] = asdict(edition)
    basis: dict[str, Any] = told.pop("basis")
    return {"month": told.pop("month"), "number": told.pop("number"), "state": told.pop("state")} | basis | told


def lock_name(month: date) -> str:
    """The lock under which the editions of a month are written, record and files."""
    return f"edition-{month:%Y-%m}"


def _last(cursor: duckdb.DuckDBPyConnection, month: date, number: int) -> Edition | None:
    found = cursor.execute("select * from index.edition where month = $1 and number = $2", [month, number])
    return next(iter(_read(found)), None)


def _read(found: duckdb.DuckDBPyConnection) -> list[Edition]:
    names = [column[0] for column in found.description or []]
    return [_edition(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def _edition(row: dict[str, Any]) -> Edition:
    row |= {name: json.loads(row[name]) for name in _JSON}
    basis = Basis(**{name: row.pop(name) for name in _BASIS})
    return Edition(basis=basis, **row)
