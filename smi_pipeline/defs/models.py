"""One asset a model of dbt_like_sql: dependencies, columns and column lineage come from the SQL and its yml."""

from collections.abc import Iterator, Sequence

import dagster as dg

from smi_pipeline.defs.derive import with_followers
from smi_pipeline.defs.failures import told_clearly
from smi_pipeline.defs.partitions import MONTHS, months_of
from smi_pipeline.defs.preview import Descriptions, Metadata, month_shown, tell_month
from smi_pipeline.defs.raw import OWNERS
from smi_pipeline.defs.tables import dependencies, descriptions, graph, table_metadata
from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month, in_years
from smi_pipeline.sql.checks import CheckFailed
from smi_pipeline.sql.project import Model
from smi_pipeline.sql.run import Checked, build_views, check_months, run_months


def derive_intermediate(lake: Lake, months: Sequence[Month]) -> None:
    """Make some months' sums, with the views they read."""
    build_views(lake, graph())
    for model in graph().tables("intermediate"):
        run_months(lake, model, [month.first for month in months])


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
        check_specs=[
            dg.AssetCheckSpec(kind, asset=[model.layer, model.name], description=", ".join(names))
            for kind, names in model.tests_by_kind().items()
        ],
        metadata={
            "sql": dg.MetadataValue.md(f"```sql\n{model.sql}\n```"),
            **table_metadata(model.relation),
        },
    )
    def derived(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        with told_clearly():
            own = months_of(context)
            try:
                if model.is_view:
                    build_views(lake, graph())
                    for months in in_years(own):
                        _tell_view(context, check_months(lake, model, [month.first for month in months]), about)
                else:
                    for months in in_years(_months(lake, own, model)):
                        done = run_months(lake, model, [month.first for month in months])
                        for month in months:
                            told = done[month.first]
                            tell_month(context, lake, model.relation, month, told, own=month in own, about=about)
            except CheckFailed as error:  # the checks of the UI say what the gate has said
                yield from _verdicts(model, error)
                raise
        yield dg.MaterializeResult(check_results=list(_verdicts(model)))

    return derived


def _months(lake: Lake, own: Sequence[Month], model: Model) -> Sequence[Month]:
    """The months a table is made of in a run: marts look back at the index of earlier ones."""
    return with_followers(lake, own, model.relation) if model.layer == "marts" else own


def _tell_view(context: dg.AssetExecutionContext, looked: Checked, about: Descriptions) -> None:
    for first, rows in looked.rows.items():
        shown: Metadata = {"dagster/partition_row_count": rows}
        if Month(first).key == context.partition_keys[-1]:  # see tell_month
            shown = month_shown(rows, looked.first, about)
        context.add_asset_metadata(shown, partition_key=Month(first).key)


def _verdicts(model: Model, failed: CheckFailed | None = None) -> Iterator[dg.AssetCheckResult]:
    """What the gates said, a check a kind of test: all hold, or those of `failed` do not."""
    for kind, names in model.tests_by_kind().items():
        broken = [] if failed is None else [failure for failure in failed.failures if failure.kind == kind]
        told = {} if failed is None else {"month": f"{failed.month:%Y-%m}"}
        told |= {failure.test: str(failure) for failure in broken}
        yield dg.AssetCheckResult(
            passed=not broken,
            asset_key=[model.layer, model.name],
            check_name=kind,
            metadata={"tests": len(names), **told},
        )


@dg.definitions
def model_assets() -> dg.Definitions:
    """One asset a model."""
    return dg.Definitions(assets=[_model_asset(model) for model in graph().project])
