"""The report's files, written whole or not at all: a draft, unless the month derives to what is published."""

import dagster as dg

from smi_pipeline.defs.derive import with_followers
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.publication import write_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.lake.connection import Lake
from smi_pipeline.report.archive import write_archive
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
        inputs, own = current_inputs(lake, settings()), set(months_of(context))
        for month in with_followers(lake, months_of(context), "marts.rankings"):
            if month not in own and not current(lake.path, month).exists():
                continue
            written = write_month(lake, month, inputs, settings().publish if month in own else "by_hand")
            context.log.info("%s: %s (%s)", month, written, written.folder)
            if month in own:
                context.add_asset_metadata(
                    {
                        "edition": str(written),
                        "path": dg.MetadataValue.path(written.folder / "index.html"),
                        "files": dg.MetadataValue.json(dict(written.files)),
                    },
                    partition_key=month.key,
                )
        with lake.lock("archive"):
            write_archive(lake.path / "reports")
