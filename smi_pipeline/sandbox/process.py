"""The sandbox as a process of its own: started, spoken to, and stopped whatever happens."""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from smi_pipeline.sandbox.exchange import CREDENTIAL
from smi_pipeline.sandbox.instagram import ASKING_ACCOUNT

PROJECT = Path(__file__).resolve().parents[2]


class SandboxError(Exception):
    """The sandbox did not start, or the scenario was not written; the message is the process's own."""


class SandboxProcess:
    """Starts the sandbox on entering and stops it on leaving. It also stops by itself when this process dies."""

    def __init__(
        self, dataset: Path | str, *, now: datetime | None = None, port: int = 0, faults: Path | None = None
    ) -> None:
        """Prepare to serve `dataset` with the clock at `now` (the machine's own time when not given)."""
        self._command = [
            *(sys.executable, "-m", "smi_pipeline.sandbox", "--until-stdin-closes"),
            *("--dataset", str(dataset), "--port", str(port)),
            *(("--now", now.isoformat()) if now else ()),
            *(("--faults", str(faults)) if faults else ()),
        ]
        self._process: subprocess.Popen[str] | None = None
        self._errors: IO[str] | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end."""
        return self._base_url

    def start(self, *, patience_seconds: float = 60) -> Self:
        """Start it and wait until it listens.

        Raises:
            SandboxError: it ended instead, or did not listen in time.
        """
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603  our own module, no shell
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=_environment(),
        )
        line = self._first_line(self._process, patience_seconds)
        if not line.startswith("sandbox http://"):
            said = self._said()
            self.stop()
            raise SandboxError(said or f"the sandbox did not listen within {patience_seconds:g} s")
        self._base_url = line.split()[1]
        return self

    def stop(self) -> None:
        """Stop it; harmless when it has stopped already."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def set_clock(self, instant: datetime) -> None:
        """Make it `instant` (aware) in the sandbox."""
        self._control("POST", "clock", {"now": instant.isoformat()})

    def requests(self) -> dict[str, int]:
        """Requests per platform since the start or the last reset."""
        return {platform: int(count) for platform, count in self._control("GET", "requests").items()}

    def reset_requests(self) -> None:
        """Count requests from zero again."""
        self._control("DELETE", "requests")

    def set_faults(self, plan: Mapping[str, Any]) -> None:
        """Make this the fault plan, its counts beginning anew; an empty one is none.

        Raises:
            SandboxError: it is not one.
        """
        self._control("PUT", "faults", dict(plan))

    def ledger(self) -> dict[str, Any]:
        """What was used of quotas and credits, by platform, measure and day."""
        return self._control("GET", "ledger")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _control(self, method: str, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  always our own loopback address
            f"{self._base_url}/_sandbox/{name}", method=method, data=None if body is None else json.dumps(body).encode()
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever proxy is set
        try:
            with direct.open(request, timeout=10) as answer:
                told: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            raise SandboxError(json.load(error)["error"]) from None
        return told

    def _first_line(self, process: subprocess.Popen[str], patience_seconds: float) -> str:
        if process.stdout is None:
            raise SandboxError("the sandbox has no standard output to speak on")
        deadline = time.monotonic() + patience_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(max(deadline - time.monotonic(), 0))
        return process.stdout.readline() if ready else ""

    def _said(self) -> str:
        if self._process is not None:
            try:
                self._process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                return ""
        if self._errors is None:
            return ""
        self._errors.seek(0)
        return self._errors.read().strip()


def scenario_in(folder: Path) -> Path:
    """The bundled scenario as a data set directory: `folder`, written in a process of its own unless it is there.

    Raises:
        SandboxError: it could not be written.
    """
    stamp, made_of = folder / "made_of.txt", _fingerprint()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == made_of:
        return folder
    command = [sys.executable, "-m", "smi_pipeline.sandbox.scenario", str(folder)]
    done = subprocess.run(command, env=_environment(), capture_output=True, encoding="utf-8", check=False)  # noqa: S603
    if done.returncode:
        raise SandboxError(f"the scenario was not written to {folder}: {done.stderr.strip()}")
    stamp.write_text(made_of, encoding="utf-8")
    return folder


def _fingerprint() -> str:
    """What the scenario is made of: a checksum over the files of its package."""
    package = Path(__file__).resolve().parent / "scenario"
    whole = hashlib.sha256()
    for path in sorted(path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        whole.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return whole.hexdigest()


def _environment() -> dict[str, str]:
    """This process's environment, with the project where Python looks for modules; what is said comes in UTF-8."""
    path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}


def environment(base_url: str) -> dict[str, str]:
    """The SMI_* variables that point the pipeline at a sandbox, its accepted credentials included."""
    return {
        "SMI_FACEBOOK_BASE_URL": f"{base_url}/v26.0",
        "SMI_X_BASE_URL": base_url,
        "SMI_INSTAGRAM_BASE_URL": f"{base_url}/v26.0",
        "SMI_YOUTUBE_BASE_URL": f"{base_url}/youtube/v3",
        "SMI_TIKTOK_BASE_URL": base_url,
        "SMI_FACEBOOK_TOKEN": CREDENTIAL,
        "SMI_X_BEARER_TOKEN": CREDENTIAL,
        "SMI_INSTAGRAM_TOKEN": CREDENTIAL,
        "SMI_INSTAGRAM_USER_ID": ASKING_ACCOUNT,
        "SMI_YOUTUBE_API_KEY": CREDENTIAL,
        "SMI_TIKTOK_CLIENT_KEY": CREDENTIAL,
        "SMI_TIKTOK_CLIENT_SECRET": CREDENTIAL,
    }
