"""The report's files, written whole or not at all: a draft, unless the month derives to what is published."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from smi_pipeline.defs.derive import with_followers
from smi_pipeline.defs.edition import report_input
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.publication import Written, write_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.defs.runs import COMMAND_LINE, STARTED_BY
from smi_pipeline.lake.connection import Lake
from smi_pipeline.lake.notices import Notice, tell
from smi_pipeline.report.announcement import announcement
from smi_pipeline.report.archive import write_archive
from smi_pipeline.report.cards import thumbnail
from smi_pipeline.report.content import ReportContext
from smi_pipeline.report.context import report as report_context
from smi_pipeline.report.places import current
from smi_pipeline.settings import settings


@dg.asset(
    key=["report", "edition"],
    deps=[
        ["marts", "rankings"],
        ["marts", "movers"],
        ["marts", "top_posts"],
        ["marts", "hashtags"],
        ["marts", "coverage"],
        ["index", "platform_weight"],
        ["index", "contribution"],
        ["index", "indicator_score"],
        ["index", "expert_agreement"],
    ],
    group_name="report",
    kinds={"python", "html"},
    owners=OWNERS,
    partitions_def=MONTHS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def edition(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
    """The month's files in Chinese and English (docs/report.md lists them), and the page over all editions."""
    with told_clearly():
        own, inputs = set(months_of(context)), current_inputs(lake, settings())
        for month in with_followers(lake, months_of(context), "marts.rankings"):
            if month not in own and not current(lake.path, month).exists():
                continue
            written = write_month(lake, month, inputs, settings().publish if month in own else "by_hand")
            context.log.info("%s: %s (%s)", month, written, written.folder)
            if month in own:
                told = report_context(report_input(lake, month, inputs))
                shown: dict[str, Any] = {
                    "edition": str(written),
                    "path": dg.MetadataValue.path(written.folder / "index.html"),
                    "status": told.status,
                    "files": len(written.files),
                    "bytes": sum(written.files.values()),
                }
                if settings().reports_url is not None:
                    place = written.folder.relative_to(lake.path).as_posix()
                    address = f"{str(settings().reports_url).rstrip('/')}/{place.removeprefix('reports/')}/index.html"
                    if place.startswith("reports/"):
                        shown["report"] = dg.MetadataValue.url(address)
                if month.key == context.partition_keys[-1]:  # see tell_month
                    shown["top ten"] = dg.MetadataValue.md(f"![{month}]({thumbnail(told)})")
                context.add_asset_metadata(shown, partition_key=month.key)
                if own == {month} and context.run.tags.get(STARTED_BY) != COMMAND_LINE:
                    tell(lake, _news(told, shown.get("report"), written), datetime.now(UTC))
        with lake.lock("archive"):
            write_archive(lake.path / "reports")


def _news(told: ReportContext, report: dg.UrlMetadataValue | None, written: Written) -> Notice:
    """That a month has come, once as provisional and once as final."""
    return Notice(
        cause=f"edition {told.month} {told.status}",
        kind="news",
        title=f"{told.month} is there, {told.status} ({written})",
        text=announcement(told),
        link=str(written.folder / "index.html") if report is None else report.url,
    )
