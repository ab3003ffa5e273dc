"""How sure a rank is: the composite computed again under choices that could have been made otherwise.

A draw varies the platform weights and those of groups and indicators, and takes one alternative each of normalisation,
aggregation, the handling of several accounts and of what is missing; raters are drawn with replacement. The same month
and version draw the same numbers. Everything is arrays: a thousand draws of a month take a fraction of a second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from smi_pipeline.index.composite import Status
from smi_pipeline.index.engine import normalisation as scales
from smi_pipeline.index.engine import sobol
from smi_pipeline.index.engine.arrays import BoolArray, FloatArray, IntArray, ratio
from smi_pipeline.index.engine.ranking import ranks
from smi_pipeline.index.engine.uncertainty import mean_rank_shift, noisy_weights, rank_spread, tiers
from smi_pipeline.index.indicators import Board, PlatformScores, platform_tree
from smi_pipeline.index.method import (
    Aggregation,
    ManyAccounts,
    Method,
    Normalisation,
    Unobserved,
)
from smi_pipeline.index.transforms import transformed
from smi_pipeline.metrics.columns import Schema
from smi_pipeline.months import Month

RANK_INTERVAL: Final[Schema] = {
    "month": pl.Date,
    "city_id": pl.String,
    "rank": pl.Int64,
    "median_rank": pl.Float64,
    "rank_p05": pl.Float64,
    "rank_p95": pl.Float64,
    "top_probability": pl.Float64,
    "tier": pl.Int64,
    "draws": pl.Int64,
}
SENSITIVITY: Final[Schema] = {
    "month": pl.Date,
    "factor": pl.String,
    "first_order": pl.Float64,
    "first_p05": pl.Float64,
    "first_p95": pl.Float64,
    "total_order": pl.Float64,
    "total_p05": pl.Float64,
    "total_p95": pl.Float64,
    "mean_rank_shift": pl.Float64,
    "runs": pl.Int64,
}
# The factors of the sensitivity analysis, a column each of its design. Raters are not one: they are drawn city by city.
FACTORS: Final = ("platform_weights", "tree_weights", "normalisation", "aggregation", "many_accounts", "missing")
_REPLICATES: Final = 1000  # draws of weights among which a point of the sensitivity design picks one
_CHUNK: Final = 2000  # draws at a time, so that memory does not grow with them

Alternative = tuple[Normalisation, Aggregation, ManyAccounts, Unobserved]


@dataclass(frozen=True)
class Draws:
    """Choices, a row a draw.

    Attributes:
        platform_weights: (draws, platforms): factors of the month's platform weights.
        tree_weights: (draws, groups and indicators): factors of the method's, in its order.
        alternatives: (draws, 4): which normalisation, aggregation, handling of accounts and of what is missing.
        judged: (draws, cities): the expert score of each city; None for the official one.
    """

    platform_weights: FloatArray
    tree_weights: FloatArray
    alternatives: IntArray
    judged: FloatArray | None = None

    def some(self, taken: IntArray) -> Draws:
        """These draws alone."""
        judged = None if self.judged is None else self.judged[taken]
        return Draws(self.platform_weights[taken], self.tree_weights[taken], self.alternatives[taken], judged)


@dataclass(frozen=True)
class Model:
    """A month's composite as a function of the choices.

    Attributes:
        method: parameters and alternatives.
        cities: the monitored cities, sorted.
        weights: the eligible platforms' official weights.
        boards: the month's, with several accounts summed.
        boards_largest: the same with a city's largest account alone; the same boards where every city has one.
        ranked: (cities,): who is ranked officially; the others are in no draw.
        judged: (cities,): expert scores, NaN = none; None while the composite is provisional.
    """

    method: Method
    cities: tuple[str, ...]
    weights: Mapping[str, float]
    boards: Mapping[str, Board]
    boards_largest: Mapping[str, Board]
    ranked: BoolArray
    judged: FloatArray | None

    @property
    def tree_names(self) -> tuple[str, ...]:
        """Groups, then indicators: the columns of the draws' tree weights."""
        return (*self.method.groups, *self.method.indicators)

    def official(self) -> Draws:
        """The one draw that is the published index."""
        ones = np.ones((1, len(self.weights))), np.ones((1, len(self.tree_names)))
        return Draws(*ones, np.zeros((1, 4), dtype=np.int64))

    def ranks(self, draws: Draws) -> FloatArray:
        """(draws, cities): ranks under each draw; NaN for a city that is not ranked."""
        return ranks(np.where(self.ranked, self.scores(draws), np.nan), decimals=self.method.ranks.decimals)

    def scores(self, draws: Draws) -> FloatArray:
        """(draws, cities): the composite under each draw; NaN where nothing of a city is observed."""
        result = np.empty((len(draws.alternatives), len(self.cities)))
        alternatives, which = np.unique(draws.alternatives, axis=0, return_inverse=True)
        for number, chosen in enumerate(alternatives):
            taken = np.flatnonzero(which.ravel() == number)
            for start in range(0, len(taken), _CHUNK):
                some = taken[start : start + _CHUNK]
                result[some] = self._under(self._alternative(chosen), draws.some(some))
        return result

    def _alternative(self, chosen: IntArray) -> Alternative:
        rule = self.method.uncertainty
        return (
            rule.normalisations[chosen[0]],
            rule.aggregations[chosen[1]],
            rule.many_accounts[chosen[2]],
            rule.missing[chosen[3]],
        )

    def _under(self, alternative: Alternative, draws: Draws) -> FloatArray:
        """The composite under one alternative and many weights."""
        normalisation, aggregation, accounts, missing = alternative
        boards = self.boards if accounts == "sum" else self.boards_largest
        total, observed = np.zeros((2, len(draws.alternatives), len(self.cities)))
        for column, (platform, weight) in enumerate(self.weights.items()):
            score = np.zeros(total.shape)  # no account is an observation of 0
            board = boards.get(platform)
            if board is not None:
                rows = np.searchsorted(self.cities, board.cities)
                table = self._filled(board, self._points(board, normalisation), missing)
                score[:, rows] = self._platform(board, table, aggregation, draws)
            part = weight * draws.platform_weights[:, [column]]
            seen = ~np.isnan(score)
            total += np.where(seen, part * np.where(seen, score, 0.0), 0.0)
            observed += part * seen
        quantitative = ratio(total, observed)
        if self.judged is None:
            return quantitative
        share = self.method.composite
        judged = self.judged if draws.judged is None else draws.judged
        return share.quantitative * quantitative + share.qualitative * judged

    def _points(self, board: Board, normalisation: Normalisation) -> FloatArray:
        """(cities, indicators): 0..100 on another scale; NaN where nothing was observed or an indicator is suspended.

        The scales of the month put the values as they are after the transform; silence is a value of 0.
        """
        if normalisation == "goalposts":
            return board.points
        columns = []
        for column, name in enumerate(board.indicators):
            values = np.where(board.silent[:, column], 0.0, board.values[:, column])
            columns.append(transformed(values, self.method.indicators[name].transform))
        table = np.where(np.isnan(board.points), np.nan, np.stack(columns, axis=1))
        if normalisation == "min_max":
            return scales.min_max(table)
        if normalisation == "percentile":
            return scales.percentile_rank(table, ties="average")
        rule = self.method.uncertainty
        return np.clip(scales.z_score(table, centre=rule.z_centre, spread=rule.z_spread), 0, 100)

    def _filled(self, board: Board, points: FloatArray, missing: Unobserved) -> FloatArray:
        """What was not observed: left to the rule of the index, or given the platform's median."""
        if missing == "rule":
            return np.where(np.isnan(board.weights), np.nan, points)
        known = ~np.isnan(points)
        median = np.full(points.shape[1], np.nan)
        for column in np.flatnonzero(known.any(axis=0)):
            median[column] = np.median(points[known[:, column], column])
        return np.where(known, points, median)

    def _platform(self, board: Board, table: FloatArray, aggregation: Aggregation, draws: Draws) -> FloatArray:
        """(draws, cities of the board): the platform's scores under many weights of the tree."""
        left = {name for name, out in zip(board.indicators, board.suspended, strict=True) if not out}
        if not left:
            return np.full((len(draws.alternatives), len(board.cities)), np.nan)
        tree = platform_tree(board.platform, self.method, left)
        names = self.tree_names
        varied = np.ones((len(draws.alternatives), len(tree.nodes)))
        for place, node in enumerate(tree.nodes):
            if node.parent is not None:
                varied[:, place] = node.weight * draws.tree_weights[:, names.index(node.code)]
        table = table[:, [board.indicators.index(leaf) for leaf in tree.leaves]]
        if aggregation == "arithmetic":
            return tree.scores(table, varied)
        low, high = self.method.uncertainty.geometric_range
        scale = (high - low) / 100
        return (tree.scores(low + scale * table, varied, mean="geometric") - low) / scale


