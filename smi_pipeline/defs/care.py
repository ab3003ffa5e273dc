"""The weekly care of what grows: the lake's files and snapshots, and Dagster's own history of old runs."""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.runs import SCHEDULES
from smi_pipeline.lake.bounds import lines
from smi_pipeline.lake.care import KEPT_DAYS, check, compact, expire
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.privacy import remove_old_payloads
from smi_pipeline.settings import settings

AT_ONCE: Final = 500
SHOWN: Final = 5


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


@dg.op
def care_for_the_lake(context: dg.OpExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
    """Small files into larger ones, old snapshots and payloads let go, every file read; fails where one is broken."""
    with told_clearly():
        merged = compact(lake)
        months = settings().payload_months
        if months is not None:
            first, removed = remove_old_payloads(lake, months, datetime.now(UTC))
            context.log.info("payloads of %d rows before %s are removed", removed.rows, first)
        gone = expire(lake, KEPT_DAYS)
        checked = check(lake)
    context.log.info(
        "%d tables compacted, %d snapshots let go, %d files deleted, %d read",
        *(len(merged), len(gone.gone), gone.files, checked.files),
    )
    wrong = [f"{one.file.path} of {one.file.whose}: {one.state}" for one in checked.broken]
    wrong += [] if checked.catalog is None else [checked.catalog]
    wrong += lines(checked.bounds)
    if wrong:
        remedy = (
            "`smi lake check` lists all of it; `smi lake restore BACKUP` brings files back, --repair puts bounds right"
        )
        raise dg.Failure(description=f"{'; '.join(wrong[:SHOWN])} ({len(wrong)} in all); {remedy}")


@dg.job(description="Compacts and checks the lake, lets old snapshots go, removes the history of old runs.")
def care() -> None:
    """What a lake and its Dagster need once a week."""
    care_for_the_lake()
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
