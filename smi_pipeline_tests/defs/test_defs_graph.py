"""The graph as it is published: every asset with its group and what it stands on."""

import subprocess
import sys
from pathlib import Path

import pytest

from smi_pipeline.definitions import defs
from smi_pipeline.defs.partitions import DAYS, MONTHS
from smi_pipeline.registry.models import PLATFORMS

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


@pytest.fixture(scope="module")
def definitions():
    return defs()


def test_the_graph_is_the_one_in_graph_txt(definitions):
    """A module of defs/ that is loaded twice, or silently not at all, shows here; so does a lost dependency."""
    graph = definitions.resolve_asset_graph()
    lines = [
        f"{key.to_user_string()} [{graph.get(key).group_name}] <- "
        + ", ".join(sorted(parent.to_user_string() for parent in graph.get(key).parent_keys))
        for key in sorted(graph.get_all_asset_keys())
    ]
    expected = (HERE / "graph.txt").read_text().splitlines()
    assert [line.rstrip() for line in lines] == [line.rstrip() for line in expected]


def test_every_asset_has_the_one_monthly_partition_or_the_day_of_a_snapshot_an_owner_kinds_and_a_description(
    definitions,
):
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.partitions_def == {"snapshots": DAYS, "inputs": None}.get(node.group_name, MONTHS), key
        assert node.owners, key
        assert node.kinds, key
        assert node.description, key


def test_collecting_is_one_run_a_month_and_deriving_one_run_a_range(definitions):
    graph = definitions.resolve_asset_graph()
    policies = {
        node.group_name: node.backfill_policy.max_partitions_per_run
        for node in graph.asset_nodes
        if node.group_name != "inputs"  # nothing of this project materialises what people hand in
    }
    assert policies.pop("raw") == 1
    assert policies.pop("snapshots") == 1
    assert set(policies.values()) == {None}


@pytest.fixture(scope="module")
def metadata(definitions):
    """What the UI has of each asset before anything ran."""
    return {spec.key.to_user_string(): spec.metadata for spec in definitions.resolve_all_asset_specs()}


def test_every_table_tells_its_columns_each_with_its_meaning(metadata):
    tables = {key: told for key, told in metadata.items() if not key.startswith(("report/", "snapshots/"))}
    assert len(tables) == 30 + 2 + 16 + 5 + 1
    for key, told in tables.items():
        columns = told["dagster/column_schema"].columns
        assert columns, key
        assert all(column.description for column in columns), key
    [likes] = [one for one in metadata["raw/x"]["dagster/column_schema"].columns if one.name == "like_count"]
    assert likes.description == "Likes, in number; null where not sent or refused. (raw.x_posts)"


def above(metadata, key, column):
    lineage = metadata[key].get("dagster/column_lineage")
    deps = [] if lineage is None else lineage.deps_by_column[column]
    return [(dep.asset_key.to_user_string(), dep.column_name) for dep in deps]


def ends(metadata, key, column):
    """Where the UI's column lineage of a column ends, walked from asset to asset."""
    if key.startswith("raw/"):
        return {(key, column)}
    return {end for source in above(metadata, key, column) for end in ends(metadata, *source)}


def test_every_column_of_every_mart_leads_to_raw_columns_that_are_there(metadata):
    there = {
        (key, column.name)
        for key, told in metadata.items()
        if key.startswith("raw/")
        for column in told["dagster/column_schema"].columns
    }
    marts = [key for key in metadata if key.startswith("marts/")]
    assert len(marts) == 5
    for key in marts:
        lineage = metadata[key]["dagster/column_lineage"].deps_by_column
        assert set(lineage) == {column.name for column in metadata[key]["dagster/column_schema"].columns}
        for column in lineage:
            reached = ends(metadata, key, column)
            assert reached, (key, column)
            assert reached <= there, (key, column, reached - there)


def test_the_lineage_of_three_columns_is_what_the_code_says_by_hand(metadata):
    """Reach through the SQL alone, refused posts through a table of all platforms, a score through metrics and index."""

    def of_any(*columns):  # a table of all platforms is written by all five assets
        return {(f"raw/{platform}", column) for platform in PLATFORMS for column in columns}

    reach = {("raw/x", "impression_count"), ("raw/instagram", "view_count"), ("raw/youtube", "viewCount")}
    assert ends(metadata, "marts/hashtags", "reach") == reach | {("raw/tiktok", "view_count")} | of_any("views")

    assert ends(metadata, "marts/coverage", "malformed_posts") == of_any("reason")

    own = {
        # posts, counted by whose they are, and whether they are videos; reactions; views; followers at both borders
        "facebook": "account_id media_type status_type permalink_url reactions_total_count comments_total_count shares_count payload"
        " followers_count observed_at",
        "x": "account_id media_types referenced_tweet_types like_count reply_count retweet_count quote_count impression_count"
        " followers_count observed_at",
        "instagram": "account_id media_type media_product_type like_count comments_count view_count followers_count observed_at",
        "youtube": "account_id likeCount commentCount viewCount subscriberCount hiddenSubscriberCount observed_at",
        "tiktok": "account_id like_count comment_count share_count view_count follower_count observed_at",
    }
    assert ends(metadata, "marts/rankings", "score") == (
        {(f"raw/{platform}", column) for platform, columns in own.items() for column in columns.split()}
        # a vendor's files, of any platform
        | of_any("account_id", "platform", "kind", "likes", "comments", "shares", "views", "followers", "observed_at")
        # what is left of an account that was forgotten
        | of_any("posts", "videos")
        # who answered, to which fields, and on which cut: experts are released over final counts alone; whose posts could
        # not be read
        | of_any("outcome", "left_out", "cut", "reason")
        # registry, method, weight inputs, ratings
        | {("raw/input_file", "text")}
    )


def test_what_a_column_is_made_of_lies_in_assets_its_own_stands_on(definitions, metadata):
    graph = definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        lineage = metadata[key.to_user_string()].get("dagster/column_lineage")
        deps = [] if lineage is None else [dep for column in lineage.deps_by_column.values() for dep in column]
        assert {dep.asset_key for dep in deps} <= graph.get(key).parent_keys, key


def test_dagsters_own_checks_pass():
    for arguments in (
        ("-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"),
        ("-m", "dagster_dg_cli.cli", "check", "defs"),
    ):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
