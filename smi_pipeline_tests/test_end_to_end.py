"""The whole way, as a user goes it: commands in their own processes, the sandbox over a socket, a real lake."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections import Counter

import dagster as dg
from polars.testing import assert_frame_equal
from smi import PROJECT, SAMPLE, command, environment, rows, smi, smi_each, until

from smi_pipeline.definitions import defs
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


def table(path, name):
    with Lake.of(path).read() as cursor:
        frame = read_frame(cursor, f"select * from {name} order by all")
    return frame.drop([column for column in INCIDENTAL if column in frame.columns]).sort(frame.columns[0])


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


def test_a_run_makes_the_checks_of_its_job_and_none_of_them_asks_whether_it_is_late(whole, tmp_path):
    """Freshness is looked at from outside the runs: a month derived late would show as failed for ever."""
    path = tmp_path / "lake"
    shutil.copytree(whole, path)
    where = ("--sandbox", SAMPLE, "--lake", path)
    smi("run", "2025-05", "--to", "metrics", "--platform", "x", "--force", *where, check=True)
    jobs = {job: defs().resolve_job_def(job) for job in ("collect", "derive")}
    kinds = {dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, dg.DagsterEventType.ASSET_CHECK_EVALUATION}
    chosen = set()
    with dg.DagsterInstance.from_config(str(path / ".dagster")) as instance:
        for run in instance.get_runs():
            events = [entry.dagster_event for entry in instance.all_logs(run.run_id, of_type=kinds)]
            made = Counter(
                event.asset_check_planned_data.asset_check_key
                if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
                else event.asset_check_evaluation_data.asset_check_key
                for event in events
            )
            own = jobs[run.job_name].asset_layer.asset_graph.asset_check_keys
            assert made == dict.fromkeys((one for one in own if one.asset_key in run.asset_selection), 2)
            assert "freshness_check" not in {one.name for one in made}
            chosen.add((run.job_name, len(run.asset_selection), len(made)))
    assert {(job, assets) for job, assets, _ in chosen} >= {("collect", 5), ("collect", 1), ("derive", 49)}
    assert all(checks > 1 for _, _, checks in chosen)


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
    assert page.count("url(") == page.count("url(data:font/woff;base64,") == 2


def test_status_and_export_tell_what_the_lake_has(whole):
    path = whole
    shown = smi("--lake", path, "status", measured=True, COLUMNS="200").stdout
    assert "2025-04" in shown
    assert "final 10/10" in shown or "final 9/9" in shown
    exported = smi(
        "--lake", path, "export", "index.composite", "--month", "2025-05", "--format", "json", measured=True
    ).stdout
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
        until(lambda: (path / "catalog.sqlite").exists() and len(rows(path, finished)) >= 3)
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
