"""One rule for every sum: a bigint holds it, or the month is refused with the name of the row. Never null, never wrapped."""

import re
from datetime import date

import duckdb
import pytest
from sqlglot import exp

from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.export import export_table
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month
from smi_pipeline.sql.binding import column_types
from smi_pipeline.sql.graph import build_graph
from smi_pipeline.sql.project import ROOT, load_project
from smi_pipeline.sql.run import check_months, run_model
from smi_pipeline.sql.sums import exact, is_cast, sums_in
from smi_pipeline.sums import LARGEST, SumTooGreat

MAY, APRIL = date(2025, 5, 1), date(2025, 4, 1)
MODELS = load_project().models
FIELD = {"likes": "like_count", "comments": "reply_count", "shares": "retweet_count", "views": "impression_count"}
# Every sum in the models, as (relation, SQL).
SUMS = [(model.relation, one.sql("duckdb")) for model in MODELS.values() for one in sums_in(model.tree())]
# By relation: columns that add up, counts of an account's two posts with which each is 2^63 - 1, and those that grow.
ADDED = {
    "intermediate.int_account_month_posts": (
        (*FIELD, "complete_likes", "complete_comments", "complete_shares"),
        dict.fromkeys(FIELD, (LARGEST - 1, 1)),
        tuple(FIELD),
    ),
    "staging.stg_x_posts": (("shares",), {"shares": (LARGEST - 1, None), "quotes": (1, None)}, ("quotes",)),
    "staging.stg_posts": (
        ("interactions",),
        {"likes": (LARGEST - 3, 0), "comments": (2, 0), "shares": (1, 0)},
        ("shares",),
    ),
    "marts.hashtags": (
        ("interactions", "reach"),
        {"likes": (LARGEST - 1, 0), "comments": (0, 1), "views": (LARGEST - 1, 1)},
        ("comments", "views"),
    ),
}
# A table of accounts, a column of it, and what the sum over a platform's accounts is called in marts.coverage.
OF_ACCOUNTS = [
    ("int_account_month_posts", "posts", "posts"),
    ("int_account_rejects", "bad_counts", "bad_counts"),
    ("int_account_rejects", "malformed", "malformed_posts"),
]


@pytest.fixture
def elsewhere():
    """In a folder: what DuckDB adds up does not depend on where the lake lies."""
    return {}


def rows(lake, sql):
    with lake.read() as cursor:
        return read_frame(cursor, sql).rows()


def x_posts(tables, counts, *, account="a", **fields):
    """Two posts on X with the counts."""
    field = FIELD | {"quotes": "quote_count"}
    written = [{"id": f"{account}{n}", "account_id": account, "text": "#tag", "media_types": ["video"]} for n in (1, 2)]
    for column, values in counts.items():
        for post, value in zip(written, values, strict=True):
            post[field[column]] = value
    tables.posts("x", *(post | {"created_at": "2025-05-02T00:00:00.000Z"} | fields for post in written))


def world(into, counts):
    """A month of an account of the index; without counts it has posted nothing."""
    with into() as tables:
        tables.collection("x")
        tables.outcomes("x", {"account_id": "a"})
        tables.index("city", {"city_id": "nanjing", "name_zh": "南京", "name_en": "Nanjing"})
        tables.index("account", {"city_id": "nanjing", "platform": "x", "account_id": "a", "in_index": True})
        if counts:
            x_posts(tables, counts)


def made(lake, graph, relation):
    """Run a model as the pipeline does."""
    model = graph.project[relation]
    return check_months(lake, model, [MAY]) if model.is_view else run_model(lake, model, MAY)


