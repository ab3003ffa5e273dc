"""Running the command line as a user does: its own process, its own environment."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def environment(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SMI_", "DAGSTER_"))}
    return kept | settings


def command(*arguments):
    return [sys.executable, "-m", "smi_pipeline.cli", *map(str, arguments)]


def smi(*arguments, check=False, **settings):
    """Run `smi` to its end; settings are SMI_* variables."""
    return subprocess.run(
        command(*arguments),
        env=environment(**settings),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=check,
        timeout=900,
    )
