import fcntl
import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest
from hostile import write as write_hostile
from hypothesis import settings
from servers import binaries, serving, storage
from smi import SAMPLE, TRACED, environment, smi, smi_each

from smi_pipeline.lake.connection import Lake

# A loaded machine is slow, not wrong: how long an example takes is never a finding here.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT.parent / "shared"

collect_ignore = ["conformance"]  # runs in an environment of its own: make conformance

# Begun first and in this order, so that two workers end at about the same time: the longest of all first.
LONGEST = (
    "test_unattended.py",
    "test_end_to_end.py",
    "test_demo.py",
    "test_explain.py",
    "test_interruptions.py",
    "test_real_posts.py",
    "test_dagster_dev.py",
    "test_scenario_rankings.py",
    "test_scenario_files.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    turn = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.path.name, len(turn)))


def pytest_terminal_summary(terminalreporter, config):
    """Where every binary is installed (SMI_TESTS_MAY_SKIP=no), a skipped test is a hole, not a courtesy."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get("SMI_TESTS_MAY_SKIP") == "no":
        terminalreporter.write_line(f"{len(skipped)} tests were skipped where none may be", red=True)


def pytest_sessionfinish(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SMI_TESTS_MAY_SKIP") == "no" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def _no_setting_of_the_machine_leaks_in(monkeypatch):
    """A developer's own SMI_* variables must not decide what a test sees; what it starts is not traced unasked."""
    for name in [name for name in os.environ if name.startswith("SMI_") and name != "SMI_TESTS_MAY_SKIP"]:
        monkeypatch.delenv(name)
    for name in TRACED:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def servers(tmp_path_factory):
    """A PostgreSQL and an S3-compatible server of this worker's own."""
    if binaries() is None:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    with serving(tmp_path_factory.mktemp("servers")) as both:
        yield both


@pytest.fixture(params=["folder", "servers"])
def elsewhere(request):
    """Settings that keep a lake in its folder, and those of a database and a bucket of this test's own."""
    return {} if request.param == "folder" else request.getfixturevalue("servers").fresh(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
def elsewhere_only(servers):
    """Where a lake is kept whose catalog is in PostgreSQL and whose files are in a bucket."""
    return storage(servers.fresh(f"t{uuid.uuid4().hex[:12]}"))


@pytest.fixture
def lake(tmp_path, elsewhere):
    return Lake.of(tmp_path / "lake", storage(elsewhere))


@pytest.fixture(scope="session")
def shared():
    if not SHARED.is_dir():
        pytest.skip("../shared is not there: recorded answers and real posts are read in place, never shipped")
    return SHARED


@contextmanager
def _once(tmp_path_factory, name):
    """A folder that all workers share, and while it is held none of them but this one."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield base / name


@pytest.fixture(scope="session")
def scenario(tmp_path_factory):
    """The bundled scenario as a directory, written once for all workers; tests only read it."""
    with _once(tmp_path_factory, "scenario") as folder:
        if not folder.exists():  # it takes its place once it is whole
            command = [sys.executable, "-m", "smi_pipeline.sandbox.scenario", folder]
            subprocess.run(command, check=True, env=environment(measured=True), cwd=PROJECT)
    return folder


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The lake of `smi demo` and what it printed, made once for all workers; tests only read it."""
    with _once(tmp_path_factory, "demo") as folder:
        path, printed = folder / "lake", folder / "printed"
        if not printed.exists():  # it is there once the lake is whole
            done = smi("demo", "--lake", path, COLUMNS="120")
            assert done.returncode == 0, done.stderr
            printed.write_text(done.stdout, encoding="utf-8")
    return path, printed.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A lake with April and May 2025 of the sample and the followers March ended with, made once for all workers.

    Tests only read it, or work on a copy.
    """
    with _once(tmp_path_factory, "whole") as folder:
        path, done = folder / "lake", folder / "done"
        if not done.exists():
            sandbox = ("--sandbox", SAMPLE, "--lake", path)
            smi_each([("collect", "2025-03", *sandbox), ("backfill", "2025-04", "2025-05", *sandbox)], measured=True)
            done.touch()
    return path


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A lake with May 2025 of the data set whose every text is an attack, collected and reported, made once for all workers.

    Tests only read it.
    """
    with _once(tmp_path_factory, "hostile") as folder:
        path, done = folder / "lake", folder / "done"
        if not done.exists():
            dataset = write_hostile(folder / "dataset")
            smi_each([("run", "2025-05", "--sandbox", dataset, "--lake", path)])
            done.touch()
    return path
