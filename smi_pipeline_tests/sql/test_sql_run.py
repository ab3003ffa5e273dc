"""The models in a real lake: views made once, months replaced behind gates, clear words when something is missing."""

import shutil
from datetime import date

import duckdb
import polars as pl
import pytest

from smi_pipeline.lake.connection import extension_path
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.lake.storage import Storage
from smi_pipeline.sql.checks import CheckFailed
from smi_pipeline.sql.graph import build_graph
from smi_pipeline.sql.project import ROOT, load_project
from smi_pipeline.sql.run import build_views, check_months, run_model, run_months
from smi_pipeline.sql.yml import ProjectError

MAY, APRIL = date(2025, 5, 1), date(2025, 4, 1)


def rows(lake, sql):
    with lake.read() as cursor:
        return read_frame(cursor, sql).rows()


@pytest.fixture
def copy(tmp_path):
    """The project's files, free to be edited."""
    return shutil.copytree(ROOT, tmp_path / "models")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def a_month_of_x(into):
    with into() as tables:
        tables.collection("x")
        tables.outcomes("x", {"account_id": "nj"}, {"account_id": "gone", "outcome": "missing"})
        tables.posts(
            "x",
            {
                "id": "1",
                "account_id": "nj",
                "created_at": "2025-05-02T00:00:00.000Z",
                "text": "#nanjing",
                "like_count": 4,
                "media_types": ["video"],
                "impression_count": 70,
            },
            {
                "id": "2",
                "account_id": "nj",
                "created_at": "2025-05-03T00:00:00.000Z",
                "like_count": 0,
                "media_types": [],
            },
        )
        tables.index("city", {"city_id": "nanjing", "name_zh": "南京", "name_en": "Nanjing"})
        tables.index("account", {"city_id": "nanjing", "platform": "x", "account_id": "nj", "in_index": True})
        tables.index(
            "composite",
            {
                "city_id": "nanjing",
                "score": 50.0,
                "rank": 1,
                "previous_rank": 2,
                "rank_change": 1,
                "status": "provisional",
            },
        )
        tables.index("platform_index", {"platform": "x", "city_id": "nanjing", "score": 50.0, "rank": 1})


def test_views_are_made_once_and_a_second_look_makes_no_snapshot(lake, graph):
    made = build_views(lake, graph)
    assert set(made) == {model.relation for model in graph.project if model.is_view}
    before = lake.snapshot()
    assert build_views(lake, graph) == ()
    assert lake.snapshot() == before


def test_an_edited_view_is_replaced_with_those_that_stand_on_it_and_no_other(staged, copy):
    edit(copy / "staging/stg_tiktok_posts.sql", "'short' as kind", "'video' as kind")
    before = staged.snapshot()
    assert build_views(staged, build_graph(load_project(copy))) == ("staging.stg_tiktok_posts", "staging.stg_posts")
    assert staged.snapshot() == before + 1


def test_a_view_that_gains_a_column_takes_those_above_it_along(staged, into, copy):
    """A reader above must not be left with the columns of yesterday."""
    edit(copy / "staging/stg_x_accounts.sql", "followers_count as followers", "followers_count + 1000 as followers")
    build_views(staged, build_graph(load_project(copy)))
    with into() as tables:
        tables.accounts("x", {"followers_count": 5})
    assert rows(staged, "select followers from staging.stg_accounts") == [(1005,)]


def test_a_broken_view_leaves_every_view_as_it_was(staged, copy):
    edit(copy / "staging/stg_x_posts.sql", "posts.reply_count,", "posts.reply_count_gone as reply_count,")
    edit(copy / "staging/stg_collections.sql", "collection_id desc", "collection_id asc")
    before = rows(staged, "select view_name, sql, comment from duckdb_views() where schema_name = 'staging' order by 1")
    with pytest.raises(duckdb.BinderException, match="reply_count_gone"):
        build_views(staged, build_graph(load_project(copy)))
    assert (
        rows(staged, "select view_name, sql, comment from duckdb_views() where schema_name = 'staging' order by 1")
        == before
    )


