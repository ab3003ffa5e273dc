"""An older lake opens with newer code and gains what it lacks; whatever is more than an addition is refused."""

import hashlib
import json
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from smi import smi

from smi_pipeline.lake.connection import Lake, LakeError, extension_path, quoted
from smi_pipeline.lake.derived import replace_month
from smi_pipeline.lake.tables import DECLARED, VERSION

FIRST = Path(__file__).with_name("first_lake.sql").read_text()
MAY = date(2025, 5, 1)
# A changed declaration raises VERSION and gets a line of its own here; earlier lines stay.
DIGESTS = {1: "bf1fdbb040da8e24", 2: "aa3b8408ae064055"}


def shell(folder):
    """A connection that knows nothing of this project: as other code would have written the lake."""
    folder.mkdir(exist_ok=True)
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    for name in ("ducklake", "sqlite_scanner"):
        connection.execute(f"load {quoted(extension_path(name))}")
    connection.execute(f"attach 'ducklake:sqlite:{folder}/catalog.sqlite' as lake (data_path '{folder}/tables')")
    connection.execute("use lake")
    return connection


def written_by(folder, *statements):
    connection = shell(folder)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return Lake.of(folder)


def opening(lake):
    with pytest.raises(LakeError) as caught:
        lake.snapshot()
    return str(caught.value)


def test_a_lake_of_the_first_release_keeps_its_rows_and_gains_tables_and_columns_in_order(tmp_path):
    rows = (
        (
            "insert into raw.collection_log values ('2025-05.x.0001', 'x', date '2025-05-01', 'final', 'finished',"
            " timestamptz '2025-06-09 22:00:00+00', timestamptz '2025-06-09 22:00:00+00', timestamptz '2025-06-09 22:00:00+00',"
            " 3, 1, 1, 0, true)"
        ),
        (
            "insert into raw.x_posts (collection_id, month, id, like_count, media_types, payload)"
            " values ('2025-05.x.0001', date '2025-05-01', '7', 9007199254740993, ['photo'], '{\"id\": \"7\"}')"
        ),
    )
    lake = written_by(tmp_path / "lake", *filter(None, map(str.strip, FIRST.split(";\n"))), *rows)
    with lake.read() as cursor:
        assert cursor.execute("select id, like_count, media_types, payload from raw.x_posts").fetchall() == [
            ("7", 2**53 + 1, ["photo"], '{"id": "7"}')
        ]
        assert cursor.execute("select collection_id, requests, day, source from raw.collection").fetchall() == [
            ("2025-05.x.0001", 3, None, None)
        ]
        types = cursor.execute(
            "select column_name, data_type from duckdb_columns() where database_name = 'lake' and schema_name = 'raw'"
            " and table_name = 'collection_log' order by column_index"
        ).fetchall()
        assert types[12:] == [
            ("synthetic", "BOOLEAN"),
            ("requests_least", "BIGINT"),
            ("day", "DATE"),
            ("resume_at", "TIMESTAMP WITH TIME ZONE"),
            ("source", "VARCHAR"),
            ("reparsed_from", "VARCHAR"),
            ("repeated_posts", "BIGINT"),
            ("sequence", "BIGINT"),
        ]
        [(version, added)] = cursor.execute("select version, added from raw.lake_version").fetchall()
    assert version == VERSION
    assert added[:3] == ["raw.vendor_posts", "raw.vendor_accounts", "raw.collection_account.left_out"]


def test_a_lake_that_is_up_to_date_is_opened_without_a_commit(tmp_path):
    before = Lake.of(tmp_path / "lake").snapshot()
    assert json.loads(smi("export", "raw.lake_version", "--format", "json", "--lake", tmp_path / "lake").stdout)
    assert Lake.of(tmp_path / "lake").snapshot() == before


def test_another_type_is_refused_with_table_column_both_types_and_the_remedy(tmp_path):
    said = opening(
        written_by(tmp_path / "lake", "create schema raw", "create table raw.input_file (kind bigint, month date)")
    )
    assert "raw.input_file.kind is BIGINT in the lake and VARCHAR in this code" in said
    assert str(tmp_path / "lake") in said
    assert "new column" in said


def test_a_column_the_code_no_longer_knows_is_refused_and_nothing_is_written(tmp_path):
    lake = written_by(
        tmp_path / "lake", "create schema raw", "create table raw.input_file (kind varchar, owner varchar)"
    )
    said = opening(lake)
    assert "raw.input_file has a column owner (VARCHAR)" in said
    assert "never dropped" in said
    assert shell(lake.path).execute("select count(*) from duckdb_tables() where database_name = 'lake'").fetchone() == (
        1,
    )


def test_a_lake_newer_than_the_code_is_refused(tmp_path):
    Lake.of(tmp_path / "lake").snapshot()
    later = shell(tmp_path / "lake")
    later.execute(f"insert into raw.lake_version values ({VERSION + 1}, '9.9', [], now())")
    later.close()
    done = smi("status", "--lake", tmp_path / "lake")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f"tables are of version {VERSION + 1}, this code knows version {VERSION}" in line
    assert "update" in line


def test_a_derived_column_that_changes_its_type_is_refused_before_it_is_rounded(lake):
    """An insert by name would cast 1.5 to 2 without a word."""
    replace_month(lake, "metrics.sums", MAY, pl.DataFrame({"month": [MAY], "n": [1]}))
    with pytest.raises(LakeError, match=r"metrics\.sums\.n is BIGINT in the lake and DOUBLE in the new rows"):
        replace_month(lake, "metrics.sums", MAY, pl.DataFrame({"month": [MAY], "n": [1.5]}))
    with lake.read() as cursor:
        assert cursor.execute("select n from metrics.sums").fetchall() == [(1,)]


def test_every_change_of_the_declared_tables_has_a_version_of_its_own():
    """Else two lakes of one version would differ, and older code could not tell that a lake is newer."""
    digest = hashlib.sha256(json.dumps(DECLARED).encode()).hexdigest()[:16]
    assert DIGESTS[VERSION] == digest, f"raise VERSION in lake/tables.py and pin {digest}"
    assert list(DIGESTS) == list(range(1, VERSION + 1))
