"""Which account a city's points come from: each indicator's contribution shared out over the accounts behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from smi_pipeline.index.contributions import EXPERT
from smi_pipeline.index.method import Indicator
from smi_pipeline.metrics.columns import Schema, columns
from smi_pipeline.months import Month

ACCOUNT_CONTRIBUTION: Final[Schema] = {
    "month": pl.Date,
    "city_id": pl.String,
    "platform": pl.String,
    "account_id": pl.String,
    "indicator": pl.String,
    "share": pl.Float64,
    "contribution": pl.Float64,
}
# What an indicator's points are shared out by: a rate by what stands above its line.
_BY: Final[Mapping[Indicator, str]] = {
    "posts": "posts",
    "videos": "videos",
    "interactions": "interactions",
    "engagement_rate": "interactions",
    "followers": "followers",
    "follower_growth": "follower_growth",
    "views": "views",
    "view_rate": "views",
}
_COUNTS: Final = tuple(dict.fromkeys(_BY.values()))
_ACCOUNTS: Final[Schema] = {
    "platform": pl.String,
    "city_id": pl.String,
    "account_id": pl.String,
    **dict.fromkeys(_COUNTS, pl.Float64),
}


def account_contributions(contribution: pl.DataFrame, accounts: pl.DataFrame, *, month: Month) -> pl.DataFrame:
    """The measured part of each city's score, account by account.

    Args:
        contribution: city_id, platform, indicator, contribution: the parts of the city's score.
        accounts: the month's frame of `counted_accounts`.
        month: the month.

    Returns:
        The columns of `ACCOUNT_CONTRIBUTION`, sorted; the rows of an indicator add up to its contribution. A count is
        shared in proportion, a rate like the count above its line; of follower growth a loss takes no share. Where no
        account has anything of it (points for a growth of nought) all take the same.
    """
    given = columns(accounts, _ACCOUNTS, name="counted accounts")
    amounts = (
        given.unpivot(_COUNTS, index=["platform", "city_id", "account_id"], variable_name="count", value_name="amount")
        .with_columns(pl.col("amount").fill_null(0.0).clip(lower_bound=0.0))
        .with_columns(
            whole=pl.col("amount").sum().over("platform", "city_id", "count"),
            accounts=pl.len().over("platform", "city_id", "count"),
        )
        .with_columns(
            share=pl.when(pl.col("whole") > 0)
            .then(pl.col("amount") / pl.col("whole"))
            .otherwise(1 / pl.col("accounts"))
        )
    )
    by = pl.DataFrame({"indicator": list(_BY), "count": list(_BY.values())})
    return (
        contribution.filter(pl.col("platform") != EXPERT)
        .join(by, on="indicator")
        .join(
            amounts.select("platform", "city_id", "account_id", "count", "share"), on=("platform", "city_id", "count")
        )
        .with_columns(contribution=pl.col("contribution") * pl.col("share"), month=pl.lit(month.first))
        .select(pl.col(column).cast(dtype) for column, dtype in ACCOUNT_CONTRIBUTION.items())
        .sort("city_id", "platform", "account_id", "indicator")
    )
