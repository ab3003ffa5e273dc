"""The whole way, as a user goes it: commands in their own processes, the sandbox over a socket, a real lake."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from polars.testing import assert_frame_equal
from smi import PROJECT, SAMPLE, command, environment, smi, smi_each

from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame

# Equal after an interruption in all columns but these.
INCIDENTAL = ("collection_id", "observed_at", "requests", "started_at", "recorded_at", "finished_at")
INDEX = (
    "index.indicator_score",
    "index.platform_index",
    "index.composite",
    "index.contribution",
    "index.platform_weight",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A lake with April and May 2025 of the sample and the followers March ended with; tests only read it."""
    path = tmp_path_factory.mktemp("whole") / "lake"
    sandbox = ("--sandbox", SAMPLE, "--lake", path)
    smi_each([("collect", "2025-03", *sandbox), ("backfill", "2025-04", "2025-05", *sandbox)])
    return path


def table(path, name):
    with Lake.of(path).read() as cursor:
        frame = read_frame(cursor, f"select * from {name} order by all")
    return frame.drop([column for column in INCIDENTAL if column in frame.columns]).sort(frame.columns[0])


def rows(path, sql):
    with Lake.of(path).read() as cursor:
        return cursor.execute(sql).fetchall()


def files(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_account_of_the_sample_has_a_row_for_each_month(whole):
    path = whole
    asked = rows(
        path,
        "select count(*) from raw.collection_account join raw.collection using (collection_id) where collection.month = '2025-05-01' and cut = 'final'",
    )
    got = rows(
        path, "select count(*), count(*) filter (posts = 0) from metrics.account_month where month = '2025-05-01'"
    )
    assert got[0][0] == asked[0][0] == 34
    silent = rows(
        path,
        "select posts, likes, engagement_rate, flags from metrics.account_month where month = '2025-04-01' and posts = 0",
    )
    assert silent == [(0, None, None, ["zero_denominator"])]


def test_follower_growth_is_the_difference_of_the_snapshots_at_the_two_borders(whole):
    """The 3rd of May and the 3rd of June are the snapshots nearest to May's borders."""
    path = whole
    [(growth, followers)] = rows(
        path,
        "select follower_growth, followers from metrics.account_month"
        " where month = '2025-05-01' and account_id = '9000000000000000101'",
    )
    seen = rows(
        path,
        "select observed_at::date, followers_count from raw.x_accounts join raw.collection using (collection_id)"
        " where cut = 'provisional' and account_id = '9000000000000000101'",
    )
    counts = {str(day): count for day, count in seen}
    assert followers == counts["2025-06-02"]
    assert growth == counts["2025-06-02"] - counts["2025-05-02"]


def test_contributions_add_up_to_every_score(whole):
    path = whole
    worst = rows(
        path,
        "select max(abs(score - parts)) from (select c.score, sum(k.contribution) as parts from index.composite c"
        " join index.contribution k using (month, city_id) group by c.month, c.city_id, c.score)",
    )
    assert worst[0][0] < 1e-9


def test_a_collected_month_runs_again_without_a_request_to_the_same_bytes(whole):
    """No sandbox is running and no credential is set: a request would fail."""
    path = whole
    before, requests = files(path / "reports"), rows(path, "select sum(requests), count(*) from raw.collection")
    snapshot = Lake.of(path).snapshot()
    done = smi("run", "2025-05", "--lake", path)
    assert done.returncode == 0, done.stderr
    assert files(path / "reports") == before
    assert rows(path, "select sum(requests), count(*) from raw.collection") == requests
    assert Lake.of(path).snapshot() == snapshot


def test_the_report_can_be_written_again_alone(whole, tmp_path):
    path = whole
    before = files(path / "reports")
    (path / "reports" / "2025-05" / "index.html").unlink()
    assert smi("report", "2025-05", "--lake", path).returncode == 0
    assert files(path / "reports") == before


def test_no_page_asks_for_anything_from_elsewhere(whole):
    path = whole
    page = (path / "reports" / "2025-05" / "index.html").read_text()
    assert "default-src &#39;none&#39;" in page
    for asking in ("<link", "<img", "<iframe", "@import", "src="):
        assert asking not in page
    assert page.count("url(") == page.count("url(data:font/woff2;base64,") == 2


def test_status_and_export_tell_what_the_lake_has(whole):
    path = whole
    shown = smi("--lake", path, "status", COLUMNS="200").stdout
    assert "2025-04" in shown
    assert "final 10/10" in shown or "final 9/9" in shown
    exported = smi("--lake", path, "export", "index.composite", "--month", "2025-05", "--format", "json").stdout
    assert (
        len(json.loads(exported)) == rows(path, "select count(*) from index.composite where month = '2025-05-01'")[0][0]
    )


def test_months_out_of_order_give_the_same_tables(whole, tmp_path):
    """May first, then April: April's run makes May's changes and growth anew. Nothing is asked: both are collected."""
    path, names = tmp_path / "lake", ("metrics.account_month", "metrics.city_platform_month", *INDEX)
    shutil.copytree(whole, path)
    with Lake.of(path).write("forget what was derived") as transaction:
        for name in names:
            transaction.cursor.execute(f"delete from {name}")
    smi_each([("run", month, "--to", "index", "--lake", path) for month in ("2025-05", "2025-04")])
    for name in names:
        assert_frame_equal(table(path, name), table(whole, name), check_row_order=False)


def test_a_run_killed_half_way_goes_on_to_the_same_tables(whole, tmp_path):
    """Killed with the sandbox it started; what was finished is not asked again."""
    path = tmp_path / "lake"
    arguments = ("run", "2025-05", "--to", "metrics", "--sandbox", SAMPLE, "--lake", path)
    killed = subprocess.Popen(
        command(*arguments), env=environment(), cwd=PROJECT, stderr=subprocess.DEVNULL, start_new_session=True
    )
    finished = "select collection_id, requests from raw.collection where status = 'finished'"
    try:
        _until(lambda: (path / "catalog.sqlite").exists() and len(rows(path, finished)) >= 3)
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    done = rows(path, finished)
    again = smi(*arguments)
    assert again.returncode == 0, again.stderr
    requests = dict(rows(path, "select collection_id, requests from raw.collection"))
    assert len(requests) == 10  # five platforms, two cuts: none was begun twice
    assert all(requests[collection_id] == before for collection_id, before in done)
    # The whole lake has April's snapshots too, so it alone knows how May's followers grew.
    mine, theirs = (table(lake, "metrics.account_month").drop("follower_growth") for lake in (path, whole))
    assert_frame_equal(mine, theirs.filter(theirs["month"].dt.month() == 5), check_row_order=False)


def test_ctrl_c_ends_at_once_and_says_how_to_go_on(tmp_path):
    path = tmp_path / "lake"
    running = subprocess.Popen(
        command("backfill", "2025-03", "2025-05", "--sandbox", SAMPLE, "--lake", path),
        env=environment(),
        cwd=PROJECT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _until(lambda: (path / "catalog.sqlite").exists() and rows(path, "select 1 from raw.collection"))
    os.killpg(running.pid, signal.SIGINT)
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "run the same command to go on" in said
    assert "Traceback" not in said


def test_a_platform_that_dies_half_way_is_one_clear_error_and_resumes(tmp_path):
    path = tmp_path / "lake"
    server, settings = _serve("2025-06-10T06:00:00+08:00")
    server.kill()
    server.wait()
    broken = smi("collect", "2025-05", "--platform", "x", "--lake", path, "--registry", SAMPLE / "registry", **settings)
    assert broken.returncode == 1
    assert "Traceback" not in broken.stderr
    assert "x" in broken.stderr
    assert rows(path, "select count(*) from raw.x_posts") == [(0,)]
    server, settings = _serve("2025-06-10T06:00:00+08:00")
    try:
        whole = smi(
            "collect", "2025-05", "--platform", "x", "--lake", path, "--registry", SAMPLE / "registry", **settings
        )
    finally:
        server.terminate()
        server.wait()
    assert whole.returncode == 0, whole.stderr
    assert rows(path, "select status from raw.collection") == [("finished",)]


def test_a_refused_credential_is_named_and_leaves_no_trace_anywhere(tmp_path):
    """Every credential is a canary; afterwards nothing that was written holds it, the run history included."""
    path = tmp_path / "lake"
    canary = "SMI_CANARY_0123456789abcdef"
    server, settings = _serve("2025-06-10T06:00:00+08:00")
    wrong = {name: f"{canary}_{name}" if "BASE_URL" not in name else value for name, value in settings.items()}
    wrong |= {"SMI_INSTAGRAM_USER_ID": settings["SMI_INSTAGRAM_USER_ID"], "SMI_FACEBOOK_APP_SECRET": f"{canary}_SECRET"}
    try:
        done = smi("collect", "2025-05", "--lake", path, "--registry", SAMPLE / "registry", **wrong)
    finally:
        server.terminate()
        server.wait()
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 5
    for variable in (
        "SMI_FACEBOOK_TOKEN",
        "SMI_X_BEARER_TOKEN",
        "SMI_INSTAGRAM_TOKEN",
        "SMI_YOUTUBE_API_KEY",
        "SMI_TIKTOK_CLIENT",
    ):
        assert variable in done.stderr
    said = done.stdout + done.stderr
    assert canary not in said
    holding = [file for file in path.rglob("*") if file.is_file() and canary.encode() in file.read_bytes()]
    assert holding == []
    assert rows(path, "select count(*) from raw.collection") == [(0,)]


def test_two_months_may_be_collected_at_the_same_time(tmp_path):
    path = tmp_path / "lake"
    server, settings = _serve("2025-06-10T06:00:00+08:00")
    try:
        both = [
            subprocess.Popen(
                command("collect", month, "--lake", path, "--registry", SAMPLE / "registry"),
                env=environment(**settings),
                cwd=PROJECT,
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            for month in ("2025-04", "2025-05")
        ]
        ended = [(process.communicate()[1], process.returncode) for process in both]
    finally:
        server.terminate()
        server.wait()
    assert [code for _, code in ended] == [0, 0], ended
    got = rows(
        path, "select month::varchar, count(*) from raw.collection where status = 'finished' group by 1 order by 1"
    )
    assert got == [("2025-04-01", 5), ("2025-05-01", 5)]


def _serve(now):
    from smi_pipeline.sandbox.process import environment as settings_for  # noqa: PLC0415

    server = subprocess.Popen(
        command("sandbox", "serve", "--dataset", SAMPLE, "--now", now, "--port", "0"),
        env=environment(),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )
    line = server.stdout.readline().strip()
    server.stdout.close()
    return server, settings_for(line.removeprefix("sandbox "))


def _until(ready, seconds=120):
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
