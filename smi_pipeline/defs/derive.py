"""How a month's metrics and index are made of what the lake holds: read frames, do the arithmetic, replace the month.

A month is a function of raw data and input files alone. It looks at its neighbour before it, so deriving a month out of
order touches the one after it too: that is decided here, in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import polars as pl

from smi_pipeline.defs.inputs import Inputs
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.index.assessment import assess
from smi_pipeline.index.attribution import account_contributions
from smi_pipeline.index.edition import Edition, edition
from smi_pipeline.index.method import Method
from smi_pipeline.lake.collections import Cut
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.derived import Replaced, has_month, replace_month
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.metrics.account_month import account_month
from smi_pipeline.metrics.city_month import city_platform_month, counted_accounts
from smi_pipeline.metrics.validity import valid_in
from smi_pipeline.months import Month

SNAPSHOT_REACH = timedelta(days=3)
ACCOUNT_MONTH, CITY_PLATFORM_MONTH = "metrics.account_month", "metrics.city_platform_month"
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
    wanted = set(months)
    with lake.read() as cursor:
        rows = cursor.execute(
            "select distinct month from raw.collection where status = 'finished' and cut <> 'snapshot'"
        ).fetchall()
        collected = {Month(first) for (first,) in rows}
        for month in months:
            before = (month.previous, month.plus(-2))
            wanted.update(m for m in before if m in collected and not has_month(cursor, ACCOUNT_MONTH, m.first))
            if month.next in collected and has_month(cursor, ACCOUNT_MONTH, month.next.first):
                wanted.add(month.next)
    return sorted(wanted)


def with_account_months(lake: Lake, months: Sequence[Month]) -> list[Month]:
    """`months` and those neighbours that have account rows: a city's month is made anew with its accounts'."""
    with lake.read() as cursor:
        beside = {near for month in months for near in (month.plus(-2), month.previous, month.next)}
        return sorted({*months, *(near for near in beside if has_month(cursor, ACCOUNT_MONTH, near.first))})


def with_followers(lake: Lake, months: Sequence[Month], table: str) -> list[Month]:
    """`months`, and the two after each where `table` holds them already.

    Their changes are counted against this one; the second one's month before may rest on figures carried from it.
    """
    after = {month.plus(later) for month in months for later in (1, 2)}
    with lake.read() as cursor:
        return sorted({*months, *(month for month in after if has_month(cursor, table, month.first))})


def derive_account_month(lake: Lake, month: Month, inputs: Inputs) -> Replaced:
    """metrics.account_month of one month."""
    reach = {"from": month.start(ZONE) - SNAPSHOT_REACH, "to": month.end(ZONE) + SNAPSHOT_REACH, "month": month.first}
    with lake.lock(ACCOUNT_MONTH):
        with lake.read() as cursor:
            frames = {
                name: read_frame(cursor, f"select * from {table} where month = $month", {"month": month.first})
                for name, table in (
                    ("asked", "staging.stg_account_outcomes"),
                    ("sums", "intermediate.int_account_month_posts"),
                    ("rejects", "intermediate.int_account_rejects"),
                )
            }
            observations = read_frame(
                cursor,
                "select * from staging.stg_accounts where month = $month or observed_at between $from and $to",
                reach,
            )
        rows = account_month(
            asked=frames["asked"],
            sums=frames["sums"],
            rejects=frames["rejects"],
            observations=observations,
            accounts=inputs.accounts,
            month=month,
            zone=ZONE,
            include_reposts=inputs.method_of(month).include_reposts,
        )
        return replace_month(lake, ACCOUNT_MONTH, month.first, rows)


def derive_city_platform_month(lake: Lake, month: Month, inputs: Inputs) -> Replaced:
    """metrics.city_platform_month of one month."""
    with lake.lock(CITY_PLATFORM_MONTH):
        rows = city_platform_month(_months(lake, ACCOUNT_MONTH, [month]), inputs.accounts, month=month)
        return replace_month(lake, CITY_PLATFORM_MONTH, month.first, rows)


def derive_index(lake: Lake, month: Month, inputs: Inputs) -> dict[str, Replaced]:
    """All tables of the index for one month, and the registry as it was valid in it; by table name."""
    with lake.lock("index"):
        scored = score_month(lake, month, inputs, inputs.method_of(month))
        told = vars(scored) | vars(assess(scored, experts=inputs.experts(month)))
        accounts = counted_accounts(_months(lake, ACCOUNT_MONTH, [month]), inputs.accounts, month=month)
        told["account_contribution"] = account_contributions(scored.contribution, accounts, month=month)
        tables: dict[str, pl.DataFrame] = {name: told[name] for name in INDEX_TABLES}
        for name, registry in (("city", inputs.cities), ("account", inputs.accounts)):
            tables[name] = valid_in(registry, month).select(pl.lit(month.first).alias("month"), pl.all())
        return {name: replace_month(lake, f"index.{name}", month.first, frame) for name, frame in tables.items()}


def score_month(lake: Lake, month: Month, inputs: Inputs, method: Method) -> Edition:
    """The index of a month under a method, from the lake's metrics; stores nothing.

    The month before is scored under the same method, so that a change of rank is never one of the method.
    """
    return edition(
        month=month,
        method=method,
        cities=inputs.cities,
        accounts=inputs.accounts,
        metrics=_months(lake, CITY_PLATFORM_MONTH, [month.plus(-2), month.previous, month]),
        metrics_largest=city_platform_month(
            _months(lake, ACCOUNT_MONTH, [month]), inputs.accounts, month=month, largest=True
        ),
        weight_inputs=inputs.weight_inputs,
        experts=inputs.experts(month),
        experts_vintage=inputs.experts_vintage(month),
        experts_previous=inputs.experts(month.previous),
        experts_earlier=[inputs.experts(month.plus(-2)), inputs.experts(month.plus(-3))],
        cut=_least_cut(lake, month),
        cut_previous=_least_cut(lake, month.previous),
    )


def _least_cut(lake: Lake, month: Month) -> Cut:
    """Provisional when any platform's newest finished collection of the month is, or none is there; else final."""
    with lake.read() as cursor:
        rows = cursor.execute(
            "select last(cut order by finished_at, collection_id) from raw.collection"
            " where month = $1 and status = 'finished' and cut <> 'snapshot' group by platform",
            [month.first],
        ).fetchall()
    return "final" if rows and all(cut == "final" for (cut,) in rows) else "provisional"


def _months(lake: Lake, table: str, months: Iterable[Month]) -> pl.DataFrame:
    listed = [month.first for month in months]
    with lake.read() as cursor:
        return read_frame(cursor, f"select * from {table} where list_contains($months, month)", {"months": listed})
