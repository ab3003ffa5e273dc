import os
import shutil
import signal
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from smi import environment

from smi_pipeline.lake.connection import Lake, LakeError, attempts, database, extension_path, quoted
from smi_pipeline.lake.derived import months_there, replace_month, replace_months
from smi_pipeline.lake.export import export_table
from smi_pipeline.lake.frames import Frame, frame_of, read_frame
from smi_pipeline.months import Month

APRIL, MAY = date(2025, 4, 1), date(2025, 5, 1)
TABLE = "metrics.sums"


def rows(month=MAY, **columns):
    frame = pl.DataFrame(columns)
    return frame.select(pl.lit(month).alias("month"), pl.all())


def stored(lake, month=MAY):
    with lake.read() as cursor:
        return read_frame(cursor, f"select * exclude (month) from {TABLE} where month = $m order by all", {"m": month})


def test_a_month_is_replaced_and_its_neighbour_left_alone(lake):
    replace_month(lake, TABLE, APRIL, rows(APRIL, n=[1]))
    replace_month(lake, TABLE, MAY, rows(n=[2, 3]))
    replace_month(lake, TABLE, MAY, rows(n=[4]))
    assert stored(lake, APRIL)["n"].to_list() == [1]
    assert stored(lake)["n"].to_list() == [4]


def test_equal_rows_commit_nothing_whatever_their_order(lake):
    first = replace_month(lake, TABLE, MAY, rows(n=[1, None], flags=[["a"], []]))
    again = replace_month(lake, TABLE, MAY, rows(n=[None, 1], flags=[[], ["a"]]))
    assert first.changed
    assert (again.changed, again.snapshot, again.rows) == (False, None, 2)
    assert lake.snapshot() == first.snapshot


def test_a_doubled_row_is_a_change(lake):
    replace_month(lake, TABLE, MAY, rows(n=[1]))
    assert replace_month(lake, TABLE, MAY, rows(n=[1, 1])).changed


def test_a_gate_that_raises_keeps_the_old_month(lake):
    replace_month(lake, TABLE, MAY, rows(n=[1]))

    def no_negatives(cursor, staged):
        if cursor.execute(f"select count(*) from {staged} where n < 0").fetchone()[0]:
            raise LakeError("negative")

    with pytest.raises(LakeError, match="negative"):
        replace_month(lake, TABLE, MAY, rows(n=[-1]), gates=[no_negatives])
    assert stored(lake)["n"].to_list() == [1]


def test_rows_of_another_month_are_refused(lake):
    with pytest.raises(LakeError, match="1 of 1 rows are not of 2025-05"):
        replace_month(lake, TABLE, MAY, rows(APRIL, n=[1]))


def test_a_new_column_is_added_and_a_lost_one_refused(lake):
    replace_month(lake, TABLE, APRIL, rows(APRIL, n=[1]))
    replace_month(lake, TABLE, MAY, rows(n=[2], extra=["x"]))
    assert stored(lake, APRIL).rows() == [(1, None)]
    with pytest.raises(LakeError, match=r"\['extra'\]"):
        replace_month(lake, TABLE, MAY, rows(n=[2]))


def test_months_of_tables_that_go_together_are_one_snapshot_and_only_what_changes_is_written(lake):
    other = "metrics.others"
    both = pl.concat([rows(APRIL, n=[1, 2]), rows(n=[3])])
    first = replace_months(lake, [APRIL, MAY], {TABLE: both, other: rows(n=[9])})
    assert {table: {month: done.rows for month, done in told.items()} for table, told in first.items()} == {
        TABLE: {APRIL: 2, MAY: 1}, other: {APRIL: 0, MAY: 1},
    }  # fmt: skip
    snapshots = {(table, month): done.snapshot for table, told in first.items() for month, done in told.items()}
    assert snapshots.pop((other, APRIL)) is None, "a month without rows of a table that has none changes nothing"
    assert set(snapshots.values()) == {lake.snapshot()}
    again = replace_months(lake, [MAY, APRIL], {TABLE: pl.concat([rows(n=[4]), both[:2]]), other: rows(n=[9])})
    assert {(table, month) for table, told in again.items() for month, done in told.items() if done.changed} == {
        (TABLE, MAY)
    }
    assert (again[TABLE][MAY].snapshot, again[other][MAY].snapshot) == (lake.snapshot(), None)
    with lake.read() as cursor:
        found = cursor.execute(f"select month, n, snapshot_id from {TABLE} order by all").fetchall()
    old, new = first[TABLE][APRIL].snapshot, again[TABLE][MAY].snapshot
    assert found == [(APRIL, 1, old), (APRIL, 2, old), (MAY, 4, new)], "April's rows are those of the first snapshot"


