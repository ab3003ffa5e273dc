"""What a city's score is traced through: its rows at every level down to the payloads, read at one snapshot."""

from __future__ import annotations

from typing import Any, Final

import duckdb
import polars as pl

from smi_pipeline.defs.derive import SNAPSHOT_REACH
from smi_pipeline.defs.inputs import Inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.report.explanation import find_city
from smi_pipeline.report.trace import TraceInput

_CITY: Final = {
    "composite": "index.composite",
    "contribution": "index.contribution",
    "platform_index": "index.platform_index",
    "indicator_score": "index.indicator_score",
    "accounts": "index.account",
}
_OF_ACCOUNTS: Final = """
semi join index.account as accounts
    on accounts.month = $month
    and accounts.platform = told.platform
    and accounts.account_id = told.account_id
    and accounts.city_id = $city
    and accounts.in_index
"""
_ACCOUNTS: Final = {
    "outcomes": "staging.stg_account_outcomes",
    "account_metrics": "metrics.account_month",
    "posts": "staging.stg_posts",
}
# A collection whose payloads were read again asked nobody: its requests are those of the collection they came by.
_COLLECTIONS: Final = """
with recursive origin as (
    select collection_id, collection_id as asked_as, reparsed_from from raw.collection
    where list_contains($ids, collection_id)
    union all
    select origin.collection_id, earlier.collection_id, earlier.reparsed_from
    from origin join raw.collection as earlier on earlier.collection_id = origin.reparsed_from
),
asked as (
    select origin.collection_id, ledger.endpoint, sum(ledger.requests) as requests
    from origin join raw.request_ledger as ledger on ledger.collection_id = origin.asked_as
    group by all
)
select
    one.collection_id, one.platform, one.cut, coalesce(one.source, 'api') as source, one.started_at, one.finished_at,
    one.reparsed_from,
    (select list(asked.endpoint || ' x' || asked.requests order by asked.endpoint) from asked
        where asked.collection_id = one.collection_id) as requests
from raw.collection as one
where list_contains($ids, one.collection_id)
order by one.collection_id
"""
_REPORTED: Final = """
select
    platform,
    is_repost,
    bool_or(likes is not null) as likes,
    bool_or(comments is not null) as comments,
    bool_or(shares is not null) as shares,
    bool_or(views is not null) as views
from intermediate.int_account_month_posts
where month = $month
group by platform, is_repost
"""
# The row of a record, chosen as staging chooses it where one was read twice at the same instant.
_RAW: Final = """
select
    $platform as platform, account_id, collection_id, observed_at, {id} as id,
    sha256(payload::varchar) as payload_sha256, payload::varchar as payload
from raw.{table}
where list_contains($ids, collection_id) and list_contains($accounts, account_id) {of_platform}
qualify row_number() over (partition by account_id, collection_id, observed_at, {id} order by payload::varchar) = 1
"""


_RAW_SCHEMA: Final[dict[str, pl.DataType]] = {
    **dict.fromkeys(("platform", "account_id", "collection_id"), pl.String()),
    "observed_at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("id", "payload_sha256", "payload"), pl.String()),
}


def trace_input(lake: Lake, month: Month, inputs: Inputs, asked: str) -> TraceInput:
    """The rows behind a month of the city that is `asked` for by id or name.

    Raises:
        LakeError: the month is not derived.
        UnknownCityError: no city of the month, or more than one, is meant.
    """
    with lake.read() as cursor:
        try:
            cities = read_frame(cursor, "select * from index.city where month = $month", {"month": month.first})
        except duckdb.CatalogException as error:
            raise LakeError(f"{month} is not derived in {lake.path}; run `smi run {month}`") from error
        if cities.is_empty():
            raise LakeError(f"{month} is not derived in {lake.path}; run `smi run {month}`")
        city = find_city(cities, asked)
        bound: dict[str, object] = {"month": month.first, "city": city.city_id}
        frames: dict[str, Any] = {
            name: read_frame(cursor, f"select * from {table} where month = $month and city_id = $city", bound)
            for name, table in _CITY.items()
        }
        frames["city_metrics"] = read_frame(
            cursor,
            "select * from metrics.city_platform_month where month between $previous and $month and city_id = $city",
            bound | {"previous": month.previous.first},
        )
        for name, table in _ACCOUNTS.items():
            frames[name] = read_frame(
                cursor, f"select told.* from {table} as told {_OF_ACCOUNTS} where told.month = $month", bound
            )
        frames["observations"] = read_frame(
            cursor,
            f"select told.* from staging.stg_accounts as told {_OF_ACCOUNTS}"
            " where told.month = $month or told.observed_at between $from and $to",
            bound | {"from": month.start(ZONE) - SNAPSHOT_REACH, "to": month.end(ZONE) + SNAPSHOT_REACH},
        )
        frames["reported"] = read_frame(cursor, _REPORTED, {"month": month.first})
        used = pl.concat([frames[name]["collection_id"] for name in ("outcomes", "observations")]).unique().sort()
        collections = read_frame(cursor, _COLLECTIONS, {"ids": used.to_list()})
        frames |= {
            "raw_posts": _raw(cursor, "posts", collections, frames["accounts"]),
            "raw_accounts": _raw(cursor, "accounts", collections, frames["accounts"]),
            "collections": collections,
        }
    return TraceInput(month=month, zone=ZONE, city=city, method=inputs.method_of(month), **frames)


def _raw(
    cursor: duckdb.DuckDBPyConnection, kind: str, collections: pl.DataFrame, accounts: pl.DataFrame
) -> pl.DataFrame:
    found = []
    for platform in PLATFORMS:
        for source, prefix in (("api", platform), ("files", "vendor")):
            ids = collections.filter(platform=platform, source=source)["collection_id"].to_list()
            if not ids:
                continue
            name = "null::varchar" if kind == "accounts" else "post_id" if prefix == "vendor" else "id::varchar"
            of_platform = "and platform = $platform" if prefix == "vendor" else ""
            sql = _RAW.format(table=f"{prefix}_{kind}", id=name, of_platform=of_platform)
            bound = {
                "platform": platform,
                "ids": ids,
                "accounts": accounts.filter(platform=platform)["account_id"].to_list(),
            }
            found.append(read_frame(cursor, sql, bound))
    return pl.concat(found) if found else pl.DataFrame(schema=_RAW_SCHEMA)
