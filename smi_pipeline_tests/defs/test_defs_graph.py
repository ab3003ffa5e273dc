"""The graph as it is published: every asset with its group and what it stands on."""

import subprocess
import sys
from pathlib import Path

import pytest

from smi_pipeline.definitions import defs
from smi_pipeline.defs.partitions import DAYS, MONTHS

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
        assert node.partitions_def == (DAYS if node.group_name == "snapshots" else MONTHS), key
        assert node.owners, key
        assert node.kinds, key
        assert node.description, key


def test_collecting_is_one_run_a_month_and_deriving_one_run_a_range(definitions):
    graph = definitions.resolve_asset_graph()
    policies = {node.group_name: node.backfill_policy.max_partitions_per_run for node in graph.asset_nodes}
    assert policies.pop("raw") == 1
    assert policies.pop("snapshots") == 1
    assert set(policies.values()) == {None}


def test_the_models_tell_their_columns_and_where_they_come_from(definitions):
    assets = {key: asset for asset in definitions.resolve_all_asset_specs() for key in [asset.key.to_user_string()]}
    metadata = assets["staging/stg_x_posts"].metadata
    likes = next(column for column in metadata["dagster/column_schema"].columns if column.name == "likes")
    assert likes.description
    [source] = metadata["dagster/column_lineage"].deps_by_column["likes"]
    assert (source.asset_key.to_user_string(), source.column_name) == ("raw/x", "like_count")


def test_dagsters_own_checks_pass():
    for arguments in (
        ("-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"),
        ("-m", "dagster_dg_cli.cli", "check", "defs"),
    ):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
