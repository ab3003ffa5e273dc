"""DuckLake 1.5.5 loses the bounds of tables and then passes over rows: a lake keeps none, and one that did is found out."""

import os
import sqlite3
import subprocess
import tarfile
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from lake.test_lake_faults import read_only
from smi import PROJECT, command, environment, smi
from smi import rows as rows_of

from smi_pipeline.lake import care
from smi_pipeline.lake.connection import Lake, LakeError, database, extension_path, quoted
from smi_pipeline.lake.derived import replace_month, replace_months
from smi_pipeline.lake.privacy import purge
from smi_pipeline.lake.schema import ROW_GROUP_ROWS

APRIL, MAY, JUNE = (date(2025, month, 1) for month in (4, 5, 6))
TABLE = "metrics.sums"
FAULTS = [
    # several files in a table's first commit, the first without a value
    pytest.param(
        [[(APRIL, 40, "null"), (MAY, 40, "i % 5")]], id="a month without values before one with, in one commit"
    ),
    # a file of several row groups, the first without a value: as a table's first, and when it has bounds already
    pytest.param([[(APRIL, 400_000, "if(i < 200000, null, i % 5)")]], id="a first row group without values"),
    pytest.param(
        [[(APRIL, 40, "i % 5")], [(MAY, 400_000, "if(i < 200000, null, 100 + i % 101)")]],
        id="a first row group without values later",
    ),
]
TYPES = ("tinyint", "smallint", "integer", "bigint", "hugeint", "double", "date", "timestamp", "varchar")


def value(expression, kind):
    if kind == "date":
        return f"date '2025-01-01' + ({expression})::integer"
    if kind == "timestamp":
        return f"timestamp '2025-01-01' + to_days(({expression})::integer)"
    return f"({expression})::{kind}" if kind != "varchar" else f"'v' || lpad((1000 + ({expression}))::varchar, 5, '0')"


def commit(lake, parts, kind, copy):
    with lake.write("months together") as transaction:
        for month, count, expression in parts:
            made = (
                f"select date '{month}' as month, i as id, {value(expression, kind)} as v from range({count}) as r(i)"
            )
            transaction.cursor.execute(f"insert into {TABLE} by name {made}")
            copy.execute(f"insert into copy by name {made}")


def shell(lake):
    """DuckDB as anybody has it, with the lake attached: none of this project's settings."""
    plain = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    for name in lake.storage.extensions():
        plain.execute(f"load {quoted(extension_path(name))}")
    lake.storage.attach(plain, lake.path, "lake", "READ_ONLY")
    return plain


