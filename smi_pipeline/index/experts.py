"""The judged part: what raters gave each city, and whether enough of them did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from smi_pipeline.index.method import ExpertRule
from smi_pipeline.metrics.columns import Schema, columns

_RATINGS: Final[Schema] = {
    "rater": pl.String,
    "city_id": pl.String,
    "criterion": pl.String,
    "score": pl.Float64,
}
EXPERT_SCORES: Final[Schema] = {
    "city_id": pl.String,
    "qualitative": pl.Float64,
    "raters": pl.Int64,
    "carried": pl.Int64,
}
_RATING: Final = ("rater", "city_id", "criterion")


def city_scores(ratings: pl.DataFrame | None, rule: ExpertRule) -> pl.DataFrame:
    """One month's expert score per city.

    Args:
        ratings: rater, city_id, criterion, score (on the rule's scale; null = not given). None = no file.
        rule: the scale and the weights of the criteria.

    Returns:
        city_id, qualitative (0..100: the mean over raters of their weighted means over criteria, between the fixed
        ends of the scale), raters (how many rated the city). Sorted by city_id; only rated cities.

    Raises:
        ValueError: a score outside the scale, or a rater who scored a criterion of a city twice.
    """
    if ratings is None:
        ratings = pl.DataFrame(schema=_RATINGS)
    given = columns(ratings, _RATINGS, name="expert scores").drop_nulls("score").sort(_RATING)
    low, high = rule.scale
    outside = given.filter(~pl.col("score").is_between(low, high))
    if outside.height:
        rater, city, criterion, score = outside.row(0)
        raise ValueError(
            f"expert scores: rater {rater!r}, city {city!r}, {criterion}: expected {low:g} to {high:g}, got {score:g}"
        )
    twice = given.filter(given.select(_RATING).is_duplicated())
    if twice.height:
        rater, city, criterion, _ = twice.row(0)
        raise ValueError(f"expert scores: rater {rater!r}, city {city!r}, {criterion}: expected one score, got several")
    weight = pl.col("criterion").replace_strict(
        list(rule.criteria), list(rule.criteria.values()), default=1.0, return_dtype=pl.Float64
    )
    return (
        given.with_columns(weight=weight)
        .group_by("city_id", "rater", maintain_order=True)
        .agg((pl.col("score") * pl.col("weight")).sum() / pl.col("weight").sum())
        .group_by("city_id", maintain_order=True)
        .agg(
            (100 * (pl.col("score").mean() - low) / (high - low)).alias("qualitative"),
            pl.len().cast(pl.Int64).alias("raters"),
        )
    )


def expert_scores(months: Sequence[pl.DataFrame | None], rule: ExpertRule) -> pl.DataFrame:
    """The expert score of each city, a missing one carried over from an earlier month.

    Args:
        months: the ratings of the month itself, then of the months before it, newest first.
        rule: also says how many months a score may be carried.

    Returns:
        The columns of `EXPERT_SCORES`, sorted by city_id: `carried` is the age of the score in months, 0 for the
        month's own. A city that nobody rated within reach has no row.
    """
    known = [
        city_scores(ratings, rule).with_columns(carried=pl.lit(age, dtype=pl.Int64))
        for age, ratings in enumerate(months[: rule.carry_months + 1])
    ]
    return (
        pl.concat([pl.DataFrame(schema=EXPERT_SCORES), *known])
        .sort("city_id", "carried")
        .unique("city_id", keep="first", maintain_order=True)
    )


def is_released(ratings: pl.DataFrame | None, cities: pl.DataFrame, rule: ExpertRule) -> bool:
    """Whether enough of the monitored cities have enough raters this month for the judged part to be published.

    Args:
        ratings: the month's own; scores carried over from earlier months do not count.
        cities: city_id: the monitored cities, each once.
        rule: the least number of raters, and the share of cities that must have it.
    """
    enough = city_scores(ratings, rule).filter(pl.col("raters") >= rule.raters)
    rated = cities.join(enough, on="city_id", how="semi").height
    return cities.height > 0 and rated >= rule.release_share * cities.height - 1e-9
