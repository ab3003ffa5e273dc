"""What Dagster costs: one derive run over a range of months against a run a month, and CPU an asset that is not ours.

    .venv/bin/python benchmarks/orchestration.py [MONTHS] [metrics|index|report]

Collects the first MONTHS (6; the scenario has 13) of the bundled scenario into a lake in a temporary folder, not
measured. Then derives them, up to the report unless another goal is given, in a run each, again in one run from
nothing, and runs as many empty assets as a derivation has. Prints wall and CPU seconds of this process, their ratio,
and milliseconds an asset. Targets: one run over 24 months takes at most 0.25 of 24 runs; orchestration takes at most
60 ms CPU an asset.

A run of one month derives the months that look at it, too: so the ratio falls with the number of months.
What it is for 24 is reckoned from the cost of a run and of a month in it, as these come out.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import dagster as dg

from smi_pipeline.months import FINAL_DAY, Month, month_range
from smi_pipeline.sandboxed import SCENARIO, sandboxed
from smi_pipeline.settings import settings

if TYPE_CHECKING:
    from smi_pipeline.launch import Goal

FIRST = Month.parse("2024-05")
EMPTY = 50
MANY = 24


def main() -> None:
    """Collect once, derive twice, and run nothing at all."""
    goal = cast("Goal", sys.argv[2]) if len(sys.argv) > 2 else "report"  # noqa: PLR2004  the second argument
    months = month_range(FIRST, FIRST.plus(int(sys.argv[1] if len(sys.argv) > 1 else 6) - 1))
    with tempfile.TemporaryDirectory(prefix="smi-orchestration-") as folder:
        lake = Path(folder) / "lake"
        os.environ["SMI_LAKE"] = str(lake)
        with sandboxed(SCENARIO) as server:
            from smi_pipeline.defs.partitions import ZONE  # noqa: PLC0415  reads the settings
            from smi_pipeline.launch import Launcher  # noqa: PLC0415
            from smi_pipeline.registry.models import PLATFORMS  # noqa: PLC0415

            launcher = Launcher.on_this_host()
            for month in months:
                server.set_clock(month.cut(ZONE, FINAL_DAY))
                ended = launcher.collect(month, PLATFORMS, cut="final", force=False)
                print(f"collected {month}: {'ok' if ended.ok else ended.failures}", flush=True)
        steps = launcher.steps(goal)
        alone = measured(lambda: launcher.derive(months[:1], goal))
        forget(lake)
        each = measured(lambda: [launcher.derive([month], goal) for month in months])
        forget(lake)
        launcher = Launcher.on_this_host()
        once = measured(lambda: launcher.derive(months, goal))
        idle = measured(nothing)
    number, today = len(months), f"{datetime.now(UTC):%Y-%m-%d}"
    ratio, asset = once[1] / each[1], 1000 * idle[1] / EMPTY
    print(f"{today}, {number} months to {goal}, {steps} steps    wall s    CPU s")
    print(f"{number} runs of a month each          {each[0]:9.1f}{each[1]:9.1f}")
    print(f"one run of {number} months             {once[0]:9.1f}{once[1]:9.1f}   {ratio:.2f}")
    start = alone[1] - (once[1] - alone[1]) / (number - 1)
    reckoned = (start + MANY * (once[1] - start) / number) / (MANY * each[1] / number)
    print(f"reckoned from these for {MANY} months                      {reckoned:.2f} (target 0.25)")
    print(f"{EMPTY} empty assets                  {idle[0]:9.1f}{idle[1]:9.1f}   {asset:.0f} ms an asset (target 60)")


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of this process."""
    wall, cpu = time.perf_counter(), used()
    work()
    return time.perf_counter() - wall, used() - cpu


def used() -> float:
    """CPU seconds of this process so far."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def forget(lake: Path) -> None:
    """Drop what is derived; raw data stay."""
    from smi_pipeline.lake.connection import Lake  # noqa: PLC0415

    with Lake.configured(settings()).write("forget what is derived") as transaction:
        found = transaction.cursor.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = 'lake'"
            " and table_type = 'BASE TABLE' and table_schema in ('intermediate', 'metrics', 'index', 'marts')"
        ).fetchall()
        for schema, name in found:
            transaction.cursor.execute(f'delete from {schema}."{name}"')
    shutil.rmtree(lake / "reports", ignore_errors=True)


def nothing() -> None:
    """A job of assets that do nothing, with the project's own executor and storage."""

    def empty(number: int) -> dg.AssetsDefinition:
        @dg.asset(name=f"empty_{number}", partitions_def=dg.StaticPartitionsDefinition(["one"]))
        def asset() -> None:
            """Nothing."""

        return asset

    definitions = dg.Definitions(
        assets=[empty(number) for number in range(EMPTY)],
        jobs=[dg.define_asset_job("nothing")],
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.get() as instance:
        definitions.resolve_job_def("nothing").execute_in_process(
            instance=instance,
            partition_key="one",
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


if __name__ == "__main__":
    main()
