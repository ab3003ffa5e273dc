"""polars frames in and out of DuckDB, without pyarrow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import msgspec
import polars as pl

# What a raw or derived column of the lake is in polars.
POLARS_TYPES: dict[str, pl.DataType] = {
    "varchar": pl.String(),
    "json": pl.String(),
    "boolean": pl.Boolean(),
    "bigint": pl.Int64(),
    "double": pl.Float64(),
    "date": pl.Date(),
    "timestamptz": pl.Datetime("us", "UTC"),
    "varchar[]": pl.List(pl.String),
}
_JSON = msgspec.json.Encoder()
_READ = "read_rows"
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class Frame:
    """A polars frame DuckDB can scan: name a variable of this type in the SQL.

    Registering a polars frame itself needs pyarrow (170 MB); the Arrow stream it offers does not.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


def read_frame(cursor: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, object] | None = None) -> pl.DataFrame:
    """What a query returns. Instants come as UTC microseconds; JSON and UUID columns as text.

    The rows go to a temporary table first. polars takes a stream of rows without letting go of Python's lock, and a
    query that DuckLake sends to its catalog on the way waits for that lock: both would wait for ever.
    """
    cursor.execute(f"create or replace temp table {_READ} as {sql}", dict(params or {}))
    frame = pl.DataFrame(cursor.sql(f"from temp.main.{_READ}"))
    cursor.execute(f"drop table temp.main.{_READ}")
    zoned = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Datetime) and kind.time_zone]
    return frame.with_columns(pl.col(zoned).dt.convert_time_zone("UTC")) if zoned else frame


def frame_of(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows as a frame of a declared table's columns. A field a row lacks is null.

    Raises:
        ValueError: a row has a field the table does not declare.
    """
    listed = list(rows)
    if unknown := set().union(*listed) - columns.keys():
        raise ValueError(f"fields {sorted(unknown)} are not columns of the table (it has {sorted(columns)})")
    return pl.DataFrame([_column(name, POLARS_TYPES[kind], listed) for name, kind in columns.items()])


def _column(name: str, kind: pl.DataType, rows: Iterable[Mapping[str, Any]]) -> pl.Series:
    values = [row.get(name) for row in rows]
    if isinstance(kind, pl.Datetime):  # polars takes as long over one instant as over a row of everything else
        counted = [None if value is None else (value - _EPOCH) // _MICROSECOND for value in values]
        return pl.Series(name, counted, dtype=pl.Int64, strict=True).cast(kind)
    if not isinstance(kind, pl.List):
        return pl.Series(name, values, dtype=kind, strict=True)
    # By way of JSON: polars makes a series of each list, which takes longer than everything else a batch needs.
    texts = [None if value is None else _JSON.encode(value).decode() for value in values]
    return pl.Series(name, texts, dtype=pl.String).str.json_decode(kind)
