"""Two jobs a month, the schedule that starts the first and the sensor that lets the second follow; a job a day.

collect: five platforms, one run a month, so that one month's trouble stays its own. derive: staging to report, any
range of months in one run. snapshots: figures of all accounts, on their day. Schedules and sensor are off when the
project is first loaded; switch them on in the UI.
"""

from collections.abc import Collection, Iterator
from typing import cast

import dagster as dg

from smi_pipeline.defs.freshness import CHECKS
from smi_pipeline.defs.partitions import MONTHS, ZONE
from smi_pipeline.defs.runs import DAY, EVERY, MONTH, SCHEDULES, SENSORS
from smi_pipeline.months import CUT_HOUR, FINAL_DAY, PROVISIONAL_DAY, Month
from smi_pipeline.registry.models import PLATFORMS

DERIVED_GROUPS = ("staging", "intermediate", "metrics", "index", "marts", "report")

collect = dg.define_asset_job(
    "collect",
    selection=dg.AssetSelection.groups("raw") - dg.AssetSelection.checks(*CHECKS),
    description="Ask the five platforms about a month. A cut that is collected already is not asked for again.",
)
derive = dg.define_asset_job(
    "derive",
    selection=dg.AssetSelection.groups(*DERIVED_GROUPS) - dg.AssetSelection.checks(*CHECKS),
    description="From raw data to the report's draft, for one month or a range in one run. Makes no request.",
)

snapshots = dg.define_asset_job(
    "snapshots",
    selection=dg.AssetSelection.groups("snapshots"),
    description="Followers and totals of all accounts today, for the fewest requests; a past day cannot be asked for.",
)


def checks_of(job: dg.JobDefinition, keys: Collection[dg.AssetKey]) -> list[dg.AssetCheckKey]:
    """The checks a job has of some of its assets: a run of chosen assets takes all there are, unless told which."""
    return sorted(check for check in job.asset_layer.asset_graph.asset_check_keys if check.asset_key in keys)


def checks_to_request(
    context: dg.SensorEvaluationContext, job: str, keys: Collection[dg.AssetKey]
) -> list[dg.AssetCheckKey]:
    """The same for a sensor that requests a run of some of a job's assets."""
    return checks_of(cast("dg.RepositoryDefinition", context.repository_def).get_job(job), keys)


@dg.schedule(
    job=snapshots,
    cron_schedule=f"0 {CUT_HOUR} * * *",
    execution_timezone=str(ZONE),
    default_status=SCHEDULES,
    description="Followers and totals of all accounts, every day at 06:00 in the edition's zone.",
)
def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Request the tick's own day."""
    day = context.scheduled_execution_time.astimezone(ZONE).date().isoformat()
    return dg.RunRequest(run_key=day, partition_key=day, tags={DAY: day})


@dg.schedule(
    job=collect,
    cron_schedule=f"0 {CUT_HOUR} {PROVISIONAL_DAY},{FINAL_DAY} * *",
    execution_timezone=str(ZONE),
    default_status=SCHEDULES,
    description="The month just ended: provisional on the 3rd, final on the 10th, 06:00 in the edition's zone.",
)
def monthly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request the month before the tick's, with its cut."""
    tick = context.scheduled_execution_time.astimezone(ZONE)
    month = Month.of(tick, ZONE).previous
    if month.key not in MONTHS.get_partition_keys(current_time=tick):
        return dg.SkipReason(f"{month} lies before the first partition")
    cut = "final" if tick.day == FINAL_DAY else "provisional"
    config = {"ops": {f"raw__{platform}": {"config": {"cut": cut}} for platform in PLATFORMS}}
    return dg.RunRequest(run_key=f"{month}-{cut}", partition_key=month.key, tags={MONTH: month.key}, run_config=config)


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[collect],
    request_job=derive,
    minimum_interval_seconds=EVERY,
    default_status=SENSORS,
    description="A collected month is derived.",
)
def after_collect(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest]:
    """Derive the month whose collection has just succeeded."""
    key = context.dagster_run.tags.get("dagster/partition")
    if key is not None:
        yield dg.RunRequest(run_key=context.dagster_run.run_id, partition_key=key, tags={MONTH: key})
