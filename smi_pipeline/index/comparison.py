"""One month under two methods: what each city's score and rank would have been."""

from __future__ import annotations

from typing import Final

import polars as pl

from smi_pipeline.index.edition import Edition
from smi_pipeline.metrics.columns import Schema, columns

TOP: Final = 10
_COMPOSITE: Final[Schema] = {"city_id": pl.String, "score": pl.Float64, "rank": pl.Int64}
_COMPARED: Final = (
    *("month", "method_a", "method_b", "city_id"),
    *("score_a", "score_b", "score_change", "rank_a", "rank_b", "rank_change"),
)


def compare(one: Edition, other: Edition) -> pl.DataFrame:
    """The composite of two editions of a month, side by side.

    Returns:
        One row a city of either: month, method_a, method_b (versions), city_id, score_a, score_b, score_change
        (b - a), rank_a, rank_b, rank_change (a - b: positive where the city stands higher in b). A change is null
        where either edition does not rank the city. Greatest change of rank first, then by rank_b.

    Raises:
        ValueError: the editions are of two months.
    """
    if one.month != other.month:
        raise ValueError(f"expected two editions of one month, got {one.month} and {other.month}")
    here, there = (columns(edition.composite, _COMPOSITE, name="composite") for edition in (one, other))
    return (
        here.join(there, on="city_id", how="full", coalesce=True, suffix="_b")
        .rename({"score": "score_a", "rank": "rank_a"})
        .with_columns(
            month=pl.lit(one.month.first),
            method_a=pl.lit(one.method_version),
            method_b=pl.lit(other.method_version),
            score_change=pl.col("score_b") - pl.col("score_a"),
            rank_change=pl.col("rank_a") - pl.col("rank_b"),
        )
        .select(*_COMPARED)
        .sort(pl.col("rank_change").abs(), "rank_b", "city_id", descending=[True, False, False], nulls_last=True)
    )


def in_words(compared: pl.DataFrame) -> str:
    """How far two rankings are apart, in a line."""
    both = compared.drop_nulls("rank_change")
    if both.is_empty():
        return "no city is ranked under both"
    moved, scores = (both[change].abs().to_numpy() for change in ("rank_change", "score_change"))
    first_a, first_b = (set(compared.filter(pl.col(rank) <= TOP)["city_id"]) for rank in ("rank_a", "rank_b"))
    return (
        f"{int((moved > 0).sum())} of {both.height} cities change their rank, by {moved.max()} at most; scores move by"
        f" {scores.mean():.2f} points on average, {scores.max():.2f} at most;"
        f" {len(first_a & first_b)} of the first {len(first_a)} stay among the first {TOP}"
    )
