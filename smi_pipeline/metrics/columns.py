"""Frames at the door: the columns a function needs, in the types it needs, or an error that says which is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

INSTANT: Final = pl.Datetime("us", "UTC")
FLAGS: Final = pl.List(pl.String)


def columns(frame: pl.DataFrame, schema: Schema, *, name: str) -> pl.DataFrame:
    """The columns of `schema`, in its order and types; further columns are left out.

    An empty frame keeps its schema this way, whatever types it came with: a month without a row joins like any other.

    Raises:
        ValueError: a column is missing; the message names the frame, the column and what there is.
    """
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise ValueError(f"{name}: expected the columns {missing}, got {frame.columns}")
    return frame.select(pl.col(column).cast(dtype) for column, dtype in schema.items())


def flag_list(**flags: pl.Expr) -> pl.Expr:
    """A sorted list of the names whose condition is true; a null condition raises no flag."""
    named = [pl.when(condition).then(pl.lit(name)) for name, condition in flags.items()]
    return pl.concat_list(named).list.drop_nulls().list.sort()
