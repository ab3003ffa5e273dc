"""A collection that failed or was put off goes on by itself: at the time the platform gave, or after a growing pause.

What a failed run has is kept in the lake, and the next one asks only for the rest, so a try costs what is missing. Of a
month only the newest run counts, and each failed run is followed once: its id is the key of the run after it. A run
that a person cancelled is left alone; one started on the command line is too, unless a platform put it off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg

from smi_pipeline.defs.jobs import checks_to_request, collect, snapshots
from smi_pipeline.defs.partitions import ZONE
from smi_pipeline.defs.runs import ATTEMPT, COMMAND_LINE, DAY, EVERY, MONTH, SENSORS, STARTED_BY, attempt_of
from smi_pipeline.lake.collections import deferrals
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import Notice, tell
from smi_pipeline.settings import settings

REACH: Final = timedelta(days=40)  # a budget of a calendar month begins anew within it
LONGEST: Final = timedelta(hours=6)
ATTEMPTS: Final = 20  # four days, most of them at the longest pause


@dataclass(frozen=True)
class Broken:
    """A collection whose newest run failed: of a month or a day (`period`), to be tried again at `due`."""

    run: dg.DagsterRun
    period: str
    attempt: int
    due: datetime


def broken(
    records: Sequence[dg.RunRecord], put_off: Mapping[str, datetime], *, today: str, first_pause: timedelta
) -> list[Broken]:
    """The collections among `records` (newest first) that are not done, each by its newest run.

    `put_off`: when platforms may be asked again, by period. `today`: the only day whose figures can still be asked for.
    """
    newest: dict[tuple[str, str], dg.RunRecord] = {}
    for record in records:
        period = record.dagster_run.tags.get("dagster/partition")
        if period is not None:
            newest.setdefault((record.dagster_run.job_name, period), record)
    found = []
    for (job, period), record in newest.items():
        run = record.dagster_run
        by_hand = run.tags.get(STARTED_BY) == COMMAND_LINE and period not in put_off
        if run.status is not dg.DagsterRunStatus.FAILURE or by_hand or (job == snapshots.name and period != today):
            continue
        attempt = attempt_of(run.tags)
        ended = datetime.fromtimestamp(record.end_time or record.create_timestamp.timestamp(), UTC)
        due = ended + min(first_pause * 2 ** (attempt - 1), LONGEST)
        found.append(Broken(run, period, attempt, max(due, put_off.get(period, due))))
    return found


@dg.sensor(
    jobs=[collect, snapshots],
    minimum_interval_seconds=EVERY,
    default_status=SENSORS,
    description="Tries a failed collection again, and one that was put off when its quota begins anew.",
)
def resume(
    context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request the rest of what is due; say what waits, and until when."""
    now = datetime.now(UTC)
    records = [
        record
        for job in (collect.name, snapshots.name)
        for record in context.instance.get_run_records(dg.RunsFilter(job_name=job, created_after=now - REACH))
    ]
    found = broken(
        records,
        deferrals(lake),
        today=now.astimezone(ZONE).date().isoformat(),
        first_pause=timedelta(minutes=settings().retry_minutes),
    )
    waiting = []
    for one in found:
        if one.attempt >= ATTEMPTS:
            tell(lake, _given_up(one), now)
        elif one.due > now:
            waiting.append(f"{one.run.job_name} {one.period} until {one.due:%Y-%m-%d %H:%M} UTC")
        else:
            yield _again(context, one)
    if waiting or not found:
        yield dg.SkipReason("; ".join(waiting) or "every collection is done")


def _again(context: dg.SensorEvaluationContext, one: Broken) -> dg.RunRequest:
    period = {DAY if one.run.job_name == snapshots.name else MONTH: one.period}
    chosen = one.run.asset_selection
    return dg.RunRequest(
        run_key=one.run.run_id,
        job_name=one.run.job_name,
        partition_key=one.period,
        tags={**period, ATTEMPT: str(one.attempt + 1)},
        run_config=_config(one.run.run_config),
        asset_selection=None if chosen is None else sorted(chosen),
        asset_check_keys=None if chosen is None else checks_to_request(context, one.run.job_name, chosen),
    )


def _config(before: Mapping[str, Any]) -> dict[str, Any]:
    """The same cut of the same platforms; `force` has begun its collection, and this goes on with it."""
    return {
        "ops": {
            op: {"config": {key: value for key, value in told.get("config", {}).items() if key != "force"}}
            for op, told in before.get("ops", {}).items()
        }
    }


def _given_up(one: Broken) -> Notice:
    return Notice(
        cause=f"run {one.run.job_name} {one.period} given up",
        kind="failure",
        title=f"{one.run.job_name} {one.period}: failed {one.attempt} times and is not tried again",
        text="Mend what its last run names and start it by hand; it asks only for what is missing.",
    )
