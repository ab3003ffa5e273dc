"""One month of the index, from metrics, registry, inputs and ratings: every table of it in one call.

A month and the one before it are scored together, under the same method, from their metrics: no stored index row is
ever read, so any month can be computed alone and in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from smi_pipeline.index.changes import composite_before, ranked_composite, ranked_platforms, score_before
from smi_pipeline.index.composite import Status, city_platforms, composite
from smi_pipeline.index.contributions import CONTRIBUTION, contributions
from smi_pipeline.index.decomposition import SCORE_CHANGE, score_changes
from smi_pipeline.index.experts import EXPERT_CITY, expert_city, expert_scores, with_rerate
from smi_pipeline.index.indicators import PlatformScores
from smi_pipeline.index.method import Method
from smi_pipeline.index.ranks import rank
from smi_pipeline.index.release import EXPERT_AGREEMENT, release
from smi_pipeline.index.robustness import Model, model
from smi_pipeline.index.scoring import Inputs, score
from smi_pipeline.index.weights import PLATFORM_WEIGHT
from smi_pipeline.metrics.columns import FLAGS, Schema, columns
from smi_pipeline.metrics.rates import under
from smi_pipeline.months import Month
from smi_pipeline.registry.inputs import Vintage

INDICATOR_SCORE: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "city_id": pl.String,
    "indicator": pl.String,
    "value": pl.Float64,
    "score": pl.Float64,
    "weight": pl.Float64,
    "flags": FLAGS,
}
PLATFORM_INDEX: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "city_id": pl.String,
    "score": pl.Float64,
    "rank": pl.Int64,
    "previous_rank": pl.Int64,
    "rank_change": pl.Int64,
    "flags": FLAGS,
}
COMPOSITE: Final[Schema] = {
    "month": pl.Date,
    "city_id": pl.String,
    "quantitative": pl.Float64,
    "qualitative": pl.Float64,
    "score": pl.Float64,
    "rank": pl.Int64,
    "previous_rank": pl.Int64,
    "rank_change": pl.Int64,
    "rank_p05": pl.Float64,
    "rank_p95": pl.Float64,
    "rank_at_previous_weights": pl.Int64,
    "status": pl.String,
    "method_version": pl.String,
    "observed_weight": pl.Float64,
    "raters": pl.Int64,
    "flags": FLAGS,
}
__all__ = [
    "COMPOSITE",
    "CONTRIBUTION",
    "EXPERT_AGREEMENT",
    "EXPERT_CITY",
    "INDICATOR_SCORE",
    "PLATFORM_INDEX",
    "PLATFORM_WEIGHT",
    "SCORE_CHANGE",
    "Edition",
    "edition",
]


@dataclass(frozen=True)
class Edition:
    """The index of one month: frames whose columns are the schemas of this module, and what they were made from.

    Attributes:
        status: provisional while the cut or the expert part is.
        indicator_score: a row a platform, city with an account, and applicable indicator; null points where it was
            not observed or is suspended.
        platform_index: a row a platform and city with an account, best first.
        platform_weight: a row a measured platform.
        composite: a row a monitored city, best first, unranked ones last. rank_p05 and rank_p95 are null until the
            edition is assessed (see `assess`). rank_at_previous_weights is the rank under last month's platform
            weights: where it differs, the weights moved the city; null without a month before.
        contribution: the parts that add up to each city's score.
        score_change: the parts that add up to each city's change of score; empty where the months do not compare.
        expert_agreement: one row: how far the raters agree, and what stands against releasing their scores.
        expert_city: a row a monitored city: its ratings, released or not, and whether it must be rated again.
        scores: the platforms' scores, as frames and as arrays.
        model: the composite as a function of the choices in it.
    """

    month: Month
    status: Status
    method_version: str
    indicator_score: pl.DataFrame
    platform_index: pl.DataFrame
    platform_weight: pl.DataFrame
    composite: pl.DataFrame
    contribution: pl.DataFrame
    score_change: pl.DataFrame
    expert_agreement: pl.DataFrame
    expert_city: pl.DataFrame
    scores: PlatformScores
    model: Model


def edition(
    *,
    month: Month,
    method: Method,
    cities: pl.DataFrame,
    accounts: pl.DataFrame,
    metrics: pl.DataFrame,
    weight_inputs: pl.DataFrame,
    metrics_largest: pl.DataFrame | None = None,
    experts: pl.DataFrame | None,
    experts_previous: pl.DataFrame | None,
    experts_earlier: Sequence[pl.DataFrame | None] = (),
    experts_vintage: Vintage | None = None,
    cut: Status = "final",
    cut_previous: Status = "final",
) -> Edition:
    """Compute the index of a month.

    Args:
        month: the month.
        method: every parameter.
        cities: the registry's: city_id, valid_from, valid_to.
        accounts: the registry's: city_id, platform, in_index, valid_from, valid_to.
        metrics: metrics.city_platform_month of the month, of the month before where there is one, for the changes, and
            of the one before that, whose figures may stand in for gaps of the latter.
        weight_inputs: dated inputs of the platform weights (see `platform_weights`).
        metrics_largest: the month's metrics from each city's largest account alone, an alternative the ranks are
            assessed with; None where every city has one account.
        experts: rater, city_id, criterion, score of the month; None without a file.
        experts_previous: the same of the month before.
        experts_earlier: of the months before that, newest first: a missing expert score is carried over from them.
        experts_vintage: which of the month's files `experts` is, as the tables are to say it.
        cut: final if every collection of the month rests on the count date, else provisional.
        cut_previous: the same of the month before.

    Returns:
        The edition. Changes compare with the month before under the same method, on the cities and indicators
        that both months share; they are null where that is not possible, and a flag says why (new, changed_set,
        status_changed).

    Raises:
        ValueError: a frame lacks a column, or an expert score is off the scale.
        WeightInputsError: the weight inputs do not cover the month.
    """
    inputs = Inputs(method, cities, accounts, under(method.rates, metrics), weight_inputs)
    weights = inputs.weights(month)
    now = score(inputs, month)
    agreed = release(experts, now.cities, method.experts, cut=cut)
    status: Status = "final" if agreed.released else "provisional"
    by_platform = city_platforms(now.cities, now.panel, now.scores.platforms, weights)
    ratings = [experts, experts_previous, *experts_earlier]
    judged = expert_scores(ratings, method.experts)
    judged_city = expert_city(now.cities, ratings, method.experts)
    whole = composite(now.cities, now.panel, by_platform, judged, status=status, method=method)

    before = score_before(inputs, now)
    whole_before = None
    if before is not None and inputs.has_weights(before.scored.month):
        whole_before = composite_before(
            inputs,
            before,
            weights=weights,
            experts=expert_scores([experts_previous, *experts_earlier], method.experts),
            status=status,
            released=release(experts_previous, before.scored.cities, method.experts, cut=cut_previous).released,
        )
    changes = pl.DataFrame(schema={name: dtype for name, dtype in SCORE_CHANGE.items() if name != "month"})
    as_before = whole.select("city_id", rank_at_previous_weights=pl.lit(None, dtype=pl.Int64))
    if before is not None and whole_before is not None:
        reweighted = city_platforms(now.cities, now.panel, now.scores.platforms, whole_before.weights)
        reweighted_whole = composite(now.cities, now.panel, reweighted, judged, status=status, method=method)
        as_before = reweighted_whole.filter("ranked").select(
            "city_id", rank_at_previous_weights=rank(pl.col("score"), decimals=method.ranks.decimals)
        )
        if whole_before.scores is not None:
            changes = score_changes(
                (now.scores.indicators, by_platform, whole.filter("ranked")),
                (before.scored.scores.indicators, whole_before.by_platform, whole_before.scores),
                status=status,
                rule=method.composite,
            )
    nothing = pl.lit(None, dtype=pl.Float64)
    ranked = (
        with_rerate(ranked_composite(whole, whole_before, method), judged_city)
        .join(as_before, on="city_id", how="left", maintain_order="left")
        .with_columns(rank_p05=nothing, rank_p95=nothing, status=pl.lit(status), method_version=pl.lit(method.version))
    )
    largest = None
    if metrics_largest is not None:
        alone = under(method.rates, metrics_largest)
        largest = score(
            replace(inputs, metrics=pl.concat([alone, inputs.earlier(month)], how="diagonal")), month
        ).scores
    parts = contributions(now.scores.indicators, by_platform, whole, status=status, rule=method.composite)
    return Edition(
        month=month,
        status=status,
        method_version=method.version,
        indicator_score=_typed(now.scores.indicators, INDICATOR_SCORE, month),
        platform_index=_typed(ranked_platforms(now, before, method), PLATFORM_INDEX, month),
        platform_weight=weights,
        composite=_typed(ranked, COMPOSITE, month),
        contribution=_typed(parts, CONTRIBUTION, month),
        score_change=_typed(changes, SCORE_CHANGE, month),
        expert_agreement=_typed(agreed.row(experts_vintage), EXPERT_AGREEMENT, month),
        expert_city=_typed(judged_city, EXPERT_CITY, month),
        scores=now.scores,
        model=model(
            method=method,
            composite=whole,
            weights=weights,
            scores=now.scores,
            scores_largest=now.scores if largest is None else largest,
            status=status,
        ),
    )


def _typed(frame: pl.DataFrame, schema: Schema, month: Month) -> pl.DataFrame:
    return columns(frame.with_columns(month=pl.lit(month.first)), schema, name="index")
