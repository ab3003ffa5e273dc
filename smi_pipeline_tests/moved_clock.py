"""The project as a code location whose monthly schedule ticks when a test says so, at the instant the test gives.

The schedule itself is asked what it would request at that instant; nothing else is changed.
"""

import os
from datetime import datetime
from pathlib import Path

import dagster as dg

from smi_pipeline import definitions
from smi_pipeline.defs.jobs import collect, monthly


@dg.sensor(job=collect, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def moved_clock(context):
    now = Path(os.environ["MOVED_CLOCK"])
    instant = now.read_text() if now.exists() else ""
    if instant == (context.cursor or ""):
        return dg.SkipReason(f"still {instant}")
    at = datetime.fromisoformat(instant)
    request = monthly(dg.build_schedule_context(scheduled_execution_time=at))
    return dg.SensorResult(run_requests=[request], cursor=instant)


@dg.definitions
def unattended():
    ours = definitions.defs()
    kept = [one for one in ours.sensors if one.name != "freshness"]  # of the machine's own month nothing is there
    return dg.Definitions(
        assets=ours.assets,
        asset_checks=ours.asset_checks,
        jobs=ours.jobs,
        schedules=ours.schedules,
        sensors=[*kept, moved_clock],
        resources=ours.resources,
        executor=ours.executor,
    )