def bare(folder):
    """DuckLake as it comes, with a lake of its own attached as `bare`."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    for name in ("ducklake", "sqlite_scanner"):
        connection.execute(f"load {quoted(extension_path(name))}")
    connection.execute(f"attach 'ducklake:sqlite:{folder}/catalog.sqlite' as bare (data_path '{folder}/tables')")
    return connection


def written_by_ducklake(folder, *statements):
    """A lake whose tables are in the schema metrics of `bare`, as code without lake/bounds.py writes them."""
    folder.mkdir()
    connection = bare(folder)
    connection.execute("create schema bare.metrics")
    for statement in statements:
        connection.execute(statement)
    return connection


def ask(connection, table, kind):
    three, none = value("3", kind), value("-2", kind)
    return [
        connection.execute(sql).fetchall()
        for sql in (
            f"select count(*) from {table} where v = {three}",
            f"select count(*) from {table} where v > {none}",
            f"select min(v), max(v), count(v), count(*) from {table}",
            f"select v, count(*) from {table} group by v order by v nulls first",
            f"select month, count(*) from {table} where v is not null group by month order by month",
        )
    ]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("commits", FAULTS)
def test_what_loses_ducklakes_bounds_leaves_every_read_right(tmp_path, commits, kind):
    """Each of these commits, followed by one with other values, made DuckLake 1.5.5 count none of the earlier rows."""
    if kind == "tinyint":
        commits = [[(m, n, e.replace("100 +", "10 +")) for m, n, e in parts] for parts in commits]
    lake, copy = Lake.of(tmp_path / "lake"), duckdb.connect()
    empty = f"select date '{JUNE}' as month, 0 as id, {value('0', kind)} as v where false"
    replace_month(lake, TABLE, JUNE, empty)
    copy.execute(f"create table copy as {empty.replace('0 as id', '0::bigint as id')}")
    for parts in [*commits, [(JUNE, 40, "-2")]]:
        commit(lake, parts, kind, copy)
        expected = ask(copy, "copy", kind)
        with lake.read() as cursor:
            assert ask(cursor, TABLE, kind) == expected
        plain = shell(lake)
        assert ask(plain, f"lake.{TABLE}", kind) == expected
        plain.close()


def test_no_table_has_bounds_however_it_came_to_be(lake):
    replace_month(lake, TABLE, MAY, pl.DataFrame({"month": [MAY] * 20, "n": range(20)}))
    with lake.write("rows in the catalog") as transaction:
        transaction.cursor.execute("insert into raw.x_posts (month, account_id) values ($1, 'a')", [MAY])
    care.compact(lake)
    own = lake.storage.catalog_schema(lake.path)
    with lake.read() as cursor:
        assert cursor.execute(f"select count(*) from {own}.ducklake_table_column_stats").fetchone() == (0,)
        counted = cursor.execute(
            f"select count(*) - count(distinct table_id), count(distinct table_id) from {own}.ducklake_table_stats"
        ).fetchone()
        tables = cursor.execute("select count(*) from duckdb_tables() where database_name = 'lake'").fetchone()
    assert counted == (0, *tables)


def test_a_row_group_has_the_size_that_fits_into_memory(tmp_path):
    lake = Lake.of(tmp_path / "lake")
    made = f"select date '{MAY}' as month, i as n from range({3 * ROW_GROUP_ROWS}) as r(i)"
    replace_month(lake, TABLE, MAY, made)
    [file] = (lake.path / "tables").rglob("*.parquet")
    largest = f"select max(row_group_num_rows) from parquet_metadata({quoted(file)})"
    [(rows,)] = duckdb.sql(largest).fetchall()
    assert rows <= ROW_GROUP_ROWS + 2 * 2_048


def test_texts_are_found_after_a_purge_and_the_next_commit(lake):
    """0.1.0 set the bounds of all texts to null there, and the next commit's became everybody's."""
    with lake.write("april") as transaction:
        transaction.cursor.execute(
            "insert into raw.x_posts (month, account_id) select date '2025-04-01', 'a' from range(20)"
        )
    purge(lake)
    with lake.write("may") as transaction:
        transaction.cursor.execute(
            "insert into raw.x_posts (month, account_id) select date '2025-05-01', 'z' from range(20)"
        )
    with lake.read() as cursor:
        assert cursor.execute("select count(*) from raw.x_posts where account_id = 'a'").fetchone() == (20,)


def test_a_text_with_a_nul_hides_no_other(lake):
    for month, account in ((4, "'a'"), (5, "'b' || chr(0)"), (6, "'z'")):
        with lake.write("a month") as transaction:
            transaction.cursor.execute(
                f"insert into raw.x_posts (month, account_id) select date '2025-{month:02}-01', {account} from range(2)"
            )
    with lake.read() as cursor:
        assert cursor.execute("select count(*) from raw.x_posts where account_id < 'c'").fetchone() == (4,)


def test_the_installed_ducklake_still_loses_bounds(tmp_path):
    """When this fails, DuckLake has mended it: see whether lake/bounds.py and the doubt in lake/schema.py may go."""
    lake = bare(tmp_path)
    lake.execute("create table bare.t (month int, v bigint)")
    lake.execute("alter table bare.t set partitioned by (month)")
    lake.execute("insert into bare.t select 1 + i // 40, if(i < 40, null, i % 5) from range(80) as r(i)")
    lake.execute("insert into bare.t select 3, -2 from range(40)")
    assert lake.execute("select count(*) from bare.t where v = 3").fetchone() == (0,)
    lake.execute("set disabled_optimizers = 'statistics_propagation'")
    assert lake.execute("select count(*) from bare.t where v = 3").fetchone() == (8,)


# A lake whose bounds 0.1.0 has lost; make.sh beside it says how.
@pytest.fixture
def damaged(tmp_path):
    with tarfile.open(Path(__file__).with_name("damaged") / "lake.tar.gz") as packed:
        packed.extractall(tmp_path / "lake", filter="data")
    return tmp_path / "lake"


def test_a_damaged_lake_is_refused_by_every_command_in_one_line_that_names_the_remedy(damaged):
    for arguments in (("status",), ("export", "marts.rankings"), ("run", "2025-04"), ("explain", "2025-04", "南京")):
        done = smi(*arguments, "--lake", damaged)
        assert done.returncode == 1, arguments
        [line] = done.stderr.splitlines()
        assert "may not hold" in line
        assert "smi lake check --repair" in line
        assert str(damaged) in line


def test_the_check_of_a_damaged_lake_names_table_column_month_and_both_bounds(damaged):
    done = smi("lake", "check", "--lake", damaged)
    assert done.returncode == 1
    # a collection of X was the first commit after the bounds had gone; four other platforms were there before
    assert (
        "raw.collection_account.platform 2025-04: the bounds of the table are x to x, its rows' facebook to youtube"
    ) in done.stderr
    assert "raw.facebook_posts: the bounds of collection_id, account_id" in done.stderr
    assert "--repair" in done.stderr
    again = smi("lake", "check", "--lake", damaged)
    assert again.stderr == done.stderr


def test_a_repair_prints_the_old_bounds_and_names_the_month_that_was_published_wrongly(damaged):
    """Facebook refused the field of shares: nobody knows them, and 0.1.0 published that there were none."""
    figures = "select count(*), sum(shares) from metrics.account_month where platform = 'facebook' and posts > 0"
    done = smi("lake", "check", "--repair", "--lake", damaged)
    assert done.returncode == 1
    assert "raw.collection_account.platform 2025-04: the bounds of the table are x to x" in done.stderr
    [named] = [line for line in done.stderr.splitlines() if "published wrongly" in line]
    assert named.startswith("2025-04 edition 1 was published wrongly: derived again, ")
    assert "metrics.account_month" in named
    assert "smi restate 2025-04" in named
    accounts, published = rows_of(damaged, figures)[0]
    assert (accounts > 0, published) == (True, 0)
    [(recorded,)] = rows_of(damaged, "select added from raw.lake_version order by recorded_at desc limit 1")
    assert any("raw.collection_account.platform" in line and "x to x" in line for line in recorded)

    quiet = smi("lake", "check", "--lake", damaged)
    assert (quiet.returncode, quiet.stderr.strip()) == (0, "")
    derived = smi("run", "2025-04", "--to", "metrics", "--lake", damaged)
    assert derived.returncode == 0, derived.stderr
    assert rows_of(damaged, figures) == [(accounts, None)]


@pytest.mark.parametrize("how", ["mount", "permissions"])
def test_a_damaged_lake_that_cannot_be_written_is_checked_and_not_repaired(damaged, tmp_path, how):
    with read_only(damaged, tmp_path, how) as (folder, prefix):
        done = subprocess.run(
            [*prefix, *command("lake", "check", "--repair", "--lake", folder)],
            env=environment(),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "raw.collection_account.platform" in done.stderr
    assert "cannot be written: its bounds stay as they are" in done.stderr


def tampered(lake, statement):
    """Change the catalog as a fault would, then let go of what this process knows of it."""
    with lake.lock("write"), lake.read() as cursor:
        cursor.execute(statement.format(own=lake.storage.catalog_schema(lake.path)))
        cursor.execute("commit")
    database(os.getpid(), lake).close()
    database.cache_clear()


def test_wrong_bounds_are_found_and_repaired_on_both_kinds_of_lake(lake):
    for month, numbers in ((APRIL, range(100, 120)), (MAY, range(20))):
        replace_month(lake, TABLE, month, pl.DataFrame({"month": [month] * 20, "n": numbers}))
    column = "select c.table_id, c.column_id from {own}.ducklake_column as c where c.column_name = 'n'"
    tampered(
        lake,
        "insert into {own}.ducklake_table_column_stats (table_id, column_id, contains_null, min_value, max_value)"
        f" select table_id, column_id, false, '0', '19' from ({column})",
    )
    with pytest.raises(LakeError, match=r"bounds of metrics\.sums\.n may not hold"):
        lake.snapshot()
    doubted = Lake(lake.path, lake.storage, doubted=True)
    [wrong] = care.check(doubted).bounds
    assert str(wrong) == "metrics.sums.n 2025-04: the bounds of the table are 0 to 19, its rows' 100 to 119"
    care.repair_bounds(doubted, [wrong])
    with lake.read() as cursor:
        assert cursor.execute("select count(*) from metrics.sums where n > 50").fetchone() == (20,)
    assert care.check(doubted).bounds == []


def test_wrong_bounds_of_a_file_are_found_and_put_right(lake):
    replace_month(lake, TABLE, MAY, pl.DataFrame({"month": [MAY] * 20, "n": range(20), "name": ["é" * 50] * 20}))
    tampered(
        lake,
        "update {own}.ducklake_file_column_stats set max_value = min_value where column_id in"
        " (select column_id from {own}.ducklake_column where column_name in ('n', 'name'))"
        " and table_id in (select table_id from {own}.ducklake_table where table_name = 'sums')",
    )
    doubted = Lake(lake.path, lake.storage, doubted=True)
    wrong = care.check(doubted).bounds
    assert [one.column.name for one in wrong] == ["n"]  # of a text DuckLake keeps the beginning, here the same of both
    care.repair_bounds(doubted, wrong)
    assert care.check(doubted).bounds == []
    with lake.read() as cursor:
        assert cursor.execute("select count(*) from metrics.sums where n = 19").fetchone() == (1,)
        assert cursor.execute("select count(*) from metrics.sums where name >= 'éé'").fetchone() == (20,)


def test_a_sound_lake_of_before_opens_as_it_is_and_loses_its_bounds(tmp_path):
    """Written by bare DuckLake, as 0.1.0 was in this: its tables have bounds, and they hold."""
    folder = tmp_path / "lake"
    written_by_ducklake(
        folder, "create table bare.metrics.sums as select date '2025-05-01' as month, i as n from range(50) as r(i)"
    ).close()
    lake = Lake.of(folder)
    with lake.read() as cursor:
        assert cursor.execute("select count(*) from metrics.sums where n > 40").fetchone() == (9,)
    with sqlite3.connect(folder / "catalog.sqlite") as catalog:
        assert catalog.execute("select count(*) from ducklake_table_column_stats").fetchone() == (0,)


def test_bounds_that_are_lost_with_few_values_are_doubted_too(tmp_path):
    """A file with values and no bounds is doubted however few they are: its first row group is what counts."""
    folder = tmp_path / "lake"
    written = written_by_ducklake(
        folder,
        "create table bare.metrics.sums (month date, n bigint)",
        "insert into bare.metrics.sums select '2025-04-01', if(i < 200000, null, 5) from range(260000) as r(i)",
        "insert into bare.metrics.sums select '2025-05-01', 9 from range(40)",
    )
    assert written.execute("select count(*) from bare.metrics.sums where n = 5").fetchone() == (0,)
    written.close()
    with pytest.raises(LakeError, match=r"bounds of metrics\.sums\.n may not hold"):
        Lake.of(folder).snapshot()


def test_a_table_left_without_its_row_of_zeros_gets_it_before_rows_come(lake):
    """Whoever made the table was killed before it had seen to its bounds, and this process had the lake open."""
    lake.snapshot()
    with lake.write("created, and killed") as transaction:
        transaction.cursor.execute("create table metrics.sums (month date, n bigint)")
        transaction.cursor.execute("alter table metrics.sums set partitioned by (month)")
    both = pl.DataFrame(
        {"month": [APRIL] * 40 + [MAY] * 40, "n": [None] * 40 + [1] * 40}, schema_overrides={"n": pl.Int64}
    )
    replace_months(lake, [APRIL, MAY], {TABLE: both})
    replace_month(lake, TABLE, JUNE, pl.DataFrame({"month": [JUNE] * 40, "n": [5] * 40}))
    with lake.read() as cursor:
        assert cursor.execute("select count(*) from metrics.sums where n = 1").fetchone() == (40,)


def test_a_gate_that_fails_at_a_tables_first_month_leaves_no_table(lake):
    def no(_cursor, _staged):
        raise LakeError("no")

    with pytest.raises(LakeError, match="no"):
        replace_month(lake, TABLE, MAY, pl.DataFrame({"month": [MAY], "n": [1]}), gates=[no])
    with lake.read() as cursor:
        there = "select count(*) from duckdb_tables() where database_name = 'lake' and table_name = 'sums'"
        assert cursor.execute(there).fetchone() == (0,)


def test_a_damaged_lake_can_be_backed_up_and_its_lost_files_brought_back(damaged, tmp_path):
    """What is needed before a repair must not wait for it."""
    saved = smi("lake", "backup", tmp_path / "backup", "--lake", damaged)
    assert saved.returncode == 0, saved.stderr
    lost = min((damaged / "tables").rglob("*.parquet"))
    lost.unlink()
    refused = smi("lake", "check", "--repair", "--lake", damaged)
    assert (refused.returncode, str(lost) in refused.stderr) == (1, True)
    brought = smi("lake", "restore", tmp_path / "backup", "--files", "--lake", damaged)
    assert brought.returncode == 0, brought.stderr
    assert "94 bounds were put right" in smi("lake", "check", "--repair", "--lake", damaged).stdout