@pytest.mark.parametrize("relation", ADDED)
def test_the_greatest_bigint_is_stored_and_one_more_is_refused_by_name(staged, into, graph, relation):
    columns, counts, growing = ADDED[relation]
    world(into, counts)
    made(staged, graph, relation)
    assert (LARGEST,) * len(columns) in rows(staged, f"select {', '.join(columns)} from {relation}")
    stored, before = rows(staged, f"from {relation} order by all"), staged.snapshot()
    more = counts | {column: (counts[column][0] + 1, counts[column][1]) for column in growing}
    with into() as tables:
        tables.collection("x", "k2", hour=23)
        x_posts(tables, more, collection_id="k2")
    with pytest.raises(SumTooGreat) as caught:
        made(staged, graph, relation)
    assert {one.column: one.amount for one in caught.value.sums} == dict.fromkeys(columns, 2**63)
    said = str(caught.value)
    assert said.startswith(f"{relation} 2025-05: expected sums from -9223372036854775808 to 9223372036854775807")
    owner = "hashtag tag" if relation == "marts.hashtags" else "account_id a"
    assert f"{caught.value.sums[0].column} of platform x, {owner}" in said
    assert "smi collect 2025-05 --force" in said
    assert "\n" not in said
    if not graph.project[relation].is_view:
        assert rows(staged, f"from {relation} order by all") == stored, "the old month stays"
        assert staged.snapshot() == before + 1, "the rows of the test, and nothing else"


@pytest.mark.parametrize(("table", "column", "told"), OF_ACCOUNTS)
def test_what_a_platforms_accounts_add_up_to_is_held_to_the_same_border(staged, into, graph, table, column, told):
    def other(number):
        with into() as tables:
            tables.cursor.execute(f"delete from intermediate.{table} where account_id = 'b'")
            tables.cursor.execute(
                f"insert into intermediate.{table} by name (select * replace ('b' as account_id, $1 as {column})"
                f" from intermediate.{table} where account_id = 'a')",
                [number],
            )

    world(into, {"likes": (1, 1)})
    for model in ("int_account_month_posts", "int_account_rejects"):
        made(staged, graph, model)
    [(own,)] = rows(staged, f"select {column} from intermediate.{table}")
    other(LARGEST - own)
    made(staged, graph, "coverage")
    assert rows(staged, f"select {told} from marts.coverage where platform = 'x'") == [(LARGEST,)]
    with into() as tables:
        tables.cursor.execute(f"update intermediate.{table} set {column} = {own + 1} where account_id = 'a'")
    with pytest.raises(SumTooGreat, match=rf"marts\.coverage 2025-05: .*{told} of platform x: 9223372036854775808;"):
        made(staged, graph, "coverage")
    assert rows(staged, f"select {told} from marts.coverage where platform = 'x'") == [(LARGEST,)]


def test_every_refused_account_is_counted_and_three_are_named(staged, into, graph):
    world(into, {"likes": (LARGEST, 1)})
    with into() as tables:
        for account in "bcde":
            x_posts(tables, {"likes": (LARGEST, LARGEST)}, account=account)
    third = "; likes of platform x, account_id c, is_repost False: 18446744073709551614"
    # two more of `likes`, and all five of `complete_likes`
    with pytest.raises(SumTooGreat, match=f"{third} and 7 more; nothing was written"):
        made(staged, graph, "int_account_month_posts")


def test_a_post_that_is_refused_in_one_month_stops_no_other(staged, into, graph):
    world(into, {"likes": (5, 1)})
    with into() as tables:
        tables.collection("x", "k0", month=APRIL)
        x_posts(tables, {"shares": (LARGEST, None), "quotes": (1, None)}, collection_id="k0", month=APRIL)
    for relation in ("stg_x_posts", "stg_posts", "int_account_month_posts", "hashtags", "top_posts"):
        made(staged, graph, relation)
    assert rows(staged, "select likes from intermediate.int_account_month_posts") == [(6,)]
    with pytest.raises(SumTooGreat, match=r"staging\.stg_x_posts 2025-04: .*shares of platform x, account_id a, post"):
        run_model(staged, graph.project["int_account_month_posts"], APRIL)


