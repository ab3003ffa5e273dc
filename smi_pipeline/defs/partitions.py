"""The partitions, in the edition's zone: months (`2025-05`) of everything, days (`2025-05-31`) of account snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from smi_pipeline.defs.inputs import method_versions
from smi_pipeline.index.method import load_method
from smi_pipeline.months import Month
from smi_pipeline.settings import settings

ZONE = ZoneInfo(settings().zone or load_method(method_versions(settings()).names[0]).zone)  # versions share it

_SERVICES_NOW = settings().services_now
_NOW = None if _SERVICES_NOW is None else _SERVICES_NOW.astimezone(ZONE)

MONTHS = dg.MonthlyPartitionsDefinition(
    start_date=settings().first_month,
    end_date=None if _NOW is None else f"{_NOW:%Y-%m}",  # the first that is not over
    fmt="%Y-%m",
    timezone=str(ZONE),
)

# A day's figures are asked for on that day: it is a partition as soon as it begins.
DAYS = dg.DailyPartitionsDefinition(
    start_date=f"{settings().first_month}-01",
    end_date=None if _NOW is None else f"{_NOW.date() + timedelta(days=1):%Y-%m-%d}",
    fmt="%Y-%m-%d",
    timezone=str(ZONE),
    end_offset=1 if _NOW is None else 0,
)


def months_of(context: dg.AssetExecutionContext) -> Sequence[Month]:
    """The months this run is about, in order: one, or all of a range.

    Raises:
        Failure: it was started without a month, or with one that is no partition.
    """
    _given(context, MONTHS, "a month", "2025-05")
    return sorted(Month.parse(key) for key in context.partition_keys)


def month_of(context: dg.AssetExecutionContext) -> Month:
    """The month this run is about; Failure where it was started without one, or with a range."""
    return Month.parse(_one(context, MONTHS, "a month", "2025-05"))


def day_of(context: dg.AssetExecutionContext) -> date:
    """The day this run is about; Failure where it was started without one, or with a range."""
    return date.fromisoformat(_one(context, DAYS, "a day", "2025-05-31"))


def _one(context: dg.AssetExecutionContext, known: dg.TimeWindowPartitionsDefinition, what: str, example: str) -> str:
    first, last = _given(context, known, what, example)
    if first != last:
        raise _refused(f"{what}, such as {example}, and no range", f"{first} to {last}", example)
    return first


def _given(
    context: dg.AssetExecutionContext, known: dg.TimeWindowPartitionsDefinition, what: str, example: str
) -> tuple[str, str]:
    """The first and last partition of a run."""
    if not (context.has_partition_key or context.has_partition_key_range):
        raise _refused(f"{what}, such as {example}", "none", example)
    given = context.partition_key_range
    for key in (given.start, given.end):
        if not known.has_partition_key(key):
            there = f"{known.get_first_partition_key()} to {known.get_last_partition_key()}"
            raise _refused(f"{what} from {there}, such as {example}", key, example)
    return given.start, given.end


def _refused(expected: str, came: str, example: str) -> dg.Failure:
    return dg.Failure(
        f"this run needs {expected}, and was started with {came}: choose it as the partition in the UI, or give"
        f" --partition {example} on a terminal",
        allow_retries=False,
    )


def months_of_run(tags: Mapping[str, str]) -> Sequence[Month]:
    """The first and last month a run's tags name; none for a run without a partition (a check run by hand)."""
    first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition"))
    last = tags.get("dagster/asset_partition_range_end", tags.get("dagster/partition"))
    return [Month.parse(key) for key in (first, last) if key is not None]
