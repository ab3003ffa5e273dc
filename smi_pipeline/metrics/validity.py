"""Which registry rows count in a month."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from smi_pipeline.months import Month


def valid_in(frame: pl.DataFrame, month: Month) -> pl.DataFrame:
    """The rows of a registry frame whose validity touches the month, in their order.

    Args:
        frame: valid_from and valid_to (dates; valid_to is the first day no longer valid, null = still valid).
        month: a row counts if any day of it lies in [valid_from, valid_to).
    """
    return frame.filter(touches(month))


def latest_in(frame: pl.DataFrame, month: Month, *, key: Sequence[str]) -> pl.DataFrame:
    """As `valid_in`; of several rows of one account or city only the last: renamed, moved or come back, it counts once.

    Args:
        frame: as for `valid_in`.
        month: the month.
        key: the columns that name an account or a city.
    """
    return valid_in(frame, month).filter(pl.col("valid_from") == pl.col("valid_from").max().over(key))


def touches(month: Month) -> pl.Expr:
    """Whether [valid_from, valid_to) has a day in the month."""
    ends_later = pl.col("valid_to").is_null() | (pl.col("valid_to") > month.first)
    return (pl.col("valid_from") < month.next.first) & ends_later
