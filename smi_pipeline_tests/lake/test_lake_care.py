"""Compaction, expiry, orphans and the check, on both kinds of lake: none of them changes what a table or edition says."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from smi_pipeline.lake import care
from smi_pipeline.lake.catalog import data_files, orphans
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.derived import drop_derived, replace_month
from smi_pipeline.lake.editions import Basis, Edition, record
from smi_pipeline.lake.inputs import InputFile, store_inputs
from smi_pipeline.lake.storage import Storage

APRIL, MAY = date(2025, 4, 1), date(2025, 5, 1)
NOW = datetime(2025, 6, 10, tzinfo=UTC)


def replace(lake, month, numbers):
    rows = pl.DataFrame({"month": [month] * len(numbers), "n": numbers}, schema_overrides={"n": pl.Int64})
    return replace_month(lake, "metrics.sums", month, rows).snapshot


def bring(lake, text):
    store_inputs(lake, [InputFile("cities", "cities.csv", text)], NOW)
    return lake.snapshot()


def append(lake, first, rows=100):
    with lake.write("posts") as transaction:
        transaction.cursor.execute(
            "insert into raw.x_posts by name select 'c' as collection_id, date '2025-05-01' as month, 'a' as account_id,"
            f" range::varchar as id, range as like_count, '{{}}'::json as payload from range({first}, {first + rows})"
        )
    return transaction.snapshot


def edition(snapshot):
    """A draft that rests on a snapshot."""
    basis = Basis(
        status="final",
        ranks="shown",
        method_version="m1",
        method_files={},
        zone="Asia/Shanghai",
        code_version="0",
        snapshot=snapshot,
        collection_ids=[],
        inputs={},
    )
    made = {"tables_snapshot": snapshot, "tables": {}, "files": {}, "recorded_at": NOW}
    return Edition(month=MAY, number=1, state="draft", basis=basis, **made)


def said(lake, sql):
    with lake.read() as cursor:
        return cursor.execute(sql).fetchall()


def test_compaction_leaves_every_row_every_earlier_state_and_who_brought_it(lake):
    """The snapshot an edition names is read off the rows of its inputs: it must outlive the files they came in."""
    bring(lake, "one")
    commits = [append(lake, first) for first in (0, 100, 200)]
    bring(lake, "two")
    asked = (
        "select id, like_count, snapshot_id from raw.x_posts order by like_count",
        "select text, snapshot_id from raw.input_file order by all",
        f"select count(*), sum(like_count)::bigint from raw.x_posts at (version => {commits[1]})",
    )
    before = [said(lake, sql) for sql in asked]
    assert before[2] == [(200, sum(range(200)))]
    done = {one.table: one for one in care.compact(lake)}
    assert (done["raw.x_posts"].before, done["raw.x_posts"].after) == (3, 1)
    assert done["raw.input_file"].flushed == 2
    assert [said(lake, sql) for sql in asked] == before
    assert care.delete_unneeded_now(lake) == 3
    assert [said(lake, sql) for sql in asked] == before
    assert care.compact(lake) == []


def test_expiry_never_lets_go_of_what_an_edition_names_or_could_name(lake):
    first = replace(lake, MAY, [1] * 20)
    input_snapshot = bring(lake, "one")
    named = replace(lake, MAY, [2] * 20)
    lost = replace(lake, MAY, [3] * 20)
    newest = replace(lake, MAY, [4] * 20)
    record(lake, edition(named))
    dry = care.expire(lake, 0, dry_run=True)
    assert said(lake, f"select distinct n from metrics.sums at (version => {lost})") == [(3,)]
    done = care.expire(lake, 0)
    assert done.gone == dry.gone
    assert {first, lost, newest} <= set(done.gone)  # the newest of all is the edition's own commit
    assert {input_snapshot, named} <= set(done.kept)
    assert said(lake, f"select distinct n from metrics.sums at (version => {named})") == [(2,)]
    assert said(lake, "select distinct n from metrics.sums") == [(4,)]
    assert care.delete_unneeded_now(lake) == 1  # the third state; the first is part of the input's snapshot
    assert said(lake, f"select distinct n from metrics.sums at (version => {input_snapshot})") == [(1,)]
    assert care.check(lake).broken == []


def test_young_snapshots_stay(lake):
    replace(lake, MAY, [1])
    replace(lake, MAY, [2])
    assert care.expire(lake, 1).gone == []


@pytest.mark.parametrize("slash", ["", "/"])
def test_no_live_file_is_taken_for_an_orphan_after_expiry_whether_or_not_its_folder_is_given_with_a_slash(
    tmp_path, slash
):
    """duckdb/ducklake#815 did so, and deleted them."""
    lake = Lake.of(tmp_path / "lake", Storage(data_path=f"{tmp_path}/files{slash}"))
    append(lake, 0)
    for n in range(3):
        replace(lake, MAY, [n] * 20)
    care.expire(lake, 0)
    care.compact(lake)
    care.delete_unneeded_now(lake)
    with lake.read() as cursor:
        assert orphans(cursor) == []
        files = data_files(lake, cursor)
    assert {"raw.x_posts", "metrics.sums"} <= {file.table for file in files}
    assert [file.path for file in files if not Path(file.path).exists()] == []


