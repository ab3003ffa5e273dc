"""The models hold together: SQL and yml, layers, order, lineage, house rules."""

import re

import pytest
import sqlglot
from sqlglot import exp

from smi_pipeline.lake.tables import DECLARED
from smi_pipeline.sql.graph import Source, build_graph
from smi_pipeline.sql.project import LAYERS, ROOT, ProjectError, load_project

FILES = sorted(ROOT.glob("*/*.sql"))


class Folder:
    """A little project of its own."""

    def __init__(self, root):
        self.root = root

    def model(self, layer, name, sql, columns=("a",), tests=""):
        folder = self.root / layer
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.sql").write_text(sql)
        listed = "".join(f"      - {{ name: {column}, description: unit and null }}\n" for column in columns)
        head = "" if (folder / "_models.yml").exists() else "version: 2\nmodels:\n"
        with (folder / "_models.yml").open("a") as yml:
            yml.write(f"{head}  - name: {name}\n    description: d\n{tests}    columns:\n{listed}")
        return self

    def graph(self):
        return build_graph(load_project(self.root))


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_a_column_the_yml_describes_and_the_sql_lacks_is_refused(folder):
    folder.model("staging", "stg_a", "select 1 as a", columns=("a", "gone"))
    with pytest.raises(ProjectError, match=r"staging\.stg_a .*yml describes gone, which the SQL does not select"):
        folder.graph()


def test_a_column_nobody_described_is_refused(folder):
    folder.model("staging", "stg_a", "select 1 as a, 2 as fresh")
    with pytest.raises(ProjectError, match=r"staging\.stg_a .*SQL selects fresh, which the yml does not describe"):
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
        ("select a from staging.stg_b", r"staging\.stg_a reads staging\.stg_b, which has no file"),
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
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: d, data_tests: [nonsense] }] }\n",
            r"stg_a\.a: unknown data test 'nonsense'",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: d, data_tests: [accepted_values] }] }\n",
            "accepted_values takes values",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, data_tests: [not_null], columns: [{ name: a, description: d }] }\n",
            "not_null is a test of a column",
        ),
        (
            "version: 2\nmodels:\n  - { name: stg_a, description: d, columns: [{ name: a, description: d, data_tests: [{ relationships: { to: 'ref(\"no\")', field: a } }] }] }\n",
            r"stg_a\.a: expected ref\('model'\) or source",
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
    folder.model(layer, "wrong", f"with b as (select a from {reads}) select a from b")
    with pytest.raises(ProjectError, match=rf"{layer}\.wrong reads {re.escape(reads)}; {layer} may read"):
        folder.graph()


def test_models_that_read_each_other_are_refused(folder):
    folder.model("marts", "one", "select a from marts.two").model("marts", "two", "select a from marts.one")
    with pytest.raises(ProjectError, match=r"in a circle: marts\.(one|two) -> "):
        folder.graph()


def test_every_model_comes_after_those_it_reads(graph):
    place = {model.relation: number for number, model in enumerate(graph.order)}
    assert len(place) == len(FILES)
    for relation, reads in graph.reads.items():
        assert all(place[other] < place[relation] for other in reads if other in place)


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
    return {
        column: {f"{source.relation}.{source.column}" for source in sources}
        for column, sources in graph.column_lineage(graph.project[relation]).items()
    }


def test_lineage_of_columns_read_off_the_files_by_hand(graph):
    facebook = lineage(graph, "stg_facebook_posts")
    assert facebook["shares"] == {"raw.facebook_posts.shares_count", "raw.facebook_posts.payload"}
    assert facebook["published_at"] == {"raw.facebook_posts.created_time"}
    assert facebook["views"] == set()
    assert graph.column_lineage(graph.project["stg_youtube_posts"])["likes"] == (
        Source("raw.youtube_posts", "likeCount"),
    )
    assert lineage(graph, "int_account_month_posts")["views"] == {
        "staging.stg_posts.views",
        "staging.stg_posts.is_video",
    }
    assert lineage(graph, "stg_posts")["interactions"] == {
        f"staging.stg_{platform}_posts.{count}"
        for platform in ("facebook", "x", "instagram", "youtube", "tiktok", "vendor")
        for count in ("likes", "comments", "shares")
    }
    rankings = lineage(graph, "rankings")
    assert rankings["name_zh"] == {"index.city.name_zh"}
    assert rankings["status"] == {"index.composite.status", "staging.stg_collections.cut"}
    assert lineage(graph, "hashtags")["reach"] == {"staging.stg_posts.views"}
    assert lineage(graph, "coverage")["cities_monitored"] == {"index.city.city_id"}


def test_every_column_lineage_ends_in_a_column_that_is_there(graph):
    known = {name: set(columns) for name, columns in DECLARED.items()}
    known |= {model.relation: {column.name for column in model.columns} for model in graph.project}
    for model in graph.project:
        for sources in graph.column_lineage(model).values():
            for source in sources:
                assert source.relation in graph.reads[model.relation]
                assert source.column in known.get(source.relation, {source.column})


def test_a_column_of_an_unnamed_table_in_a_join_has_no_lineage(folder):
    folder.model("staging", "stg_a", "select a from raw.x_posts as p cross join raw.x_accounts as q")
    graph = folder.graph()
    with pytest.raises(ProjectError, match=r"staging\.stg_a"):
        graph.column_lineage(graph.project["stg_a"])


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
