"""The sandbox as a process of the product's own environment; clients that run here can reach it and nothing else."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from written import NOW, write

PROJECT = Path(__file__).resolve().parents[2]
BUILT_IN = ("https://api.twitter.com", "https://open.tiktokapis.com", "https://www.googleapis.com")


def pytest_addoption(parser: pytest.Parser) -> None:
    default = PROJECT / ".venv" / "bin" / "python"
    parser.addoption("--python", default=str(default), help="the interpreter that has the product's environment")


@pytest.fixture(scope="session")
def served(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sandbox with the written data set; gives its address, without a slash at the end."""
    folder = write(tmp_path_factory.mktemp("written"))
    command = [pytestconfig.getoption("--python"), "-m", "smi_pipeline.sandbox", "--until-stdin-closes"]
    with subprocess.Popen(
        [*command, "--dataset", str(folder), "--now", NOW.isoformat(), "--port", "0"],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("sandbox http://127.0.0.1:"), "the sandbox did not start"
        yield said.split()[1]
        process.terminate()


@pytest.fixture
def sandbox(served: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its address; requests to an address that is built into a client go there too."""
    send = requests.Session.request

    def request(session, method, url, *args, **kwargs):
        host = next((host for host in BUILT_IN if url.startswith(host)), None)
        return send(session, method, served + url.removeprefix(host) if host else url, *args, **kwargs)

    monkeypatch.setattr(requests.Session, "request", request)
    return served


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that was not pointed at the sandbox must fail, not ask the platform."""
    connect = socket.socket.connect

    def connect_here(self, address):
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1"}:
            raise ConnectionRefusedError(f"a client asked for {address[0]}: expected the sandbox on 127.0.0.1")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
