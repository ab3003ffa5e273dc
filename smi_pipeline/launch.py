"""Running the jobs in this process, with the same history as the UI: what the command line does.

DAGSTER_HOME is the lake's own `.dagster` unless it is set, with the project's dagster.yaml in it.
"""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.execution.execute_in_process import core_execute_in_process
from dagster._core.instance.ref import InstanceRef

from smi_pipeline.definitions import defs
from smi_pipeline.defs.failures import step_failures
from smi_pipeline.defs.jobs import DERIVED_GROUPS, checks_of
from smi_pipeline.defs.runs import COMMAND_LINE, DAY, MONTH, STARTED_BY, limit_pools
from smi_pipeline.lake.collections import Cut
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.months import Month
from smi_pipeline.registry.models import Platform
from smi_pipeline.settings import PROJECT, settings

Goal = Literal["metrics", "index", "report"]
_GROUPS_TO: dict[Goal, tuple[str, ...]] = {
    "metrics": DERIVED_GROUPS[:3],
    "index": DERIVED_GROUPS[:4],
    "report": DERIVED_GROUPS,
}
# Output is on the terminal already; copying it to files starts four processes a run, which a Ctrl-C hits first.
_NO_OUTPUT_FILES = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
OnStep = Callable[[str], None]


@dataclass
class Ended:
    """How a run ended. `resume_at` is set (an ISO instant, UTC) when a platform put us off."""

    ok: bool
    steps: int = 0
    failures: list[str] = field(default_factory=list)
    resume_at: str | None = None
    interrupted: bool = False


def dagster_home(lake: Path) -> Path:
    """Make sure DAGSTER_HOME is set and has the project's dagster.yaml.

    Raises:
        LakeError: the folder cannot be written.
    """
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(lake.resolve() / ".dagster")))
    ours, theirs = PROJECT / "dagster.yaml", home / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not theirs.exists():
            shutil.copyfile(ours, theirs)
    except OSError as error:
        raise LakeError(
            f"the lake {lake} cannot be written ({error}); give a folder you may write with --lake"
        ) from error
    return home


def history(lake: Path, overrides: Mapping[str, object] | None = None) -> dg.DagsterInstance:
    """The instance in DAGSTER_HOME with its tables, and with the pools' limits before the first run.

    Raises:
        LakeError: the folder cannot be written.
    """
    home = dagster_home(lake)
    with Lake.of(lake).lock("dagster"):  # two first processes at once would both create the instance's tables
        instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))
        limit_pools(instance)
    return instance


