"""Two years backfilled in the UI and on the command line: the same months, whoever asked for them, and in any order."""

import random

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


def test_two_years_through_the_ui_and_the_command_line_are_the_same_tables(tmp_path):
    months = month_range(FIRST, LAST)
    shuffled = random.Random(24).sample(months, len(months))
    with SandboxProcess(SAMPLE) as sandbox:
        ui = Unattended(tmp_path, sandbox)
        ui.at("2026-05-20T12:00:00+08:00")
        with ui.running():
            assert backfill(ui, "collect", shuffled) == "COMPLETED_SUCCESS"
            assert backfill(ui, "derive", shuffled) == "COMPLETED_SUCCESS"
        ours = {name: value for name, value in ui.environment.items() if name.startswith("SMI_")}
        there = tmp_path / "there" / "lake"
        done = smi("backfill", FIRST, LAST, "--lake", there, **ours | {"SMI_LAKE": str(there)})
        assert done.returncode == 0, done.stderr
    in_the_ui, on_the_command_line = tables(Lake.of(ui.lake)), tables(Lake.of(there))
    assert in_the_ui.keys() == on_the_command_line.keys()
    for name, frame in in_the_ui.items():
        assert_frame_equal(frame.sort(frame.columns), on_the_command_line[name].sort(frame.columns))
    assert in_the_ui["marts.rankings"]["month"].n_unique() == len(months)
