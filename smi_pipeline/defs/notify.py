"""One sensor tells people what needs them: failed runs, failed checks, what is mended, and what else was written down.

Everything told stands in `<lake>/notices.jsonl`, once a cause; from there it goes to the webhook, if there is one, all
new lines in one message. The cursor knows which runs were looked at and which line was sent last: a daemon that starts
again repeats nothing, and a webhook that is out of reach gets its lines later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from pydantic import SecretStr

from smi_pipeline.collectors.credentials import Redactor
from smi_pipeline.collectors.webhook import Chat, WebhookError, chat_of, post
from smi_pipeline.defs.failures import step_failures
from smi_pipeline.defs.runs import COMMAND_LINE, EVERY, SENSORS, STARTED_BY, attempt_of, period_of
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import Notice, Told, close, open_notices, tell, told
from smi_pipeline.settings import Settings, settings

OVERLAP: Final = timedelta(minutes=10)  # runs are written down in another order than they end
RUNS: Final = 50  # a tick
LINES: Final = 20  # a message
TEXT: Final = 700  # characters of a line
_MARK: Final = {
    "failure": "FAILED",
    "warning": "warning",
    "deferral": "put off",
    "proposal": "to decide",
    "news": "new",
    "resolved": "mended",
}
_ENDED: Final = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_LOOKED_AT: Final = {
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.ENGINE_EVENT,
}


@dataclass
class _Cursor:
    """When the first tick was; the last run's end, the runs looked at shortly before it, the last line sent."""

    since: datetime
    at: datetime
    seen: list[str] = field(default_factory=list)
    sent: int = 0

    @classmethod
    def of(cls, text: str | None, now: datetime, lines: int) -> Self:
        """A first tick begins with now: what happened before the sensor was switched on is not news."""
        if text is None:
            return cls(now, now, sent=lines)
        row = json.loads(text)
        since, at = (datetime.fromisoformat(row[name]) for name in ("since", "at"))
        return cls(since, at, row["seen"], row["sent"])

    def __str__(self) -> str:
        told = {"since": self.since.isoformat(), "at": self.at.isoformat(), "seen": self.seen, "sent": self.sent}
        return json.dumps(told)


@dg.sensor(
    minimum_interval_seconds=EVERY,
    default_status=SENSORS,
    description="Tells of failed runs and checks, once a cause, and of everything else that is new in notices.jsonl.",
)
def notify(context: dg.SensorEvaluationContext, lake: dg.ResourceParam[Lake]) -> dg.SensorResult:
    """Look at the runs that ended, write down what they mean, send what is new."""
    now, rules = datetime.now(UTC), settings()
    cursor = _Cursor.of(context.cursor, now, len(told(lake)))
    looked = _look(context.instance, lake, rules, cursor, now)
    sent = _send(lake, rules, cursor)
    return dg.SensorResult(skip_reason=dg.SkipReason(f"{looked} runs looked at; {sent}"), cursor=str(cursor))


def _look(instance: dg.DagsterInstance, lake: Lake, rules: Settings, cursor: _Cursor, now: datetime) -> int:
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_after=max(cursor.since, cursor.at - OVERLAP)),
        limit=RUNS + len(cursor.seen),
        order_by="update_timestamp",
        ascending=True,
    )
    new = [record.dagster_run for record in records if record.dagster_run.run_id not in cursor.seen]
    for run in new:
        events = _events(instance, run)
        for notice in run_notices(run, events, rules):
            tell(lake, notice, now)
        _mended(lake, run, events, now)
    if records:
        cursor.at = max(cursor.at, _aware(records[-1].update_timestamp))
        recent = [record for record in records if _aware(record.update_timestamp) > cursor.at - OVERLAP]
        cursor.seen = [record.dagster_run.run_id for record in recent]
    return len(new)


def _events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterEvent]:
    entries = instance.get_records_for_run(run.run_id, of_type=_LOOKED_AT).records
    return [entry.event_log_entry.dagster_event for entry in entries if entry.event_log_entry.dagster_event is not None]


def _mended(lake: Lake, run: dg.DagsterRun, events: Iterable[dg.DagsterEvent], now: datetime) -> None:
    """Close what was open about a run that succeeded, and about checks that hold again."""
    standing = {notice.cause for notice in open_notices(lake)}
    for check in _checks(events):
        cause = _check_cause(run, check)
        if check.passed and cause in standing:
            close(lake, cause, f"{cause.removeprefix('check ')}: holds again", now)
    if run.is_success:
        tries = attempt_of(run.tags)
        close(lake, f"run {_about(run)} ", f"{_about(run)}: done" + (f" at try {tries}" if tries > 1 else ""), now)