def model(
    *,
    method: Method,
    composite: pl.DataFrame,
    weights: pl.DataFrame,
    scores: PlatformScores,
    scores_largest: PlatformScores,
    status: Status,
) -> Model:
    """The model of a month.

    Args:
        method: parameters and alternatives.
        composite: city_id, qualitative, ranked: the official composite, a row a monitored city.
        weights: platform, weight, eligible: the month's platform weights.
        scores: the month scored.
        scores_largest: the month scored with each city's largest account alone.
        status: a provisional composite has no judged part.
    """
    official = composite.sort("city_id")
    eligible = weights.filter("eligible")
    return Model(
        method=method,
        cities=tuple(official["city_id"]),
        weights=dict(eligible.select("platform", "weight").iter_rows()),
        boards={str(platform): board for platform, board in scores.boards.items()},
        boards_largest={str(platform): board for platform, board in scores_largest.boards.items()},
        ranked=official["ranked"].to_numpy(),
        judged=official["qualitative"].cast(pl.Float64).to_numpy() if status == "final" else None,
    )


def draw(model: Model, month: Month, ratings: pl.DataFrame | None, *, draws: int | None = None) -> Draws:
    """The random draws of a month: the same for the same month and version, on any machine.

    Args:
        model: the month's.
        month: the month.
        ratings: the frame of `rater_scores`: what each rater gave each city. A city without a rating keeps its
            official score.
        draws: how many; None takes the method's number.
    """
    rule = model.method.uncertainty
    rng = generator(model.method, month)
    count = rule.draws if draws is None else draws
    options = (rule.normalisations, rule.aggregations, rule.many_accounts, rule.missing)
    return Draws(
        platform_weights=noisy_weights(np.ones(len(model.weights)), rng, draws=count, part=rule.platform_weights),
        tree_weights=noisy_weights(np.ones(len(model.tree_names)), rng, draws=count, part=rule.tree_weights),
        alternatives=np.stack([rng.integers(0, len(those), size=count) for those in options], axis=1),
        judged=_bootstrap(model, ratings, rng, count),
    )


