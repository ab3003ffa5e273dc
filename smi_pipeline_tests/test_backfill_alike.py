"""Two years backfilled in the UI and on the command line: the same months, whoever asked for them, and in any order."""

import random
import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from smi import SAMPLE, smi, tables, until
from unattended import PATIENCE, Unattended

from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month, month_range
from smi_pipeline.sandbox.process import SandboxProcess

pytestmark = pytest.mark.long
FIRST, LAST = Month.parse("2024-05"), Month.parse("2026-04")
BACKFILL = """
mutation ($set: String!, $months: [String!]!) {
  launchPartitionBackfill(backfillParams: {
    selector: {
      partitionSetName: $set
      repositorySelector: {repositoryLocationName: "smi_pipeline", repositoryName: "__repository__"}
    }
    partitionNames: $months
  }) { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } }
}
"""
ENDED = "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"


def backfill(ui, job, months):
    """Launch a backfill as the UI's dialogue does, and give how it ended."""
    launched = ui.ask(BACKFILL, set=f"{job}_partition_set", months=[str(month) for month in months])
    launched = launched["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def status():
        return ui.ask(ENDED, id=launched["backfillId"])["partitionBackfillOrError"]["status"]

    until(lambda: status() not in {"REQUESTED", "CANCELING"}, 3 * PATIENCE)
    return status()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two lakes with the same 24 months, of the UI in any order and of the command line; and its settings."""
    folder = tmp_path_factory.mktemp("both")
    months = month_range(FIRST, LAST)
    shuffled = random.Random(24).sample(months, len(months))
    with SandboxProcess(SAMPLE) as sandbox:
        ui = Unattended(folder, sandbox)
        ui.at("2026-05-20T12:00:00+08:00")
        with ui.running():
            assert backfill(ui, "collect", shuffled) == "COMPLETED_SUCCESS"
            assert backfill(ui, "derive", shuffled) == "COMPLETED_SUCCESS"
        there = folder / "there" / "lake"
        ours = {name: value for name, value in ui.environment.items() if name.startswith("SMI_")}
        ours |= {"SMI_LAKE": str(there)}
        done = smi("backfill", FIRST, LAST, **ours)
        assert done.returncode == 0, done.stderr
        yield ui.lake, there, ours


def test_two_years_through_the_ui_and_the_command_line_are_the_same_tables(both):
    in_the_ui, on_the_command_line = (tables(Lake.of(path)) for path in both[:2])
    assert in_the_ui.keys() == on_the_command_line.keys()
    for name, frame in in_the_ui.items():
        assert_frame_equal(frame.sort(frame.columns), on_the_command_line[name].sort(frame.columns))
    assert in_the_ui["marts.rankings"]["month"].n_unique() == 24


def test_a_month_that_is_made_anew_touches_exactly_those_that_look_back_at_it_and_says_so_first(both, tmp_path):
    """An account closed in February, found out a year later; April changes against March, May may carry its figures."""
    _, there, ours = both
    registry = tmp_path / "registry"
    shutil.copytree(ours["SMI_REGISTRY"], registry)
    accounts = registry / "accounts.csv"
    line = "320100,x,sbx_nanjing,9000000000000000101,main,true,2024-01-01,"
    assert line in accounts.read_text()
    before = tables(Lake.of(there))
    accounts.write_text(accounts.read_text().replace(line, f"{line}2025-02-28"))
    done = smi("run", "2025-03", **ours | {"SMI_REGISTRY": str(registry)})
    assert done.returncode == 0, done.stderr
    assert "2025-04 and 2025-05 look back at 2025-03 and will be derived anew with it" in " ".join(done.stderr.split())
    after = tables(Lake.of(there))
    touched = {
        f"{month:%Y-%m}"
        for name, frame in after.items()
        if "month" in frame.columns
        for month in frame["month"].unique()
        if not same_rows(frame, before[name], month)
    }
    assert "2025-03" in touched
    assert touched <= {"2025-03", "2025-04", "2025-05"}


def same_rows(one, other, month):
    one, other = (frame.filter(pl.col("month") == month).sort(frame.columns) for frame in (one, other))
    return one.equals(other, null_equal=True)
