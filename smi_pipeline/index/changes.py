"""The month before, made comparable: the same method, the same indicators, the same status, the same cities.

Where the two months do not compare there is no change, and a flag says why: a rank that moved because an indicator
came or went, or because experts joined in, says nothing about a city.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from smi_pipeline.index.composite import Status, city_platforms, composite
from smi_pipeline.index.method import Method
from smi_pipeline.index.ranks import with_changes
from smi_pipeline.index.scoring import Inputs, Scored, score
from smi_pipeline.metrics.columns import flag_list


@dataclass(frozen=True)
class Before:
    """The month before, scored on the indicators of this one.

    Attributes:
        scored: the month; where this month lacks an indicator that it had, it was scored without it.
        changed: platforms on which the two months observed different indicators.
        incomparable: those on which this month has an indicator that the month before could not observe.
    """

    scored: Scored
    changed: frozenset[str]
    incomparable: frozenset[str]


@dataclass(frozen=True)
class CompositeBefore:
    """The composite of the month before.

    Attributes:
        scores: the composite of its ranked cities; None where the two months do not compare.
        by_platform: what each platform gave each city (see `city_platforms`).
        weights: its platform weights.
        listed: city_id of the cities that had an account: the others are new.
        changed_set: the two months observed different indicators on a platform that counts in both.
        status_changed: this month is final and the month before is not.
    """

    scores: pl.DataFrame | None
    by_platform: pl.DataFrame
    weights: pl.DataFrame
    listed: pl.DataFrame
    changed_set: bool
    status_changed: bool


def score_before(inputs: Inputs, now: Scored) -> Before | None:
    """The month before `now`; None where it has no metrics."""
    month = now.month.previous
    if not inputs.has_metrics(month):
        return None
    scored = score(inputs, month)
    both = now.platforms & scored.platforms
    lost = {(p, i) for p, i in now.scores.suspended - scored.scores.suspended if p in both}
    gained = {(p, i) for p, i in scored.scores.suspended - now.scores.suspended if p in both}
    if lost:
        scored = score(inputs, month, also_suspended=lost)
    return Before(
        scored,
        changed=frozenset(platform for platform, _ in lost | gained),
        incomparable=frozenset(platform for platform, _ in gained),
    )


def composite_before(
    inputs: Inputs, before: Before, *, weights: pl.DataFrame, experts: pl.DataFrame, status: Status, released: bool
) -> CompositeBefore:
    """The composite to compare this month's with.

    Args:
        inputs: as for this month.
        before: the month before.
        weights: this month's platform weights.
        experts: the expert scores of the month before.
        status: this month's: a provisional month is compared with the quantitative index of the month before.
        released: whether the month before is final itself.
    """
    weights_before = inputs.weights(before.scored.month)
    both = set(weights.filter("eligible")["platform"]) & set(weights_before.filter("eligible")["platform"])
    status_changed = status == "final" and not released
    scored = before.scored
    scores = None
    by_platform = city_platforms(scored.cities, scored.panel, scored.scores.platforms, weights_before)
    if not status_changed and not both & before.incomparable:
        scores = composite(
            scored.cities, scored.panel, by_platform, experts, status=status, method=inputs.method
        ).filter("ranked")
    return CompositeBefore(
        scores=scores,
        by_platform=by_platform,
        weights=weights_before,
        listed=scored.panel.select("city_id").unique(),
        changed_set=bool(both & before.changed),
        status_changed=status_changed,
    )


def ranked_platforms(now: Scored, before: Before | None, method: Method) -> pl.DataFrame:
    """platform, city_id, score, rank, previous_rank, rank_change, flags; best first within a platform."""
    previous = None
    if before is not None:
        scores = before.scored.scores.platforms
        previous = scores.filter(~pl.col("platform").is_in(sorted(before.incomparable)))
    ranked = with_changes(now.scores.platforms, previous, within=("platform",), decimals=method.ranks.decimals)
    if before is not None:
        measured = pl.col("platform").is_in(sorted(before.scored.platforms))
        ranked = _flagged(
            ranked.join(
                before.scored.panel.with_columns(listed=pl.lit(value=True)), on=("platform", "city_id"), how="left"
            ),
            new=pl.col("listed").is_null() & measured,
            changed_set=pl.col("platform").is_in(sorted(before.changed)),
            common_set=pl.col("common_rank") != pl.col("rank"),
        )
    return ranked.sort("platform", "rank", "city_id", nulls_last=True)


def ranked_composite(composite: pl.DataFrame, before: CompositeBefore | None, method: Method) -> pl.DataFrame:
    """The composite with rank, previous_rank, rank_change; best first, then the unranked ones by score.

    A score that may not be ranked stays in the column `score`.
    """
    rankable = composite.select("city_id", score=pl.when("ranked").then("score"))
    ranks = with_changes(rankable, None if before is None else before.scores, decimals=method.ranks.decimals).drop(
        "score"
    )
    ranked = composite.join(ranks, on="city_id", how="left")
    if before is not None:
        ranked = _flagged(
            ranked.join(before.listed.with_columns(listed=pl.lit(value=True)), on="city_id", how="left"),
            new=pl.col("listed").is_null() & ~pl.col("flags").list.contains("no_account"),
            changed_set=pl.lit(before.changed_set),
            status_changed=pl.lit(before.status_changed),
            common_set=pl.col("common_rank") != pl.col("rank"),
        )
    return ranked.sort(
        "rank",
        pl.col("score").round(method.ranks.decimals),
        "city_id",
        descending=[False, True, False],
        nulls_last=True,
    )


def _flagged(frame: pl.DataFrame, **flags: pl.Expr) -> pl.DataFrame:
    return frame.with_columns(flags=pl.concat_list("flags", flag_list(**flags)).list.sort())
