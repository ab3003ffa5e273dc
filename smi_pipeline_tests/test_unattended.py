"""Webserver, daemon and code location as they run for years, with nobody there: editions come, and accidents end well."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest
import yaml
from smi import PROJECT, SAMPLE, environment, rows, until

from smi_pipeline.registry.load import read_registry
from smi_pipeline.sandbox.process import SandboxProcess
from smi_pipeline.sandbox.process import environment as sandbox_environment

pytestmark = pytest.mark.long
CITIES = [city.city_id for city in read_registry(SAMPLE / "registry").cities]
PATIENCE = 300
QUEUE = """
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
"""
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
def chat():
    """A chat on loopback: the texts it got."""
    texts = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            """Nothing on the terminal."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", texts
        server.shutdown()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Unattended:
    """A lake with the three processes and the sandbox; `at` makes it an instant for the schedule and the platforms."""

    def __init__(self, folder, sandbox, webhook, texts):
        self.folder, self.sandbox, self.texts = folder, sandbox, texts
        self.lake, self.home = folder / "lake", folder / "home"
        self.code_port, self.port = free_port(), free_port()
        self.environment = environment(
            **sandbox_environment(sandbox.base_url),
            SMI_LAKE=str(self.lake),
            SMI_REGISTRY=str(SAMPLE / "registry"),
            SMI_UNATTENDED="yes",
            SMI_PUBLISH="provisional",
            SMI_RETRY_MINUTES="0.1",
            SMI_SENSOR_SECONDS="1",
            SMI_NOTIFY_WEBHOOK=webhook,
            DAGSTER_HOME=str(self.home),
            MOVED_CLOCK=str(folder / "now"),
        )
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text() + QUEUE)
        server = {"host": "127.0.0.1", "port": self.code_port, "location_name": "smi_pipeline"}
        self.workspace = folder / "workspace.yaml"
        self.workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        self.processes = {}

    def start(self, name):
        location = ("-f", "smi_pipeline_tests/moved_clock.py", "--location-name", "smi_pipeline")
        command = {
            "code": ("dagster", "api", "grpc", *location, "-h", "127.0.0.1", "-p", self.code_port),
            "daemon": ("dagster._daemon", "run", "-w", self.workspace),
            "webserver": ("dagster_webserver", "-w", self.workspace, "-p", self.port),
        }[name]
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *map(str, command)],
                cwd=PROJECT, env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self, name):
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def at(self, instant):
        self.sandbox.set_clock(datetime.fromisoformat(instant))
        (self.folder / "now").write_text(instant)

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def instance(self):
        return dg.DagsterInstance.from_config(str(self.home))

    def runs(self, job, month):
        """The states of a job's runs of a month, the oldest first; and the runs."""
        with self.instance() as instance:
            found = instance.get_run_records(dg.RunsFilter(job_name=job, tags={"dagster/partition": month}))
        return [record.dagster_run for record in reversed(found)]

    def states(self, job, month):
        return [run.status.value for run in self.runs(job, month)]

    def worker(self, run_id):
        """The process that executes a run's steps, once it does."""
        with self.instance() as instance:
            for entry in instance.all_logs(run_id):
                if entry.dagster_event and "(pid: " in (entry.dagster_event.message or ""):
                    return int(entry.dagster_event.message.split("(pid: ")[1].split(")")[0])
        return None

    def report(self, month):
        path = self.lake / "reports" / month / "report.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def told(self, month):
        """The first lines of everything the chat got about the collection of a month."""
        return [line for line in self._lines() if f"collect {month}" in line]

    def news(self, month):
        """The first lines of what the chat got when a month came."""
        return [line for line in self._lines() if line.startswith(f"[new] {month}")]

    def _lines(self):
        return [line for text in self.texts for line in text.splitlines() if line.startswith("[")]


@pytest.fixture(scope="module")
def smi(tmp_path_factory):
    with chat() as (webhook, texts), SandboxProcess(SAMPLE) as sandbox:
        one = Unattended(tmp_path_factory.mktemp("unattended"), sandbox, webhook, texts)
        one.at("2025-05-10T05:59:00+08:00")
        one.instance().dispose()  # its tables are made by one process; two at once would both try
        one.start("code")
        one.start("daemon")
        one.start("webserver")
        try:
            until(
                lambda: one.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"), PATIENCE
            )
            yield one
        finally:
            one.stop()


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
