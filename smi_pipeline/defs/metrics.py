"""Rates per account and per city: polars over the month's sums."""

import dagster as dg

from smi_pipeline.defs.derive import (
    ACCOUNT_MONTH,
    CITY_PLATFORM_MONTH,
    derive_account_month,
    derive_city_platform_month,
    with_account_months,
    with_neighbours,
)
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.models import derive_intermediate
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.preview import tell_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.defs.tables import dependencies, descriptions, table_metadata
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import in_years
from smi_pipeline.settings import settings


@dg.asset(
    key=["metrics", "account_month"],
    deps=dependencies(ACCOUNT_MONTH),
    metadata=table_metadata(ACCOUNT_MONTH),
    group_name="metrics",
    kinds={"polars", "duckdb"},
    owners=OWNERS,
    partitions_def=MONTHS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def account_month(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
    """Engagement and view rate, followers and growth of each account asked; silent accounts have a row too."""
    with told_clearly():
        own, inputs = set(months_of(context)), current_inputs(lake, settings())
        about = descriptions(ACCOUNT_MONTH)
        for months in in_years(with_neighbours(lake, months_of(context))):
            if neighbours := [month for month in months if month not in own]:  # this run has not made their sums
                derive_intermediate(lake, neighbours)
            for month, done in derive_account_month(lake, months, inputs).items():
                tell_month(context, lake, ACCOUNT_MONTH, month, done, own=month in own, about=about)


@dg.asset(
    key=["metrics", "city_platform_month"],
    deps=dependencies(CITY_PLATFORM_MONTH),
    metadata=table_metadata(CITY_PLATFORM_MONTH),
    group_name="metrics",
    kinds={"polars", "duckdb"},
    owners=OWNERS,
    partitions_def=MONTHS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def city_platform_month(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
    """The same per city and platform: sums over a city's main official accounts, rates of the sums."""
    with told_clearly():
        own, inputs = set(months_of(context)), current_inputs(lake, settings())
        about = descriptions(CITY_PLATFORM_MONTH)
        for months in in_years(with_account_months(lake, months_of(context))):
            for month, done in derive_city_platform_month(lake, months, inputs).items():
                tell_month(context, lake, CITY_PLATFORM_MONTH, month, done, own=month in own, about=about)
