"""The reports of a lake in a browser: files only, on loopback only, until Ctrl-C."""

from __future__ import annotations

import functools
import io
import os
import signal
import threading
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

from smi_pipeline.dev import refuse_taken

HOST = "127.0.0.1"


def serve_reports(reports: Path, port: int) -> tuple[ThreadingHTTPServer, str]:
    """Listen on a loopback port (0 = a free one); give the server, not yet answering, and its address.

    Raises:
        LakeError: the port is taken.
    """
    refuse_taken(port)
    server = ThreadingHTTPServer((HOST, port), functools.partial(_Reports, directory=str(reports)))
    return server, f"http://{HOST}:{server.server_port}/"


def until_interrupted(server: ThreadingHTTPServer) -> None:
    """Answer until SIGINT or SIGTERM."""
    stopped = threading.Event()
    before = {n: signal.signal(n, lambda *_: stopped.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        while not stopped.wait(0.5):  # an event without a timeout would hold the signal back
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        server.shutdown()
        server.server_close()
        thread.join()


class _Reports(SimpleHTTPRequestHandler):
    """The folder's files; no listings, nothing hidden (an edition being written is), nothing cached."""

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        parts = Path(self.translate_path(self.path)).relative_to(Path(self.directory).resolve()).parts
        if any(part.startswith(".") for part in parts):
            self.send_error(HTTPStatus.NOT_FOUND, "no such file")
            return None
        return super().send_head()

    def list_directory(self, path: str | os.PathLike[str]) -> None:  # noqa: ARG002
        self.send_error(HTTPStatus.NOT_FOUND, "no such file")

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name for it
        """Say nothing: the terminal shows the address and what to do next."""