def generator(method: Method, month: Month) -> np.random.Generator:
    """The random numbers of a month, from the SHA-256 of the method's seed text."""
    seed = hashlib.sha256(method.uncertainty.seed_text(month, method.version).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(seed, "big")))


def rank_intervals(model: Model, drawn: FloatArray) -> pl.DataFrame:
    """The columns of `RANK_INTERVAL` but the month, a row a ranked city, best first.

    All figures of a city rest on the draws in which it is ranked, and `draws` counts those: a scale that needs a spread
    ranks nobody where all cities have the same figures, as in a month of one city.

    Args:
        model: the month's.
        drawn: (draws, cities): ranks under each draw.
    """
    rule = model.method.uncertainty
    spread = rank_spread(drawn, best=rule.top, low=rule.interval[0], high=rule.interval[1])
    return (
        pl.DataFrame(
            {
                "city_id": model.cities,
                "rank": model.ranks(model.official())[0],
                "median_rank": spread.median,
                "rank_p05": spread.low,
                "rank_p95": spread.high,
                "top_probability": spread.top,
                "tier": tiers(spread),
                "draws": np.sum(~np.isnan(drawn), axis=0, dtype=np.int64),
            }
        )
        .with_columns(pl.col("rank", "tier").fill_nan(None).cast(pl.Int64))
        .drop_nulls("rank")
        .sort("rank", "city_id")
    )


