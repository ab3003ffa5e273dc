"""The models hold together: SQL and yml, layers, order, lineage, house rules."""

import re
import shutil

import pytest
import sqlglot
from sqlglot import exp

from smi_pipeline.sql.graph import Source, build_graph
from smi_pipeline.sql.project import LAYERS, ROOT, load_project
from smi_pipeline.sql.yml import ProjectError

FILES = sorted(ROOT.glob("*/*.sql"))


class Folder:
    """A little project of its own, over the real raw tables; or a copy of the real one."""

    def __init__(self, root, *, copied=False):
        self.root = root
        left_out = [*LAYERS, "metrics.yml", "index.yml"]
        shutil.copytree(ROOT, root, dirs_exist_ok=True, ignore=None if copied else lambda *_: left_out)

    def model(self, layer, name, sql, columns=("a",), tests="", more=""):
        folder = self.root / layer
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.sql").write_text(sql)
        listed = "".join(f"      - {{ name: {column}, description: unit and null{more} }}\n" for column in columns)
        head = "" if (folder / "_models.yml").exists() else "version: 2\nmodels:\n"
        with (folder / "_models.yml").open("a") as yml:
            yml.write(f"{head}  - name: {name}\n    description: d\n{tests}    columns:\n{listed}")
        return self

    def graph(self):
        return build_graph(load_project(self.root))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def copied(tmp_path):
    return Folder(tmp_path, copied=True)


def test_a_column_the_yml_describes_and_the_sql_lacks_is_refused(folder):
    folder.model("staging", "stg_a", "select 1 as a", columns=("a", "gone"))
    with pytest.raises(
        ProjectError,
        match=r"stg_a\.sql and .*_models\.yml: staging\.stg_a: the yml describes gone, which the SQL does not select",
    ):
        folder.graph()


def test_a_column_nobody_described_is_refused(folder):
    folder.model("staging", "stg_a", "select 1 as a, 2 as fresh")
    with pytest.raises(ProjectError, match=r"staging\.stg_a: the SQL selects fresh, which the yml does not describe"):
        folder.graph()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select * from raw.x_posts", r"stg_a\.sql: selects \*"),
        ("select 1 as a, 2 as a", "a column is selected twice"),
        ("select 1 as a; select 2 as a", "expected one SELECT, got 2 statements"),
        ("drop table raw.x_posts", "expected one SELECT"),
        ("select from where", r"stg_a\.sql"),
        ("select a from x_posts", r"expected schema\.table, got x_posts"),
        ("select a from staging.stg_b", r"stg_a\.sql: staging\.stg_a reads staging\.stg_b, which has no file"),
        ("select id as a from raw.x_post", r"reads raw\.x_post, which has no file .*did you mean raw\.x_posts"),
    ],
)
def test_a_file_that_is_not_one_plain_select_is_refused(folder, sql, message):
    folder.model("staging", "stg_a", sql)
    with pytest.raises(ProjectError, match=message):
        folder.graph()


def test_yml_and_sql_files_must_come_in_pairs(folder):
    folder.model("staging", "stg_a", "select 1 as a")
    (folder.root / "staging/stg_b.sql").write_text("select 1 as a")
    with pytest.raises(ProjectError, match="does not describe stg_b"):
        folder.graph()
    (folder.root / "staging/stg_b.sql").rename(folder.root / "staging/stg_a.sql")
    (folder.root / "staging/stg_a.sql").unlink()
    with pytest.raises(ProjectError, match=r"describes stg_a, but .* has no such \.sql file"):
        folder.graph()


