"""Webserver, daemon and code location as they run for years, each a process, with a sandbox and a clock to move."""

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
import yaml
from smi import PROJECT, SAMPLE, command, environment, until

from smi_pipeline.sandbox.process import environment as sandbox_environment

PATIENCE = 300
LOADED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
QUEUE = """
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
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

    def __init__(self, folder, sandbox, texts=(), **settings):
        self.folder, self.sandbox, self.texts = folder, sandbox, texts
        self.lake, self.home = folder / "lake", folder / "home"
        self.code_port, self.port = free_port(), free_port()
        self.environment = environment(
            **sandbox_environment(sandbox.base_url),
            SMI_LAKE=str(self.lake),
            SMI_REGISTRY=str(SAMPLE / "registry"),
            DAGSTER_HOME=str(self.home),
            MOVED_CLOCK=str(folder / "now"),
            **settings,
        )
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text() + QUEUE)
        server = {"host": "127.0.0.1", "port": self.code_port, "location_name": "smi_pipeline"}
        self.workspace = folder / "workspace.yaml"
        self.workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
        self.processes = {}

    @contextmanager
    def running(self):
        """All three, until the block ends."""
        subprocess.run(command("prepare"), env=self.environment, cwd=PROJECT, check=True)  # as smi-setup does
        for name in ("code", "daemon", "webserver"):
            self.start(name)
        try:
            until(lambda: (self.ask(LOADED) or {}).get("repositoriesOrError", {}).get("nodes"), PATIENCE)
            yield self
        finally:
            self.stop()

    def start(self, name):
        location = ("-f", "smi_pipeline_tests/moved_clock.py", "--location-name", "smi_pipeline")
        programs = {
            "code": ("dagster", "api", "grpc", *location, "-h", "127.0.0.1", "-p", self.code_port),
            "daemon": ("dagster._daemon", "run", "-w", self.workspace),
            "webserver": ("dagster_webserver", "-w", self.workspace, "-p", self.port),
        }
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *map(str, programs[name])],
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
