"""`python -m smi_pipeline.sandbox --dataset DIR [--now INSTANT] [--port N]`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from smi_pipeline.sandbox.clock import parse_instant
from smi_pipeline.sandbox.server import serve

_HIGHEST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and serve; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m smi_pipeline.sandbox", description="Five platforms on one port.")
    parser.add_argument("--dataset", type=Path, required=True, help="directory in the neutral format")
    parser.add_argument("--now", type=_instant, help="where the clock starts, like 2025-06-03T06:00:00+08:00")
    parser.add_argument("--port", type=_port, default=0, help="0 takes a free port (default)")
    parser.add_argument("--faults", type=Path, help="a fault file: limits, rare behaviours and what goes wrong")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="stop too when the process that started it has gone"
    )
    options = parser.parse_args(arguments)
    if options.until_stdin_closes:
        threading.Thread(target=_stop_when_stdin_closes, daemon=True).start()
    return serve(options.dataset, now=options.now, port=options.port, faults=options.faults)


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"expected a port of 0 to {_HIGHEST_PORT}, found {text!r}")
    return int(text)


def _stop_when_stdin_closes() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock, held by this thread, would break an exit in the meantime
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
