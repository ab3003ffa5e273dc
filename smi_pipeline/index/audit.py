"""Whether the indicators still measure: their shape, how many reach the goalposts, and how they hang together.

Nothing here changes a score. An alarm says that the next version of the method should look at an indicator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from smi_pipeline.index.engine.arrays import BoolArray, FloatArray
from smi_pipeline.index.engine.reliability import correlation, cronbach_alpha
from smi_pipeline.index.engine.treatment import kurtosis, skewness
from smi_pipeline.index.indicators import Board, PlatformScores
from smi_pipeline.index.method import Method
from smi_pipeline.index.transforms import transformed
from smi_pipeline.metrics.columns import FLAGS, Schema, flag_list

INDICATOR_AUDIT: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "indicator": pl.String,
    "cities": pl.Int64,
    "skewness": pl.Float64,
    "kurtosis": pl.Float64,
    "clipped_low": pl.Float64,
    "clipped_high": pl.Float64,
    "rank_shift_without": pl.Float64,
    "flags": FLAGS,
}
GROUP_AUDIT: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "indicator_group": pl.String,
    "indicators": pl.Int64,
    "cities": pl.Int64,
    "alpha": pl.Float64,
    "mean_correlation": pl.Float64,
    "flags": FLAGS,
}
INDICATOR_CORRELATION: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "indicator": pl.String,
    "other": pl.String,
    "same_group": pl.Boolean,
    "cities": pl.Int64,
    "correlation": pl.Float64,
}


def indicator_audit(scores: PlatformScores, method: Method, *, shifts: Mapping[tuple[str, str], float]) -> pl.DataFrame:
    """Shape and clipping of each indicator on each platform, over the cities that published something.

    Args:
        scores: the month scored.
        method: transforms, goalposts, limits.
        shifts: what leaving an indicator out does to the composite's ranks, by (platform, indicator).

    Returns:
        The columns of `INDICATOR_AUDIT` but the month. skewness and excess kurtosis are those of a sample, after the
        transform; null where there is no spread or too few values. clipped_low and clipped_high are shares of the
        cities with a value. rank_shift_without is null on platforms that do not count. Flag `clipped`: more cities at
        100 points than the method allows; at 0 points some are by design. Flag `shape`: skewness and kurtosis both
        beyond it.
    """
    rows = []
    for platform, board in scores.boards.items():
        values = _active(board)
        for column, indicator in enumerate(board.indicators):
            seen = values[~np.isnan(values[:, column]), column]
            low, high = method.goalposts.of(platform)[indicator]
            shape = transformed(seen, method.indicators[indicator].transform)
            rows.append(
                {
                    "platform": platform,
                    "indicator": indicator,
                    "cities": len(seen),
                    "skewness": float(skewness(shape)),
                    "kurtosis": float(kurtosis(shape)),
                    "clipped_low": float((seen <= low).mean()) if len(seen) else None,
                    "clipped_high": float((seen >= high).mean()) if len(seen) else None,
                    "rank_shift_without": shifts.get((platform, indicator)),
                }
            )
    limits = method.audit
    schema = {name: dtype for name, dtype in INDICATOR_AUDIT.items() if name not in {"month", "flags"}}
    return (
        pl.DataFrame(rows, schema=schema)
        .with_columns(pl.col("skewness", "kurtosis", "rank_shift_without").fill_nan(None))
        .with_columns(
            flags=flag_list(
                clipped=pl.col("clipped_high") > limits.clipped_above,
                shape=(pl.col("skewness").abs() >= limits.skew) & (pl.col("kurtosis") >= limits.kurtosis),
            )
        )
    )


def group_audit(scores: PlatformScores, method: Method) -> pl.DataFrame:
    """Cronbach's alpha and the mean correlation of each group's indicators on each platform, from their points.

    Returns:
        The columns of `GROUP_AUDIT` but the month; `cities` are those that published something. alpha and
        mean_correlation are null for a group of one indicator. Flag `low_alpha`: below what the method asks for.
    """
    rows = []
    for platform, board in scores.boards.items():
        points = _active_points(board)
        for group in dict.fromkeys(board.groups):
            columns = [
                column
                for column, of in enumerate(board.groups)
                if of == group and not np.isnan(points[:, column]).all()
            ]
            pairs = correlation(points[:, columns])[np.triu_indices(len(columns), k=1)]
            known = pairs[~np.isnan(pairs)]
            rows.append(
                {
                    "platform": platform,
                    "indicator_group": group,
                    "indicators": len(columns),
                    "cities": len(points),
                    "alpha": cronbach_alpha(points[:, columns]),
                    "mean_correlation": float(known.mean()) if len(known) else None,
                }
            )
    schema = {name: dtype for name, dtype in GROUP_AUDIT.items() if name not in {"month", "flags"}}
    return (
        pl.DataFrame(rows, schema=schema)
        .with_columns(pl.col("alpha").fill_nan(None))
        .with_columns(flags=flag_list(low_alpha=pl.col("alpha") < method.audit.alpha))
    )


def correlations(scores: PlatformScores) -> pl.DataFrame:
    """Pearson's correlation of each pair of indicators of a platform, of their points.

    Returns:
        The columns of `INDICATOR_CORRELATION` but the month, each pair once, in tree order; `cities` report both. Null
        where one of the two has no spread.
    """
    rows = []
    for platform, board in scores.boards.items():
        points = _active_points(board)
        table = correlation(points)
        for one, other in zip(*np.triu_indices(len(board.indicators), k=1), strict=True):
            rows.append(
                {
                    "platform": platform,
                    "indicator": board.indicators[one],
                    "other": board.indicators[other],
                    "same_group": board.groups[one] == board.groups[other],
                    "cities": int((~np.isnan(points[:, [one, other]])).all(axis=1).sum()),
                    "correlation": float(table[one, other]),
                }
            )
    schema = {name: dtype for name, dtype in INDICATOR_CORRELATION.items() if name != "month"}
    return pl.DataFrame(rows, schema=schema).with_columns(pl.col("correlation").fill_nan(None))


def _active(board: Board) -> FloatArray:
    """The values of the cities that published something; silent and carried ones say nothing about an indicator."""
    return np.where(board.carried, np.nan, board.values)[~_silent(board)]


def _active_points(board: Board) -> FloatArray:
    return np.where(board.carried, np.nan, board.points)[~_silent(board)]


def _silent(board: Board) -> BoolArray:
    return np.asarray(board.silent.any(axis=1))
