"""An edited registry, weight inputs, method or editions file: which months it reaches, and what is to be done.

Every scored month has kept digests of what it saw of its files. Where it would see something else now, it is derived
anew by itself only if it is the newest month; an older one is proposed to a person, and nothing is started. A proposal
is closed when its month is derived again, or the edit is taken back.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import dagster as dg

from smi_pipeline.defs.inputs import offered_inputs
from smi_pipeline.defs.jobs import derive
from smi_pipeline.defs.partitions import MONTHS
from smi_pipeline.defs.preview import INPUTS
from smi_pipeline.defs.runs import EVERY, MONTH, SENSORS
from smi_pipeline.index.method import MethodError
from smi_pipeline.index.reach import edited
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import Notice, close, open_notices, tell
from smi_pipeline.months import Month
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.settings import settings

_WHAT_TO_DO: Final = (
    "Nothing was started. `smi backfill FROM TO` derives them anew, what is published as drafts, which"
    " `smi restate MONTH --reason TEXT` publishes; taking the edit back leaves them."
)
COMPOSITE: Final = dg.AssetKey(["index", "composite"])
REPORT: Final = dg.AssetKey(["report", "edition"])


@dg.sensor(
    job=derive,
    minimum_interval_seconds=EVERY,
    default_status=SENSORS,
    description="Edited input files: the newest month follows them, older ones are proposed as restatements.",
)
def edited_inputs(context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.SensorResult:
    """Compare what every scored month saw with what it would see now."""
    now = datetime.now(UTC)
    made = context.instance.get_latest_storage_id_by_partition(COMPOSITE, dg.DagsterEventType.ASSET_MATERIALIZATION)
    if not made:
        return dg.SensorResult(skip_reason="no month is scored yet", cursor=context.cursor)
    try:
        inputs = offered_inputs(lake, settings())
        stamp = _digest([sorted(made.items()), sorted(file.sha256 for file in inputs.stored.files.values())])
        if stamp == context.cursor:
            return dg.SensorResult(skip_reason="nothing was edited or derived since the last look", cursor=stamp)
        scored = _scored(context.instance, made.values())
        visible = {month: inputs.visible(month) for month in scored}
    except (RegistryError, MethodError) as error:
        notice = Notice(cause="file input", kind="failure", title="an input file is not usable", text=str(error))
        tell(lake, notice, now)
        return dg.SensorResult(skip_reason=f"an input file is not usable: {error}", cursor=context.cursor)
    close(lake, "file input", "the input files are usable again", now)
    reached = {month: kinds for month in scored if (kinds := edited(scored[month], visible[month]))}
    newest = Month.parse(MONTHS.get_partition_keys()[-1])
    requests = []
    if newest in reached:
        requests.append(
            dg.RunRequest(
                run_key=f"inputs {newest} {_digest(visible[newest])}",
                partition_key=newest.key,
                tags={MONTH: newest.key},
            )
        )
    older = {month: kinds for month, kinds in reached.items() if month != newest}
    cause = f"inputs {_digest({month.key: visible[month] for month in reached})}"
    for notice in open_notices(lake):
        if notice.cause.startswith("inputs ") and (not older or notice.cause != cause):
            close(lake, notice.cause, f"{notice.title}: settled", now)
    if older and tell(lake, _proposal(cause, older), now):
        _observe(context.instance, older)
    said = "; ".join(f"{month}: {', '.join(kinds)}" for month, kinds in reached.items())
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason(said or "every scored month has seen the files as they are"),
        cursor=stamp,
    )


def _scored(instance: dg.DagsterInstance, made: Iterable[int]) -> dict[Month, Mapping[str, str]]:
    """What each scored month saw of its files, by its newest materialisation; months that kept nothing are left out."""
    newest = dg.EventRecordsFilter(
        dg.DagsterEventType.ASSET_MATERIALIZATION, asset_key=COMPOSITE, storage_ids=list(made)
    )
    seen: dict[Month, Mapping[str, str]] = {}
    for record in instance.event_log_storage.get_event_records(newest):
        event = record.asset_materialization
        kept: Any = event.metadata.get(INPUTS) if event is not None else None
        if event is not None and event.partition is not None and kept is not None:
            seen[Month.parse(event.partition)] = kept.value
    return dict(sorted(seen.items()))


def _proposal(cause: str, reached: Mapping[Month, list[str]]) -> Notice:
    lines = [f"{month}: {', '.join(kinds)}" for month, kinds in reached.items()]
    first, last = min(reached), max(reached)
    return Notice(
        cause=cause,
        kind="proposal",
        title=f"edited input files reach {len(reached)} months, {first} to {last}",
        text="\n".join([*lines, _WHAT_TO_DO]),
    )


def _observe(instance: dg.DagsterInstance, reached: Mapping[Month, list[str]]) -> None:
    """Show it in the UI where the month is looked at."""
    for month, kinds in reached.items():
        instance.report_runless_asset_event(
            dg.AssetObservation(REPORT, partition=month.key, metadata={"edited since": ", ".join(kinds)})
        )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
