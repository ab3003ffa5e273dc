"""What one city's month is explained from: its tables, read at one snapshot. Stores nothing."""

from __future__ import annotations

from typing import Any, Final

import duckdb
import polars as pl

from smi_pipeline.defs.inputs import kept_inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.metrics.rates import under
from smi_pipeline.months import Month
from smi_pipeline.report.explanation import ExplanationInput, find_city
from smi_pipeline.settings import Settings

_MONTHS: Final = {
    "composite": "index.composite",
    "platform_index": "index.platform_index",
    "platform_weight": "index.platform_weight",
    "rank_interval": "index.rank_interval",
    "experts": "index.expert_agreement",
    "collections": "staging.stg_collections",
}
_CITIES: Final = {
    "accounts": "index.account",
    "indicator_score": "index.indicator_score",
    "contribution": "index.contribution",
    "account_contribution": "index.account_contribution",
    "score_change": "index.score_change",
    "expert_city": "index.expert_city",
    "account_metrics": "metrics.account_month",
    "city_metrics": "metrics.city_platform_month",
}
_OF_ACCOUNTS: Final = """
select told.* from {table} as told
semi join index.account as accounts
    on accounts.month = told.month
    and accounts.platform = told.platform
    and accounts.account_id = told.account_id
    and accounts.city_id = $city
    and accounts.in_index
where told.month = $month
"""
_SYNTHETIC: Final = """
select coalesce(bool_or(synthetic), false) from raw.collection
where month = $month
  and collection_id in (select collection_id from staging.stg_account_outcomes where month = $month)
"""


def explanation_input(lake: Lake, month: Month, settings: Settings, asked: str) -> ExplanationInput:
    """The frames that explain the month of the city that is `asked` for by id or name.

    Raises:
        LakeError: the month is not derived yet.
        UnknownCityError: no city of the month, or more than one, is meant.
    """
    inputs = kept_inputs(lake, settings)
    rule = inputs.edition(month)
    bound: dict[str, object] = {"month": month.first}
    with lake.read() as cursor:
        try:
            cities = _read(cursor, "index.city", bound)
            if cities.is_empty():
                raise LakeError(_not_derived(month, lake))
            city = find_city(cities, asked)
            frames: dict[str, Any] = {name: _read(cursor, table, bound) for name, table in _MONTHS.items()}
            own = bound | {"city": city.city_id}
            frames |= {name: _read(cursor, table, own) for name, table in _CITIES.items()}
            for name, table in (("outcomes", "staging.stg_account_outcomes"), ("posts", "staging.stg_posts")):
                frames[name] = read_frame(cursor, _OF_ACCOUNTS.format(table=table), own)
            synthetic = cursor.execute(_SYNTHETIC, bound).fetchone()
        except duckdb.CatalogException as error:
            raise LakeError(_not_derived(month, lake)) from error
    method = inputs.method_of(month)
    frames |= {name: under(method.rates, frames[name]) for name in ("account_metrics", "city_metrics")}
    return ExplanationInput(
        month=month,
        zone=ZONE,
        method=method,
        synthetic=bool(synthetic and synthetic[0]),
        withheld=rule is not None and rule.ranks == "withheld",
        city=city,
        cities=cities,
        **frames,
    )


def _read(cursor: duckdb.DuckDBPyConnection, table: str, bound: dict[str, object]) -> pl.DataFrame:
    where = " and city_id = $city" if "city" in bound else ""
    return read_frame(cursor, f"select * from {table} where month = $month{where}", bound)


def _not_derived(month: Month, lake: Lake) -> str:
    return f"{month} is not derived in {lake.path}; run `smi run {month}`"
