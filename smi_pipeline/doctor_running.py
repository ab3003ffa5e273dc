"""What runs, or should: daemon, schedules and sensors; who can reach the UI; what is open, what is left of quotas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus
from dagster._daemon.controller import all_daemons_healthy

from smi_pipeline.collectors.quota import Ledger
from smi_pipeline.definitions import defs
from smi_pipeline.finding import Finding
from smi_pipeline.lake.collections import permissions_lacked, spent
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import FILE, open_notices
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.settings import Settings

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
LOW: Final = 0.1  # of a budget
SHOWN: Final = 3


def running(lake: Lake, settings: Settings, instance: dg.DagsterInstance) -> Iterator[Finding]:
    """Daemon, schedules and sensors, the UI's host, where messages go, what waits for somebody."""
    yield _daemon(instance)
    yield _switches(instance)
    yield from exposed(_command_lines(Path("/proc")))
    if settings.notify_webhook is None:
        yield Finding("messages", "note", f"only in {lake.path / FILE}; SMI_NOTIFY_WEBHOOK sends them to a chat")
    else:
        yield Finding("messages", "ok", "go to the webhook of SMI_NOTIFY_WEBHOOK")
    waiting = open_notices(lake)
    if waiting:
        titles = "; ".join(notice.title for notice in waiting[-SHOWN:])
        yield Finding("open", "note", f"{len(waiting)} in notices.jsonl, the last of them: {titles}")


def _daemon(instance: dg.DagsterInstance) -> Finding:
    if all_daemons_healthy(instance):
        return Finding("daemon", "ok", "runs: schedules and sensors tick, queued runs start")
    return Finding(
        "daemon", "note", "does not run: nothing happens by itself; docs/operations.md, Unattended, starts it"
    )


def _switches(instance: dg.DagsterInstance) -> Finding:
    repository = defs().get_repository_def()
    kept = {state.name: state.status for state in instance.all_instigator_state()}
    off = []
    ours: list[dg.ScheduleDefinition | dg.SensorDefinition] = [*repository.schedule_defs, *repository.sensor_defs]
    for one in ours:
        status = kept.get(one.name, InstigatorStatus.DECLARED_IN_CODE)
        declared = status is InstigatorStatus.DECLARED_IN_CODE and one.default_status.value == "RUNNING"
        if not (declared or status is InstigatorStatus.RUNNING):
            off.append(one.name)
    if off:
        return Finding(
            "schedules, sensors", "note", f"off: {', '.join(sorted(off))}; SMI_UNATTENDED=yes, or Automation in the UI"
        )
    return Finding("schedules, sensors", "ok", "all are on")


def exposed(command_lines: Sequence[Sequence[str]]) -> Iterator[Finding]:
    """Webservers among the machine's processes that listen beyond loopback: the UI has no login."""
    hosts = set()
    for words in command_lines:
        line = " ".join(words)
        if "dagster_webserver" in line or "dagster-webserver" in line or ("dagster" in line and " dev" in line):
            given = [words[at + 1] for at, word in enumerate(words[:-1]) if word in ("-h", "--host")]
            given += [word.partition("=")[2] for word in words if word.startswith("--host=")]
            hosts |= {given[-1] if given else LOOPBACK[0]}
    for host in sorted(hosts):
        if host in LOOPBACK:
            yield Finding("UI", "ok", f"listens on {host}")
        else:
            yield Finding(
                "UI",
                "bad",
                f"listens on {host} and has no login: whoever reaches it can start and delete; let it listen on"
                " 127.0.0.1 behind a proxy with a login (docs/operations.md, Unattended)",
            )


def _command_lines(proc: Path) -> list[list[str]]:
    """The command lines of all processes that can be seen; none where the system has no /proc."""
    found = []
    for path in proc.glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace").rstrip("\0").split("\0"))
        except OSError:  # it has ended meanwhile
            continue
    return found


def left(lake: Lake, platform: Platform, ledger: Ledger, at: datetime) -> Iterator[Finding]:
    """What is left of a platform's budgets at an instant of its clock."""
    if not ledger.budgets or not lake.exists():
        return
    ledger.know(spent(lake, platform))
    day = at.astimezone(ledger.zone).date()
    for budget in ledger.budgets:
        rest = max(budget.limit - ledger.spent(budget, day), 0)
        text = f"{rest:,.10g} of {budget.limit:,.10g} {budget.measure} of this {budget.period} are left"
        if rest <= LOW * budget.limit:
            text += f"; what is beyond is put off until {budget.renewed(day, ledger.zone):%Y-%m-%d %H:%M} UTC"
        yield Finding(f"{platform} quota", "note" if rest <= LOW * budget.limit else "ok", text)


def refused(lake: Lake) -> Iterator[Finding]:
    """Accounts that the newest collections were not allowed to read, in the platform's own words."""
    if not lake.exists():
        return
    for platform in PLATFORMS:
        lacked = permissions_lacked(lake, platform)
        if lacked:
            words = "; ".join(dict.fromkeys(detail for _, detail in lacked[:SHOWN]))
            yield Finding(
                platform,
                "bad",
                f"{len(lacked)} accounts may not be read, {lacked[0][0]} first: {words}; docs/sources/{platform}.md"
                " says which permission is needed and how to get it",
            )
