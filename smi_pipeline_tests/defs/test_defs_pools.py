"""Two runs must not ask one platform at the same time: its limits are for both together. Not even the first two ever."""

import os

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from smi import smi

from smi_pipeline.definitions import defs
from smi_pipeline.defs.runs import limit_pools, pool_of
from smi_pipeline.launch import Launcher, history
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.settings import settings

POOLS = {pool_of(platform) for platform in PLATFORMS}


@pytest.fixture
def lake(tmp_path, monkeypatch):
    """A lake that nobody has used, with its DAGSTER_HOME."""
    monkeypatch.setenv("SMI_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "lake"
    settings.cache_clear()


def limits(instance):
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def queued(instance, job, partition):
    """A run of all platforms as it stands in the queue."""
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("smi_pipeline"), "__repository__")
    run = instance.create_run_for_job(
        defs().resolve_job_def(job),
        tags={"dagster/partition": partition},
        status=dg.DagsterRunStatus.QUEUED,
        remote_job_origin=RemoteJobOrigin(place, job),
    )
    return run.run_id


def let_in(instance):
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    return [run.run_id for run in daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)]


def test_every_pool_of_an_asset_is_one_that_gets_its_limit():
    graph = defs().resolve_asset_graph()
    used = {graph.get(key).assets_def.op.pool for key in graph.executable_asset_keys} - {None}
    assert used == POOLS


def test_of_two_first_runs_that_wait_together_one_is_let_in(lake):
    with history(lake) as instance:
        waiting = [queued(instance, "collect", "2025-04"), queued(instance, "snapshots", "2025-05-31")]
        assert let_in(instance) == waiting[:1]


@pytest.mark.parametrize("start", [lambda: history(settings().lake), lambda: Launcher.on_this_host()._instance])
def test_a_new_instance_knows_every_limit_before_its_first_run(lake, start):
    with start() as instance:
        assert limits(instance) == dict.fromkeys(POOLS, 1)
        assert instance.get_runs() == []


def test_a_deployments_set_up_step_leaves_every_limit_in_dagster_home(lake):
    done = smi("prepare", SMI_LAKE=str(lake), DAGSTER_HOME=os.environ["DAGSTER_HOME"])
    assert done.returncode == 0, done.stderr
    with dg.DagsterInstance.from_config(os.environ["DAGSTER_HOME"]) as instance:
        assert limits(instance) == dict.fromkeys(POOLS, 1)


def test_a_limit_that_somebody_has_set_is_left_alone(lake):
    with history(lake) as instance:
        instance.event_log_storage.set_concurrency_slots("api_x", 3)
        limit_pools(instance)
        assert limits(instance) == dict.fromkeys(POOLS, 1) | {"api_x": 3}


def test_where_dagster_yaml_has_no_limit_none_is_made_up(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides={"telemetry": {"enabled": False}}) as instance:
        limit_pools(instance)
        assert limits(instance) == {}
