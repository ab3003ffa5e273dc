"""The Dagster UI and its daemon in the foreground, stopped cleanly.

Started in a session of its own: a shell that runs `make` may have set SIGINT to be ignored, Dagster hands that on to
its children, and then nothing but SIGKILL ends them.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from types import FrameType

from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.launch import history
from smi_pipeline.settings import PROJECT, Settings

STOP_SECONDS = 30


def serve(settings: Settings, port: int) -> int:
    """Run `dagster dev` until it ends or is interrupted; give its exit code.

    Raises:
        LakeError: the port is taken.
    """
    refuse_taken(port)
    history(settings.lake).dispose()
    Lake.configured(settings).snapshot()  # a lake that cannot be opened: say so now
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT / "workspace.yaml"), "-p", str(port)]
    process = subprocess.Popen(command, cwd=PROJECT, start_new_session=True)  # noqa: S603

    def stop(_number: int, _frame: FrameType | None) -> None:
        process.terminate()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return max(process.wait(), 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.terminate()
            process.wait(STOP_SECONDS)


def refuse_taken(port: int) -> None:
    """Raise LakeError when something listens on a loopback port: two daemons on one lake would both act."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LakeError(
                f"port {port} is in use ({error.strerror}); stop what listens there, or give --port"
            ) from None