def test_a_month_goes_all_the_way_to_the_marts(staged, into, graph):
    a_month_of_x(into)
    tables = (*graph.tables("intermediate"), *graph.tables("marts"))
    done = {model.name: run_model(staged, model, MAY) for model in tables}
    assert {name: replaced.rows for name, replaced in done.items()} == {
        "int_account_month_posts": 1, "int_account_rejects": 2, "int_deleted_posts": 0, "rankings": 2, "movers": 1, "top_posts": 2, "hashtags": 1, "coverage": 5,
    }  # fmt: skip
    assert rows(staged, "select posts, videos, likes, views from intermediate.int_account_month_posts") == [
        (2, 1, 4, 70)
    ]
    assert rows(staged, "select direction, name_zh from marts.movers") == [("up", "南京")]
    for model in graph.project:
        check_months(staged, model, [MAY])
    before = staged.snapshot()
    assert not any(run_model(staged, model, MAY).changed for model in tables)
    assert staged.snapshot() == before


def test_a_month_is_replaced_and_the_others_stay(staged, into, graph):
    model = graph.project["int_account_month_posts"]
    with into() as tables:
        for name, month in (("k1", MAY), ("k2", APRIL)):
            tables.collection("x", name, month=month)
            tables.posts("x", {"id": name, "collection_id": name, "month": month})
    for month in (MAY, APRIL):
        run_model(staged, model, month)
    with into() as tables:  # a restatement in which the post is gone
        tables.collection("x", "k3", hour=23)
    assert run_model(staged, model, MAY).rows == 0
    assert rows(staged, "select month, posts from intermediate.int_account_month_posts") == [(APRIL, 1)]


def test_a_gate_keeps_the_old_month_and_says_what_is_wrong(staged, into, graph):
    """Two rows of one city would rank it twice."""
    a_month_of_x(into)
    model = graph.project["rankings"]
    run_model(staged, model, MAY)
    stored, before = rows(staged, "select * from marts.rankings order by all"), staged.snapshot()
    with into() as tables:
        tables.index(
            "composite",
            {"city_id": "nanjing", "score": 101.5, "rank": 0, "status": "rumoured"},
            {"city_id": "atlantis"},
        )
    with pytest.raises(CheckFailed) as caught:
        run_model(staged, model, MAY)
    assert {failure.test: failure.offenders for failure in caught.value.failures} == {
        "unique_combination_of_columns(month, index_name, city_id)": 1,
        "expression_is_true(rank >= 1)": 1,
        "expression_is_true(score >= 0 and score <= 100.000001)": 1,
        "relationships(city_id in index.city.city_id)": 1,
        "accepted_values(status)": 1,
        "not_null(name_zh)": 1,
        "not_null(name_en)": 1,
    }
    assert str(caught.value).startswith("marts.rankings 2025-05 fails its checks: unique_combination_of_columns")
    assert "month=2025-05-01, index_name=composite, city_id=atlantis, name_zh=null" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert rows(staged, "select * from marts.rankings order by all") == stored
    assert staged.snapshot() == before + 1, "the rows of the test, and nothing else"


def test_of_several_months_the_one_that_breaks_a_test_is_named_and_none_is_written(staged, into, graph):
    """Nanjing is ranked once a month in two months, which is no repetition; in May its score is beyond 100."""
    a_month_of_x(into)
    with into() as tables:
        tables.cursor.execute(
            "insert into index.city by name select * replace ($1::date as month) from index.city", [APRIL]
        )
        tables.cursor.execute(
            "insert into index.composite by name select * replace ($1::date as month) from index.composite", [APRIL]
        )
    model = graph.project["rankings"]
    done = run_months(staged, model, [APRIL, MAY])
    assert {month: replaced.rows for month, replaced in done.items()} == {APRIL: 1, MAY: 2}
    with into() as tables:
        tables.cursor.execute("update index.composite set score = 101 where month = $1", [MAY])
        tables.cursor.execute("update index.composite set score = 1 where month = $1", [APRIL])
    stored = rows(staged, "select * from marts.rankings order by all")
    with pytest.raises(CheckFailed, match=r"^marts\.rankings 2025-05 fails its checks: expression_is_true\(score"):
        run_months(staged, model, [APRIL, MAY])
    assert rows(staged, "select * from marts.rankings order by all") == stored