class Launcher:
    """Runs `collect` and `derive` against one Dagster instance."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._definitions = defs()
        self._signals = _notice_signals()

    @classmethod
    def on_this_host(cls) -> Launcher:
        """Against the instance in DAGSTER_HOME, whose runs the UI shows too."""
        return cls(history(settings().lake, overrides=_NO_OUTPUT_FILES))

    def steps(self, to: Goal) -> int:
        """How many steps a derivation up to `to` has at most."""
        nodes = {self._definitions.resolve_asset_graph().get(key).assets_def.node_def.name for key in self._keys(to)}
        return len(nodes)

    def collect(
        self,
        month: Month,
        platforms: Sequence[Platform],
        *,
        cut: Cut | None,
        force: bool,
        on_step: OnStep | None = None,
    ) -> Ended:
        """Ask `platforms` about one month. `cut` follows from today when it is not given."""
        config: dict[str, object] = {"force": force} | ({} if cut is None else {"cut": cut})
        ops = {f"raw__{platform}": {"config": config} for platform in platforms}
        keys = [dg.AssetKey(["raw", platform]) for platform in platforms]
        tags = {MONTH: month.key}
        return self._run("collect", keys, {"ops": ops}, tags, month.key, on_step)

    def reparse(self, month: Month, platforms: Sequence[Platform], on_step: OnStep | None = None) -> Ended:
        """Read the stored payloads of a month again; asks nobody."""
        ops = {f"raw__{platform}": {"config": {"reparse": True}} for platform in platforms}
        keys = [dg.AssetKey(["raw", platform]) for platform in platforms]
        tags = {MONTH: month.key}
        return self._run("collect", keys, {"ops": ops}, tags, month.key, on_step)

    def snapshot(self, day: date, platforms: Sequence[Platform], on_step: OnStep | None = None) -> Ended:
        """Take the figures of `platforms`' accounts on one day."""
        keys = [dg.AssetKey(["snapshots", platform]) for platform in platforms]
        tags = {DAY: day.isoformat()}
        return self._run("snapshots", keys, {}, tags, day.isoformat(), on_step)

    def derive(self, months: Sequence[Month], to: Goal, on_step: OnStep | None = None) -> Ended:
        """Derive an unbroken range of months in one run, up to `to`."""
        return self._derive(months, self._keys(to), on_step)

    def report(self, month: Month, on_step: OnStep | None = None) -> Ended:
        """Write one month's marts and report files again from what the lake has."""
        return self._derive([month], self._keys("report", but=_GROUPS_TO["index"]), on_step)

    def _keys(self, to: Goal, but: Sequence[str] = ()) -> list[dg.AssetKey]:
        graph, groups = self._definitions.resolve_asset_graph(), set(_GROUPS_TO[to]) - set(but)
        return sorted(key for key in graph.get_all_asset_keys() if graph.get(key).group_name in groups)

    def _derive(self, months: Sequence[Month], keys: Sequence[dg.AssetKey], on_step: OnStep | None) -> Ended:
        if len(months) == 1:
            return self._run("derive", keys, {}, {MONTH: months[0].key}, months[0].key, on_step)
        span = {
            "dagster/asset_partition_range_start": months[0].key,
            "dagster/asset_partition_range_end": months[-1].key,
        }
        return self._run("derive", keys, {}, span, None, on_step)

    def _run(
        self,
        job: str,
        keys: Sequence[dg.AssetKey],
        config: dict[str, object],
        tags: dict[str, str],
        partition_key: str | None,
        on_step: OnStep | None,
    ) -> Ended:
        run_id = str(uuid.uuid4())
        if on_step is not None:
            self._instance.add_event_listener(run_id, lambda event: _listen(event, on_step))
        whole = self._definitions.resolve_job_def(job)
        partition = {} if partition_key is None else {"dagster/partition": partition_key}
        # What JobDefinition.execute_in_process does, which cannot be told the checks and then takes all there are.
        chosen = whole.as_ephemeral_job(resource_defs={}, input_values={}).get_subset(
            asset_selection=set(keys), asset_check_selection=set(checks_of(whole, keys))
        )
        result = core_execute_in_process(
            job=InMemoryJob(chosen),
            run_config=_QUIET | config,
            instance=self._instance,
            output_capturing_enabled=True,
            raise_on_error=False,
            # Whoever started it sees how it ends, and starts it again.
            run_tags=tags | partition | {STARTED_BY: COMMAND_LINE, "dagster/max_retries": "0"},
            run_id=run_id,
            asset_selection=frozenset(keys),
        )
        ended = _ended(result)
        ended.interrupted |= _signalled(self._signals)
        return ended


def _notice_signals() -> int:
    """A descriptor on which every signal of this process leaves a byte, whoever handles it.

    Between two steps Dagster takes an interrupt, and forgets it when the run ends: without this, a Ctrl-C in such a
    moment would end one run of a backfill and let the next begin.
    """
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _signalled(descriptor: int) -> bool:
    """Whether SIGINT or SIGTERM came since this was last asked."""
    try:
        came = os.read(descriptor, 4096)
    except BlockingIOError:
        return False
    return bool({signal.SIGINT, signal.SIGTERM} & set(came))


def _listen(entry: dg.EventLogEntry, on_step: OnStep) -> None:
    event = entry.dagster_event
    if event is not None and event.is_step_start and event.step_key is not None:
        on_step(event.step_key)


def _ended(result: dg.ExecuteInProcessResult) -> Ended:
    ended = Ended(ok=result.success, steps=len(result.get_step_success_events()))
    for failure in step_failures(result.all_events):
        ended.failures.append(failure.text)
        ended.resume_at = failure.resume_at or ended.resume_at
        ended.interrupted |= failure.error == DagsterExecutionInterruptedError.__name__
    return ended
