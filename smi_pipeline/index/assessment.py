"""What an edition's ranks are worth: intervals, what moves them, and the state of its indicators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from smi_pipeline.index.audit import (
    GROUP_AUDIT,
    INDICATOR_AUDIT,
    INDICATOR_CORRELATION,
    correlations,
    group_audit,
    indicator_audit,
)
from smi_pipeline.index.edition import COMPOSITE, Edition
from smi_pipeline.index.experts import rater_scores
from smi_pipeline.index.robustness import RANK_INTERVAL, SENSITIVITY, draw, rank_intervals, remove_one, sensitivity
from smi_pipeline.metrics.columns import Schema, columns

# A statistic's last digits hang on the order in which a processor adds up; they say nothing.
DECIMALS: Final = 9


@dataclass(frozen=True)
class Assessment:
    """The frames that say how sure an edition is; their columns are the schemas of the modules that make them.

    Attributes:
        composite: the edition's, with rank_p05 and rank_p95.
        rank_interval: a row a ranked city, best first.
        sensitivity: a row a factor of choice.
        indicator_audit: a row a platform and indicator.
        group_audit: a row a platform and group.
        indicator_correlation: a row a platform and pair of indicators.
    """

    composite: pl.DataFrame
    rank_interval: pl.DataFrame
    sensitivity: pl.DataFrame
    indicator_audit: pl.DataFrame
    group_audit: pl.DataFrame
    indicator_correlation: pl.DataFrame


def assess(made: Edition, *, experts: pl.DataFrame | None) -> Assessment:
    """Draw, analyse and audit an edition.

    Args:
        made: the edition.
        experts: rater, city_id, criterion, score of the month, whose raters are drawn; None without a file.
    """
    model, method = made.model, made.model.method
    drawn = model.ranks(draw(model, made.month, rater_scores(experts, method.experts)))
    intervals = rank_intervals(model, drawn)
    composite = (
        made.composite.drop("rank_p05", "rank_p95")
        .join(intervals.select("city_id", "rank_p05", "rank_p95"), on="city_id", how="left", maintain_order="left")
        .select(list(COMPOSITE))
    )

    def typed(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
        rounded = (pl.col(pl.Float64).round(DECIMALS) + 0.0).name.keep()  # + 0.0: no minus before a zero
        return columns(frame.with_columns(rounded, month=pl.lit(made.month.first)), schema, name="assessment")

    return Assessment(
        composite=composite,
        rank_interval=typed(intervals, RANK_INTERVAL),
        sensitivity=typed(sensitivity(model, made.month), SENSITIVITY),
        indicator_audit=typed(indicator_audit(made.scores, method, shifts=remove_one(model)), INDICATOR_AUDIT),
        group_audit=typed(group_audit(made.scores, method), GROUP_AUDIT),
        indicator_correlation=typed(correlations(made.scores), INDICATOR_CORRELATION),
    )
