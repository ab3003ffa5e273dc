"""Why a score moved: what the city's own figures did, and what the month's weights did.

With the mean of the two months as the other factor's weight, both effects add up to the change with nothing left over:
d(w S) = w_mean dS + S_mean dw.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from smi_pipeline.index.composite import Status
from smi_pipeline.index.contributions import EXPERT
from smi_pipeline.index.method import CompositeRule
from smi_pipeline.metrics.columns import Schema

SCORE_CHANGE: Final[Schema] = {
    "month": pl.Date,
    "city_id": pl.String,
    "platform": pl.String,
    "indicator": pl.String,
    "effect": pl.String,
    "change": pl.Float64,
}
WEIGHT: Final = "weight"
_CELL: Final = ("city_id", "platform")


def score_changes(
    now: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
    before: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
    *,
    status: Status,
    rule: CompositeRule,
) -> pl.DataFrame:
    """The change of each city's score since the month before, in parts.

    Args:
        now: indicators, by_platform and composite of the month (see `contributions`).
        before: the same of the month before, made comparable.
        status: of both.
        rule: the shares of the measured and the judged part.

    Returns:
        city_id, platform, indicator, effect, change, sorted; the rows of a city add up to the difference of its scores.
        `effect` is performance (an indicator of a platform, at the mean of the two weights), weight (a platform, at
        the mean of its two scores; indicator `weight`) or expert. A platform that was observed in one of the months
        only moves by its weight. Cities that lack a score in one of the months have no rows.
    """
    share = rule.quantitative if status == "final" else 1.0
    scored = [whole.drop_nulls("score").select("city_id") for _, _, whole in (now, before)]
    both = scored[0].join(scored[1], on="city_id", how="semi")
    platforms = _side_by_side(now[1], before[1], both)
    mean_weight = pl.mean_horizontal("weight", "weight_before")
    weights = platforms.select(
        *_CELL,
        indicator=pl.lit(WEIGHT),
        effect=pl.lit("weight"),
        change=share * pl.mean_horizontal("score", "score_before") * (pl.col("weight") - pl.col("weight_before")),
    )
    points = [
        frame.drop_nulls("weight").select(*_CELL, "indicator", points=pl.col("weight") * pl.col("score"))
        for frame, _, _ in (now, before)
    ]
    moved = (
        points[0]
        .join(points[1], on=(*_CELL, "indicator"), how="full", coalesce=True, suffix="_before")
        .with_columns(pl.col("points", "points_before").fill_null(0.0))
        .join(platforms.filter("observed_in_both"), on=_CELL)
        .select(
            *_CELL,
            "indicator",
            effect=pl.lit("performance"),
            change=share * mean_weight * (pl.col("points") - pl.col("points_before")),
        )
    )
    judged = [whole.join(both, on="city_id", how="semi") for _, _, whole in (now, before)]
    experts = (
        judged[0]
        .join(judged[1], on="city_id", suffix="_before")
        .drop_nulls(["qualitative", "qualitative_before"])
        .select(
            "city_id",
            platform=pl.lit(EXPERT),
            indicator=pl.lit(EXPERT),
            effect=pl.lit(EXPERT),
            change=rule.qualitative * (pl.col("qualitative") - pl.col("qualitative_before")),
        )
    )
    return pl.concat([moved, weights, experts]).sort("city_id", "platform", "effect", "indicator")


def _side_by_side(now: pl.DataFrame, before: pl.DataFrame, cities: pl.DataFrame) -> pl.DataFrame:
    """city_id, platform, score and weight of both months; what was not observed has weight 0 and the other's score."""
    columns = ("score", "weight")
    return (
        now.select(*_CELL, *columns)
        .join(before.select(*_CELL, *columns), on=_CELL, how="full", coalesce=True, suffix="_before")
        .join(cities, on="city_id", how="semi")
        .with_columns(observed_in_both=pl.col("score").is_not_null() & pl.col("score_before").is_not_null())
        .with_columns(
            pl.coalesce("score", "score_before", pl.lit(0.0)).alias("score"),
            pl.coalesce("score_before", "score", pl.lit(0.0)).alias("score_before"),
            pl.col("weight", "weight_before").fill_null(0.0),
        )
    )
