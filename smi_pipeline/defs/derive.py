"""How a month's metrics and index are made of what the lake holds: read frames, do the arithmetic, replace the month.

A month is a function of raw data and input files alone. It looks at its neighbour before it, so deriving a month out of
order touches the one after it too: that is decided here, in one place. The months of a run are read, and written,
together: each by itself would cost four times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb
import polars as pl

from smi_pipeline.defs.inputs import Inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.index.assessment import assess
from smi_pipeline.index.attribution import account_contributions
from smi_pipeline.index.edition import Edition, edition
from smi_pipeline.index.method import Method
from smi_pipeline.lake.collections import Cut
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.derived import Replaced, months_there, replace_months
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.metrics.account_month import account_month
from smi_pipeline.metrics.city_month import city_platform_month, counted_accounts
from smi_pipeline.metrics.validity import latest_in
from smi_pipeline.months import Month
from smi_pipeline.registry.models import platform_id

SNAPSHOT_REACH = timedelta(days=3)
ACCOUNT_MONTH, CITY_PLATFORM_MONTH = "metrics.account_month", "metrics.city_platform_month"
Done = Mapping[Month, Replaced]
INDEX_TABLES = (
    "indicator_score",
    "platform_index",
    "platform_weight",
    "composite",
    "contribution",
    "account_contribution",
    "score_change",
    "rank_interval",
    "sensitivity",
    "indicator_audit",
    "indicator_correlation",
    "group_audit",
    "expert_agreement",
    "expert_city",
)


def with_neighbours(lake: Lake, months: Sequence[Month]) -> list[Month]:
    """The months whose metrics a run of `months` makes.

    The month before is added where it is collected but not derived, since ranks change against it, and the one before
    that, whose figures may stand in there; the month after where it is derived already, since its follower growth
    begins at this month's end.
    """
    before = {month.plus(-earlier) for month in months for earlier in (1, 2)}
    after = {month.next for month in months}
    with lake.read() as cursor:
        rows = cursor.execute(
            "select distinct month from raw.collection where status = 'finished' and cut <> 'snapshot'"
        ).fetchall()
        collected = {Month(first) for (first,) in rows}
        derived = _there(cursor, ACCOUNT_MONTH, before | after)
    return sorted({*months, *((before & collected) - derived), *(after & collected & derived)})


def with_account_months(lake: Lake, months: Sequence[Month]) -> list[Month]:
    """`months` and those neighbours that have account rows: a city's month is made anew with its accounts'."""
    beside = {month.plus(far) for month in months for far in (-2, -1, 1)}
    with lake.read() as cursor:
        return sorted({*months, *_there(cursor, ACCOUNT_MONTH, beside)})


def with_followers(lake: Lake, months: Sequence[Month], table: str) -> list[Month]:
    """`months`, and the two after each where `table` holds them already.

    Their changes are counted against this one; the second one's month before may rest on figures carried from it.
    """
    after = {month.plus(later) for month in months for later in (1, 2)}
    with lake.read() as cursor:
        return sorted({*months, *_there(cursor, table, after)})


def derive_account_month(lake: Lake, months: Sequence[Month], inputs: Inputs) -> Done:
    """metrics.account_month of some months."""
    with lake.lock(ACCOUNT_MONTH):
        asked, sums, rejects = (
            _months(lake, table, months)
            for table in (
                "staging.stg_account_outcomes",
                "intermediate.int_account_month_posts",
                "intermediate.int_account_rejects",
            )
        )
        observations, joint = _observations(lake, months), _joint_posts(lake, months)
        rows = [
            account_month(
                asked=_of(month, asked),
                sums=_of(month, sums),
                rejects=_of(month, rejects),
                observations=_of_those_read(
                    observations.filter(
                        (pl.col("month") == month.first) | pl.col("observed_at").is_between(*_reach(month))
                    ),
                    _of(month, asked),
                ),
                accounts=inputs.accounts,
                month=month,
                zone=ZONE,
                include_reposts=inputs.method_of(month).include_reposts,
                joint=joint,
            )
            for month in months
        ]
        return _replaced(lake, months, {ACCOUNT_MONTH: pl.concat(rows)})[ACCOUNT_MONTH]


def derive_city_platform_month(lake: Lake, months: Sequence[Month], inputs: Inputs) -> Done:
    """metrics.city_platform_month of some months."""
    with lake.lock(CITY_PLATFORM_MONTH):
        accounts = _months(lake, ACCOUNT_MONTH, months)
        rows = [city_platform_month(_of(month, accounts), inputs.accounts, month=month) for month in months]
        return _replaced(lake, months, {CITY_PLATFORM_MONTH: pl.concat(rows)})[CITY_PLATFORM_MONTH]


def derive_index(lake: Lake, months: Sequence[Month], inputs: Inputs) -> dict[str, Done]:
    """All tables of the index for some months, and the registry as it was valid in them; by table name."""
    with lake.lock("index"):
        measured = _measured(lake, months)
        told = [_index_tables(measured, month, inputs) for month in months]
        tables = {f"index.{name}": pl.concat([one[name] for one in told]) for name in told[0]}
        return _replaced(lake, months, tables)


def score_month(lake: Lake, month: Month, inputs: Inputs, method: Method) -> Edition:
    """The index of a month under a method, from the lake's metrics; stores nothing.

    The month before is scored under the same method, so that a change of rank is never one of the method.
    """
    return _scored(_measured(lake, [month]), month, inputs, method)


@dataclass(frozen=True)
class _Measured:
    """What the index of some months is made of, as the lake has it: their metrics, and those of the two before each."""

    accounts: pl.DataFrame
    cities: pl.DataFrame
    cuts: Mapping[Month, Cut]


def _measured(lake: Lake, months: Sequence[Month]) -> _Measured:
    looked_at = sorted({month.plus(-earlier) for month in months for earlier in (0, 1, 2)})
    return _Measured(
        accounts=_months(lake, ACCOUNT_MONTH, months),
        cities=_months(lake, CITY_PLATFORM_MONTH, looked_at),
        cuts=_least_cuts(lake, looked_at),
    )


def _index_tables(measured: _Measured, month: Month, inputs: Inputs) -> dict[str, pl.DataFrame]:
    scored = _scored(measured, month, inputs, inputs.method_of(month))
    told = vars(scored) | vars(assess(scored, experts=inputs.experts(month)))
    accounts = counted_accounts(_of(month, measured.accounts), inputs.accounts, month=month)
    told["account_contribution"] = account_contributions(scored.contribution, accounts, month=month)
    tables: dict[str, pl.DataFrame] = {name: told[name] for name in INDEX_TABLES}
    for name, registry, key in (
        ("city", inputs.cities, ["city_id"]),
        ("account", inputs.accounts, ["platform", "account_id"]),
    ):
        tables[name] = latest_in(registry, month, key=key).select(pl.lit(month.first).alias("month"), pl.all())
    return tables


def _scored(measured: _Measured, month: Month, inputs: Inputs, method: Method) -> Edition:
    accounts = _of(month, measured.accounts)
    looked_at = [one.first for one in (month.plus(-2), month.previous, month)]
    return edition(
        month=month,
        method=method,
        cities=inputs.cities,
        accounts=inputs.accounts,
        metrics=measured.cities.filter(pl.col("month").is_in(looked_at)),
        metrics_largest=city_platform_month(accounts, inputs.accounts, month=month, largest=True),
        weight_inputs=inputs.weight_inputs,
        experts=inputs.experts(month),
        experts_vintage=inputs.experts_vintage(month),
        experts_previous=inputs.experts(month.previous),
        experts_earlier=[inputs.experts(month.plus(-2)), inputs.experts(month.plus(-3))],
        cut=measured.cuts[month],
        cut_previous=measured.cuts[month.previous],
    )


def _least_cuts(lake: Lake, months: Sequence[Month]) -> dict[Month, Cut]:
    """Provisional when any platform's newest finished collection of a month is, or none is there; else final."""
    with lake.read() as cursor:
        rows = cursor.execute(
            "select month, last(cut order by collection_id) from raw.collection"
            " where list_contains($1, month) and status = 'finished' and cut <> 'snapshot' group by month, platform",
            [[month.first for month in months]],
        ).fetchall()
    found: dict[date, set[Cut]] = {}
    for first, cut in rows:
        found.setdefault(first, set()).add(cut)
    return {month: "final" if found.get(month.first) == {"final"} else "provisional" for month in months}