KILLED = """
import os, signal, sys
from smi_pipeline.lake.connection import Lake, LakeError
lake = Lake.of(sys.argv[1])
with lake.write("never ends") as transaction:
    transaction.cursor.execute("insert into metrics.sums select date '2025-05-01', range from range(1000)")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_write_leaves_is_listed_and_deleted_once_it_is_a_day_old(tmp_path):
    lake = Lake.of(tmp_path / "lake")
    replace(lake, MAY, [1] * 20)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(lake.path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    [orphan] = care.sizes(lake).orphans
    assert care.remove_orphans(lake) == []
    yesterday = time.time() - 25 * 3600
    os.utime(orphan, (yesterday, yesterday))
    for file in lake.path.rglob("tables/**/*.parquet"):  # what the catalog refers to stays however old it is
        os.utime(file, (yesterday, yesterday))
    assert care.remove_orphans(lake) == [orphan]
    assert not Path(orphan).exists()
    assert said(lake, "select count(*), sum(n)::bigint from metrics.sums") == [(20, 20)]


def test_the_check_reads_what_the_catalog_only_counts_and_names_each_broken_file(tmp_path):
    lake = Lake.of(tmp_path / "lake")
    for month in (APRIL, MAY):
        replace(lake, month, list(range(500)))
    append(lake, 0)
    append(lake, 100)
    whole = care.check(lake)
    assert (whole.files, whole.rows, whole.broken, whole.catalog) == (4, 1200, [], None)
    [april] = lake.path.rglob("sums/month=2025-04-01/*.parquet")
    [may] = lake.path.rglob("sums/month=2025-05-01/*.parquet")
    one, _ = sorted(lake.path.rglob("x_posts/**/*.parquet"))
    april.unlink()
    may.write_bytes(may.read_bytes()[:-200])
    pl.DataFrame({"id": ["1"]}).write_parquet(one)
    assert said(lake, "select count(*) from metrics.sums") == [(1000,)]  # the catalog's answer, which reads no file
    broken = {found.file.path: (found.file.whose, found.state) for found in care.check(lake).broken}
    assert broken == {
        str(april): ("metrics.sums 2025-04", "lost"),
        str(may): ("metrics.sums 2025-05", "damaged"),
        str(one): ("raw.x_posts 2025-05", "damaged"),
    }


def test_sizes_tell_the_newest_state_from_history(lake):
    replace(lake, MAY, [1] * 20)
    replace(lake, MAY, [2] * 30)
    bring(lake, "one")
    told = care.sizes(lake)
    tables = {one.table: one for one in told.tables}
    assert (tables["metrics.sums"].files, tables["metrics.sums"].earlier_files) == (1, 1)
    assert tables["raw.input_file"].inlined == 1
    assert told.snapshots[-1] in told.kept


def test_a_derived_table_that_lost_a_file_is_dropped_and_made_again(tmp_path):
    """The month cannot even be replaced: DuckLake reads the rows it deletes."""
    lake = Lake.of(tmp_path / "lake")
    replace(lake, APRIL, list(range(100)))
    replace(lake, MAY, list(range(100)))
    [file] = lake.path.rglob("month=2025-05-01/*.parquet")
    file.unlink()
    with pytest.raises(LakeError, match=r"rows of metrics\.sums 2025-05, is lost"):
        replace(lake, MAY, [1])
    drop_derived(lake, "metrics.sums")
    replace(lake, MAY, [1])
    assert said(lake, "select month, n from metrics.sums") == [(MAY, 1)]


@pytest.mark.parametrize("table", ["raw.x_posts", "staging.stg_posts", "raw.input_file", "metrics.sums; drop table x"])
def test_what_cannot_be_derived_is_never_dropped(tmp_path, table):
    with pytest.raises(LakeError, match="no derived table"):
        drop_derived(Lake.of(tmp_path / "lake"), table)
