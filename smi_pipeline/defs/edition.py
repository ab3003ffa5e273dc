"""What a month's edition is made from: its tables and what they rest on, read at one snapshot."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import duckdb
import polars as pl

from smi_pipeline.defs.derive import ACCOUNT_MONTH, CITY_PLATFORM_MONTH, INDEX_TABLES
from smi_pipeline.defs.inputs import Inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.tables import graph
from smi_pipeline.index.panel import monitored_cities
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.editions import Basis
from smi_pipeline.lake.export import month_sha256, rows_sha256
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.metrics.rates import under
from smi_pipeline.months import Month, month_range
from smi_pipeline.report.inputs import YEAR, ReportInput

_TABLES = {
    "cities": "index.city",
    "accounts": "index.account",
    "rankings": "marts.rankings",
    "movers": "marts.movers",
    "top_posts": "marts.top_posts",
    "hashtags": "marts.hashtags",
    "coverage": "marts.coverage",
    "outcomes": "staging.stg_account_outcomes",
    "city_metrics": "metrics.city_platform_month",
    "indicator_score": "index.indicator_score",
    "composite": "index.composite",
    "contribution": "index.contribution",
    "platform_weight": "index.platform_weight",
    "experts": "index.expert_agreement",
}
# The ranks of the months before, for charts of the year, and nothing of a later month. They are what the lake has of
# them when an edition is written, and read again at that edition's snapshot of tables.
_OF_THE_YEAR = {
    "composite_year": ("index.composite", "month, city_id, rank, rank_p05, rank_p95, status, method_version"),
    "platform_year": ("index.platform_index", "month, platform, city_id, rank"),
}
_COLLECTIONS = """
select * from raw.collection
where month = $month
  and collection_id in (select collection_id from staging.stg_account_outcomes where month = $month)
order by platform
"""
# What an edition rests on. Ranks change against the month before, which may rest on figures of the one before it.
# Another month's collection may have taken posts from theirs. Growth is counted from figures of single days near
# either border. Experts may be carried from three months back.
_COLLECTED = """
from raw.collection_log
where collection_id in (
    select collection_id from staging.stg_account_outcomes where month between $carried and $month
    union
    select counting.collection_id from staging.stg_collections as counting
    join raw.moved_post as moved on moved.platform = counting.platform and moved.month = counting.month
    where moved.left_month between $carried and $month
)
or cut = 'snapshot' and day between $previous::date - 4 and last_day($month::date) + 4
"""
_FILES = """
from raw.input_file
where (month is null or month between $experts and $month) and (kind <> 'method' or name in $methods)
  and (kind <> 'editorial' or month = $month)
