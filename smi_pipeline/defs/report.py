"""The report's files: <lake>/reports/<month>/, written whole or not at all."""

import dagster as dg

from smi_pipeline.defs.derive import with_followers
from smi_pipeline.defs.edition import report_input
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.lake.connection import Lake
from smi_pipeline.report.archive import write_archive
from smi_pipeline.report.context import report as report_context
from smi_pipeline.report.files import write_report
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
        inputs, own = current_inputs(lake, settings()), set(months_of(context))
        for month in with_followers(lake, months_of(context), "marts.rankings"):
            if month not in own and not (lake.path / "reports" / month.key).exists():
                continue
            files = write_report(report_context(report_input(lake, month, inputs)), lake.path / "reports" / month.key)
            if month in own:
                folder = lake.path / "reports" / month.key
                context.add_asset_metadata(
                    {
                        "path": dg.MetadataValue.path(folder / "index.html"),
                        "files": dg.MetadataValue.json({file.name: file.stat().st_size for file in files}),
                    },
                    partition_key=month.key,
                )
        with lake.lock("archive"):
            write_archive(lake.path / "reports")
