"""With nobody there: editions come, and accidents end well."""

import os
import signal
from contextlib import contextmanager
from datetime import datetime

import pytest
from smi import SAMPLE, rows, until
from unattended import PATIENCE, Unattended, chat

from smi_pipeline.registry.load import read_registry
from smi_pipeline.sandbox.process import SandboxProcess

pytestmark = pytest.mark.long
CITIES = [city.city_id for city in read_registry(SAMPLE / "registry").cities]
LAUNCH = """
mutation ($month: String!) {
  launchPipelineExecution(executionParams: {
    selector: {repositoryLocationName: "smi_pipeline", repositoryName: "__repository__", jobName: "collect"}
    mode: "default", runConfigData: {}
    executionMetadata: {tags: [{key: "dagster/partition", value: $month}, {key: "smi/month", value: $month}]}
  }) { __typename ... on LaunchRunSuccess { run { runId } } }
}
"""


@contextmanager
def system(folder, instant, **settings):
    """All of it, at an instant before anything is due."""
    with chat() as (webhook, texts), SandboxProcess(SAMPLE) as sandbox:
        settings |= {"SMI_UNATTENDED": "yes", "SMI_PUBLISH": "provisional", "SMI_NOTIFY_WEBHOOK": webhook}
        settings |= {"SMI_RETRY_MINUTES": "0.1", "SMI_SENSOR_SECONDS": "1"}
        one = Unattended(folder, sandbox, texts, **settings)
        one.at(instant)
        with one.running():
            yield one


@pytest.fixture(scope="module")
def smi(tmp_path_factory):
    with system(tmp_path_factory.mktemp("unattended"), "2025-05-10T05:59:00+08:00") as one:
        yield one


def test_two_months_come_out_with_no_hand_but_a_file_drop(smi):
    smi.at("2025-05-10T06:00:00+08:00")
    until(lambda: smi.report("2025-04"), PATIENCE)

    smi.sandbox.set_faults({"faults": [{"platform": "x", "do": "token_expired"}]})
    smi.at("2025-06-03T06:00:00+08:00")
    until(lambda: smi.states("collect", "2025-05").count("FAILURE") == 2, PATIENCE)
    smi.sandbox.set_faults({})
    until(lambda: smi.report("2025-05"), PATIENCE)
    assert smi.report("2025-05")["status"] == "provisional"
    assert smi.told("2025-05") == ["[FAILED] collect 2025-05: raw/x failed", "[mended] collect 2025-05: done at try 3"]

    folder = smi.lake / "inbox" / "expert_scores"
    folder.mkdir(parents=True)
    lines = [f"R{n},{city},overall,{1 + place}" for place, city in enumerate(CITIES) for n in range(3)]
    (folder / "2025-05.csv").write_text("\n".join(["rater,city_id,criterion,score", *lines, ""]))
    smi.at("2025-06-10T06:00:00+08:00")
    until(lambda: smi.report("2025-05")["status"] == "final", PATIENCE)
    until(lambda: len(smi.news("2025-05")) == 2, PATIENCE)
    assert smi.news("2025-05") == [
        "[new] 2025-05 is there, provisional (edition 1, published)",
        "[new] 2025-05 is there, final (edition 2, published)",
    ]
    states = "select number, state, status from index.edition where month = '2025-05-01' order by number"
    assert rows(smi.lake, states) == [(1, "published", "provisional"), (2, "published", "final")]
    assert len(smi.told("2025-05")) == 2
    cuts = "select cut, count(*), bool_and(status = 'finished') from raw.collection where month = '2025-05-01'"
    assert rows(smi.lake, f"{cuts} group by cut order by cut") == [("final", 5, True), ("provisional", 5, True)]


def test_accidents_double_nothing_and_the_next_tick_goes_on(smi):
    def launch():
        answer = smi.ask(LAUNCH, month="2025-03")["launchPipelineExecution"]
        return answer["run"]["runId"]

    # A worker is killed in the middle of a step, a second run of the month waits behind it.
    smi.sandbox.set_faults({"latency_seconds": 0.5})
    first, second = launch(), launch()
    until(lambda: smi.worker(first), PATIENCE)
    assert smi.states("collect", "2025-03")[1] == "QUEUED"
    os.kill(smi.worker(first), signal.SIGKILL)
    until(lambda: smi.states("collect", "2025-03")[0] == "FAILURE", PATIENCE)

    # While the second is on its way the daemon is killed, and the webserver: it comes to its end.
    until(lambda: smi.worker(second), PATIENCE)
    smi.kill("daemon")
    smi.kill("webserver")
    smi.sandbox.set_faults({})
    until(lambda: smi.states("collect", "2025-03")[1] == "SUCCESS", PATIENCE)

    # Started again, they go on: with the crashed run, with what follows from the other, with what is asked in the UI.
    smi.start("daemon")
    until(lambda: smi.states("collect", "2025-03") == ["FAILURE", "SUCCESS", "SUCCESS"], PATIENCE)
    until(lambda: "SUCCESS" in smi.states("derive", "2025-03"), PATIENCE)
    smi.start("webserver")
    until(lambda: smi.ask("{ version }"), PATIENCE)

    collections = rows(
        smi.lake, "select platform, count(*) from raw.collection where month = '2025-03-01' group by all"
    )
    assert sorted(collections) == [(p, 1) for p in ("facebook", "instagram", "tiktok", "x", "youtube")]
    for platform, count in collections:
        posts = f"select count(*) = count(distinct id) from raw.{platform}_posts where month = '2025-03-01'"
        assert rows(smi.lake, posts) == [(count == 1,)]


def test_a_used_up_quota_is_waited_for_and_the_rest_comes_by_itself(tmp_path):
    """Nine accounts of X and their posts cost 63 cents here; the budget begins anew on the first of the month."""
    with system(tmp_path, "2025-05-10T05:59:00+08:00", SMI_X_USD_A_MONTH="0.4", SMI_CONCURRENCY="1") as one:
        one.at("2025-05-10T06:00:00+08:00")
        until(lambda: "FAILURE" in one.states("collect", "2025-04"), PATIENCE)
        put_off = "select platform, resume_at::varchar from raw.collection where status = 'deferred'"
        assert rows(one.lake, put_off) == [("x", "2025-06-01 00:00:00+00")]
        one.sandbox.set_clock(datetime.fromisoformat("2025-06-01T08:01:00+08:00"))
        until(lambda: one.report("2025-04"), PATIENCE)
        states = rows(one.lake, "select platform, cut, status from raw.collection order by platform")
        asked_twice = rows(one.lake, "select max(n) from (select count(*) as n from raw.x_posts group by id)")
    assert states == [(p, "final", "finished") for p in ("facebook", "instagram", "tiktok", "x", "youtube")]
    assert asked_twice == [(1,)]  # what had come was kept
    assert not [line for line in one.told("2025-04") if "[FAILED]" in line]  # to wait is no failure