@pytest.mark.parametrize(
    ("yml", "message"),
    [
        ("version: 2\nmodels: [\n", "is no YAML"),
        ("version: 1\nmodels: []\n", "version"),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a }] }\n",
            r"columns\.0\.description",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: ' ' }] }\n",
            "a has an empty description",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: d, unit: km }] }\n",
            "unit",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: 'null', data_tests: [nonsense] }] }\n",
            r"stg_a\.a: unknown data test 'nonsense'",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: 'null', data_tests: [accepted_values] }] }\n",
            "accepted_values takes values",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, data_tests: [not_null], columns: [{ name: a, description: 'null' }] }\n",
            "not_null is a test of a column",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: 'null', data_tests: [{ relationships: { to: 'ref(\"no\")', field: a } }] }] }\n",
            r"stg_a\.a: ref\(\"no\"\) is not there; ",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: 'null', data_tests: [{ relationships: { to: 'raw.x_posts', field: a } }] }] }\n",
            r"stg_a\.a: expected ref\('model'\) or source",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: 'null', data_tests: [{ relationships: { to: 'source(\"raw\", \"input_file\")', field: texts } }] }] }\n",
            r"stg_a\.a: raw\.input_file has no column 'texts'; did you mean text",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, data_type: date, description: 'null' }] }\n",
            "its type is that of the SELECT",
        ),
    ],
)
def test_a_yml_that_says_something_else_is_refused(folder, yml, message):
    folder.model("staging", "stg_a", "select 1 as a")
    (folder.root / "staging/_models.yml").write_text(yml)
    with pytest.raises(ProjectError, match=message):
        folder.graph()


def test_an_empty_folder_is_no_project(tmp_path):
    with pytest.raises(ProjectError, match="no models in"):
        load_project(tmp_path)


def test_two_models_of_one_name_are_refused(folder):
    folder.model("staging", "same", "select 1 as a").model("marts", "same", "select 1 as a")
    with pytest.raises(ProjectError, match="two models are called same"):
        folder.graph()


@pytest.mark.parametrize(
    ("layer", "reads"),
    [
        ("staging", "intermediate.int_a"),
        ("staging", "metrics.account_month"),
        ("intermediate", "raw.x_posts"),
        ("intermediate", "marts.rankings"),
        ("intermediate", "index.composite"),
        ("marts", "raw.x_posts"),
    ],
)
def test_a_model_that_reads_from_outside_its_layer_is_refused(folder, layer, reads):
    """The message names the file and the reference."""
    folder.model(layer, "wrong", f"with b as (select a from {reads}) select a from b")
    told = rf"{layer}/wrong\.sql: {layer}\.wrong reads {re.escape(reads)}; {layer} may read"
    with pytest.raises(ProjectError, match=told):
        folder.graph()


def test_models_that_read_each_other_are_refused(folder):
    folder.model("marts", "one", "select a from marts.two").model("marts", "two", "select a from marts.one")
    with pytest.raises(ProjectError, match=r"in a circle: marts\.(one|two) -> "):
        folder.graph()


def test_every_model_comes_after_those_it_reads(graph):
    place = {model.relation: number for number, model in enumerate(graph.order)}
    assert len(place) == len(FILES)
    for relation, mine in place.items():
        assert all(place[other] < mine for other in graph.reads[relation] if other in place)


def test_a_fingerprint_follows_the_sql_below(folder):
    folder.model("staging", "stg_a", "select 1 as a").model("staging", "stg_b", "select a from staging.stg_a").model(
        "staging", "stg_c", "select 3 as a"
    )
    before = folder.graph()
    (folder.root / "staging/stg_a.sql").write_text("select 2 as a")
    after = folder.graph()
    changed = {
        name
        for name in before.project.models
        if before.fingerprint(before.project[name]) != after.fingerprint(after.project[name])
    }
    assert changed == {"staging.stg_a", "staging.stg_b"}


def lineage(graph, relation):
    return {column: set(map(str, sources)) for column, sources in graph.lineage[relation].items()}


