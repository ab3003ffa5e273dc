"""What a month's report is written from: its tables, read at one snapshot."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import duckdb
import polars as pl

from smi_pipeline.defs.inputs import Inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.index.panel import monitored_cities
from smi_pipeline.lake.connection import Lake, LakeError
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
# The commits that brought this month's inputs. Ranks change against the month before, which may rest on figures of the
# one before it; expert scores may be carried over from three months back.
_INPUT_SNAPSHOTS = """
select max(snapshot_id) from (
    select max(snapshot_id) as snapshot_id from raw.collection_log
    where collection_id in (
        select collection_id from staging.stg_account_outcomes where month between $carried and $month
    )
    -- figures near a border of either month, which growth is reckoned from
    or cut = 'snapshot' and day between $previous::date - 4 and last_day($month::date) + 4
    union all
    select max(snapshot_id) from raw.input_file
    where (month is null or month between $experts and $month) and (kind <> 'method' or name = $method)
      and (kind <> 'editorial' or month = $month)
)
"""


def report_input(lake: Lake, month: Month, inputs: Inputs) -> ReportInput:
    """The frames of one month's report.

    Raises:
        LakeError: the month is not derived yet.
    """
    with lake.read() as cursor:
        try:
            frames: dict[str, Any] = {name: _month(cursor, table, month) for name, table in _TABLES.items()}
        except duckdb.CatalogException as error:
            raise LakeError(f"{month} is not derived: {str(error).splitlines()[0]}; run `smi run {month}`") from error
        collections = read_frame(cursor, _COLLECTIONS, {"month": month.first})
        span = {
            "month": month.first,
            "previous": month.previous.first,
            "carried": month.plus(-2).first,
            "experts": month.plus(-3).first,
            "method": inputs.versions.of(month),
        }
        row = cursor.execute(_INPUT_SNAPSHOTS, span).fetchone()
    if frames["composite"].is_empty():
        raise LakeError(f"{month} is not scored; run `smi run {month}`")
    return ReportInput(
        month=month,
        zone=ZONE,
        status=frames["composite"]["status"][0],
        method=inputs.method_of(month),
        method_before=inputs.versions.of(month.previous),
        cities_before=monitored_cities(inputs.cities, month.previous),
        edition=inputs.edition(month),
        editorial=inputs.editorial(month),
        collections=collections,
        code_version=version("smi-pipeline"),
        snapshot=int(row[0]) if row and row[0] is not None else 0,
        synthetic=bool(collections["synthetic"].any()),
        **frames,
    )


def _month(cursor: duckdb.DuckDBPyConnection, table: str, month: Month) -> pl.DataFrame:
    return read_frame(cursor, f"select * from {table} where month = $month", {"month": month.first})
