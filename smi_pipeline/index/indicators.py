"""From a month's metrics to points per indicator and a score per platform.

The rules for what is missing are all here. Four cases are kept apart: an account that posted nothing scores 0 where
posts would have scored; an indicator that too few accounts report is left out for everybody on that platform; one city
that could not be observed is scored on the rest of the group if enough of it is known, else on its figures of the month
before, and otherwise not at all.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from smi_pipeline.index.engine.arrays import BoolArray, FloatArray, ratio
from smi_pipeline.index.engine.tree import Node, Tree
from smi_pipeline.index.method import INDICATORS, Group, Indicator, Method
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
_ROWS: Final[Schema] = {
    **dict.fromkeys(("platform", "city_id", "indicator", "group"), pl.String),
    **dict.fromkeys(("value", "score", "weight"), pl.Float64),
    **dict.fromkeys(("silent", "suspended", "carried"), pl.Boolean),
    "group_share": pl.Float64,
}
_SCORES: Final[Schema] = {
    **dict.fromkeys(PLATFORM_CITY, pl.String),
    **dict.fromkeys(("score", "least_share"), pl.Float64),
    **dict.fromkeys(("suspended", "group_suspended", "carried"), pl.Boolean),
}


@dataclass(frozen=True)
class Board:
    """One platform's month as arrays: a row a city with an account, a column an indicator that applies there.

    Attributes:
        platform: the platform.
        cities: the rows' cities, sorted.
        indicators: the columns' indicators, in tree order.
        groups: their groups.
        values: (cities, indicators) as published, NaN = not reported.
        silent: (cities, indicators): no value because nothing was published: worth 0 points.
        points: (cities, indicators): 0..100, NaN = not observed or suspended.
        suspended: (indicators,): left out for everybody.
        carried: (cities, indicators): the value is that of the month before.
        group_share: (cities, indicators): the part of its group's weight that was observed; NaN where the whole group
            is suspended.
        weights: (cities, indicators): the effective share of the platform score, NaN where it does not count.
    """

    platform: Platform
    cities: tuple[str, ...]
    indicators: tuple[Indicator, ...]
    groups: tuple[Group, ...]
    values: FloatArray
    silent: BoolArray
    points: FloatArray
    suspended: BoolArray
    carried: BoolArray
    group_share: FloatArray
    weights: FloatArray

    @property
    def scores(self) -> FloatArray:
        """(cities,): the platform score, 0..100; NaN = not observed."""
        scored = ~np.isnan(self.weights)
        total = np.where(scored, self.weights * np.where(scored, self.points, 0.0), 0.0).sum(axis=1)
        return np.where(scored.any(axis=1), total, np.nan)


@dataclass(frozen=True)
class PlatformScores:
    """One month scored: every indicator of every account-holding city, and the platform scores they add up to.

    Attributes:
        indicators: platform, city_id, indicator, group, value, score, weight, flags; sorted, in tree order.
        platforms: platform, city_id, score (0..100, null = not observed), flags; sorted.
        suspended: the (platform, indicator) pairs left out for everybody.
        boards: the same as arrays, a board a platform with accounts.
    """

    indicators: pl.DataFrame
    platforms: pl.DataFrame
    suspended: frozenset[tuple[str, str]]
    boards: dict[Platform, Board]


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
        metrics: metrics.city_platform_month; rows of cities outside the panel are ignored. A city of the panel without
            a row was not observed. Rows of the month before stand in where the method carries them.
        month: the month.
        method: transforms, goalposts, weights, thresholds.
        also_suspended: (platform, indicator) pairs to leave out besides those that the rule leaves out.

    Returns:
        `weight` is an indicator's effective share of its platform score: the weights of a city with a score add up
        to 1, and its score is the sum of weight * score. Both are null where the indicator does not count.
    """
    now, before = (_wide(panel, metrics, at) for at in (month, month.previous))
    boards = {}
    for platform in PLATFORMS:
        named = frozenset(indicator for of, indicator in also_suspended if of == platform)
        rows = [wide.filter(platform=platform) for wide in (now, before)]
        if not rows[0].is_empty():
            boards[platform] = _board(platform, *rows, method=method, named=named)
    return PlatformScores(
        indicators=_indicator_rows(boards),
        platforms=_platform_rows(boards, now),
        suspended=frozenset(
            (platform, indicator)
            for platform, board in boards.items()
            for indicator, out in zip(board.indicators, board.suspended, strict=True)
            if out
        ),
        boards=boards,
    )