def test_lineage_of_columns_read_off_the_files_by_hand(graph):
    facebook = lineage(graph, "staging.stg_facebook_posts")
    assert facebook["shares"] == {
        "raw.facebook_posts.shares_count",
        "raw.facebook_posts.payload",
        "raw.collection_account.left_out",
    }
    assert facebook["published_at"] == {"raw.facebook_posts.created_time"}
    assert facebook["views"] == set()
    assert graph.lineage["staging.stg_youtube_posts"]["likes"] == (Source("raw.youtube_posts", "likeCount"),)
    assert lineage(graph, "intermediate.int_account_month_posts")["views"] == {
        "staging.stg_posts.views",
        "staging.stg_posts.is_video",
        "staging.stg_forgotten_sums.views",
    }
    assert lineage(graph, "staging.stg_posts")["interactions"] == {
        f"staging.stg_{platform}_posts.{count}"
        for platform in ("facebook", "x", "instagram", "youtube", "tiktok", "vendor")
        for count in ("likes", "comments", "shares")
    }
    rankings = lineage(graph, "marts.rankings")
    assert rankings["name_zh"] == {"index.city.name_zh"}
    assert rankings["status"] == {"index.composite.status", "staging.stg_collections.cut"}
    assert lineage(graph, "marts.hashtags")["reach"] == {"staging.stg_posts.views"}
    assert lineage(graph, "marts.coverage")["cities_monitored"] == {"index.city.city_id"}


def test_a_column_without_lineage_is_a_word_of_the_sql_itself(graph):
    """Whatever is counted, computed or copied leads on; only constants end a path before raw."""
    dead = {
        (relation, column) for relation, columns in graph.lineage.items() for column in columns if not columns[column]
    }
    assert {column for _, column in dead} <= {
        "platform", "kind", "is_video", "is_repost", "shares", "views", "posts_total", "views_total",
    }  # fmt: skip
    assert {relation.partition(".")[0] for relation, _ in dead} == {"staging"}


def test_rows_that_are_counted_without_a_column_end_the_lineage_and_are_refused(folder):
    folder.model("staging", "stg_a", "select count(*) as a from raw.x_posts as p")
    with pytest.raises(ProjectError, match=r"stg_a\.sql: a: it counts rows and names no column"):
        _ = folder.graph().lineage


def test_a_column_its_table_has_not_is_refused_and_the_nearest_one_offered(folder):
    folder.model("staging", "stg_a", "select p.like_counts as a from raw.x_posts as p")
    with pytest.raises(
        ProjectError, match=r"stg_a\.sql: a: raw\.x_posts has no column like_counts; did you mean like_count"
    ):
        _ = folder.graph().lineage


def test_a_constant_may_be_said_to_come_from_somewhere_and_a_column_that_names_its_own_may_not(folder):
    told = ", meta: { from: [raw.input_file.text] }"
    folder.model("staging", "stg_a", "select 'x' as a", more=told)
    assert folder.graph().lineage["staging.stg_a"]["a"] == (Source("raw.input_file", "text"),)
    folder.model("staging", "stg_b", "select p.id as a from raw.x_posts as p", more=told)
    with pytest.raises(ProjectError, match=r"stg_b\.sql: a: the SQL names what it is made of"):
        _ = folder.graph().lineage


def test_a_column_of_an_unnamed_table_in_a_join_has_no_lineage(folder):
    folder.model("staging", "stg_a", "select a from raw.x_posts as p cross join raw.x_accounts as q")
    with pytest.raises(ProjectError, match=r"stg_a"):
        _ = folder.graph().lineage


def test_a_description_says_what_null_means_or_a_test_says_there_is_none(folder):
    folder.model("staging", "stg_a", "select 1 as a")
    yml = folder.root / "staging/_models.yml"
    yml.write_text(yml.read_text().replace("unit and null", "in number"))
    with pytest.raises(ProjectError, match=r"staging\.stg_a: a: say what null means, or test it with not_null"):
        folder.graph()
    yml.write_text(yml.read_text().replace("in number", "in number, data_tests: [not_null]"))
    assert folder.graph()