def test_a_gate_on_one_of_several_months_keeps_them_all(lake):
    replace_months(lake, [APRIL, MAY], {TABLE: pl.concat([rows(APRIL, n=[1]), rows(n=[2])])})

    def no_negatives(cursor, staged):
        if cursor.execute(f"select count(*) from {staged} where n < 0").fetchone()[0]:
            raise LakeError("negative")

    with pytest.raises(LakeError, match="negative"):
        replace_months(lake, [APRIL, MAY], {TABLE: pl.concat([rows(APRIL, n=[5]), rows(n=[-1])])}, gates=[no_negatives])
    assert (stored(lake, APRIL)["n"].to_list(), stored(lake)["n"].to_list()) == ([1], [2])


def test_a_select_is_run_once_for_each_of_its_months(lake):
    counted = "select getvariable('month') as month, month(getvariable('month')) as n"
    replace_months(lake, [APRIL, MAY], {TABLE: counted})
    assert (stored(lake, APRIL)["n"].to_list(), stored(lake)["n"].to_list()) == ([4], [5])


def test_which_months_are_there_is_told_of_missing_tables_too(lake):
    replace_month(lake, TABLE, MAY, rows(n=[1]))
    with lake.read() as cursor:
        assert months_there(cursor, TABLE, [APRIL, MAY]) == {MAY}
        assert months_there(cursor, TABLE, [APRIL]) == set()
        assert months_there(cursor, TABLE, []) == set()
        assert months_there(cursor, "metrics.other", [MAY]) == set()


def test_a_failed_write_leaves_no_trace_and_tells_its_own_error(lake):
    replace_month(lake, TABLE, MAY, rows(n=[1]))
    before = lake.snapshot()
    with pytest.raises(duckdb.ConversionException), lake.write("breaks") as transaction:
        transaction.cursor.execute(f"delete from {TABLE}; select 'one'::int")
    assert stored(lake)["n"].to_list() == [1]
    assert lake.snapshot() == before


def test_a_write_that_changes_no_table_makes_no_snapshot(lake):
    before = lake.snapshot()
    database.cache_clear()  # a process that has committed nothing yet
    with lake.write("small files into larger ones") as transaction:
        transaction.cursor.execute(COMPACT)
    assert transaction.snapshot is None
    assert lake.snapshot() == before


def test_a_reader_sees_one_snapshot_from_begin_to_end(lake):
    replace_month(lake, TABLE, MAY, rows(n=[1]))
    with lake.read() as cursor:
        assert cursor.execute(f"select sum(n) from {TABLE}").fetchone() == (1,)
        replace_month(lake, TABLE, MAY, rows(n=[5]))
        assert cursor.execute(f"select sum(n) from {TABLE}").fetchone() == (1,)
    assert stored(lake)["n"].to_list() == [5]


def test_a_kept_snapshot_gives_the_old_rows_back(lake):
    first = replace_month(lake, TABLE, MAY, rows(n=[1]))
    replace_month(lake, TABLE, MAY, rows(n=[2]))
    with lake.read() as cursor:
        assert cursor.execute(f"select n from {TABLE} at (version => {first.snapshot})").fetchall() == [(1,)]


IN_ITS_FOLDER = pytest.mark.parametrize("elsewhere", ["folder"], indirect=True)
WRITER = """
import sys
from datetime import date
import polars as pl
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.derived import replace_month
from smi_pipeline.settings import Settings
lake, who = Lake.configured(Settings(_env_file=None)), int(sys.argv[1])
for n in range(6):
    month = date(2000 + who, n + 1, 1)
    replace_month(lake, "metrics.sums", month, pl.DataFrame({"month": [month], "n": [who * 100 + n]}))
"""


def test_four_processes_writing_at_once_lose_nothing(lake, elsewhere):
    """Without the file lock a third to a half of such commits to SQLite fail as "database is locked"."""
    named = environment(SMI_LAKE=str(lake.path), **elsewhere)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(who)], env=named) for who in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    with lake.read() as cursor:
        got = cursor.execute(f"select n from {TABLE} order by n").fetchall()
    assert [n for (n,) in got] == [who * 100 + n for who in range(4) for n in range(6)]


def another_host(lake):
    """A cursor of a database of its own on the same lake."""
    cursor = database(-1, lake).cursor()
    cursor.execute("use lake")
    return cursor


def tries(lake, ours, theirs):
    """How often a transaction has to be done while another host commits in its midst, once."""
    done = 0
    for attempt in attempts():
        with attempt, lake.write("ours") as transaction:
            transaction.cursor.execute(f"select count(n) from {TABLE}").fetchall()
            if not done:
                another_host(lake).execute(theirs)
            done += 1
            transaction.cursor.execute(ours)
    return done