def platform_tree(platform: Platform, method: Method, indicators: AbstractSet[str]) -> Tree:
    """A platform's part of the index: the platform over groups over those of `indicators` that apply; at least one.

    Groups without an indicator are left out.
    """
    nodes = []
    for group, rule in method.groups.items():
        leaves = [
            Node(name, group, of.weight)
            for name, of in method.indicators.items()
            if of.group == group and name in indicators and platform in of.applies
        ]
        nodes += [*leaves, Node(group, platform, rule.weight)] if leaves else []
    return Tree.of([*nodes, Node(platform, None)])


def _wide(panel: pl.DataFrame, metrics: pl.DataFrame, month: Month) -> pl.DataFrame:
    of_month = columns(metrics.filter(pl.col("month") == month.first), _METRICS, name="metrics")
    return panel.join(of_month, on=PLATFORM_CITY, how="left").sort(PLATFORM_CITY)


@dataclass(frozen=True)
class _Rules:
    """What the method says about one platform, an entry a column of its board."""

    platform: Platform
    method: Method
    indicators: tuple[Indicator, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        return tuple(self.method.indicators[name].group for name in self.indicators)

    def published(self, wide: pl.DataFrame) -> FloatArray:
        """(cities,): posts of the month, or videos where every post is one; NaN = not observed."""
        counts = self.platform in self.method.indicators["posts"].applies
        return wide["posts" if counts else "videos"].to_numpy()

    def read(self, wide: pl.DataFrame) -> tuple[FloatArray, BoolArray, FloatArray]:
        """Values, which are silent, and points; each (cities, indicators)."""
        values = wide.select(self.indicators).to_numpy()
        # Nothing published: reactions, views and rates have no value and score 0; to leave them out would pay silence.
        stock = np.isin(self.indicators, STOCKS)
        silent = (self.published(wide) == 0)[:, np.newaxis] & np.isnan(values) & ~stock
        ends = self.method.goalposts.of(self.platform)
        dealt = [
            points(values[:, column], self.method.indicators[name].transform, *ends[name])
            for column, name in enumerate(self.indicators)
        ]
        return values, silent, np.where(silent, 0.0, np.stack(dealt, axis=1))

    def suspended(self, scored: FloatArray, published: FloatArray) -> BoolArray:
        """(indicators,): those that too many active cities do not report.

        Active: published at least once. A city that was not observed is no evidence that the platform hides an
        indicator, unless no city was: then nothing of the platform is observable.
        """
        asked = published > 0  # false where it is NaN
        if not asked.any():
            asked = ~np.isnan(published)
        if not asked.any():
            return np.ones(scored.shape[1], dtype=np.bool_)
        return np.asarray(np.isnan(scored[asked]).mean(axis=0) > self.method.missing.suspended_above + SLACK)

    def group_share(self, kept: FloatArray, suspended: BoolArray) -> FloatArray:
        """(cities, indicators): the part of its group's weight that is observed; NaN where the group is suspended."""
        weight = np.array([self.method.indicators[name].weight for name in self.indicators]) * ~suspended
        same = np.array(self.groups)[:, np.newaxis] == np.array(self.groups)
        return ratio((~np.isnan(kept) * weight) @ same, weight @ same)

    def known(self, share: FloatArray) -> BoolArray:
        """(cities,): enough of every group that is not suspended is observed."""
        least = np.fmin.reduce(share, axis=1)
        return np.asarray(least >= self.method.missing.partial_from - SLACK)  # false where it is NaN

    def weights(self, counted: FloatArray, suspended: BoolArray) -> FloatArray:
        """(cities, indicators): effective shares of the platform score, NaN where there are no points to count.

        First the weights of suspended indicators go to their siblings and those of suspended groups to the other
        groups, for everybody; then, within a group, the weight of what one city lacks goes to what it has.
        """
        result = np.full(counted.shape, np.nan)
        if not np.isnan(counted).all():
            left = {name for name, out in zip(self.indicators, suspended, strict=True) if not out}
            tree = platform_tree(self.platform, self.method, left)
            place = [self.indicators.index(leaf) for leaf in tree.leaves]
            result[:, place] = tree.shares(counted[:, place])
        return np.where(np.isnan(counted), np.nan, result)


def _board(
    platform: Platform, wide: pl.DataFrame, wide_before: pl.DataFrame, *, method: Method, named: AbstractSet[str]
) -> Board:
    """Score one platform; both frames have the same cities, a row each."""
    applies = tuple(name for name, rule in method.indicators.items() if platform in rule.applies)
    rules = _Rules(platform, method, applies)
    values, silent, scored = rules.read(wide)
    suspended = rules.suspended(scored, rules.published(wide)) | np.isin(applies, list(named))
    kept = np.where(suspended, np.nan, scored)
    known = rules.known(rules.group_share(kept, suspended))
    carried = np.zeros(values.shape, dtype=np.bool_)
    if method.missing.carry_months and not known.all():
        # A growth is never carried: it would count the same followers twice.
        old_values, old_silent, old_scored = rules.read(wide_before)
        fills = ~known[:, np.newaxis] & ~suspended & np.isnan(kept) & (np.array(applies) != "follower_growth")
        filled = np.where(fills, old_scored, kept)
        known = rules.known(rules.group_share(filled, suspended))
        carried = fills & known[:, np.newaxis] & ~np.isnan(old_scored)
        values, silent = np.where(carried, old_values, values), np.where(carried, old_silent, silent)
        kept = np.where(carried, old_scored, kept)
    return Board(
        platform=platform,
        cities=tuple(wide["city_id"]),
        indicators=applies,
        groups=rules.groups,
        values=values,
        silent=silent,
        points=kept,
        suspended=suspended,
        carried=carried,
        group_share=rules.group_share(kept, suspended),
        weights=rules.weights(np.where(known[:, np.newaxis], kept, np.nan), suspended),
    )


def _indicator_rows(boards: dict[Platform, Board]) -> pl.DataFrame:
    """A row a board, city and indicator."""
    frames = []
    for platform, board in boards.items():
        cities, indicators = len(board.cities), len(board.indicators)
        frames.append(
            pl.DataFrame(
                {
                    "platform": [platform] * (cities * indicators),
                    "city_id": [city for city in board.cities for _ in range(indicators)],
                    "indicator": board.indicators * cities,
                    "group": board.groups * cities,
                    "value": board.values.ravel(),
                    "score": board.points.ravel(),
                    "weight": board.weights.ravel(),
                    "silent": board.silent.ravel(),
                    "suspended": np.tile(board.suspended, cities),
                    "carried": board.carried.ravel(),
                    "group_share": board.group_share.ravel(),
                }
            )
        )
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=_ROWS)
    return (
        rows.with_columns(pl.col("value", "score", "weight", "group_share").fill_nan(None))
        .sort(PLATFORM_CITY, maintain_order=True)
        .select(
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
                carried=pl.col("carried"),
            ),
        )
    )


