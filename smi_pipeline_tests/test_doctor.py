"""The doctor names what is wrong and what to do about it, before a month is lost to it."""

import fcntl
import shutil
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from smi import smi

from smi_pipeline.collectors.collect import Probed
from smi_pipeline.collectors.quota import Budget, Ledger
from smi_pipeline.collectors.records import Spent
from smi_pipeline.doctor import examine
from smi_pipeline.doctor_running import exposed, left, refused, running
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import Notice, tell
from smi_pipeline.settings import Settings

NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)


@pytest.fixture
def lake(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "lake")
    return Lake.of(tmp_path / "lake")


def said(findings, subject):
    return [(one.verdict, one.text) for one in findings if one.subject == subject]


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("python -m dagster_webserver -w workspace.yaml -p 3000", "ok"),
        ("/v/bin/dagster-webserver --host=127.0.0.1", "ok"),
        ("/v/bin/dagster dev -h 0.0.0.0 -p 3000", "bad"),
        ("python -m dagster_webserver --host 192.168.1.7", "bad"),
        ("python -m dagster_webserver --host=:: -p 80", "bad"),
    ],
)
def test_a_ui_that_others_can_reach_is_found_by_how_it_was_started(line, verdict):
    [finding] = exposed([["bash"], line.split()])
    assert finding.verdict == verdict
    assert verdict == "ok" or "behind a proxy with a login" in finding.text


def test_what_does_not_run_and_what_waits_is_said_with_the_remedy(lake, tmp_path):
    tell(lake, Notice(cause="run collect 2025-05 raw/x", kind="failure", title="collect 2025-05: raw/x failed"), NOON)
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=quiet) as instance:
        found = list(running(lake, Settings(lake=lake.path), instance))
    [(verdict, text)] = said(found, "daemon")
    assert (verdict, "nothing happens by itself" in text) == ("note", True)
    [(_, off)] = said(found, "schedules, sensors")
    assert all(name in off for name in ("monthly", "daily", "weekly", "resume", "notify", "expert_scores"))
    assert "SMI_UNATTENDED=yes" in off
    assert "SMI_NOTIFY_WEBHOOK" in said(found, "messages")[0][1]
    assert "1 in notices.jsonl, the last of them: collect 2025-05: raw/x failed" in said(found, "open")[0][1]


def test_a_quota_that_runs_out_says_when_it_begins_anew(lake, monkeypatch):
    spent = [Spent(date(2025, 6, 3), "videos", 950, 950, 0, 0.0), Spent(date(2025, 6, 2), "videos", 999, 999, 0, 0.0)]
    monkeypatch.setattr("smi_pipeline.doctor_running.spent", lambda *_: spent)
    budgets = (Budget("units", 1000, "day"), Budget("usd", 50, "month"))
    units, money = left(lake, "youtube", Ledger("youtube", budgets), NOON)
    assert units.verdict == "note"
    assert units.text.startswith("50 of 1,000 units of this day are left")
    assert "until 2025-06-04 00:00 UTC" in units.text
    assert (money.verdict, money.text) == ("ok", "50 of 50 usd of this month are left")


def test_an_account_that_may_not_be_read_is_named_in_the_platforms_words(lake):
    assert list(refused(lake)) == []
    with lake.write("a collection that was refused two accounts") as transaction:
        transaction.cursor.execute(
            "insert into raw.collection_log by name select 'later' as collection_id, 'facebook' as platform,"
            " date '2025-06-01' as month, 'final' as cut, 'finished' as status, timestamptz '2025-07-10' as recorded_at"
        )
        for handle in ("a", "b"):
            transaction.cursor.execute(
                "insert into raw.collection_account by name select 'later' as collection_id, 'facebook' as platform,"
                " date '2025-06-01' as month, $1 as handle, 'permission' as outcome,"
                " '(#10) requires Page Public Content Access' as detail",
                [handle],
            )
    [finding] = refused(lake)
    assert (finding.subject, finding.verdict) == ("facebook", "bad")
    assert finding.text.startswith("2 accounts may not be read, a first: (#10) requires Page Public Content Access;")
    assert "docs/sources/facebook.md" in finding.text


@pytest.fixture
def probed(monkeypatch):
    """What every platform answers, without asking it."""

    def answer(**told):
        async def probe(platform, _settings):
            about = {"at": datetime.now(UTC), "refusal": None, "ledger": Ledger(platform)} | told
            return Probed(**about)

        monkeypatch.setattr("smi_pipeline.doctor.probe", probe)

    return answer


def test_a_clock_that_is_wrong_is_found_by_the_platforms_own(tmp_path, probed):
    rules = Settings(lake=tmp_path / "lake")
    probed(at=datetime.now(UTC) + timedelta(minutes=5))
    [*_, (verdict, text)] = said(examine(rules), "clock")
    assert verdict == "bad"
    assert "behind tiktok" in text
    assert "timedatectl set-ntp true" in text
    probed(at=datetime.now(UTC) - timedelta(seconds=20))
    assert said(examine(rules), "clock") == []


def test_a_credential_that_lacks_a_permission_is_not_called_fit(tmp_path, probed):
    probed(refusal="(#10) requires instagram_basic")
    [(verdict, text)] = said(examine(Settings(lake=tmp_path / "lake")), "instagram")
    assert verdict == "bad"
    assert "lacks a permission: (#10) requires instagram_basic" in text


def test_a_lock_that_is_held_is_named_and_a_dead_holders_is_not(tmp_path, probed):
    probed()
    rules = Settings(lake=tmp_path / "lake")
    (tmp_path / "lake" / ".locks").mkdir(parents=True)
    lock = tmp_path / "lake" / ".locks" / "write.lock"
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert said(examine(rules), "locks") == [
            ("note", "write: held by processes at work; `smi status` shows on what")
        ]
    assert said(examine(rules), "locks") == [("ok", "none is held")]


def test_the_command_looks_at_a_lake_and_at_what_runs(lake):
    done = smi("doctor", "--lake", lake.path, COLUMNS="300")
    assert done.returncode == 0, done.stdout + done.stderr
    for subject in ("lake", "locks", "daemon", "schedules, sensors", "messages"):
        assert f" {subject}: " in done.stdout