def test_a_view_is_checked_for_no_month_but_those_asked(staged, into, graph):
    with into() as tables:
        tables.collection("x")
        tables.posts("x", {"id": "1", "created_at": "some day in May"})
    model = graph.project["stg_x_posts"]
    check_months(staged, model, [APRIL])
    with pytest.raises(
        CheckFailed,
        match=r"staging\.stg_x_posts 2025-05 .*not_null\(published_at\): 1 offending, e\.g\. month=2025-05-01, post_id=1, published_at=null",
    ):
        check_months(staged, model, [MAY])


def test_a_missing_table_is_named_with_what_to_do(lake, graph):
    with pytest.raises(
        ProjectError,
        match=r"int_account_month_posts reads staging\.stg_forgotten_sums, staging\.stg_posts, not in the lake yet: build the views first",
    ):
        run_model(lake, graph.project["int_account_month_posts"], MAY)
    build_views(lake, graph)
    with pytest.raises(
        ProjectError,
        match=r"marts\.rankings reads index\.city, index\.composite, index\.platform_index, not in the lake yet: derive the index",
    ):
        run_model(lake, graph.project["rankings"], MAY)
    with pytest.raises(ProjectError, match=r"reads marts\.rankings, not in the lake yet: run marts\.rankings first"):
        run_model(lake, graph.project["movers"], MAY)
    with pytest.raises(ProjectError, match=r"marts\.rankings is not in the lake yet"):
        check_months(lake, graph.project["rankings"], [MAY])
    with pytest.raises(ProjectError, match="no model 'rankinks'"):
        graph.project["rankinks"]
    with pytest.raises(ProjectError, match="is a view over all months"):
        run_model(lake, graph.project["stg_posts"], MAY)


def test_a_table_without_the_column_a_model_expects_is_told_with_model_and_month(staged, into, graph):
    with into() as tables:
        for name in ("composite", "platform_index", "city"):
            tables.cursor.execute(f"create table index.{name} (month date)")
    with pytest.raises(ProjectError, match=r"marts\.rankings 2025-05: Binder Error: .*city_id"):
        run_model(staged, graph.project["rankings"], MAY)


def test_a_checked_view_gives_its_rows_and_their_types(staged, into, graph):
    a_month_of_x(into)
    looked = check_months(staged, graph.project["stg_posts"], [MAY])
    assert looked.rows == {MAY: looked.first.height}
    assert looked.first.height == 2
    assert looked.first.schema["published_at"] == pl.Datetime("us", "UTC")
    assert looked.first.schema["likes"] == pl.Int64


@pytest.mark.parametrize("elsewhere", ["folder"], indirect=True)
def test_each_file_runs_in_a_plain_duckdb_shell_on_the_lake(staged, into, graph):
    """`use lake; set variable month = date '2025-05-01';` and then the file as it is."""
    a_month_of_x(into)
    for model in (*graph.tables("intermediate"), *graph.tables("marts")):
        run_model(staged, model, MAY)
    shell = duckdb.connect()
    for extension in Storage().extensions():
        shell.execute(f"load '{extension_path(extension)}'")
    shell.execute(
        f"attach 'ducklake:sqlite:{staged.path}/catalog.sqlite' as lake (data_path '{staged.path}/tables', override_data_path true, read_only)"
    )
    shell.execute("use lake; set variable month = date '2025-05-01'")
    found = {}
    for model in graph.project:
        names = [column[0] for column in shell.execute(model.path.read_text()).description]
        assert names == [column.name for column in model.columns]
        found[model.name] = len(shell.fetchall())
    shell.close()
    assert {name: number for name, number in found.items() if number} == {
        "stg_collections": 1, "stg_x_posts": 2, "stg_posts": 2, "stg_account_outcomes": 2, "stg_readings": 2, "stg_sightings": 2, "int_account_month_posts": 1, "int_account_rejects": 2,
        "rankings": 2, "movers": 1, "top_posts": 2, "hashtags": 1, "coverage": 5,
    }  # fmt: skip
