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
# The ranks of the months before, for charts of the year: what the lake has of them now, and nothing of a later month.
_OF_THE_YEAR = {"composite_year": "index.composite", "platform_year": "index.platform_index"}
_COLLECTIONS = """
select * from raw.collection
where month = $month
  and collection_id in (select collection_id from staging.stg_account_outcomes where month = $month)
order by platform
"""
# The commits that brought the inputs of every month that is shown: this one and those of its year. Ranks change against
# the month before, which may rest on figures of the one before it; expert scores may be carried over from three months
# back. The first month of the year is shown as it is, without its change.
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
    where (month is null or month between $experts and $month) and (kind <> 'method' or name in $methods)
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
            frames |= {name: _year(cursor, table, month) for name, table in _OF_THE_YEAR.items()}
        except duckdb.CatalogException as error:
            raise LakeError(f"{month} is not derived: {str(error).splitlines()[0]}; run `smi run {month}`") from error
        collections = read_frame(cursor, _COLLECTIONS, {"month": month.first})
        first = month.plus(1 - YEAR)
        span = {
            "month": month.first,
            "previous": first.previous.first,
            "carried": first.plus(-2).first,
            "experts": first.plus(-3).first,
            "methods": sorted({inputs.versions.of(one) for one in month_range(first, month)}),
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
        withheld_months=frozenset(one for one in month_range(first, month) if _withheld(inputs, one)),
        collections=collections,
        code_version=version("smi-pipeline"),
        snapshot=int(row[0]) if row and row[0] is not None else 0,
        synthetic=bool(collections["synthetic"].any()),
        **frames,
    )


def _withheld(inputs: Inputs, month: Month) -> bool:
    rule = inputs.edition(month)
    return rule is not None and rule.ranks == "withheld"


def _year(cursor: duckdb.DuckDBPyConnection, table: str, month: Month) -> pl.DataFrame:
    span = {"first": month.plus(1 - YEAR).first, "month": month.first}
    return read_frame(cursor, f"select * from {table} where month between $first and $month", span)


def _month(cursor: duckdb.DuckDBPyConnection, table: str, month: Month) -> pl.DataFrame:
    return read_frame(cursor, f"select * from {table} where month = $month", {"month": month.first})
