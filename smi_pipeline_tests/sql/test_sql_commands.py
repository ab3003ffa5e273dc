"""`smi sql` as a user types it: its own process, on the sample's lake."""

import shutil

import pytest
from smi import smi

from smi_pipeline.lake.connection import Lake
from smi_pipeline.sql.document import DOCUMENT, flags, tables_document
from smi_pipeline.sql.graph import build_graph
from smi_pipeline.sql.project import load_project


@pytest.fixture
def copy(whole, tmp_path):
    path = tmp_path / "lake"
    shutil.copytree(whole, path)
    return path


def test_running_what_is_there_already_changes_nothing_and_its_tests_hold(copy):
    before = Lake.of(copy).snapshot()
    done = smi("sql", "run", "2025-05", "rankings", "--lake", copy)
    assert (done.returncode, done.stderr) == (0, "")
    assert "marts.rankings" in done.stdout
    assert Lake.of(copy).snapshot() == before
    tested = smi("sql", "test", "2025-05", "--lake", copy)
    assert (tested.returncode, tested.stderr) == (0, "")


def test_a_row_that_breaks_a_test_is_named_and_the_exit_is_1(copy):
    with Lake.of(copy).write("a rank twice") as transaction:
        transaction.cursor.execute("insert into marts.rankings select * from marts.rankings where month = '2025-05-01'")
    done = smi("sql", "test", "2025-05", "rankings", "--lake", copy)
    assert done.returncode == 1
    assert "marts.rankings 2025-05: " in done.stderr
    assert "offending" in done.stderr


def test_a_sum_that_fits_in_no_bigint_is_one_line_and_the_old_month_stays(copy):
    before = Lake.of(copy).snapshot()
    with Lake.of(copy).write("an absurd count") as transaction:
        first = "from staging.stg_x_posts where month = '2025-05-01' order by post_id limit 1"
        [(post, account)] = transaction.cursor.execute(f"select post_id, account_id {first}").fetchall()
        transaction.cursor.execute(
            "update raw.x_posts set retweet_count = 9223372036854775807, quote_count = 1 where id = $1", [post]
        )
    said = f"shares of platform x, account_id {account}, post_id {post}: 9223372036854775808; nothing was written."
    for command, model in (("run", "int_account_month_posts"), ("test", "stg_x_posts")):
        done = smi("sql", command, "2025-05", model, "--lake", copy)
        assert done.returncode == 1
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    assert Lake.of(copy).snapshot() == before + 1, "the absurd count, and nothing else"


def test_lineage_ends_in_the_raw_columns_a_likes_sum_is_made_of():
    done = smi("sql", "lineage", "int_account_month_posts.likes", "--ends")
    assert done.returncode == 0
    ends = done.stdout.split()
    assert {"raw.facebook_posts.reactions_total_count", "raw.x_posts.like_count", "raw.vendor_posts.likes"} <= set(ends)
    assert all(end.startswith("raw.") for end in ends)


def test_a_model_or_column_that_is_not_there_is_one_line_with_the_nearest():
    for asked, nearest in (("rankigns", "rankings"), ("marts.rankings.scor", "score")):
        done = smi("sql", "lineage", asked)
        assert done.returncode == 1
        assert nearest in done.stderr
        assert "Traceback" not in done.stderr


def test_the_page_of_tables_is_what_the_models_say():
    assert DOCUMENT.read_text(encoding="utf-8") == tables_document(build_graph(load_project()), flags())
