"""The weekly care of what grows: Dagster's own history of old runs."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.runs import SCHEDULES
from smi_pipeline.settings import settings

AT_ONCE: Final = 500


def old_runs(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """Runs created before an instant that nothing needs any more, the oldest first.

    A run that made the newest materialisation of a partition stays however old it is: without it the UI would show the
    month as missing.
    """
    needed = {run for key in instance.all_asset_keys() for run in _newest(instance, key)}
    finished = dg.RunsFilter(created_before=before, statuses=[*_FINISHED])
    records = instance.get_run_records(finished, ascending=True)
    return [record.dagster_run.run_id for record in records if record.dagster_run.run_id not in needed]


_FINISHED: Final = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> set[str]:
    """The runs that made the newest materialisation of each partition of an asset."""
    made = dg.DagsterEventType.ASSET_MATERIALIZATION
    ids = list(instance.get_latest_storage_id_by_partition(key, made).values())
    storage = instance.event_log_storage
    records = storage.get_event_records(dg.EventRecordsFilter(made, asset_key=key, storage_ids=ids)) if ids else []
    return {record.run_id for record in records}


@dg.op
def forget_old_runs(context: dg.OpExecutionContext) -> None:
    """Remove runs older than SMI_KEEP_RUNS_DAYS with their logs, but none that a partition still rests on."""
    instance = context.instance
    before = datetime.now(UTC) - timedelta(days=settings().keep_runs_days)
    gone = old_runs(instance, before)[:AT_ONCE]
    for run_id in gone:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    context.log.info("%d runs from before %s are removed", len(gone), before.date())


@dg.job(description="Removes the history of old runs.")
def care() -> None:
    """What a lake and its Dagster need once a week."""
    forget_old_runs()


@dg.schedule(
    job=care,
    cron_schedule="0 4 * * 0",
    execution_timezone=str(ZONE),
    default_status=SCHEDULES,
    description="Care, on Sundays at 04:00 in the edition's zone.",
)
def weekly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run a tick."""
    return dg.RunRequest(run_key=context.scheduled_execution_time.astimezone(ZONE).date().isoformat())
