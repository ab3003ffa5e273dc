"""Which registry rows count in a month."""

from __future__ import annotations

import polars as pl

from smi_pipeline.months import Month


def valid_in(frame: pl.DataFrame, month: Month) -> pl.DataFrame:
    """The rows of a registry frame whose validity touches the month, in their order.

    Args:
        frame: valid_from and valid_to (dates; valid_to is the first day no longer valid, null = still valid).
        month: a row counts if any day of it lies in [valid_from, valid_to).
    """
    return frame.filter(touches(month))


def touches(month: Month) -> pl.Expr:
    """Whether [valid_from, valid_to) has a day in the month."""
    ends_later = pl.col("valid_to").is_null() | (pl.col("valid_to") > month.first)
    return (pl.col("valid_from") < month.next.first) & ends_later
