"""The index: indicator scores to the composite ranking, all tables of a month at once."""

from collections.abc import Iterator

import dagster as dg

from smi_pipeline.defs.derive import INDEX_TABLES, derive_index, with_followers
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.preview import INPUTS, tell_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.lake.connection import Lake
from smi_pipeline.settings import settings

_WHAT = {
    "city": "The cities valid in the month, as the registry names them.",
    "account": "The accounts valid in the month, as the registry lists them.",
    "indicator_score": "Each indicator's value and its score between the frozen goalposts.",
    "platform_index": "A platform's index and ranking.",
    "platform_weight": "The month's platform weights, each as a sum of its parts.",
    "composite": "The composite score and ranking.",
    "contribution": "What each indicator adds to a city's score; the parts add up exactly.",
    "account_contribution": "The same by account: a city's points shared out over the accounts they come from.",
    "score_change": "Why a score moved since the month before, in parts: performance, weights, experts.",
    "rank_interval": "Median rank, 5 to 95 % interval, probability of the top ten and tier, from seeded draws.",
    "sensitivity": "Which choice moves the ranks: Sobol indices of each factor.",
    "indicator_audit": "Shape, clipping and weight of each indicator on each platform, with alarms.",
    "indicator_correlation": "Correlation of each pair of a platform's indicators.",
    "group_audit": "Cronbach's alpha and mean correlation of each group's indicators.",
    "expert_agreement": "How far the month's raters agree, whether their scores are released, and if not, why.",
    "expert_city": "Each city's expert score, its raters' spread, and whether it must be rated again.",
}
# A month looks at its own metrics and those of the two months before (the second may stand in for gaps of the first);
# not at stored index rows, so months may come in any order.
_METRICS = dg.AssetDep(
    ["metrics", "city_platform_month"],
    partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-2, allow_nonexistent_upstream_partitions=True),
)


def _specs() -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            ["index", name],
            description=_WHAT[name],
            deps=[_METRICS, ["metrics", "account_month"]],
            group_name="index",
            kinds={"python", "polars"},
            owners=OWNERS,
            partitions_def=MONTHS,
        )
        for name in ("city", "account", *INDEX_TABLES)
    ]


@dg.multi_asset(name="index", specs=_specs(), backfill_policy=dg.BackfillPolicy.single_run())
def index(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Iterator[dg.MaterializeResult[None]]:
    """Score the months of the run, and the two after where they are scored already: they look back at these."""
    with told_clearly():
        inputs, own = current_inputs(lake, settings()), set(months_of(context))
        for month in with_followers(lake, months_of(context), "index.composite"):
            for name, done in derive_index(lake, month, inputs).items():
                seen = {INPUTS: dg.MetadataValue.json(inputs.visible(month))} if name == "composite" else {}
                tell_month(context, lake, f"index.{name}", month, done, own=month in own, more=seen)
    for name in _WHAT:
        yield dg.MaterializeResult(asset_key=["index", name])
