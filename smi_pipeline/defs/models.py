"""One asset a model of dbt_like_sql: dependencies, columns and column lineage come from the SQL and its yml."""

import functools

import dagster as dg

from smi_pipeline.defs.derive import with_followers
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.preview import Metadata, month_shown, tell_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sql.graph import Graph, build_graph
from smi_pipeline.sql.project import Model, load_project
from smi_pipeline.sql.run import build_views, check_model, run_model


@functools.cache
def graph() -> Graph:
    """The models and what they read."""
    return build_graph(load_project())


def derive_intermediate(lake: Lake, month: Month) -> None:
    """Make one month's sums, with the views they read."""
    build_views(lake, graph())
    for model in graph().tables("intermediate"):
        run_model(lake, model, month.first)


def _asset_keys(relation: str) -> list[list[str]]:
    """The assets that write a relation: a raw table is its platform's asset, tables of all platforms are all five."""
    schema, name = relation.split(".")
    if schema != "raw":
        return [[schema, name]]
    return [["raw", platform] for platform in PLATFORMS if name.startswith(f"{platform}_")] or [
        ["raw", platform] for platform in PLATFORMS
    ]


def _deps(model: Model) -> list[list[str]]:
    keys = [key for relation in graph().reads[model.relation] for key in _asset_keys(relation)]
    return [list(key) for key in sorted({tuple(key) for key in keys})]


def _lineage(model: Model) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [
                dg.TableColumnDep(asset_key=dg.AssetKey(key), column_name=name)
                # tables of all platforms are written by the same assets as each platform's own
                for key, name in dict.fromkeys(
                    (tuple(key), source.column) for source in sources for key in _asset_keys(source.relation)
                )
            ]
            for column, sources in graph().column_lineage(model).items()
        }
    )


def _model_asset(model: Model) -> dg.AssetsDefinition:
    about = {column.name: column.description for column in model.columns}

    @dg.asset(
        key=[model.layer, model.name],
        deps=_deps(model),
        group_name=model.layer,
        kinds={"sql", "duckdb"},
        owners=OWNERS,
        partitions_def=MONTHS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version=graph().fingerprint(model),
        description=model.description,
        metadata={
            "sql": dg.MetadataValue.md(f"```sql\n{model.sql}\n```"),
            "dagster/column_schema": dg.TableSchema([dg.TableColumn(name, description=about[name]) for name in about]),
            "dagster/column_lineage": _lineage(model),
            "dagster/table_name": model.relation,
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
