"""The only entry point of Dagster: everything in defs/, run in one process."""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules and resources of the pipeline."""
    folder = dg.load_from_defs_folder(path_within_project=Path(__file__).parent / "defs")
    # A month's steps are short and share one database: one process is faster than one a step, and loses nothing.
    return dg.Definitions.merge(folder, dg.Definitions(executor=dg.in_process_executor))