def test_the_ui_and_the_command_line_say_it_in_one_line(staged, into, graph):
    world(into, {"likes": (LARGEST, 1)})
    with pytest.raises(Exception, match="likes of platform x, account_id a") as caught, told_clearly():
        made(staged, graph, "int_account_month_posts")
    assert type(caught.value).__name__ == "Failure"
    assert not caught.value.allow_retries


def test_whoever_reads_a_view_beside_the_pipeline_is_told_too(staged, into):
    world(into, {"shares": (LARGEST, None), "quotes": (1, None)})
    with pytest.raises(LakeError, match=r"counts add up to 9223372036854775808, .*`smi sql test MONTH` says whose"):
        export_table(staged, "staging.stg_posts", Month(MAY), "csv")


def test_a_plain_shell_refuses_the_sum_as_well(shell):
    shell.collection("x")
    x_posts(shell, {"likes": (LARGEST, 1)})
    with pytest.raises(duckdb.ConversionException, match="9223372036854775808"):
        shell.table("int_account_month_posts")


def test_another_value_that_cannot_be_cast_is_told_as_before(staged, into, graph):
    """Not every failed cast is a sum."""
    world(into, {"likes": (5, 1)})
    model = graph.project["hashtags"]
    broken = type(model)(**{**vars(model), "sql": model.sql.replace("count(views)", "cast('many' as bigint)")})
    with pytest.raises(Exception, match=r"marts\.hashtags 2025-05: Conversion Error: Could not convert string 'many'"):
        run_model(staged, broken, MAY)


@pytest.mark.parametrize(("relation", "sql"), SUMS)
def test_every_sum_of_a_model_is_cast_so_that_it_fails_where_it_does_not_fit(relation, sql):
    """try_cast would make it null, which says that nobody reported the count."""
    [found] = [one for one in sums_in(MODELS[relation].tree()) if one.sql("duckdb") == sql]
    assert is_cast(found), f"{relation}: write cast({sql.lower()} as bigint)"


def test_every_sum_of_the_models_has_its_border_tested():
    tested = [relation for relation, (columns, *_) in ADDED.items() for _ in columns] + ["marts.coverage"] * 3
    assert sorted(relation for relation, _ in SUMS) == sorted(tested)


def test_no_column_of_a_model_is_wider_than_the_bigint_it_is_read_as():
    kinds = column_types(build_graph(load_project()))
    assert [f"{name}.{column}" for name in kinds for column, kind in kinds[name].items() if kind == "hugeint"] == []


@pytest.mark.parametrize("relation", sorted({relation for relation, _ in SUMS}))
def test_a_model_without_its_casts_gives_the_same_rows(staged, into, graph, relation):
    """Who is refused is looked for in this SQL, which nobody else runs."""
    world(into, {"likes": (7, 5), "comments": (1, None), "shares": (2, None), "quotes": (1, None), "views": (9, None)})
    for model in graph.order:
        if model.layer == "intermediate":
            run_model(staged, model, MAY)
    model = graph.project[relation]
    with staged.read() as cursor:
        cursor.execute("set variable month = date '2025-05-01'")
        want, got = (
            cursor.execute(f"select * from ({sql}) order by all").fetchall() for sql in (model.sql, exact(model))
        )
        kinds = {kind for _, kind, *_ in cursor.execute(f"describe from ({exact(model)})").fetchall()}
    assert got == want != []
    assert "HUGEINT" in kinds


def test_no_sql_in_python_casts_a_sum():
    """What Python reads comes as an integer of any length, whatever DuckDB has added up."""
    files = ROOT.parent.joinpath("smi_pipeline").rglob("*.py")
    assert [str(file) for file in files if re.search(r"sum\([^)]*\)(::|\s+as\s+bigint)", file.read_text())] == []


def test_the_tree_of_an_addition_is_found():
    model = MODELS["marts.hashtags"]
    other = type(model)(**{**vars(model), "sql": "select a + b as c, sum(a) over () as d from staging.stg_posts"})
    assert [type(one) for one in sums_in(other.tree())] == [exp.Add, exp.Window]
    assert not any(is_cast(one) for one in sums_in(other.tree()))
