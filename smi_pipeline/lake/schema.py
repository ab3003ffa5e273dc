"""How a lake gets the tables this code declares: what is missing is added, in the order of the declarations; no more.

The lake records the version of the declarations it has (raw.lake_version), so that older code does not write into a
newer lake. A column is never dropped and never changes its type: earlier editions rest on it. A lake of earlier code
also loses the bounds of its tables, unless they may have made it answer wrongly (see lake/bounds.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import duckdb

from smi_pipeline.lake import bounds
from smi_pipeline.lake.tables import DECLARED, SCHEMAS, VERSION, create_statements

Columns = dict[tuple[str, str], str]
_VERSIONS = "raw.lake_version"
# A row group is written from memory: 50,000 rows of raw.x_posts take some 180 MiB, DuckDB's own 122,880 some 320.
ROW_GROUP_ROWS = 50_000


class SchemaError(Exception):
    """The lake's tables and the declared ones differ by more than additions; the message says how, and the remedy."""


def bring_up_to_date(
    connection: duckdb.DuckDBPyConnection, own: str, *, writable: bool = True, doubted: bool = False
) -> None:
    """Add the declared schemas, tables and columns that an attached lake lacks, in one commit; none if it has them all.

    Args:
        connection: the lake is attached to it as `lake`.
        own: the schema of DuckLake's own tables.
        writable: nothing is changed otherwise.
        doubted: leave the bounds of its tables as they are, also those that may not hold.

    Raises:
        SchemaError: the lake is newer than this code, has a column of another type or one that is not declared, lacks
            something and is not writable, or has bounds that may not hold.
    """
    there = _columns(connection)
    recorded = _recorded(connection, there)
    refuse_what_is_no_addition(there, recorded)
    if not doubted and (columns := bounds.doubtful(connection, own)):
        raise SchemaError(_doubt(columns, writable=writable))
    added = missing(there)
    if added or recorded != VERSION:
        if not writable and doubted:
            return  # it is looked at as it is
        if not writable:
            raise SchemaError(
                f"its tables are of version {recorded}, this code has {VERSION} (added: {', '.join(added[:3])} ...)."
                " Open it once where it may be written, or copy the folder to such a place"
            )
        _add(connection, there, added)
    if writable and not doubted:
        _lay_out(connection, own)


def _add(connection: duckdb.DuckDBPyConnection, there: Columns, added: list[str]) -> None:
    connection.execute("use lake")
    connection.execute("begin")
    for schema in SCHEMAS:
        connection.execute(f"create schema if not exists {schema}")
    for statement in create_statements(set(there)):
        connection.execute(statement)
    connection.execute(
        f"insert into {_VERSIONS} values ($version, $code, $added, now())",
        {"version": VERSION, "code": version("smi-pipeline"), "added": added},
    )
    connection.execute("call lake.set_commit_message('smi', $message)", {"message": f"tables of version {VERSION}"})
    connection.execute("commit")


def _lay_out(connection: duckdb.DuckDBPyConnection, own: str) -> None:
    """See that row groups have their size and tables no bounds; nothing is changed where it is so."""
    size = connection.execute(f"select value from {own}.ducklake_metadata where key = 'parquet_row_group_size'")
    if size.fetchone() != (str(ROW_GROUP_ROWS),):
        connection.execute(f"call lake.set_option('parquet_row_group_size', '{ROW_GROUP_ROWS}')")
    if bounds.are_kept(connection, own):
        bounds.remove(connection, own)


def _doubt(columns: Sequence[bounds.Column], *, writable: bool) -> str:
    named = ", ".join(f"{column.table}.{column.name}" for column in columns[:3])
    more = f" and {len(columns) - 3} more" if len(columns) > 3 else ""  # noqa: PLR2004
    remedy = "`smi lake check` names what is wrong, `smi lake check --repair` puts it right"
    where = "" if writable else ", in a copy of the folder that may be written"
    return (
        f"the catalog's bounds of {named}{more} may not hold for their rows, and reads would then pass over rows in"
        f" silence (a fault of DuckLake 1.5.5, in lakes of smi_pipeline 0.1.0); {remedy}{where}"
    )


def missing(there: Columns) -> list[str]:
    """What is declared and not `there`, in the order of the declarations: a table, or a column of a table."""
    tables = {table for table, _ in there}
    lacking = []
    for table, columns in DECLARED.items():
        if table not in tables:
            lacking.append(table)
        else:
            lacking += [f"{table}.{column}" for column in columns if (table, column) not in there]
    return lacking


def refuse_what_is_no_addition(there: Columns, recorded: int) -> None:
    """Let nothing pass but additions.

    Args:
        there: type of every column of the lake, by table (with its schema) and column.
        recorded: the version of the lake's tables; 0 for lakes from before there were versions.

    Raises:
        SchemaError: names the table, the column, both types and the remedy.
    """
    if recorded > VERSION:
        raise SchemaError(
            f"its tables are of version {recorded}, this code knows version {VERSION}:"
            " a newer release has written it; update this one (git pull, make setup)"
        )
    for (table, column), kind in there.items():
        if table not in DECLARED:
            continue
        if column not in DECLARED[table]:
            raise SchemaError(
                f"{table} has a column {column} ({kind}) that this code does not declare: other code has written it."
                " Use that release, or declare the column again in lake/tables.py; a column is never dropped"
            )
        declared = str(duckdb.sqltype(DECLARED[table][column]))
        if kind != declared:
            raise SchemaError(
                f"{table}.{column} is {kind} in the lake and {declared} in this code: a type is never changed in place."
                " Use the release that wrote the lake; a new type is declared as a new column (CONTRIBUTING.md)"
            )


def _columns(connection: duckdb.DuckDBPyConnection) -> Columns:
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
        " where database_name = 'lake'"
    ).fetchall()
    return {(table, column): kind for table, column, kind in rows}


def _recorded(connection: duckdb.DuckDBPyConnection, there: Columns) -> int:
    if (_VERSIONS, "version") not in there:
        return 0
    row = connection.execute(f"select max(version) from lake.{_VERSIONS}").fetchone()
    return 0 if row is None or row[0] is None else int(row[0])
