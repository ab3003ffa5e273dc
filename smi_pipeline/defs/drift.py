"""Has a platform begun to send something new? A warning a platform: nothing is lost, the payloads have it."""

from datetime import date

import dagster as dg

from smi_pipeline.collectors.asked import Kind, known_paths
from smi_pipeline.defs.partitions import months_of_run
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.structure import payload_paths
from smi_pipeline.registry.models import PLATFORMS, Platform

TABLES: dict[str, Kind] = {"accounts": "account", "posts": "post"}


def new_fields(lake: Lake, platform: Platform, first: date, last: date) -> list[str]:
    """Paths in the month's payloads that fields.toml does not know, each with its table's name before it."""
    found = []
    with lake.read() as cursor:
        for table, kind in TABLES.items():
            known = known_paths(platform, kind)
            found += [
                f"{table}: {path}"
                for path in payload_paths(cursor, f"raw.{platform}_{table}", first, last)
                if path not in known and not any(path.startswith((f"{one}.", f"{one}[]")) for one in known)
            ]
    return found


def _check(platform: Platform) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=["raw", platform],
        name="fields_known",
        description="What the platform sent is what fields.toml knows; a new field is in the payloads, and told here.",
    )
    def run(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        months = months_of_run(context.run.tags)
        first, last = (months[0].first, months[-1].first) if months else (date.min, date.max)
        found = new_fields(lake, platform, first, last)
        return dg.AssetCheckResult(
            passed=not found, severity=dg.AssetCheckSeverity.WARN, metadata={"new fields": ", ".join(found) or "none"}
        )

    return run


@dg.definitions
def drift_checks() -> dg.Definitions:
    """One check a platform."""
    return dg.Definitions(asset_checks=[_check(platform) for platform in PLATFORMS])
