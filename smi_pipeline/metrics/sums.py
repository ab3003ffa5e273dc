"""Sums of whole numbers in frames. Polars adds 64 bits up modulo 2^64 in silence: here it adds 128.

Whatever adds or subtracts counts does it with `wide` columns, and `fitting` brings the frame back to bigints.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from smi_pipeline.months import Month
from smi_pipeline.sums import EXAMPLES, LARGEST, SMALLEST, Beyond, SumTooGreat


def wide(*columns: str) -> pl.Expr:
    """Columns of counts in 128 bits, in which no sum of counts wraps around."""
    return pl.col(columns).cast(pl.Int128)


def total(column: str) -> pl.Expr:
    """The sum of what was reported, wide. Polars sums nothing to 0; where nothing was reported this stays null."""
    return pl.when(pl.col(column).count() > 0).then(wide(column).sum()).alias(column)


def together(columns: Sequence[str]) -> pl.Expr:
    """What a row reports in any of the columns, added up wide; null where it reports none of them."""
    reported = pl.any_horizontal(pl.col(columns).is_not_null())
    return pl.when(reported).then(pl.sum_horizontal(wide(*columns)))


def fitting(frame: pl.DataFrame, *, table: str, month: Month, keys: Sequence[str]) -> pl.DataFrame:
    """The frame with its wide columns as bigints again.

    Args:
        frame: any rows.
        table: the table they are meant for, for the message; likewise the month.
        month: the month.
        keys: the columns that name a row in the message.

    Raises:
        SumTooGreat: a sum does not fit; names table, month, column and row, and says the sum.
    """
    columns = [name for name, kind in frame.schema.items() if kind == pl.Int128]
    beyond: list[Beyond] = []
    number = 0
    for column in columns:
        rows = frame.filter(~pl.col(column).is_between(SMALLEST, LARGEST)).select(*keys, column).sort(keys)
        number += rows.height
        for row in rows.head(EXAMPLES).iter_rows(named=True):
            amount = row.pop(column)
            beyond.append(Beyond(column, amount, row))
    if beyond:
        raise SumTooGreat(table, month.key, beyond, number=number)
    return frame.with_columns(pl.col(columns).cast(pl.Int64))
