"""The report's files against the tables they were written from: two warnings of the report asset."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg

from smi_pipeline.defs.partitions import months_of_run
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.editions import published
from smi_pipeline.lake.frames import read_frame
from smi_pipeline.months import Month
from smi_pipeline.report.reconciliation import altered_files, disagreements

SHOWN = 10


def _result(lake: Lake, months: list[Month], find: Callable[[Path, Month], list[str]]) -> dg.AssetCheckResult:
    """Look at the editions of a range of months, or at all there are."""
    reports = lake.path / "reports"
    there = [Month.parse(path.parent.name) for path in sorted(reports.glob("????-??/manifest.json"))]
    looked_at = [month for month in there if not months or months[0] <= month <= months[-1]]
    found = [f"{month} {said}" for month in looked_at for said in find(reports / month.key, month)]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"editions": len(looked_at), "found": len(found), "first": "; ".join(found[:SHOWN]) or "none"},
    )


@dg.asset_check(asset=["report", "edition"])
def files_as_written(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
    """Every file of an edition has the checksum its manifest tells."""
    return _result(lake, list(months_of_run(context.run.tags)), lambda folder, _: altered_files(folder))


@dg.asset_check(asset=["report", "edition"])
def files_agree_with_tables(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """rankings.csv says of every city what marts.rankings says; of what is published, what it said then."""

    def find(folder: Path, month: Month) -> list[str]:
        with lake.read() as cursor:
            edition = published(cursor, month.first)
            then = "" if edition is None else f" at (version => {edition.tables_snapshot:d})"
            sql = f"select * from marts.rankings{then} where month = $month"
            return disagreements(folder, read_frame(cursor, sql, {"month": month.first}))

    return _result(lake, list(months_of_run(context.run.tags)), find)