def _platform_rows(boards: dict[Platform, Board], wide: pl.DataFrame) -> pl.DataFrame:
    """A row a board and city; the flags of the metrics among its own."""
    frames = [
        pl.DataFrame(
            {
                "platform": [platform] * len(board.cities),
                "city_id": board.cities,
                "score": board.scores,
                "least_share": np.fmin.reduce(board.group_share, axis=1),
                "suspended": [bool(board.suspended.any())] * len(board.cities),
                "group_suspended": np.isnan(board.group_share).any(axis=1),
                "carried": board.carried.any(axis=1),
            }
        )
        for platform, board in boards.items()
    ]
    rows = pl.concat(frames) if frames else pl.DataFrame(schema=_SCORES)
    return (
        rows.with_columns(pl.col("score", "least_share").fill_nan(None))
        .join(wide.select(*PLATFORM_CITY, seen="flags"), on=PLATFORM_CITY, how="left")
        .sort(PLATFORM_CITY)
        .select(
            *PLATFORM_CITY,
            "score",
            flags=pl.concat_list(
                pl.col("seen").fill_null([]),
                flag_list(
                    suspended=pl.col("suspended"),
                    group_suspended=pl.col("group_suspended"),
                    not_observed=pl.col("score").is_null(),
                    partial=pl.col("score").is_not_null() & (pl.col("least_share") < 1 - SLACK),
                    carried=pl.col("carried"),
                ),
            )
            .list.unique()
            .list.sort(),
        )
    )