def run_notices(run: dg.DagsterRun, events: Sequence[dg.DagsterEvent], rules: Settings) -> Iterator[Notice]:
    """What a run that ended has to tell: its failed checks, and why it failed unless somebody sat before it."""
    redact = Redactor(value.get_secret_value() for _, value in rules if isinstance(value, SecretStr)).message
    for check in _checks(events):
        if not check.passed:
            shown = {name: value.value for name, value in check.metadata.items()}
            yield Notice(
                cause=_check_cause(run, check),
                kind="failure" if check.severity is dg.AssetCheckSeverity.ERROR else "warning",
                title=f"{_check_cause(run, check).removeprefix('check ')} does not hold",
                text=redact(check.description or ", ".join(f"{name}: {told}" for name, told in shown.items())),
                link=_link(rules, f"assets/{'/'.join(check.asset_key.path)}?view=checks"),
            )
    if run.status is not dg.DagsterRunStatus.FAILURE or run.tags.get(STARTED_BY) == COMMAND_LINE:
        return
    link, failures = _link(rules, f"runs/{run.run_id}"), step_failures(events)
    for failure in failures:
        step = failure.step.replace("__", "/")
        yield Notice(
            cause=f"run {_about(run)} {step}",
            kind="failure" if failure.resume_at is None else "deferral",
            title=f"{_about(run)}: {step} "
            + ("failed" if failure.resume_at is None else f"goes on at {failure.resume_at}"),
            text=redact(failure.text),
            link=link,
        )
    if not failures:
        said = [event.message or "" for event in events if event.event_type is dg.DagsterEventType.RUN_FAILURE]
        said += [error for event in events if (error := _engine_error(event))]
        yield Notice(
            cause=f"run {_about(run)} broken off",
            kind="failure",
            title=f"{_about(run)}: broken off",
            text=redact(said[-1]).strip() if said else "",
            link=link,
        )


def _engine_error(event: dg.DagsterEvent) -> str | None:
    """Why a run never came to its first step, where an event tells it."""
    if event.event_type is not dg.DagsterEventType.ENGINE_EVENT or event.engine_event_data.error is None:
        return None
    return event.engine_event_data.error.message


def _about(run: dg.DagsterRun) -> str:
    return f"{run.job_name} {period_of(run.tags) or ''}".strip()


def _checks(events: Iterable[dg.DagsterEvent]) -> list[AssetCheckEvaluation]:
    evaluated = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    return [event.asset_check_evaluation_data for event in events if event.event_type is evaluated]


def _check_cause(run: dg.DagsterRun, check: AssetCheckEvaluation) -> str:
    return f"check {check.asset_key.to_user_string()} {check.check_name} {period_of(run.tags) or ''}".strip()


def message(lines: Iterable[Told], longest: int = TEXT) -> str:
    """The text for a chat: a line a notice, its words below it, cut where they are long; news only where it must be."""
    parts = []
    for line in lines:
        whole = len(line.text) <= longest or (line.kind == "news" and longest >= TEXT)
        text = line.text if whole else line.text[:longest] + "…"
        parts.append("\n".join(filter(None, (f"[{_MARK[line.kind]}] {line.title}", text, line.link))))
    return "\n\n".join(parts)


def _one_message(lines: Sequence[Told], chat: Chat) -> tuple[Sequence[Told], str]:
    """As many of the lines as one message to a chat holds, at least one, and the message; empty if none has a title."""

    def text(count: int, longest: int = TEXT) -> str:
        return message([line for line in lines[:count] if line.title], longest)

    fitting = [count for count in range(1, len(lines) + 1) if chat.size(text(count)) <= chat.room]
    if fitting:
        return lines[: fitting[-1]], text(fitting[-1])
    longest = TEXT - 1
    while longest > 0 and chat.size(text(1, longest)) > chat.room:
        longest -= 1
    return lines[:1], text(1, longest)


def _send(lake: Lake, rules: Settings, cursor: _Cursor) -> str:
    lines = told(lake, cursor.sent)
    if not lines:
        return "nothing new to tell"
    if rules.notify_webhook is None or not rules.notify_webhook.get_secret_value():
        cursor.sent = lines[-1].number
        return f"{len(lines)} new lines in notices.jsonl; SMI_NOTIFY_WEBHOOK is not set"
    try:
        chat = chat_of(rules.notify_webhook, rules.notify_chat)
        batch, text = _one_message(lines[:LINES], chat)
        if text:
            post(rules.notify_webhook, text, chat)
    except WebhookError as error:
        return f"{len(lines)} lines wait: {error}"
    cursor.sent = batch[-1].number
    return f"{len(batch)} lines sent"


def _link(rules: Settings, path: str) -> str | None:
    return None if rules.ui_url is None else f"{rules.ui_url.rstrip('/')}/{path}"


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
