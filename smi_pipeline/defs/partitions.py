"""The partitions, in the edition's zone: months (`2025-05`) of everything, days (`2025-05-31`) of account snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import dagster as dg

from smi_pipeline.defs.inputs import method_versions
from smi_pipeline.index.method import load_method
from smi_pipeline.months import Month
from smi_pipeline.settings import settings

ZONE = ZoneInfo(settings().zone or load_method(method_versions(settings()).names[0]).zone)  # versions share it

MONTHS = dg.MonthlyPartitionsDefinition(start_date=settings().first_month, fmt="%Y-%m", timezone=str(ZONE))

# A day's figures are asked for on that day: it is a partition as soon as it begins.
DAYS = dg.DailyPartitionsDefinition(
    start_date=f"{settings().first_month}-01", fmt="%Y-%m-%d", timezone=str(ZONE), end_offset=1
)


def months_of(context: dg.AssetExecutionContext) -> Sequence[Month]:
    """The months this run is about, in order: one, or all of a range."""
    return sorted(Month.parse(key) for key in context.partition_keys)


def months_of_run(tags: Mapping[str, str]) -> Sequence[Month]:
    """The first and last month a run's tags name; none for a run without a partition (a check run by hand)."""
    first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition"))
    last = tags.get("dagster/asset_partition_range_end", tags.get("dagster/partition"))
    return [Month.parse(key) for key in (first, last) if key is not None]
