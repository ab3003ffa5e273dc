"""One asset a model of dbt_like_sql: dependencies, columns and column lineage come from the SQL and its yml."""

import dagster as dg

from smi_pipeline.defs.derive import with_followers
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.preview import Metadata, month_shown, tell_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.defs.tables import dependencies, descriptions, graph, table_metadata
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.sql.project import Model
from smi_pipeline.sql.run import build_views, check_model, run_model


def derive_intermediate(lake: Lake, month: Month) -> None:
    """Make one month's sums, with the views they read."""
    build_views(lake, graph())
    for model in graph().tables("intermediate"):
        run_model(lake, model, month.first)


def _model_asset(model: Model) -> dg.AssetsDefinition:
    about = descriptions(model.relation)

    @dg.asset(
        key=[model.layer, model.name],
        deps=dependencies(model.relation),
        group_name=model.layer,
        kinds={"sql", "duckdb"},
        owners=OWNERS,
        partitions_def=MONTHS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=graph().fingerprint(model),
        description=model.description,
        metadata={
            "sql": dg.MetadataValue.md(f"```sql\n{model.sql}\n```"),
            **table_metadata(model.relation),
        },
    )
    def derived(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> None:
        with told_clearly():
            if model.is_view:
                build_views(lake, graph())
                for month in months_of(context):
                    looked = check_model(lake, model, month.first)
                    shown: Metadata = {"dagster/partition_row_count": looked.rows}
                    if month.key == context.partition_keys[-1]:  # see tell_month
                        shown = month_shown(looked.rows, looked.first, about)
                    context.add_asset_metadata(shown, partition_key=month.key)
                return
            own = set(months_of(context))
            months = with_followers(lake, months_of(context), model.relation) if model.layer == "marts" else sorted(own)
            for month in months:
                done = run_model(lake, model, month.first)
                tell_month(context, lake, model.relation, month, done, own=month in own, about=about)

    return derived


@dg.definitions
def model_assets() -> dg.Definitions:
    """One asset a model."""
    return dg.Definitions(assets=[_model_asset(model) for model in graph().project])
