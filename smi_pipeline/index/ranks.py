"""Ranks with ties, and their change from one month to the next."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def rank(score: pl.Expr, *, decimals: int) -> pl.Expr:
    """1 + the number of greater scores; equal scores share the best rank; null has none.

    Scores are rounded first, so that a rank does not hang on the order in which a sum was added up.
    """
    return score.round(decimals).rank("min", descending=True).cast(pl.Int64)


def with_changes(
    current: pl.DataFrame, previous: pl.DataFrame | None, *, within: Sequence[str] = (), decimals: int
) -> pl.DataFrame:
    """Add `rank`, `previous_rank`, `rank_change` and `common_rank`.

    Args:
        current: the `within` columns, city_id, score; a null score is not ranked.
        previous: the same columns of the month before, comparable with `current`; None where there is nothing to
            compare with.
        within: ranks are taken within these columns (the platform).
        decimals: scores are rounded to this before ranking.

    Returns:
        `current` in its order. `rank` is that among all cities. `previous_rank` and `rank_change` (positive = up)
        are taken among the cities ranked in both months, as is `common_rank`, since a city that joins or leaves
        moves nobody; null for the others.
    """
    ranked = current.with_columns(rank=_over(rank(pl.col("score"), decimals=decimals), within))
    keys = [*within, "city_id"]
    if previous is None:
        nothing = pl.lit(None, dtype=pl.Int64)
        return ranked.with_columns(previous_rank=nothing, rank_change=nothing, common_rank=nothing)
    common = (
        current.select(*keys, "score")
        .drop_nulls("score")
        .join(previous.select(*keys, before="score").drop_nulls("before"), on=keys)
        .select(
            *keys,
            common_rank=_over(rank(pl.col("score"), decimals=decimals), within),
            previous_rank=_over(rank(pl.col("before"), decimals=decimals), within),
        )
    )
    return ranked.join(common, on=keys, how="left", maintain_order="left").with_columns(
        rank_change=pl.col("previous_rank") - pl.col("common_rank")
    )


def _over(expression: pl.Expr, within: Sequence[str]) -> pl.Expr:
    return expression.over(within) if within else expression
