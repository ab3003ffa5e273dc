"""The judged part: what raters gave each city, and what stands in where they did not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from smi_pipeline.index.agreement import Ratings, krippendorff_alpha_interval
from smi_pipeline.index.indicators import SLACK
from smi_pipeline.index.method import ExpertRule
from smi_pipeline.metrics.columns import FLAGS, Schema, columns, flag_list

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
EXPERT_CITY: Final[Schema] = {
    "month": pl.Date,
    "city_id": pl.String,
    "raters": pl.Int64,
    "mean": pl.Float64,
    "sd": pl.Float64,
    "qualitative": pl.Float64,
    "carried": pl.Int64,
    "flags": FLAGS,
}
RERATE: Final = "rerate"
_RATING: Final = ("rater", "city_id", "criterion")


def rater_scores(ratings: pl.DataFrame | None, rule: ExpertRule) -> pl.DataFrame:
    """What each rater gave each city of one month.

    Args:
        ratings: rater, city_id, criterion, score (on the rule's scale; null = not given). None = no file.
        rule: the scale and the weights of the criteria.

    Returns:
        city_id, rater, score (on the scale: the weighted mean over the criteria the rater gave). Sorted.

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
        .sort("city_id", "rater")
    )


def rating_matrix(scores: pl.DataFrame) -> Ratings:
    """The frame of `rater_scores` as raters by cities, both in their order; NaN where a rater did not rate a city.

    To a billionth of a point: the last digits of a weighted mean are no difference between raters.
    """
    exact = scores.with_columns(pl.col("score").round(9))
    wide = exact.pivot("city_id", index="rater", values="score").sort("rater").drop("rater")
    return wide.cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(wide.height, wide.width)


def alpha(scores: pl.DataFrame) -> float | None:
    """Krippendorff's alpha of the frame of `rater_scores`; null where it is not defined."""
    return krippendorff_alpha_interval(rating_matrix(scores))


def city_scores(ratings: pl.DataFrame | None, rule: ExpertRule) -> pl.DataFrame:
    """One month's expert score per city.

    Args:
        ratings: as for `rater_scores`.
        rule: the scale and the weights of the criteria.

    Returns:
        city_id, qualitative (0..100: the mean over raters, between the fixed ends of the scale), raters (how many rated
        the city), mean and sd (of their scores, in points of the scale; sd is the sample deviation, null with one
        rater). Sorted by city_id; only rated cities.

    Raises:
        ValueError: a score outside the scale, or a rater who scored a criterion of a city twice.
    """
    low, high = rule.scale
    return (
        rater_scores(ratings, rule)
        .group_by("city_id", maintain_order=True)
        .agg(
            (100 * (pl.col("score").mean() - low) / (high - low)).alias("qualitative"),
            pl.len().cast(pl.Int64).alias("raters"),
            pl.col("score").mean().alias("mean"),
            pl.col("score").std(ddof=1).alias("sd"),
        )
    )


def expert_scores(months: Sequence[pl.DataFrame | None], rule: ExpertRule) -> pl.DataFrame:
    """The expert score of each city, a missing one carried over from an earlier month.

    Args:
        months: the ratings of the month itself, then of the months before it, newest first.
        rule: also says how many months a score may be carried, and how well raters must have agreed on it: what was
            too unreliable to be released then is not released now by being carried.

    Returns:
        The columns of `EXPERT_SCORES`, sorted by city_id: `carried` is the age of the score in months, 0 for the
        month's own. A city that nobody rated within reach has no row.
    """
    known = [
        city_scores(ratings, rule).with_columns(carried=pl.lit(age, dtype=pl.Int64)).select(list(EXPERT_SCORES))
        for age, ratings in enumerate(months[: rule.carry_months + 1])
        if age == 0 or is_agreed(alpha(rater_scores(ratings, rule)), rule)
    ]
    return (
        pl.concat([pl.DataFrame(schema=EXPERT_SCORES), *known])
        .sort("city_id", "carried")
        .unique("city_id", keep="first", maintain_order=True)
    )


def is_agreed(alpha: float | None, rule: ExpertRule) -> bool:
    """Whether raters agree well enough to be published. An alpha that is not defined shows no agreement."""
    return alpha is not None and alpha >= rule.alpha_release - SLACK


def expert_city(cities: pl.DataFrame, months: Sequence[pl.DataFrame | None], rule: ExpertRule) -> pl.DataFrame:
    """What is known of each monitored city's expert score, released or not.

    Args:
        cities: city_id: the monitored cities, each once.
        months: as for `expert_scores`.
        rule: as for `expert_scores`; also when a city must be rated again.

    Returns:
        The columns of `EXPERT_CITY` but the month, a row a city, sorted. `raters`, `mean` and `sd` are of the month's
        own ratings; `qualitative` may be `carried` (then its age in months, else 0; null without a score). Flags:
        few_raters, wide_spread, rerate (either of them), expert_carried, no_expert_score. In a month without any
        rating there is nothing to rate again.
    """
    own = city_scores(months[0], rule)
    rated = pl.lit(not own.is_empty())
    few, wide = rated & (pl.col("raters") < rule.raters), pl.col("sd") > rule.rerate_above_sd + SLACK
    return (
        cities.select("city_id")
        .join(own.select("city_id", "raters", "mean", "sd"), on="city_id", how="left")
        .join(expert_scores(months, rule).select("city_id", "qualitative", "carried"), on="city_id", how="left")
        .sort("city_id")
        .with_columns(pl.col("raters").fill_null(0))  # nobody in the file: that is known, and none
        .with_columns(
            flags=flag_list(
                few_raters=few,
                wide_spread=wide,
                rerate=few | wide.fill_null(value=False),
                expert_carried=pl.col("carried") > 0,
                no_expert_score=pl.col("qualitative").is_null(),
            )
        )
    )


def with_rerate(composite: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """The composite with the flag `rerate` on the cities that the frame of `expert_city` has it on.

    On provisional rows too: it shows no score, and it is while a month is provisional that cities can be rated again.
    """
    again = judged.filter(pl.col("flags").list.contains(RERATE))["city_id"].implode()
    more = flag_list(rerate=pl.col("city_id").is_in(again))
    return composite.with_columns(flags=pl.concat_list("flags", more).list.sort())
