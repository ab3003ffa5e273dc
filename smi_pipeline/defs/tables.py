"""What Dagster is told of a table before anything ran: what it stands on, its columns, and where each comes from."""

from __future__ import annotations

import functools
from typing import Any, Final

import dagster as dg

from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.sql.graph import Graph, Source, build_graph
from smi_pipeline.sql.project import load_project

INPUT_FILE: Final = "raw.input_file"


@functools.cache
def graph() -> Graph:
    """The models and the tables they read, with what each column is made of."""
    return build_graph(load_project())


def asset_keys(relation: str) -> list[dg.AssetKey]:
    """The assets that write a relation: a raw table is its platform's asset, tables of all platforms are all five."""
    schema, name = relation.split(".")
    if schema != "raw" or relation == INPUT_FILE:
        return [dg.AssetKey([schema, name])]
    own = [platform for platform in PLATFORMS if name.startswith(f"{platform}_")]
    return [dg.AssetKey(["raw", platform]) for platform in own or PLATFORMS]


def dependencies(relation: str) -> list[dg.AssetKey]:
    """The assets a table stands on."""
    return sorted({key for read in graph().reads[relation] for key in asset_keys(read)}, key=dg.AssetKey.to_user_string)


def descriptions(relation: str) -> dict[str, str]:
    """What each column of a table means, in their order."""
    return {column.name: column.description for column in graph().project.columns(relation)}


def table_metadata(relation: str) -> dict[str, Any]:
    """A table's name, columns and column lineage, as the UI knows them."""
    columns = graph().project.columns(relation)
    made_of = graph().lineage.get(relation, {})
    return {
        "dagster/table_name": relation,
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(one.name, type=one.type or "string", description=one.description) for one in columns]
        ),
        "dagster/column_lineage": dg.TableColumnLineage({name: _deps(sources) for name, sources in made_of.items()}),
    }


def raw_metadata(platform: Platform) -> dict[str, Any]:
    """The columns of every table a platform's asset writes: what each means, and in which tables it does."""
    told: dict[str, dict[str, list[str]]] = {}
    for table in graph().project.tables.values():
        if dg.AssetKey(["raw", platform]) in asset_keys(table.relation):
            for column in table.columns:
                told.setdefault(column.name, {}).setdefault(column.description, []).append(table.relation)
    columns = [
        dg.TableColumn(name, description=" ".join(f"{text} ({', '.join(tables)})" for text, tables in meant.items()))
        for name, meant in told.items()
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)}


def _deps(sources: tuple[Source, ...]) -> list[dg.TableColumnDep]:
    # tables of all platforms are written by the same assets as each platform's own
    named = {(key, source.column): None for source in sources for key in asset_keys(source.relation)}
    return [dg.TableColumnDep(asset_key=key, column_name=column) for key, column in named]
