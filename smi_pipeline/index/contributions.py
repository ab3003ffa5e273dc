"""What each indicator puts into a city's score. The parts add up to the score, with nothing left over."""

from __future__ import annotations

from typing import Final

import polars as pl

from smi_pipeline.index.composite import Status
from smi_pipeline.index.method import CompositeRule
from smi_pipeline.metrics.columns import Schema

CONTRIBUTION: Final[Schema] = {
    "month": pl.Date,
    "city_id": pl.String,
    "platform": pl.String,
    "indicator": pl.String,
    "contribution": pl.Float64,
    "weight": pl.Float64,
}
EXPERT: Final = "expert"


def contributions(
    indicators: pl.DataFrame, by_platform: pl.DataFrame, composite: pl.DataFrame, *, status: Status, rule: CompositeRule
) -> pl.DataFrame:
    """The parts of each city's score.

    Args:
        indicators: platform, city_id, indicator, score, weight (its effective share of the platform score).
        by_platform: platform, city_id, weight (the platform's effective share of the quantitative index).
        composite: city_id, qualitative, score.
        status: a provisional score is the quantitative index, whose parts are not cut to its share of a final one.
        rule: the shares of the measured and the judged part.

    Returns:
        city_id, platform, indicator, contribution, weight, sorted by city_id and platform; contribution = weight *
        points, and the contributions of a city add up to its score within 1e-9. The judged part is platform and
        indicator `expert`. Cities without a score have no rows; platforms without an account contribute 0 and have
        none either.
    """
    scored = composite.drop_nulls("score")
    measured_share = rule.quantitative if status == "final" else 1.0
    measured = (
        indicators.drop_nulls("weight")
        .join(
            by_platform.select("platform", "city_id", of_platform="weight"),
            on=("platform", "city_id"),
            maintain_order="left",
        )
        .join(scored, on="city_id", how="semi", maintain_order="left")
        .with_columns(weight=measured_share * pl.col("of_platform") * pl.col("weight"))
        .select("city_id", "platform", "indicator", contribution=pl.col("weight") * pl.col("score"), weight="weight")
    )
    judged = scored.drop_nulls("qualitative").select(
        "city_id",
        platform=pl.lit(EXPERT),
        indicator=pl.lit(EXPERT),
        contribution=rule.qualitative * pl.col("qualitative"),
        weight=pl.lit(rule.qualitative),
    )
    return pl.concat([measured, judged]).sort("city_id", "platform", maintain_order=True)
