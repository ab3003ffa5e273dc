"""The whole lake in one file of a plain DuckDB."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from smi_pipeline.defs.models import graph
from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.derived import replace_month
from smi_pipeline.lake.export import export_all
from smi_pipeline.sql.run import build_views

MAY = date(2025, 5, 1)


def plain(file, sql):
    """What the duckdb command-line program says, with no extension to load and no home to find one in."""
    shell = shutil.which("duckdb", path=str(Path(sys.executable).parent)) or shutil.which("duckdb")
    done = subprocess.run(
        [shell, "-readonly", "-csv", "-noheader", file, "-c", sql],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": "/nonexistent"},
    )
    return done.stdout.splitlines()


def test_everything_goes_to_one_file_that_plain_duckdb_opens(lake, tmp_path):
    """On both kinds of lake; the comment of a column too, for whoever gets the file and nothing else."""
    replace_month(lake, "metrics.sums", MAY, pl.DataFrame({"month": [MAY] * 2, "n": [0, None], "flags": [["a"], []]}))
    with lake.write("posts") as transaction:
        transaction.cursor.execute(
            "insert into raw.x_posts (month, id, payload) values (date '2025-05-01', '7', '{\"id\": \"7\"}')"
        )
    build_views(lake, graph())
    file = tmp_path / "it's all.duckdb"
    comments = {"metrics.sums": ("Sums, it's said.", {"n": "How many; null: not reported.", "gone": "no such column"})}
    tables, rows = export_all(lake, file, comments)
    assert plain(file, "select n, flags from metrics.sums order by all") == ["0,[a]", ",[]"] or plain(
        file, "select n is null, len(flags) from metrics.sums order by all"
    ) == ["false,1", "true,0"]
    assert plain(file, "select payload ->> 'id', typeof(payload) from raw.x_posts") == ["7,JSON"]
    assert plain(file, "select count(*) from staging.stg_posts") == ["0"]  # a view's rows, as a table
    assert plain(file, "select comment from duckdb_tables() where table_name = 'sums'") == [
        '"Sums, it\'s said."'
    ] or plain(file, "select comment from duckdb_tables() where table_name = 'sums'") == ["Sums, it's said."]
    assert plain(
        file, "select column_name, comment from duckdb_columns() where comment is not null and table_name = 'sums'"
    ) == ["n,How many; null: not reported."]
    assert [str(tables)] == plain(file, "select count(*) from duckdb_tables()")
    assert rows == 2 + 1 + 1 + 1  # with the version of the tables, and the one post X sent to staging
    with pytest.raises(LakeError, match="there already"):
        export_all(lake, file, {})
    assert not file.with_name(f"{file.name}.part").exists()
