"""A canary in every credential, and a month from the APIs to the report: it is found nowhere."""

import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from smi import PROJECT, SAMPLE, command, environment

from smi_pipeline.lake.connection import Lake
from smi_pipeline.sandbox.process import SandboxProcess
from smi_pipeline.sandbox.process import environment as sandbox_environment

CANARY = "SMI_CANARY_5e1f00d9c3ab"


@pytest.fixture(scope="module")
def sandbox():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_CREDENTIAL", CANARY)
        with SandboxProcess(SAMPLE, now=datetime(2025, 6, 9, 22, tzinfo=UTC)) as process:
            yield process


def run(lake, sandbox, *arguments, **changes):
    """The command in a process of its own; gives what it printed, and every argument any process of it was seen with."""
    settings = sandbox_environment(sandbox.base_url)
    secrets = [name for name in settings if not name.endswith(("_URL", "_USER_ID"))]
    settings |= dict.fromkeys([*secrets, "SMI_FACEBOOK_APP_SECRET"], CANARY)
    # Pages of two posts: Facebook's paging.next then carries the token in every answer.
    settings |= {
        "SMI_LAKE": str(lake),
        "SMI_REGISTRY": str(SAMPLE / "registry"),
        "SMI_FACEBOOK_PAGE_SIZE": "2",
    } | changes
    process = subprocess.Popen(
        command(*arguments),
        env=environment(**settings),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seen = set()
    watch = threading.Thread(target=lambda: watch_arguments(process, seen), daemon=True)
    watch.start()
    output = process.communicate(timeout=600)[0]
    watch.join()
    return process.returncode, output, seen


def watch_arguments(process, seen):
    while process.poll() is None:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(path.read_bytes())
            except OSError:
                continue  # it has ended meanwhile
        time.sleep(0.1)


def everything_stored(lake):
    """Every file's bytes, and every raw table as text: Parquet is packed."""
    for path in sorted(lake.rglob("*")):
        if path.is_file():
            yield path.relative_to(lake), path.read_bytes()
    with Lake.of(lake).read() as cursor:
        tables = cursor.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'lake'"
        ).fetchall()
        for (table,) in tables:
            yield table, repr(cursor.execute(f"select * from {table}").fetchall()).encode()


def test_a_whole_month_leaves_no_trace_of_a_credential(sandbox, tmp_path):
    lake = tmp_path / "lake"
    code, output, arguments = run(lake, sandbox, "run", "2025-05")
    assert code == 0, output
    assert CANARY not in output
    assert arguments
    assert not any(CANARY.encode() in one for one in arguments)
    stored = dict(everything_stored(lake))
    assert any(str(name).endswith("index.html") for name in stored)
    assert any(".dagster" in str(name) for name in stored)
    assert len(stored["raw.facebook_posts"]) > 1000
    assert [name for name, data in stored.items() if CANARY.encode() in data] == []


def test_a_refused_credential_is_named_and_not_shown(sandbox, tmp_path):
    """The platforms refuse it and some of them quote it; the line names the variable."""
    lake = tmp_path / "lake"
    wrong = {
        "SMI_X_BEARER_TOKEN": f"{CANARY}_wrong",
        "SMI_YOUTUBE_API_KEY": f"{CANARY}_wrong",
        "SMI_FACEBOOK_TOKEN": f"{CANARY}_wrong",
        "SMI_INSTAGRAM_TOKEN": f"{CANARY}_wrong",
        "SMI_TIKTOK_CLIENT_SECRET": f"{CANARY}_wrong",
    }
    code, output, _ = run(lake, sandbox, "collect", "2025-05", **wrong)
    assert code == 1
    [*told] = [line for line in output.splitlines() if "SMI_" in line]
    assert len(told) == len(wrong)
    for variable in wrong:
        assert variable.removesuffix("_SECRET") in output
    assert CANARY not in output
    with Lake.of(lake).read() as cursor:
        states = cursor.execute("select status, accounts_answered, requests from raw.collection").fetchall()
    assert states == [("failed", 0, 1)] * len(wrong)
    assert [name for name, data in everything_stored(lake) if CANARY.encode() in data] == []


def test_the_search_finds_what_is_there(tmp_path):
    """The check can fail: a canary that was stored is found, packed or not."""
    lake = Lake.of(tmp_path / "lake")
    with lake.write("a slip") as transaction:
        transaction.cursor.execute(
            "insert into raw.rejected (collection_id, month, value) values ('k', '2025-05-01', $1)", [CANARY * 3]
        )
    assert "raw.rejected" in [name for name, data in everything_stored(lake.path) if CANARY.encode() in data]
