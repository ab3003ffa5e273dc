"""Whoever starts a job by hand and forgets the month is told so in a line, and how to give it."""

import os
import re
import subprocess
import sys

import dagster as dg
import pytest

from smi_pipeline.definitions import defs
from smi_pipeline.defs.failures import step_failures
from smi_pipeline.settings import settings

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
FORGOTTEN = {
    f"this run needs {period}, and was started with none: choose it as the partition in the UI, or give"
    f" --partition {period.rsplit(maxsplit=1)[-1]} on a terminal"
    for period in ("a month, such as 2025-05", "a day, such as 2025-05-31")
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return tmp_path_factory.mktemp("forgotten") / "lake"


@pytest.fixture(scope="module")
def jobs(lake):
    """All jobs, by name; Dagster's own of all assets, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMI_LAKE", str(lake))
        settings.cache_clear()
        yield {job.name: job for job in defs().get_repository_def().get_all_jobs()}
    settings.cache_clear()


@pytest.fixture
def failures(jobs, lake):
    """Runs a job, or some of its assets, and gives how its steps failed; nothing may have been written or tried again."""

    def run(job, keys=None, **tags):
        tags = {f"dagster/{name}": value for name, value in tags.items()}
        made = jobs[job].execute_in_process(QUIET, asset_selection=keys, tags=tags, raise_on_error=False)
        assert not made.success
        assert not lake.exists()
        assert not [event for event in made.all_events if event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY]
        return step_failures(made.all_events)

    return run


def test_every_job_but_the_weekly_care_fails_without_its_month_or_day_in_one_line_that_says_how_to_give_it(
    jobs, failures
):
    partitioned = [name for name, job in jobs.items() if job.asset_layer.executable_asset_keys]
    assert set(jobs) - set(partitioned) == {"care"}
    for job in partitioned:
        told = failures(job)
        assert told, job
        assert {failure.text for failure in told} <= FORGOTTEN, job


def test_so_does_every_step_by_itself(jobs, failures):
    """Steps that come later in a run, too: somebody may start them alone."""
    graph = jobs["__ASSET_JOB"].asset_layer.asset_graph
    steps = {tuple(sorted(graph.get(key).assets_def.keys)) for key in graph.executable_asset_keys}
    assert len(steps) == 5 + 5 + 34
    for keys in sorted(steps):
        [told] = failures("__ASSET_JOB", keys)
        assert told.text in FORGOTTEN, keys


@pytest.mark.parametrize(("job", "key"), [("collect", "2019-01"), ("derive", "2099-01"), ("snapshots", "2019-01-01")])
def test_a_month_or_day_that_is_no_partition_is_named_beside_those_there_are(job, key, failures):
    [told] = {failure.text for failure in failures(job, partition=key)}
    assert re.search(r"needs a (month from 2024-05|day from 2024-05-01) to [-\d]+, such as 2025-05", told)
    assert f"and was started with {key}: choose it" in told


def test_collecting_a_range_in_one_run_is_refused_in_one_line(failures):
    ends = {"asset_partition_range_start": "2025-04", "asset_partition_range_end": "2025-05"}
    [told] = {failure.text for failure in failures("collect", **ends)}
    assert told.startswith("this run needs a month, such as 2025-05, and no range, and was started with 2025-04 to")


def test_only_months_and_days_that_the_sandbox_can_answer_are_offered():
    """`smi dev` sets the sandbox's clock: on 10 June in Shanghai May is over, and June 10 the newest day."""
    code = (
        "from smi_pipeline.defs.partitions import DAYS, MONTHS\n"
        "print(*MONTHS.get_partition_keys()[-2:], *DAYS.get_partition_keys()[-2:])"
    )
    environment = {**os.environ, "SMI_SERVICES_NOW": "2025-06-10T06:00:00+08:00"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2025-04", "2025-05", "2025-06-09", "2025-06-10"]
