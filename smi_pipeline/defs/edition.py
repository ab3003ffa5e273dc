"""What a month's edition is made from: its tables and what they rest on, read at one snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import duckdb
import polars as pl

from smi_pipeline.defs.derive import ACCOUNT_MONTH, CITY_PLATFORM_MONTH, INDEX_TABLES
from smi_pipeline.defs.inputs import Inputs
from smi_pipeline.defs.models import graph
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.index.panel import monitored_cities
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.editions import Basis
from smi_pipeline.lake.export import month_sha256
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month
from smi_pipeline.report.inputs import ReportInput

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
_COLLECTIONS = """
select * from raw.collection
where month = $month
  and collection_id in (select collection_id from staging.stg_account_outcomes where month = $month)
order by platform
"""
# What an edition rests on. Ranks change against the month before, which may rest on figures of the one before it.
# Growth is reckoned from figures of single days near either border. Experts may be carried from three months back.
_COLLECTED = """
from raw.collection_log
where collection_id in (
    select collection_id from staging.stg_account_outcomes where month between $carried and $month
)
or cut = 'snapshot' and day between $previous::date - 4 and last_day($month::date) + 4
"""
_FILES = """
from raw.input_file
where (month is null or month between $experts and $month) and (kind <> 'method' or name = $method)
"""
_SNAPSHOT = f"""
select max(snapshot_id) from (
    select max(snapshot_id) as snapshot_id {_COLLECTED} union all select max(snapshot_id) {_FILES}
)
"""
_COLLECTION_IDS = f"select distinct collection_id {_COLLECTED} order by collection_id"
_FILE_SUMS = f"""
select concat_ws(' ', kind, strftime(month, '%Y-%m')) as file, last(sha256 order by loaded_at) {_FILES}
group by file order by file
"""


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


def derived(lake: Lake, month: Month, inputs: Inputs) -> Derived:
    """A month's tables with what they rest on, read at one snapshot.

    Raises:
        LakeError: the month is not derived yet.
    """
    with lake.read() as cursor:
        given = _given(cursor, month, inputs)
        span = _span(month, inputs)
        try:
            tables = {table: month_sha256(cursor, table, month) for table in derived_tables()}
        except LakeError as error:
            raise LakeError(f"{month} is not derived to its end ({error}); run `smi run {month}`") from error
        row = cursor.execute("select id from ducklake_current_snapshot('lake')").fetchone()
        collections = cursor.execute(_COLLECTION_IDS, _bound(span, "carried", "month", "previous")).fetchall()
        sums = cursor.execute(_FILE_SUMS, _bound(span, "experts", "month", "method")).fetchall()
    basis = Basis(
        status=given.status,
        ranks="shown" if given.edition is None else given.edition.ranks,
        method_version=given.method.version,
        method_file=inputs.versions.of(month),
        zone=ZONE.key,
        code_version=given.code_version,
        snapshot=given.snapshot,
        collection_ids=[one for (one,) in collections],
        inputs=dict(sums),
    )
    return Derived(given, basis, tables, tables_snapshot=int(row[0]) if row else 0)


def report_input(lake: Lake, month: Month, inputs: Inputs) -> ReportInput:
    """The frames of one month's report, read at one snapshot.

    Raises:
        LakeError: the month is not derived yet.
    """
    with lake.read() as cursor:
        return _given(cursor, month, inputs)


def _given(cursor: duckdb.DuckDBPyConnection, month: Month, inputs: Inputs) -> ReportInput:
    try:
        frames: dict[str, Any] = {name: _month(cursor, table, month) for name, table in _TABLES.items()}
    except duckdb.CatalogException as error:
        raise LakeError(f"{month} is not derived: {str(error).splitlines()[0]}; run `smi run {month}`") from error
    collections = read_frame(cursor, _COLLECTIONS, {"month": month.first})
    row = cursor.execute(_SNAPSHOT, _span(month, inputs)).fetchone()
    if frames["composite"].is_empty():
        raise LakeError(f"{month} is not scored; run `smi run {month}`")
    return ReportInput(
        month=month,
        zone=ZONE,
        status=frames["composite"]["status"][0],
        method=inputs.method_of(month),
        cities_before=monitored_cities(inputs.cities, month.previous),
        edition=inputs.edition(month),
        collections=collections,
        code_version=version("smi-pipeline"),
        snapshot=int(row[0]) if row and row[0] is not None else 0,
        synthetic=bool(collections["synthetic"].any()),
        **frames,
    )


def _span(month: Month, inputs: Inputs) -> dict[str, object]:
    return {
        "month": month.first,
        "previous": month.previous.first,
        "carried": month.plus(-2).first,
        "experts": month.plus(-3).first,
        "method": inputs.versions.of(month),
    }


def _bound(span: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: span[name] for name in names}


def _month(cursor: duckdb.DuckDBPyConnection, table: str, month: Month) -> pl.DataFrame:
    return read_frame(cursor, f"select * from {table} where month = $month", {"month": month.first})
