"""Five daily assets, one a platform: followers and totals of its accounts on a day, for the fewest requests.

No platform tells what a figure was on a past day. So a day is asked for on that day, by the platform's own clock, or
never; growth over a month needs a figure near both of its borders.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from smi_pipeline.collectors.records import CollectionError
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.interrupt import run_async
from smi_pipeline.defs.partitions import DAYS, ZONE, day_of
from smi_pipeline.defs.raw import (
    OWNERS,
    accounts_between,
    asking_metadata,
    must_be_finished,
    opener,
    source_of,
    warn_of_ignored_settings,
)
from smi_pipeline.defs.runs import pool_of
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.ingest import take_snapshot
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.settings import settings


def _snapshot_asset(platform: Platform) -> dg.AssetsDefinition:
    @dg.asset(
        key=["snapshots", platform],
        group_name="snapshots",
        kinds={"python", "duckdb"},
        owners=OWNERS,
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        pool=pool_of(platform),
        tags={"platform": platform},
        description=f"Followers and totals of the {platform} accounts on a day: rows of raw.{platform}_accounts.",
    )
    def snapshot(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[None]:
        day, now = day_of(context), settings()
        warn_of_ignored_settings(context)
        with told_clearly():
            today = datetime.now(UTC).astimezone(ZONE).date()
            current = source_of(now, platform) == "api" and not now.is_sandbox(platform)
            if current and day != today:
                raise CollectionError(f"{platform}: figures are current ones; {day} can be asked for only on that day")
            registry = current_inputs(lake, now).registry
            accounts = accounts_between(registry.accounts, platform, day, day + timedelta(days=1))
            if not accounts:
                context.log.info("no %s account is valid on %s: nothing to ask", platform, day)
                return dg.MaterializeResult(metadata={"accounts asked": 0})
            summary = run_async(
                lambda: take_snapshot(
                    lake,
                    platform,
                    opener(lake, now, platform, accounts, day.isoformat()),
                    day,
                    ZONE,
                    accounts,
                    synthetic=now.is_sandbox(platform),
                    source=source_of(now, platform),
                )
            )
        must_be_finished(summary, f"{platform} {day}")
        return dg.MaterializeResult(metadata=asking_metadata(lake, summary, sandbox=now.is_sandbox(platform)))

    return snapshot


@dg.definitions
def snapshot_assets() -> dg.Definitions:
    """One asset a platform."""
    return dg.Definitions(assets=[_snapshot_asset(platform) for platform in PLATFORMS])
