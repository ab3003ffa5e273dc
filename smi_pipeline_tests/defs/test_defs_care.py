from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from smi_pipeline.definitions import defs
from smi_pipeline.defs.care import old_runs

MONTHS = dg.StaticPartitionsDefinition(["2025-04", "2025-05"])
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dg.asset(partitions_def=MONTHS)
def figures(context: dg.AssetExecutionContext) -> None:
    if context.run.tags.get("fails"):
        raise dg.Failure("no", allow_retries=False)


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as one:
        yield one


def run(instance, month, **tags):
    return dg.materialize([figures], instance=instance, partition_key=month, tags=tags, raise_on_error=False).run_id


def test_a_run_goes_when_nothing_rests_on_it_any_more(instance):
    """A month published years ago must not look as if it had never been made."""
    april = run(instance, "2025-04")
    superseded, failed = run(instance, "2025-05"), run(instance, "2025-05", fails="yes")
    may = run(instance, "2025-05")
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert old_runs(instance, soon) == [superseded, failed]
    assert old_runs(instance, soon - timedelta(hours=1)) == []
    for run_id in (superseded, failed):
        instance.delete_run(run_id)
    made = instance.get_materialized_partitions(figures.key)
    assert made == {"2025-04", "2025-05"}
    assert {record.dagster_run.run_id for record in instance.get_run_records()} == {april, may}


def test_the_job_keeps_what_is_younger_than_the_setting(instance):
    kept = run(instance, "2025-05", fails="yes")
    repository = defs().get_repository_def()
    assert repository.get_job("care").execute_in_process(instance=instance).success
    assert instance.get_run_by_id(kept) is not None


@pytest.mark.parametrize("when", [(2025, 6, 1), (2024, 2, 25), (2026, 1, 4)])
def test_care_is_taken_on_sundays(when):
    repository = defs().get_repository_def()
    schedule = repository.get_schedule_def("weekly")
    at = datetime(*when, 4, tzinfo=SHANGHAI)
    assert at.isoweekday() == 7
    context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=repository)
    [request] = schedule.evaluate_tick(context).run_requests
    assert request.run_key == f"{at:%Y-%m-%d}"
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 4 * * 0", "Asia/Shanghai")