def edited(folder, name, old, new):
    path = folder.root / "sources" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return folder.graph()


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("raw.yml", "name: created_time", "name: creation", r"raw\.facebook_posts: created_time, creation: in the yml or in smi_pipeline/lake/tables\.py and not in both"),
        ("raw.yml", "- name: request_ledger", "- name: ledger", r"raw\.ledger: .* in the yml or in smi_pipeline/lake/tables\.py and not in both"),
        ("raw.yml", "- name: x_posts", "- name: facebook_posts", r"describes raw\.facebook_posts a second time"),
        ("index.yml", "data_type: date", "data_type: ''", r"index\.city: month lacks its data_type or what it is made of"),
        ("index.yml", "        meta: { from: &file [raw.input_file.text] }", "        meta: { from: &file [raw.input_file.texts] }", r"index\.\w+\.\w+ is made of raw\.input_file\.texts: .*no column texts; did you mean text"),
        ("index.yml", "from: [index.rank_interval.rank_p05]", "from: [index.rank_intervals.rank_p05]", r"rank_p05 is made of index\.rank_intervals\.rank_p05, which has no file .*did you mean index\.rank_interval"),
        ("index.yml", "from: [index.rank_interval.rank_p05]", "from: [index.composite.rank]", "a column of the same table"),
        ("index.yml", "from: [index.rank_interval.rank_p05]", "from: [index.composite.rank, index.contribution.weight, marts.none.x]", r"of the same table"),
        ("index.yml", "description: Chinese name; never null.", "description: Chinese name.", r"index\.city: name_zh: say what null means"),
        ("index.yml", "from: *file }\n          - name: name_en", "from: [] }\n          - name: name_en", r"meta\.from"),
        ("metrics.yml", "meta: { from: [staging.stg_account_outcomes.month] }", "data_tests: [not_null]", "lacks its data_type or what it is made of"),
    ],
)  # fmt: skip
def test_a_source_that_is_told_wrong_is_refused_with_its_place(copied, name, old, new, message):
    with pytest.raises(ProjectError, match=message):
        edited(copied, name, old, new)


def test_tables_that_are_made_of_each_other_are_refused(copied):
    """An asset cannot come before itself."""
    with pytest.raises(ProjectError, match=r"in a circle: .*metrics\.account_month"):
        edited(copied, "metrics.yml", "[staging.stg_account_outcomes.month]", "[metrics.city_platform_month.month]")


def test_a_relation_is_found_by_what_people_call_it(graph):
    find = graph.project.find
    assert find("marts.rankings") == find("rankings") == ("marts.rankings", None)
    assert find("rankings.score") == find("marts.rankings.score") == ("marts.rankings", "score")
    assert find("metrics.account_month") == find("account_month") == ("metrics.account_month", None)
    assert find("raw.x_posts.like_count") == ("raw.x_posts", "like_count")
    with pytest.raises(ProjectError, match=r"no model or table 'ranking'; did you mean rankings"):
        find("ranking")
    with pytest.raises(ProjectError, match=r"marts\.rankings has no column 'scores'; did you mean score"):
        find("marts.rankings.scores")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_says_what_it_is_and_keeps_the_house_rules(path):
    text = path.read_text()
    head = [line for line in text.splitlines() if line.startswith("--")]
    assert head[0].startswith(f"-- {path.stem}: ")
    assert [word for word in ("grain", "month", "units", "caveat") if f"-- {word}" not in text] == []
    tree = sqlglot.parse_one(text, read="duckdb")
    assert not [star for star in tree.find_all(exp.Star) if not isinstance(star.parent, exp.Count)], "columns are named"
    filled = [
        call for call in tree.find_all(exp.Coalesce) if any(isinstance(part, exp.Literal) for part in call.expressions)
    ]
    assert not filled, "an unknown count is not a number"
    code = re.sub(r"--.*", "", text).lower()
    assert not re.search(r"interval|date_trunc|date_add|\+ *to_months|current_date|now\(\)", code), (
        "months.py does the calendar"
    )
    assert ("getvariable" in code) == (path.parent.name != "staging"), "staging is all months, the rest is one"
    assert max(map(len, text.splitlines())) <= 125


def test_the_folders_are_the_layers():
    assert {path.parent.name for path in FILES} == set(LAYERS)


def test_the_readme_mentions_every_model():
    readme = (ROOT / "README.md").read_text()
    assert [
        path.stem
        for path in FILES
        if f"`{path.stem}`" not in readme.replace("<platform>", path.stem.split("_")[1] if "_" in path.stem else "")
    ] == []
