"""From a month's metrics to points per indicator and a score per platform.

The rules for what is missing are all here. Three cases are kept apart: an account that posted nothing scores 0 where
posts would have scored; an indicator that too few accounts report is left out for everybody on that platform; one city
that could not be observed is scored on the rest of the group if enough of it is known, and otherwise not at all.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import polars as pl

from smi_pipeline.index.method import INDICATORS, Indicator, Method
from smi_pipeline.index.transforms import points
from smi_pipeline.metrics.columns import FLAGS, Schema, columns, flag_list
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS, Platform

# What an account has whether or not it posted in the month.
STOCKS: Final[tuple[Indicator, ...]] = ("followers", "follower_growth")
# Sums of weights are compared with this slack: 0.6 / (0.6 + 0.4) must pass a bound of 0.6.
SLACK: Final = 1e-9
PLATFORM_CITY: Final = ("platform", "city_id")
_METRICS: Final[Schema] = {
    "platform": pl.String,
    "city_id": pl.String,
    **dict.fromkeys(INDICATORS, pl.Float64),
    "flags": FLAGS,
}


@dataclass(frozen=True)
class PlatformScores:
    """One month scored: every indicator of every account-holding city, and the platform scores they add up to.

    Attributes:
        indicators: platform, city_id, indicator, group, value, score, weight, flags; sorted, in tree order.
        platforms: platform, city_id, score (0..100, null = not observed), flags; sorted.
        suspended: the (platform, indicator) pairs left out for everybody.
    """

    indicators: pl.DataFrame
    platforms: pl.DataFrame
    suspended: frozenset[tuple[str, str]]


def platform_scores(
    panel: pl.DataFrame,
    metrics: pl.DataFrame,
    *,
    month: Month,
    method: Method,
    also_suspended: AbstractSet[tuple[str, str]] = frozenset(),
) -> PlatformScores:
    """Score a month.

    Args:
        panel: platform, city_id: who has an account (see `platform_panel`).
        metrics: metrics.city_platform_month; rows of other months and of cities outside the panel are ignored. A
            city of the panel without a row was not observed.
        month: the month.
        method: transforms, goalposts, weights, thresholds.
        also_suspended: (platform, indicator) pairs to leave out besides those that the rule leaves out.

    Returns:
        `weight` is an indicator's effective share of its platform score: the weights of a city with a score add up
        to 1, and its score is the sum of weight * score. Both are null where the indicator does not count.
    """
    of_month = columns(metrics.filter(pl.col("month") == month.first), _METRICS, name="metrics")
    wide = panel.join(of_month, on=PLATFORM_CITY, how="left").sort(PLATFORM_CITY)
    rows = _weighted(_suspend(_long(wide, method), method, also_suspended), method)
    return PlatformScores(
        indicators=rows.select(
            *PLATFORM_CITY,
            "indicator",
            "group",
            "value",
            "score",
            "weight",
            flags=flag_list(
                zero_denominator=pl.col("silent") & ~pl.col("suspended"),
                suspended=pl.col("suspended"),
                group_suspended=pl.col("group_share").is_null(),
                not_observed=pl.col("score").is_null() & ~pl.col("suspended"),
                partial=pl.col("weight").is_not_null() & (pl.col("group_share") < 1 - SLACK),
            ),
        ),
        platforms=_summed(rows, wide),
        suspended=frozenset(rows.filter("suspended").select("platform", "indicator").unique().iter_rows()),
    )


def _long(wide: pl.DataFrame, method: Method) -> pl.DataFrame:
    """A row per city and applicable indicator, with what was published and the points of the value."""
    tree = pl.DataFrame(
        [
            (platform, name, position, rule.group, method.groups[rule.group].weight, rule.weight, rule.transform, *ends)
            for platform in PLATFORMS
            for position, (name, rule) in enumerate(method.indicators.items())
            if platform in rule.applies
            for ends in [method.goalposts.of(platform)[name]]
        ],
        schema={
            "platform": pl.String,
            "indicator": pl.String,
            "position": pl.Int64,
            "group": pl.String,
            "group_weight": pl.Float64,
            "indicator_weight": pl.Float64,
            "transform": pl.String,
            "lo": pl.Float64,
            "hi": pl.Float64,
        },
        orient="row",
    )
    only_videos: list[Platform] = [p for p in PLATFORMS if p not in method.indicators["posts"].applies]
    published = pl.when(pl.col("platform").is_in(only_videos)).then("videos").otherwise("posts")
    return (
        wide.with_columns(published=published)
        .unpivot(INDICATORS, index=[*PLATFORM_CITY, "published"], variable_name="indicator")
        .join(tree, on=("platform", "indicator"))
        .sort(*PLATFORM_CITY, "position")
        # Nothing published: reactions, views and rates have no value and score 0; to leave them out would pay silence.
        .with_columns(
            silent=(pl.col("published") == 0).fill_null(value=False)
            & pl.col("value").is_null()
            & ~pl.col("indicator").is_in(STOCKS)
        )
        .with_columns(
            score=pl.when("silent")
            .then(0.0)
            .otherwise(points(pl.col("value"), pl.col("transform"), pl.col("lo"), pl.col("hi")))
        )
    )


def _suspend(rows: pl.DataFrame, method: Method, also_suspended: AbstractSet[tuple[str, str]]) -> pl.DataFrame:
    """Mark the indicators that too many active cities do not report, and take their points away from everybody.

    Active: published at least once. A city that was not observed is no evidence that the platform hides an indicator,
    unless no city was: then nothing of the platform is observable.
    """
    over = ("platform", "indicator")
    active = (pl.col("published") > 0).fill_null(value=False)
    asked = pl.when(active.any().over(over)).then(active).otherwise(pl.col("published").is_not_null())
    unreported = (pl.col("asked") & pl.col("score").is_null()).sum().over(over)
    base = pl.col("asked").sum().over(over)
    named = pl.DataFrame(
        sorted(also_suspended), schema={"platform": pl.String, "indicator": pl.String}, orient="row"
    ).with_columns(named=pl.lit(value=True))
    return (
        rows.with_columns(asked=asked)
        .join(named, on=over, how="left", maintain_order="left")
        .with_columns(
            suspended=pl.col("named").is_not_null()
            | pl.when(base > 0).then(unreported / base > method.missing.suspended_above + SLACK).otherwise(True)  # noqa: FBT003
        )
        .with_columns(score=pl.when(~pl.col("suspended")).then("score"))
    )


def _weighted(rows: pl.DataFrame, method: Method) -> pl.DataFrame:
    """Add each indicator's effective share of its city's platform score.

    First the weights of suspended indicators go to their siblings and those of suspended groups to the other groups,
    for everybody; then, within a group, the weight of what one city lacks goes to what it has.
    """
    in_group = (*PLATFORM_CITY, "group")
    kept = pl.when(~pl.col("suspended")).then("indicator_weight")
    in_score = pl.col("score").is_not_null()
    return (
        rows.with_columns(within_group=kept / kept.sum().over(in_group))
        .with_columns(
            # the shares of a group that is not wholly suspended add up to 1: this sum counts each such group once
            of_group=pl.col("group_weight")
            / (pl.col("group_weight") * pl.col("within_group")).sum().over(PLATFORM_CITY)
        )
        .with_columns(
            group_share=pl.when(pl.col("within_group").count().over(in_group) > 0).then(
                pl.when(in_score).then("within_group").sum().over(in_group)
            )
        )
        .with_columns(
            known=pl.col("group_share").min().over(PLATFORM_CITY) >= method.missing.partial_from - SLACK,
        )
        .with_columns(
            weight=pl.when(pl.col("known") & in_score).then(
                pl.col("of_group") * pl.col("within_group") / pl.col("group_share")
            )
        )
    )


def _summed(rows: pl.DataFrame, wide: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.group_by(PLATFORM_CITY, maintain_order=True)
        .agg(
            pl.when(pl.col("weight").count() > 0).then((pl.col("weight") * pl.col("score")).sum()).alias("score"),
            pl.col("group_share").min().alias("least_share"),
            pl.col("suspended").any().alias("any_suspended"),
            pl.col("group_share").is_null().any().alias("any_group"),
        )
        .join(wide.select(*PLATFORM_CITY, seen="flags"), on=PLATFORM_CITY, how="left", maintain_order="left")
        .select(
            *PLATFORM_CITY,
            "score",
            flags=pl.concat_list(
                pl.col("seen").fill_null([]),
                flag_list(
                    suspended=pl.col("any_suspended"),
                    group_suspended=pl.col("any_group"),
                    not_observed=pl.col("score").is_null(),
                    partial=pl.col("score").is_not_null() & (pl.col("least_share") < 1 - SLACK),
                ),
            )
            .list.unique()
            .list.sort(),
        )
    )
