"""Running the command line as a user does: its own process, its own environment."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame

PROJECT = Path(__file__).resolve().parents[1]
M1 = PROJECT / "smi_pipeline" / "index" / "methods" / "m1.toml"
SAMPLE = Path(__file__).resolve().parent / "sample"  # a small data set, for what does not need the whole scenario

# Two runs differ in these: they asked at different moments of the sandbox's clock.
INCIDENTAL = ("collection_id", "observed_at", "requests", "started_at", "recorded_at", "finished_at")
DERIVED = "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'lake'"

# Set while coverage is measured; a process that has them traces itself.
TRACED = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_PROCESS_")}


def environment(*, measured=False, **settings):
    """This process's environment without what a developer has set, and without coverage unless it is asked for.

    Tracing doubles the time of a process, nearly all of it spent in other people's code: lines that another process
    has shown to be covered need not be traced again.
    """
    dropped = ("SMI_", "DAGSTER_", *TRACED)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | (TRACED if measured else {}) | settings


def command(*arguments):
    return [sys.executable, "-m", "smi_pipeline.cli", *map(str, arguments)]


def smi(*arguments, check=False, measured=False, **settings):
    """Run `smi` to its end; settings are SMI_* variables."""
    return subprocess.run(
        command(*arguments),
        env=environment(measured=measured, **settings),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=check,
        timeout=900,
    )


def smi_each(commands, *, measured=False, **settings):
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
        env=environment(measured=measured, **settings),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def recompute(script, *folders):
    """Run a script of docs/ on exports, in a process that has the standard library and nothing else (-I, -S)."""
    return subprocess.run(
        [sys.executable, "-I", "-S", PROJECT / "docs" / script, M1, *folders],
        capture_output=True,
        text=True,
        check=False,
    )


def rows(path, sql):
    with Lake.of(path).read() as cursor:
        return cursor.execute(sql).fetchall()


def tables(lake):
    """The derived tables of a lake by name, without what tells when something was done; equal when the months are."""
    with lake.read() as cursor:
        names = cursor.execute(f"{DERIVED} and schema_name in ('metrics', 'index', 'marts') order by all").fetchall()
        names = [(name,) for (name,) in names if name != "index.edition_log"]  # checksums of what tells when
        frames = {name: read_frame(cursor, f"select * from {name} order by all") for (name,) in names}
    return {
        name: frame.drop([column for column in INCIDENTAL if column in frame.columns])
        for name, frame in frames.items()
        if name != "marts.coverage"  # tells when what was collected
    }


def until(ready, seconds=120):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