APPEND = f"insert into {TABLE} by name select date '2025-05-01' as month, n from range(50) t(n)"
REPLACE = f"delete from {TABLE} where month = '2025-05-01'"
FLUSH = "call ducklake_flush_inlined_data('lake', schema_name => 'metrics', table_name => 'sums')"
COMPACT = "call ducklake_merge_adjacent_files('lake')"
BETWEEN_HOSTS = pytest.mark.parametrize("elsewhere", ["servers"], indirect=True)


@BETWEEN_HOSTS
def test_what_another_hosts_commit_forbids_is_done_again_and_appends_never_are(lake):
    expected = {
        (APPEND, APPEND): 1,
        (APPEND, COMPACT): 1,
        (COMPACT, APPEND): 1,
        (FLUSH, APPEND): 1,
        (APPEND, f"alter table {TABLE} add column extra bigint"): 2,
        ("create table if not exists metrics.same (a int)", "create table metrics.same (a int)"): 2,
        ("create or replace view metrics.seen as select 1 as a", "create view metrics.seen as select 1 as a"): 2,
        (REPLACE, COMPACT): 2,
        (COMPACT, REPLACE): 2,
        (REPLACE, APPEND): 2,
        (COMPACT, COMPACT): 2,
        (FLUSH, REPLACE): 2,
    }
    seen = {}
    for ours, theirs in expected:
        replace_month(lake, TABLE, MAY, rows(n=list(range(50))))
        for _ in range(2):
            another_host(lake).execute(APPEND)
        another_host(lake).execute(f"insert into {TABLE} values ('2025-05-01', 7)")  # a row in the catalog, in no file
        seen[ours, theirs] = tries(lake, ours, theirs)
        another_host(lake).execute(f"drop table {TABLE}")
    assert seen == expected


@BETWEEN_HOSTS
def test_a_mistake_is_not_tried_again_whatever_words_its_message_holds(lake):
    """The message of a failed COMMIT has the statements in it, and they have the data."""
    replace_month(lake, TABLE, MAY, rows(n=[1]))
    with pytest.raises(duckdb.CatalogException, match="already exists"):
        tries(lake, f"create table {TABLE} (n bigint)", APPEND)
    done = []

    def mistaken():
        for attempt in attempts():
            with attempt, lake.write("ours") as transaction:
                done.append(attempt.num)
                transaction.cursor.execute("select error('Transaction conflict - x')")

    with pytest.raises(duckdb.Error, match="Transaction conflict - x"):
        mistaken()
    assert done == [1]


