"""Running the command line as a user does: its own process, its own environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SAMPLE = Path(__file__).resolve().parent / "sample"  # a small data set, for what does not need the whole scenario


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


def smi_each(commands, **settings):
    """Run several commands one after the other in one process, which loads the project once; give its standard error."""
    program = (
        "import sys, json\n"
        "from smi_pipeline import cli\n"
        "for arguments in json.loads(sys.argv.pop()):\n"
        "    sys.argv[1:] = arguments\n"
        "    try:\n"
        "        cli.main()\n"
        "    except SystemExit as end:\n"
        "        if end.code:\n"
        "            raise\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps([[str(a) for a in arguments] for arguments in commands])],
        env=environment(**settings),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
