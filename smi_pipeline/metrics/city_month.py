"""The same figures per city: its official accounts of a platform added up."""

from __future__ import annotations

from typing import Final

import polars as pl

from smi_pipeline.metrics.account_month import ACCOUNT_MONTH
from smi_pipeline.metrics.columns import Schema, columns, flag_list
from smi_pipeline.metrics.rates import COMPLETE, REACTIONS, denominator, rates
from smi_pipeline.metrics.sums import fitting, total
from smi_pipeline.metrics.validity import latest_in
from smi_pipeline.months import Month

CITY_PLATFORM_MONTH: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "city_id": pl.String,
    "accounts": pl.Int64,
    **{column: ACCOUNT_MONTH[column] for column in list(ACCOUNT_MONTH)[4:]},
}
_ACCOUNTS: Final[Schema] = {
    "city_id": pl.String,
    "platform": pl.String,
    "account_id": pl.String,
    "in_index": pl.Boolean,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
}
_SUMMED: Final = (
    *("posts", "reposts", "videos", *REACTIONS, "interactions", "views", "followers", "follower_growth"),
    *COMPLETE,
)


def city_platform_month(
    account_month: pl.DataFrame, accounts: pl.DataFrame, *, month: Month, largest: bool = False
) -> pl.DataFrame:
    """One row a platform and city that has an account in the index and was asked.

    Args:
        account_month: the frame of `account_month` for this month.
        accounts: the registry: city_id, platform, account_id, in_index, valid_from, valid_to. Only accounts that are
            `in_index` and valid in the month are added up.
        month: the month.
        largest: of a city's accounts only the one with the most followers counts, the first by id where they tie.

    Returns:
        The columns of `CITY_PLATFORM_MONTH`, sorted by platform and city_id. Counts and followers are sums over the
        accounts that reported them, null where none did; rates are ratios of those sums. `accounts` says how many
        were asked; more than one raises the flag multi_account. The flags of all its accounts are joined;
        zero_denominator is decided anew, on the sums.

    Raises:
        ValueError: a column is missing.
        SumTooGreat: a sum does not fit in a bigint.
    """
    counted = counted_accounts(account_month, accounts, month=month)
    if largest:
        counted = counted.sort(
            "platform", "city_id", "followers", "account_id", descending=[False, False, True, False], nulls_last=True
        ).unique(["platform", "city_id"], keep="first", maintain_order=True)
    return (
        counted.group_by("platform", "city_id", maintain_order=True)
        .agg(
            pl.len().alias("accounts"),
            *map(total, _SUMMED),
            pl.col("collection_id").max(),
            pl.col("flags").list.explode().drop_nulls().unique().alias("account_flags"),
        )
        .pipe(fitting, table="metrics.city_platform_month", month=month, keys=("platform", "city_id"))
        .with_columns(*rates(), month=pl.lit(month.first))
        .with_columns(
            flags=pl.concat_list(
                pl.col("account_flags").list.set_difference(["zero_denominator"]),
                flag_list(multi_account=pl.col("accounts") > 1, zero_denominator=denominator() == 0),
            ).list.sort()
        )
        .select(pl.col(column).cast(dtype) for column, dtype in CITY_PLATFORM_MONTH.items())
    )


def counted_accounts(account_month: pl.DataFrame, accounts: pl.DataFrame, *, month: Month) -> pl.DataFrame:
    """The rows of a month's accounts that count for a city: in the index and valid in the month; sorted by city."""
    given = {column: dtype for column, dtype in ACCOUNT_MONTH.items() if column not in {"month", "city_id"}}
    registered = columns(accounts, _ACCOUNTS, name="accounts")
    members = latest_in(registered, month, key=("platform", "account_id")).filter("in_index")
    return (
        columns(account_month.filter(pl.col("month") == month.first), given, name="account_month")
        .join(members.select("city_id", "platform", "account_id").unique(), on=("platform", "account_id"))
        .sort("platform", "city_id", "account_id")
    )
