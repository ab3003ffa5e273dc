"""A month that failed at night must go on by itself, and only as often as it is worth."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from smi_pipeline.definitions import defs
from smi_pipeline.defs.resume import ATTEMPTS, broken
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import told
from smi_pipeline.settings import settings

NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)
PAUSE = timedelta(minutes=15)
FAILURE, SUCCESS, CANCELED = (getattr(dg.DagsterRunStatus, name) for name in ("FAILURE", "SUCCESS", "CANCELED"))


def record(number, status, *, job="collect", period="2025-05", ended=NOON, **tags):
    run = dg.DagsterRun(
        job_name=job,
        run_id=str(number),
        status=status,
        tags={"dagster/partition": period, **{f"smi/{name}": str(value) for name, value in tags.items()}},
    )
    return dg.RunRecord(number, run, ended, ended, ended.timestamp(), ended.timestamp())


def found(*records, put_off=(), today="2025-06-03"):
    return broken(list(reversed(records)), dict(put_off), today=today, first_pause=PAUSE)


def test_only_the_newest_run_of_a_month_counts():
    assert [one.run.run_id for one in found(record(1, FAILURE), record(2, FAILURE))] == ["2"]
    assert found(record(1, FAILURE), record(2, SUCCESS)) == []
    assert [one.period for one in found(record(1, FAILURE, period="2025-04"), record(2, SUCCESS))] == ["2025-04"]


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 15), (2, 30), (3, 60), (5, 240), (6, 360), (19, 360)])
def test_the_pause_doubles_up_to_six_hours(attempt, minutes):
    [one] = found(record(1, FAILURE, attempt=attempt))
    assert one.due == NOON + timedelta(minutes=minutes)


def test_a_quota_is_waited_for():
    midnight = datetime(2025, 6, 4, 7, tzinfo=UTC)
    [one] = found(record(1, FAILURE), put_off={"2025-05": midnight})
    assert one.due == midnight
    [one] = found(record(1, FAILURE), put_off={"2025-05": NOON - timedelta(days=1)})
    assert one.due == NOON + PAUSE


def test_a_person_who_cancels_or_sits_at_the_terminal_is_not_overruled():
    assert found(record(1, FAILURE), record(2, CANCELED)) == []
    assert found(record(1, FAILURE, started_by="command line")) == []
    put_off = {"2025-05": NOON}
    assert len(found(record(1, FAILURE, started_by="command line"), put_off=put_off)) == 1


def test_the_figures_of_a_day_are_asked_for_on_that_day_or_never():
    day = record(1, FAILURE, job="snapshots", period="2025-06-03")
    assert len(found(day)) == 1
    assert found(day, today="2025-06-04") == []


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def failed_run(instance, **tags):
    config = {"ops": {"raw__x": {"config": {"cut": "final", "force": True}}}, "loggers": {"console": {}}}
    run = dg.DagsterRun(
        job_name="collect",
        run_id="11111111-1111-1111-1111-111111111111",
        status=FAILURE,
        run_config=config,
        tags={"dagster/partition": "2025-05", "smi/month": "2025-05", **tags},
        asset_selection=frozenset({dg.AssetKey(["raw", "x"])}),
    )
    instance.add_run(run)
    return run


def tick(instance, tmp_path, cursor=None):
    repository = defs().get_repository_def()
    context = dg.build_sensor_context(
        instance=instance, repository_def=repository, cursor=cursor, resources={"lake": Lake.of(tmp_path / "lake")}
    )
    return repository.get_sensor_def("resume").evaluate_tick(context)


@pytest.fixture
def no_pause(monkeypatch):
    monkeypatch.setenv("SMI_RETRY_MINUTES", "0.000001")
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_the_pause_is_waited_out(instance, tmp_path):
    failed_run(instance)
    early = tick(instance, tmp_path)
    assert not early.run_requests
    assert "collect 2025-05 until" in early.skip_message


def test_the_rest_is_asked_for_with_the_same_cut_and_platforms(instance, tmp_path, no_pause):
    run = failed_run(instance)
    [request] = tick(instance, tmp_path).run_requests
    [again] = tick(instance, tmp_path).run_requests
    assert (request.run_key, request.partition_key, request.job_name) == (run.run_id, "2025-05", "collect")
    assert again.run_key == request.run_key  # a daemon that died before it launched launches one run, not two
    assert request.run_config == {"ops": {"raw__x": {"config": {"cut": "final"}}}}
    assert request.asset_selection == [dg.AssetKey(["raw", "x"])]
    checks = {check.name for check in request.asset_check_keys if check.asset_key == dg.AssetKey(["raw", "x"])}
    assert len(checks) == len(request.asset_check_keys) > 1  # the checks of these platforms, but whether it is late
    assert "accounts_answered" in checks
    assert "freshness_check" not in checks
    assert (request.tags["smi/month"], request.tags["smi/attempt"]) == ("2025-05", "2")


def test_after_four_days_of_tries_a_person_is_asked_once(instance, tmp_path, no_pause):
    failed_run(instance, **{"smi/attempt": str(ATTEMPTS)})
    assert not tick(instance, tmp_path).run_requests
    tick(instance, tmp_path)
    [line] = told(Lake.of(tmp_path / "lake"))
    assert "failed 20 times and is not tried again" in line.title