KILLED = """
import os, signal
from smi_pipeline.lake.connection import Lake
from smi_pipeline.settings import Settings
lake = Lake.configured(Settings(_env_file=None))
with lake.write("never ends") as transaction:
    transaction.cursor.execute("delete from metrics.sums")
    transaction.cursor.execute("insert into metrics.sums select date '2025-05-01', range from range(1000)")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_process_killed_in_a_transaction_leaves_the_month_whole_and_the_lock_free(lake, elsewhere):
    replace_month(lake, TABLE, MAY, rows(n=[1]))
    named = environment(SMI_LAKE=str(lake.path), **elsewhere)
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False, env=named)
    assert killed.returncode == -signal.SIGKILL
    assert stored(lake)["n"].to_list() == [1]
    replace_month(lake, TABLE, MAY, rows(n=[2]))
    assert stored(lake)["n"].to_list() == [2]


def test_a_lock_is_held_by_one_at_a_time(lake):
    order = []

    def second():
        with lake.lock("month"):
            order.append("second")

    with lake.lock("month"):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.3)
        order.append("first")
    waiting.join(5)
    assert order == ["first", "second"]


@IN_ITS_FOLDER
def test_a_moved_lake_reads_and_writes_in_its_new_folder(lake, tmp_path):
    replace_month(lake, TABLE, APRIL, rows(APRIL, n=list(range(100))))
    script = (
        "import sys; from datetime import date; import polars as pl; from smi_pipeline.lake.connection import Lake;"
        "from smi_pipeline.lake.derived import replace_month; lake = Lake.of(sys.argv[1]); m = date(2025, 5, 1);"
        "replace_month(lake, 'metrics.sums', m, pl.DataFrame({'month': [m] * 100, 'n': range(100)}));"
        "kept = lake.read(); c = kept.__enter__(); print(c.execute('select sum(n) from metrics.sums').fetchone()[0])"
    )
    moved = tmp_path / "elsewhere's 湖"
    shutil.copytree(lake.path, moved)
    files = {p.name for p in lake.path.rglob("*.parquet")}
    done = subprocess.run([sys.executable, "-c", script, str(moved)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "9900"
    assert {p.name for p in lake.path.rglob("*.parquet")} == files
    assert len(list(moved.rglob("*.parquet"))) == len(files) + 1


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(LakeError, match="--lake"):
        Lake.of(file / "lake").snapshot()


def test_a_broken_catalog_is_one_clear_error(tmp_path):
    folder = tmp_path / "lake"
    folder.mkdir()
    (folder / "catalog.sqlite").write_text("not a database" * 100)
    with pytest.raises(LakeError, match=r"catalog\.sqlite is damaged \(file is not a database\)"):
        Lake.of(folder).snapshot()


@IN_ITS_FOLDER
def test_the_lake_opens_in_a_plain_shell_with_the_readmes_line(lake):
    """The duckdb command-line program, not the library: what a user without Python has."""
    replace_month(lake, TABLE, MAY, rows(n=[7]))
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [line] = [line for line in readme.splitlines() if line.startswith("ATTACH 'ducklake:")]
    line = line.replace("data_lake/demo", str(lake.path))
    loads = "".join(f"LOAD {quoted(extension_path(name))};" for name in ("ducklake", "sqlite_scanner"))
    shell = shutil.which("duckdb", path=str(Path(sys.executable).parent)) or shutil.which("duckdb")
    assert shell, "the dev requirements install the duckdb shell"
    done = subprocess.run(
        [shell, "-csv", "-noheader", "-c", f"{loads}{line} select n from {TABLE};"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(lake.path)},
    )
    assert done.stdout.strip() == "7"


def test_nothing_of_a_frame_is_lost_on_the_way_in_and_out(lake):
    odd = "é \U0001f468\u200d\U0001f469 \u202e \n , \" '"
    frame = frame_of(
        [{"id": 2**53 + 1, "text": odd, "tags": ["a", None], "seen": None}],
        {"id": "bigint", "text": "varchar", "tags": "varchar[]", "seen": "timestamptz"},
    )
    with lake.write("a frame") as transaction:
        stream = Frame(frame)  # noqa: F841  DuckDB finds it by its name
        transaction.cursor.execute("create table metrics.kept as from stream")
    with lake.read() as cursor:
        assert read_frame(cursor, "from metrics.kept").rows() == frame.rows()


def test_a_field_the_table_does_not_declare_is_refused():
    with pytest.raises(ValueError, match=r"\['b'\] are not columns"):
        frame_of([{"a": 1, "b": 2}], {"a": "bigint"})


def test_exports_keep_null_and_zero_apart(lake):
    replace_month(lake, TABLE, MAY, rows(n=[0, None], flags=[["a", "b"], []]))
    assert export_table(lake, TABLE, Month(MAY), "csv").decode().splitlines()[1:] == [
        "2025-05-01,0,a;b",
        '2025-05-01,,""',
    ]
    assert b'"n":null' in export_table(lake, TABLE, None, "json")
    assert pl.read_parquet(export_table(lake, TABLE, None, "parquet")).height == 2


def test_an_export_of_no_table_lists_those_there_are(lake):
    replace_month(lake, TABLE, MAY, rows(n=[0]))
    with pytest.raises(LakeError, match=r"metrics\.sums"):
        export_table(lake, "metrics.summs", None, "csv")


def test_declared_tables_reject_bad_json(lake):
    with pytest.raises(duckdb.Error), lake.write("bad json") as transaction:
        transaction.cursor.execute("insert into raw.rejected (payload) values ('{')")


@pytest.mark.parametrize("reading", [True, False], ids=["read", "write"])
def test_what_a_signals_handler_raises_ends_a_long_statement_and_comes_out_as_it_is(lake, reading):
    """DuckDB makes a RuntimeError of it, which a step takes for a failure, and lets the statement run on."""
    program = f"""
import os, signal, sys, threading
from pathlib import Path
from smi_pipeline.lake.connection import Lake

class Interrupted(BaseException): pass

def interrupt(*_): raise Interrupted("by hand")

lake = Lake(Path({str(lake.path)!r}))
signal.signal(signal.SIGINT, interrupt)
try:
    with lake.read() if {reading} else lake.write("long") as opened:
        cursor = opened if {reading} else opened.cursor
        threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
        cursor.execute("select sum(a.range * b.range % 7) from range(10_000_000) a, range(10_000_000) b").fetchall()
except Interrupted as error:
    print("came out:", error)
with lake.read() as cursor:
    print("goes on:", cursor.execute("select 1").fetchall())
"""
    # Left to run, the statement takes days.
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == ["came out: by hand", "goes on: [(1,)]"], done.stderr
