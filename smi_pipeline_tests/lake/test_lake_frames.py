"""Frames come out of the lake whole, and no read of many rows waits for ever."""

import ast
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest
from smi import PROJECT, environment

from smi_pipeline.lake.collections import Asking, Collection, Subject
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sql.graph import build_graph
from smi_pipeline.sql.project import load_project
from smi_pipeline.sql.run import build_views

MAY, SEEN = date(2025, 5, 1), datetime(2025, 6, 10, tzinfo=UTC)
ACCOUNTS = 10_000  # on each of five platforms
IDS = {
    "facebook": "'99999' || lpad(a::varchar, 10, '0')",
    "x": "'9000' || lpad(a::varchar, 12, '0')",
    "instagram": "'1784' || lpad(a::varchar, 13, '0')",
    "youtube": "'UC' || lpad(a::varchar, 22, '0')",
    "tiktok": "'sbx_b' || a",
}
# What derives a month reads, again and again in one process; each line says one round is over.
READER = """
import sys
from datetime import UTC, date, datetime
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.frames import read_frame
lake = Lake.of(sys.argv[1])
bound = {"month": date(2025, 5, 1), "from": datetime(2025, 4, 28, tzinfo=UTC), "to": datetime(2025, 6, 3, tzinfo=UTC)}
month = {"month": bound["month"]}
for _ in range(int(sys.argv[2])):
    with lake.read() as cursor:
        cursor.execute("set threads = 2")
        asked = read_frame(cursor, "select * from staging.stg_account_outcomes where month = $month", month)
        seen = read_frame(
            cursor, "select * from staging.stg_accounts where month = $month or observed_at between $from and $to", bound
        )
        posts = read_frame(cursor, "select * from staging.stg_posts where month = $month", month)
    print(len(asked), len(seen), len(posts), flush=True)
"""
# Ways in which a result of DuckDB becomes a stream or a frame while Python's lock is held.
STREAMS = {
    "sql",
    "query",
    "from_query",
    "pl",
    "df",
    "fetchdf",
    "arrow",
    "to_arrow_table",
    "fetch_arrow_table",
    "fetch_record_batch",
}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A lake with fifty thousand accounts that answered in May."""
    lake = Lake.of(tmp_path_factory.mktemp("many") / "lake")
    for platform in PLATFORMS:
        collection = Collection(lake, Subject(platform, MAY, "final", synthetic=True), 0, None)
        collection.stop("running", Asking(), at=SEEN)
        bound = {"month": MAY, "at": SEEN, "id": collection.state.collection_id, "number": ACCOUNTS}
        common = f"$id as collection_id, $month::date as month, {IDS[platform]} as account_id, $at::timestamptz as observed_at"
        with lake.write("accounts") as transaction:
            transaction.cursor.execute(
                f"insert into raw.{platform}_accounts by name select {common}, {IDS[platform]} as platform_account_id,"
                " '{}' as payload from range($number::bigint) as r(a)",
                bound,
            )
            transaction.cursor.execute(
                f"insert into raw.collection_account by name select {common}, '{platform}' as platform,"
                " 'sbx_b' || a as handle, 'answered' as outcome from range($number::bigint) as r(a)",
                bound,
            )
        collection.asked = 0
        collection.close()
    build_views(lake, build_graph(load_project()))
    return lake.path


def read_again_and_again(lake, rounds, seconds):
    """Each round's numbers of rows; a process that stands still for ever fails by the time it is given."""
    done = subprocess.run(
        [sys.executable, "-c", READER, lake, str(rounds)],
        env=environment(),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=True,
    )
    return done.stdout.splitlines()


def test_fifty_thousand_accounts_are_read_without_standing_still(many):
    """At 34,500 rows the first of these reads never came to an end."""
    assert read_again_and_again(many, 5, 300) == [f"{5 * ACCOUNTS} {5 * ACCOUNTS} 0"] * 5


@pytest.mark.long
def test_so_are_they_two_hundred_times(many):
    assert read_again_and_again(many, 200, 3600) == [f"{5 * ACCOUNTS} {5 * ACCOUNTS} 0"] * 200


def test_a_frame_has_the_order_types_and_nulls_of_its_query(tmp_path):
    with Lake.of(tmp_path / "lake").read() as cursor:
        frame = read_frame(
            cursor,
            "select * from (values (3, null, timestamptz '2025-05-01 08:00:00+08'), (1, ['é'], null), (2, [], null))"
            " as t(n, tags, seen) where n > $least order by n desc",
            {"least": 0},
        )
    assert frame.rows() == [(3, None, datetime(2025, 5, 1, tzinfo=UTC)), (2, [], None), (1, ["é"], None)]
    assert str(frame.schema["seen"]) == "Datetime(time_unit='us', time_zone='UTC')"


def test_a_read_leaves_no_table_behind_and_may_be_within_a_write(tmp_path):
    lake = Lake.of(tmp_path / "lake")
    with lake.write("posts") as transaction:
        transaction.cursor.execute("insert into raw.x_posts (month, account_id) values ($1, 'a')", [MAY])
        assert len(read_frame(transaction.cursor, "from raw.x_posts")) == 1
        left = transaction.cursor.execute(
            "select table_name from duckdb_tables() where database_name = 'temp'"
        ).fetchall()
    assert left == []
    with lake.read() as cursor:
        assert len(read_frame(cursor, "from raw.x_posts")) == 1


def test_only_read_frame_streams_from_duckdb():
    """Anything else could hold Python's lock while DuckDB's workers wait for it."""
    found = []
    for path in sorted((PROJECT / "smi_pipeline").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "sqlglot" in text:
            continue  # its expressions have a method sql(), which makes a text
        tree = ast.parse(text)
        found += [
            f"{path.relative_to(PROJECT)}:{node.func.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STREAMS
        ]
    assert found == ["smi_pipeline/lake/frames.py:sql"]
    frames = (PROJECT / "smi_pipeline/lake/frames.py").read_text(encoding="utf-8")
    assert frames.count('cursor.sql(f"from temp.main.') == 1
