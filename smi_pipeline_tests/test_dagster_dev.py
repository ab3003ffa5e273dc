"""`smi dev`: sandbox, webserver and daemon as a user starts them, driven through the UI's own GraphQL."""

import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from smi import PROJECT, SAMPLE, command, environment

from smi_pipeline.lake.connection import Lake
from smi_pipeline.registry.models import PLATFORMS

LAUNCH = """
mutation ($job: String!, $month: String!) {
  launchPipelineExecution(executionParams: {
    selector: {repositoryLocationName: "smi_pipeline", repositoryName: "__repository__", jobName: $job}
    mode: "default", runConfigData: {}
    executionMetadata: {tags: [{key: "dagster/partition", value: $month}, {key: "smi/month", value: $month}]}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
TIMES = "{ runsOrError { ... on Runs { results { startTime endTime } } } }"
GRAPH = "{ assetNodes { assetKey { path } groupName dependencyKeys { path } isExecutable isPartitioned } }"


def ask(port, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def until(what, seconds):
    end = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except (OSError, urllib.error.URLError):
            found = None
        if found:
            return found
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dev")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command("dev", "--dataset", SAMPLE, "--port", port, "--lake", folder / "lake"),
            env=environment(),
            cwd=PROJECT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            until(lambda: ask(port, "{ version }"), 120)
            until(lambda: ask(port, GRAPH)["assetNodes"], 60)
            yield port, folder / "lake"
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
    assert code == 0
    until(lambda: not alive(folder), 90)  # the code server notices within its heartbeat that nobody needs it


def alive(folder):
    """Processes that were started for this lake, by their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder).encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def run(port, job, months):
    launched = []
    for month in months:
        result = ask(port, LAUNCH, job=job, month=month)["launchPipelineExecution"]
        assert result["__typename"] == "LaunchRunSuccess", result
        launched.append(result["run"]["runId"])

    def ended():
        states = [ask(port, STATUS, id=run_id)["runOrError"]["status"] for run_id in launched]
        return states if set(states) <= {"SUCCESS", "FAILURE", "CANCELED"} else None

    return until(ended, 240)


def test_the_ui_shows_the_whole_graph(dev):
    port, _ = dev
    nodes = {"/".join(node["assetKey"]["path"]): node for node in ask(port, GRAPH)["assetNodes"]}
    assert nodes["raw/x"]["groupName"] == "raw"
    assert ["raw", "x"] in [key["path"] for key in nodes["staging/stg_x_posts"]["dependencyKeys"]]
    assert ["metrics", "city_platform_month"] in [key["path"] for key in nodes["index/composite"]["dependencyKeys"]]
    unpartitioned = {name for name, node in nodes.items() if not node["isPartitioned"]}
    assert unpartitioned == {"raw/input_file"}  # the files of every month, which no run of ours materialises
    assert not nodes["raw/input_file"]["isExecutable"]


def test_every_platforms_pool_has_its_limit_before_the_first_run(dev):
    port, _ = dev
    limits = ask(port, "{ instance { concurrencyLimits { concurrencyKey slotCount } } }")["instance"][
        "concurrencyLimits"
    ]
    assert {one["concurrencyKey"]: one["slotCount"] for one in limits} == {f"api_{name}": 1 for name in PLATFORMS}


@pytest.mark.long
def test_two_months_materialised_through_the_ui_at_the_same_time_succeed(dev):
    port, path = dev
    assert run(port, "collect", ["2025-04", "2025-05"]) == ["SUCCESS", "SUCCESS"]
    first, second = sorted(ask(port, TIMES)["runsOrError"]["results"], key=lambda one: one["startTime"])
    assert first["endTime"] <= second["startTime"]  # the first runs of a new instance, and one at a platform's API
    assert run(port, "derive", ["2025-05", "2025-04"]) == ["SUCCESS", "SUCCESS"]
    with Lake.of(path).read() as cursor:
        got = cursor.execute(
            "select month::varchar, count(rank) from index.composite group by month order by month"
        ).fetchall()
    assert got == [("2025-04-01", 10), ("2025-05-01", 10)]
    assert (path / "reports" / "2025-04" / "index.html").exists()
    assert (path / "reports" / "2025-05" / "index.html").exists()