def _observations(lake: Lake, months: Sequence[Month]) -> pl.DataFrame:
    """The accounts' figures of some months, and those taken shortly before and after them."""
    reach = {
        "months": [month.first for month in months],
        "from": _reach(min(months))[0],
        "to": _reach(max(months))[1],
    }
    with lake.read() as cursor:
        return read_frame(
            cursor,
            "select * from staging.stg_accounts"
            " where list_contains($months, month) or observed_at between $from and $to",
            reach,
        )


def _of_those_read(observations: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """The observations without those of another account of the platform than the month's own collection has read.

    They were made under a handle that has been corrected since. Only ids in the platform's own form tell: what stands
    in for one, such as TikTok's handle or a vendor's key, may be another one of the same account.
    """
    whose = ("platform", "account_id", "platform_account_id")
    read = {
        (platform, account_id): platform_id(platform, own_id or "")
        for platform, account_id, own_id in asked.select(whose).iter_rows()
    }
    of_another = [
        (known := read.get((platform, account_id))) is not None
        and platform_id(platform, own_id or "") not in (None, known)
        for platform, account_id, own_id in observations.select(whose).iter_rows()
    ]
    return observations.filter(~pl.Series(of_another, dtype=pl.Boolean))


def _joint_posts(lake: Lake, months: Sequence[Month]) -> pl.DataFrame:
    """How many posts of an account stand under another one as well, of accounts that have any."""
    with lake.read() as cursor:
        return read_frame(
            cursor,
            "with seen as ("
            " select distinct month, platform, account_id, post_id from staging.stg_sightings"
            " semi join staging.stg_collections as collections on collections.platform = stg_sightings.platform"
            " and collections.month = stg_sightings.month and collections.collection_id = stg_sightings.collection_id"
            " and collections.repeated_posts is distinct from 0 where list_contains($months, month)),"
            " shared as (select month, platform, post_id from seen group by all having count(*) > 1)"
            " select month, platform, account_id, count(*) as joint_posts from seen"
            " semi join shared using (month, platform, post_id) group by all",
            {"months": [month.first for month in months]},
        )


def _reach(month: Month) -> tuple[datetime, datetime]:
    return month.start(ZONE) - SNAPSHOT_REACH, month.end(ZONE) + SNAPSHOT_REACH


def _replaced(lake: Lake, months: Sequence[Month], tables: Mapping[str, pl.DataFrame]) -> dict[str, Done]:
    done = replace_months(lake, [month.first for month in months], tables)
    return {table: {month: told[month.first] for month in months} for table, told in done.items()}


def _of(month: Month, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("month") == month.first)


def _there(cursor: duckdb.DuckDBPyConnection, table: str, months: Iterable[Month]) -> set[Month]:
    return {Month(first) for first in months_there(cursor, table, [month.first for month in months])}


def _months(lake: Lake, table: str, months: Iterable[Month]) -> pl.DataFrame:
    listed = [month.first for month in months]
    with lake.read() as cursor:
        return read_frame(cursor, f"select * from {table} where list_contains($months, month)", {"months": listed})