def sensitivity(model: Model, month: Month) -> pl.DataFrame:
    """Which choice moves the ranks: first and total order Sobol indices of the mean absolute rank change.

    Returns:
        The columns of `SENSITIVITY` but the month, a row a factor. `mean_rank_shift` is that of the points at which all
        factors vary. Indices are null where no draw moves a rank, as in a month of one city.
    """
    rule = model.method.uncertainty
    rng = generator(model.method, month)
    plan = sobol.design(rule.sobol_n, len(FACTORS), rng)
    pool = draw(replace(model, judged=None), month, None, draws=_REPLICATES)
    points = plan.rows
    picked = (points[:, :2] * _REPLICATES).astype(np.int64)
    options = (rule.normalisations, rule.aggregations, rule.many_accounts, rule.missing)
    chosen = [(points[:, 2 + column] * len(those)).astype(np.int64) for column, those in enumerate(options)]
    drawn = Draws(pool.platform_weights[picked[:, 0]], pool.tree_weights[picked[:, 1]], np.stack(chosen, axis=1))
    shift = mean_rank_shift(model.ranks(drawn), model.ranks(model.official())[0])
    outcomes = plan.outcomes(np.nan_to_num(shift))
    found = sobol.indices(outcomes)
    spread = sobol.bootstrap(
        outcomes,
        sobol.resample(rule.sobol_n, rng, resamples=rule.sobol_replicates),
        low=rule.interval[0],
        high=rule.interval[1],
    )
    return pl.DataFrame(
        {
            "factor": FACTORS,
            "first_order": found.first,
            "first_p05": spread.first_low,
            "first_p95": spread.first_high,
            "total_order": found.total,
            "total_p05": spread.total_low,
            "total_p95": spread.total_high,
        }
    ).with_columns(
        pl.col(pl.Float64).fill_nan(None),
        mean_rank_shift=pl.lit(float(np.concatenate([outcomes.a, outcomes.b]).mean())),
        runs=pl.lit(len(points), dtype=pl.Int64),
    )


def remove_one(model: Model) -> dict[tuple[str, str], float]:
    """The mean absolute rank change when one indicator of one platform is left out, by (platform, indicator)."""
    official = model.official()
    nominal = model.ranks(official)[0]
    shifts: dict[tuple[str, str], float] = {}
    for platform, board in model.boards.items():
        if platform not in model.weights:
            continue
        for column, indicator in enumerate(board.indicators):
            if board.suspended[column]:
                continue
            out = np.arange(len(board.indicators)) == column
            without = replace(
                board,
                suspended=board.suspended | out,
                points=np.where(out, np.nan, board.points),
                weights=np.where(out, np.nan, board.weights),
            )
            drawn = replace(model, boards={**model.boards, platform: without}).ranks(official)
            shifts[platform, indicator] = float(mean_rank_shift(drawn[0], nominal))
    return shifts


def _bootstrap(model: Model, ratings: pl.DataFrame | None, rng: np.random.Generator, count: int) -> FloatArray | None:
    """(draws, cities): each city's expert score from as many of its raters, drawn with replacement."""
    if model.judged is None or ratings is None or not model.method.uncertainty.expert_bootstrap:
        return None
    low, high = model.method.experts.scale
    judged = np.tile(model.judged, (count, 1))
    for column, city in enumerate(model.cities):
        given = ratings.filter(city_id=city)["score"].to_numpy()
        if len(given):
            means = given[rng.integers(0, len(given), size=(count, len(given)))].mean(axis=1)
            judged[:, column] = 100 * (means - low) / (high - low)
    return judged
