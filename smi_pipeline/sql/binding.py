"""Every model bound to the tables as they are declared, in an empty DuckDB: its columns' types, or what does not fit.

Lineage sees the columns that are selected; this sees those in joins and filters too, and needs no lake.
"""

from __future__ import annotations

import duckdb

from smi_pipeline.lake.tables import SCHEMAS
from smi_pipeline.sql.graph import Graph
from smi_pipeline.sql.project import Column, Table
from smi_pipeline.sql.yml import ProjectError

Types = dict[str, dict[str, str]]


def column_types(graph: Graph) -> Types:
    """DuckDB's type of each column of each relation, in lower case.

    Raises:
        ProjectError: a model reads a column that is not there, or makes something no DuckDB can; names the file.
    """
    with duckdb.connect() as connection:
        for schema in SCHEMAS:
            connection.execute(f"create schema {schema}")
        for table in graph.project.tables.values():
            _create(connection, table)
        connection.execute("set variable month = date '2025-05-01'")
        for model in graph.order:
            kind = "view" if model.is_view else "table"
            try:
                connection.execute(f"create {kind} {model.relation} as {model.sql}")
            except duckdb.Error as error:
                raise ProjectError(f"{model.path}: {str(error).splitlines()[0]}") from error
        rows = connection.execute(
            "select schema_name || '.' || table_name, column_name, lower(data_type) from duckdb_columns()"
            " where list_contains($1, schema_name) order by all",
            [list(SCHEMAS)],
        ).fetchall()
    types: Types = {}
    for relation, column, kind in rows:
        types.setdefault(relation, {})[column] = kind
    return types


def _create(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    listed = ", ".join(map(_declared, table.columns))
    try:
        connection.execute(f"create table {table.relation} ({listed})")
    except duckdb.Error as error:
        raise ProjectError(f"{table.path}, {table.relation}: {str(error).splitlines()[0]}") from error


def _declared(column: Column) -> str:
    return f'"{column.name}" {column.type}'
