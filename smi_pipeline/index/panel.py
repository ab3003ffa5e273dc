"""Who is in the index in a month: the monitored cities, and on which platforms each has an account."""

from __future__ import annotations

from typing import Final

import polars as pl

from smi_pipeline.index.method import Method
from smi_pipeline.metrics.columns import Schema, columns
from smi_pipeline.metrics.validity import valid_in
from smi_pipeline.months import Month

CITIES: Final[Schema] = {"city_id": pl.String, "valid_from": pl.Date, "valid_to": pl.Date}
ACCOUNTS: Final[Schema] = {
    "city_id": pl.String,
    "platform": pl.String,
    "in_index": pl.Boolean,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
}


def monitored_cities(cities: pl.DataFrame, month: Month) -> pl.DataFrame:
    """One column `city_id`: the cities valid in the month, sorted, each once."""
    return valid_in(columns(cities, CITIES, name="cities"), month).select("city_id").unique().sort("city_id")


def platform_panel(cities: pl.DataFrame, accounts: pl.DataFrame, *, month: Month, method: Method) -> pl.DataFrame:
    """`platform, city_id` for each monitored city with an account in the index, valid in the month.

    A platform that the method measures only later is left out. Sorted, each pair once.
    """
    return (
        valid_in(columns(accounts, ACCOUNTS, name="accounts"), month)
        .filter(pl.col("in_index") & pl.col("platform").is_in(method.platforms(month)))
        .join(monitored_cities(cities, month), on="city_id")
        .select("platform", "city_id")
        .unique()
        .sort("platform", "city_id")
    )
