"""The index: indicator scores to the composite ranking, all tables of a month at once."""

from collections.abc import Iterator
from typing import Final

import dagster as dg

from smi_pipeline.defs.derive import INDEX_TABLES, derive_index, with_followers
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.inputs import current_inputs
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.preview import INPUTS, tell_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.defs.tables import dependencies, descriptions, graph, table_metadata
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import in_years
from smi_pipeline.settings import settings

_COMPOSITE: Final = "index.composite"
_RELATIONS: Final = tuple(f"index.{name}" for name in ("city", "account", *INDEX_TABLES))
# A month looks at its own metrics and those of the two months before (the second may stand in for gaps of the first);
# not at stored index rows, so months may come in any order.
_METRICS = dg.AssetDep(
    ["metrics", "city_platform_month"],
    partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-2, allow_nonexistent_upstream_partitions=True),
)


def _deps(relation: str) -> list[dg.AssetDep]:
    return [_METRICS if key == _METRICS.asset_key else dg.AssetDep(key) for key in dependencies(relation)]


def _specs() -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            relation.split("."),
            description=graph().project.tables[relation].description,
            deps=_deps(relation),
            metadata=table_metadata(relation),
            group_name="index",
            kinds={"python", "polars"},
            owners=OWNERS,
            partitions_def=MONTHS,
        )
        for relation in _RELATIONS
    ]


@dg.multi_asset(name="index", specs=_specs(), backfill_policy=dg.BackfillPolicy.single_run())
def index(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> Iterator[dg.MaterializeResult[None]]:
    """Score the months of the run, and the two after where they are scored already: they look back at these."""
    with told_clearly():
        own, inputs = set(months_of(context)), current_inputs(lake, settings())
        for months in in_years(with_followers(lake, months_of(context), _COMPOSITE)):
            for relation, replaced in derive_index(lake, months, inputs).items():
                about = descriptions(relation)
                for month, done in replaced.items():
                    seen = {INPUTS: dg.MetadataValue.json(inputs.visible(month))} if relation == _COMPOSITE else {}
                    tell_month(context, lake, relation, month, done, own=month in own, about=about, more=seen)
    for relation in (one for one in graph().sequence if one in _RELATIONS):
        yield dg.MaterializeResult(asset_key=relation.split("."))