"""
_SNAPSHOT = f"""
select max(snapshot_id) from (
    select max(snapshot_id) as snapshot_id {_COLLECTED} union all select max(snapshot_id) {_FILES}
)
"""
_COLLECTION_IDS = f"select distinct collection_id {_COLLECTED} order by collection_id"
_FILE_SUMS = f"""
select
    concat_ws(' ', kind, case when kind in ('method', 'editorial') then name else strftime(month, '%Y-%m') end) as file,
    last(sha256 order by rowid)
{_FILES}
group by file order by file
"""

Year = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Derived:
    """A month as it is derived: the report's frames, what they rest on, and the checksums of all its tables.

    `tables_snapshot` is the snapshot of the lake they were read at.
    """

    given: ReportInput
    basis: Basis
    tables: Mapping[str, str]
    tables_snapshot: int


def derived_tables() -> list[str]:
    """The tables that are derived a month at a time."""
    models = [model.relation for layer in ("intermediate", "marts") for model in graph().tables(layer)]
    index = [f"index.{name}" for name in ("city", "account", *INDEX_TABLES)]
    return [*models, ACCOUNT_MONTH, CITY_PLATFORM_MONTH, *index]


def derived(
    lake: Lake,
    month: Month,
    inputs: Inputs,
    *,
    earlier: Year | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Derived:
    """A month's tables with what they rest on, read at one snapshot.

    Args:
        lake: the lake.
        month: the month.
        inputs: registry, method and what else people hand in.
        earlier: the ranks of the year before the month; null reads what the lake has of them.
        columns: by table, those whose checksum is wanted; of tables without an entry all. An edition of an earlier
            version is compared in the columns that version had.

    Raises:
        LakeError: the month is not derived yet.
    """
    with lake.read() as cursor:
        year = earlier or year_before(cursor, month)
        given = _given(cursor, month, inputs, year)
        span = _span(month, inputs)
        try:
            tables = {
                table: month_sha256(cursor, table, month, columns=(columns or {}).get(table))
                for table in derived_tables()
            }
        except LakeError as error:
            raise LakeError(f"{month} is not derived to its end ({error}); run `smi run {month}`") from error
        row = cursor.execute("select id from ducklake_current_snapshot('lake')").fetchone()
        collections = cursor.execute(_COLLECTION_IDS, _bound(span, "carried", "month", "previous")).fetchall()
        sums = cursor.execute(_FILE_SUMS, _bound(span, "experts", "month", "methods")).fetchall()
    basis = Basis(
        status=given.status,
        ranks="shown" if given.edition is None else given.edition.ranks,
        method_version=given.method.version,
        method_files={one.key: inputs.versions.of(one) for one in month_range(month.plus(-2), month)},
        zone=ZONE.key,
        code_version=given.code_version,
        snapshot=given.snapshot,
        collection_ids=[one for (one,) in collections],
        inputs={**dict(sums), "year": year_sha256(year)},
    )
    return Derived(given, basis, tables, tables_snapshot=int(row[0]) if row else 0)


def year_before(cursor: duckdb.DuckDBPyConnection, month: Month, *, snapshot: int | None = None) -> Year:
    """The ranks of the months of the year before a month, as they are or as they were at a snapshot."""
    span = {"first": month.plus(1 - YEAR).first, "month": month.first}
    then = "" if snapshot is None else f" at (version => {snapshot:d})"
    return {
        name: read_frame(cursor, f"select {columns} from {table}{then} where month >= $first and month < $month", span)
        for name, (table, columns) in _OF_THE_YEAR.items()
    }


def year_sha256(year: Year) -> str:
    """One checksum of the ranks of a year, in whatever order they lie."""
    sums = "".join(rows_sha256(frame.sort(frame.columns)) for frame in year.values())
    return hashlib.sha256(sums.encode()).hexdigest()


def report_input(lake: Lake, month: Month, inputs: Inputs) -> ReportInput:
    """The frames of one month's report, read at one snapshot.

    Raises:
        LakeError: the month is not derived yet.
    """
    with lake.read() as cursor:
        return _given(cursor, month, inputs, year_before(cursor, month))


def _given(cursor: duckdb.DuckDBPyConnection, month: Month, inputs: Inputs, year: Year) -> ReportInput:
    try:
        frames: dict[str, Any] = {name: _month(cursor, table, month) for name, table in _TABLES.items()}
    except duckdb.CatalogException as error:
        raise LakeError(f"{month} is not derived: {str(error).splitlines()[0]}; run `smi run {month}`") from error
    if frames["composite"].is_empty():
        raise LakeError(f"{month} is not scored; run `smi run {month}`")
    for name, (table, columns) in _OF_THE_YEAR.items():
        own = read_frame(cursor, f"select {columns} from {table} where month = $month", {"month": month.first})
        frames[name] = pl.concat([year[name], own])
    collections = read_frame(cursor, _COLLECTIONS, {"month": month.first})
    row = cursor.execute(_SNAPSHOT, _span(month, inputs)).fetchone()
    shown, method = month_range(month.plus(1 - YEAR), month), inputs.method_of(month)
    frames["city_metrics"] = under(method.rates, frames["city_metrics"])
    return ReportInput(
        month=month,
        zone=ZONE,
        status=frames["composite"]["status"][0],
        method=method,
        method_before=inputs.versions.of(month.previous),
        cities_before=monitored_cities(inputs.cities, month.previous),
        edition=inputs.edition(month),
        editorial=inputs.editorial(month),
        withheld_months=frozenset(one for one in shown if _withheld(inputs, one)),
        collections=collections,
        code_version=version("smi-pipeline"),
        snapshot=int(row[0]) if row and row[0] is not None else 0,
        synthetic=bool(collections["synthetic"].any()),
        **frames,
    )


def _withheld(inputs: Inputs, month: Month) -> bool:
    rule = inputs.edition(month)
    return rule is not None and rule.ranks == "withheld"


def _span(month: Month, inputs: Inputs) -> dict[str, object]:
    return {
        "month": month.first,
        "previous": month.previous.first,
        "carried": month.plus(-2).first,
        "experts": month.plus(-3).first,
        "methods": sorted({inputs.versions.of(one) for one in (month.previous, month)}),
    }


def _bound(span: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: span[name] for name in names}


def _month(cursor: duckdb.DuckDBPyConnection, table: str, month: Month) -> pl.DataFrame:
    return read_frame(cursor, f"select * from {table} where month = $month", {"month": month.first})
