"""From platform scores to one score a city: weighted by platform, then joined with the judged part."""

from __future__ import annotations

from typing import Literal

import polars as pl

from smi_pipeline.index.indicators import SLACK
from smi_pipeline.index.method import Method
from smi_pipeline.metrics.columns import flag_list

Status = Literal["provisional", "final"]


def city_platforms(
    cities: pl.DataFrame, panel: pl.DataFrame, platforms: pl.DataFrame, weights: pl.DataFrame
) -> pl.DataFrame:
    """What each eligible platform gives each city.

    Args:
        cities: city_id: every monitored city.
        panel: platform, city_id: who has an account.
        platforms: platform, city_id, score (null = not observed).
        weights: platform, weight, eligible: the month's platform weights.

    Returns:
        platform, city_id, has_account, score, weight, observed_weight; sorted by city_id and platform. Without an
        account the score is 0, an observation like any other; an account that was not observed has a null score, and
        its weight goes to the city's other platforms in proportion. `weight` is what counts after that (null where
        nothing does), `observed_weight` the part of the platform weights that was observed.
    """
    observed = pl.when(pl.col("score").is_not_null()).then("platform_weight")
    return (
        cities.select("city_id")
        .join(weights.filter("eligible").select("platform", platform_weight="weight"), how="cross")
        .join(panel.with_columns(has_account=pl.lit(value=True)), on=("platform", "city_id"), how="left")
        .join(platforms.select("platform", "city_id", "score"), on=("platform", "city_id"), how="left")
        .sort("city_id", "platform")
        .with_columns(pl.col("has_account").fill_null(value=False))
        .with_columns(score=pl.when("has_account").then("score").otherwise(0.0))
        .with_columns(
            weight=observed / observed.sum().over("city_id"),
            observed_weight=observed.sum().over("city_id") / pl.col("platform_weight").sum().over("city_id"),
        )
        .drop("platform_weight")
    )


def composite(
    cities: pl.DataFrame,
    panel: pl.DataFrame,
    by_platform: pl.DataFrame,
    experts: pl.DataFrame,
    *,
    status: Status,
    method: Method,
) -> pl.DataFrame:
    """One score a city, and whether it may be ranked.

    Args:
        cities: city_id: every monitored city.
        panel: platform, city_id: who has an account on any platform, eligible or not.
        by_platform: the frame of `city_platforms`.
        experts: the frame of `expert_scores`.
        status: while provisional the score is the quantitative index alone, and nothing judged is shown.
        method: weights and thresholds.

    Returns:
        city_id, quantitative, qualitative, score (all 0..100), ranked, observed_weight, raters, flags; sorted by
        city_id, a row a city. `ranked` is false, and a flag says why: no_account (on no platform), insufficient (too
        little of the platform weights observed), no_expert_score (final months; the score is null).
    """
    whole = by_platform.group_by("city_id", maintain_order=True).agg(
        pl.when(pl.col("weight").count() > 0).then((pl.col("weight") * pl.col("score")).sum()).alias("quantitative"),
        pl.col("observed_weight").first(),
    )
    final = status == "final"
    rule = method.composite
    judged = experts.select("city_id", "qualitative", "raters", "carried") if final else experts.clear()
    together = rule.quantitative * pl.col("quantitative") + rule.qualitative * pl.col("qualitative")
    few = pl.col("observed_weight").fill_null(0.0) < method.missing.ranked_from - SLACK
    return (
        cities.select("city_id")
        .join(whole, on="city_id", how="left")
        .join(panel.select("city_id", account=pl.lit(value=True)).unique(), on="city_id", how="left")
        .join(judged, on="city_id", how="left")
        .sort("city_id")
        .with_columns(
            score=together if final else pl.col("quantitative"),
            flags=flag_list(
                no_account=pl.col("account").is_null(),
                insufficient=few,
                no_expert_score=pl.col("qualitative").is_null() & pl.lit(final),
                expert_carried=pl.col("carried") > 0,
                few_raters=(pl.col("carried") == 0) & (pl.col("raters") < method.experts.raters),
            ),
        )
        .select(
            "city_id",
            "quantitative",
            "qualitative",
            "score",
            ranked=pl.col("score").is_not_null() & pl.col("account").is_not_null() & ~few,
            observed_weight="observed_weight",
            raters="raters",
            flags="flags",
        )
    )
