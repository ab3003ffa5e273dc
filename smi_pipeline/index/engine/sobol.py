"""Which uncertain factor moves an outcome: Sobol indices by Saltelli's design.

N points A and N points B; for each factor i the points A with column i taken from B. The model is run on all of them,
N (d + 2) runs for d factors. A factor's first-order index is the share of the outcome's variance it explains alone, its
total one the share that would remain if all others were known.

Source: METHOD.md 2.7; Saltelli et al. 2010 (S1), Jansen 1999 (ST); COINr 1.1.14 `SA_sample`, `SA_estimate`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from smi_pipeline.index.engine.arrays import FloatArray, IntArray, figures, ratio
from smi_pipeline.index.engine.uncertainty import quantiles


@dataclass(frozen=True)
class Design:
    """The points at which the model is to be run.

    Attributes:
        a: (points, factors).
        b: likewise, independent of `a`.
    """

    a: FloatArray
    b: FloatArray

    def __post_init__(self) -> None:
        if self.a.ndim != 2 or self.a.shape != self.b.shape:  # noqa: PLR2004 -- (points, factors)
            raise ValueError(f"design: expected two equal (points, factors), got {self.a.shape} and {self.b.shape}")

    @property
    def rows(self) -> FloatArray:
        """(points * (factors + 2), factors): A, then B, then for each factor A with its column from B."""
        mixed = np.repeat(self.a[np.newaxis], self.a.shape[1], axis=0)
        for factor in range(self.a.shape[1]):
            mixed[factor, :, factor] = self.b[:, factor]
        return np.concatenate([self.a, self.b, *mixed])

    def outcomes(self, y: ArrayLike) -> Outcomes:
        """What the model gave for `rows`, in their order, taken apart again.

        Raises:
            ValueError: not one outcome a row, or one that is missing or infinite.
        """
        given = figures(y, name="outcomes")
        points, factors = self.a.shape
        if given.shape != (points * (factors + 2),):
            raise ValueError(f"outcomes: expected one for each of {points * (factors + 2)} rows, got {given.shape}")
        parts = given.reshape(factors + 2, points)
        return Outcomes(parts[0], parts[1], parts[2:])


@dataclass(frozen=True)
class Outcomes:
    """The model's outcomes, by where they come from.

    Attributes:
        a: (points,), on A.
        b: (points,), on B.
        ab: (factors, points), on A with the factor's column from B.
    """

    a: FloatArray
    b: FloatArray
    ab: FloatArray

    def __post_init__(self) -> None:
        if self.a.ndim != 1 or self.b.shape != self.a.shape or self.ab.shape[1:] != self.a.shape:
            shapes = f"{self.a.shape}, {self.b.shape} and {self.ab.shape}"
            raise ValueError(f"outcomes: expected (points,) twice and (factors, points), got {shapes}")
        for part in (self.a, self.b, self.ab):
            if not np.isfinite(part).all():
                raise ValueError("outcomes: expected a number for every row, got a missing or an infinite one")


@dataclass(frozen=True)
class Indices:
    """Sobol indices; `first` and `total` end with (..., factors). Estimates: a first one may fall below 0."""

    variance: FloatArray
    first: FloatArray
    total: FloatArray


@dataclass(frozen=True)
class Intervals:
    """Bootstrap quantiles of the indices, each (factors,); NaN if the outcome never varies."""

    first_low: FloatArray
    first_high: FloatArray
    total_low: FloatArray
    total_high: FloatArray


def design(points: int, factors: int, rng: np.random.Generator) -> Design:
    """A design of uniform points in [0, 1), the same for the same seed.

    Args:
        points: N; the model is run N (d + 2) times.
        factors: d.
        rng: a seeded generator.
    """
    both = rng.random((points, 2 * factors))
    return Design(both[:, :factors], both[:, factors:])


def indices(outcomes: Outcomes) -> Indices:
    """S1 = mean(yB (yAB - yA)) / V and ST = sum((yA - yAB)^2) / (2 N V).

    V is the sample variance (n - 1) of the 2 N outcomes on A and B together, as in COINr.

    Returns:
        `variance` (), `first` and `total` (factors,): NaN where the outcome does not vary.
    """
    points = np.arange(outcomes.a.size)
    return _resampled(outcomes, points[np.newaxis], alone=True)


def bootstrap(outcomes: Outcomes, resamples: ArrayLike, *, low: float = 0.05, high: float = 0.95) -> Intervals:
    """Intervals of the indices: quantiles (type 7) over resamples of the N points.

    A point is resampled with all its outcomes, and the variance with it. COINr shuffles each factor's terms by
    themselves and holds the variance, which leaves out how they vary together.

    Args:
        outcomes: of the model.
        resamples: (resamples, points) of positions 0..N-1, as `resample` draws them.
        low: the lower probability.
        high: the upper one.

    Raises:
        ValueError: positions that are not there, or not as many a resample as there are points.
    """
    positions = np.asarray(resamples, dtype=np.int64)
    n = outcomes.a.size
    if positions.ndim != 2 or positions.shape[1] != n or ((positions < 0) | (positions >= n)).any():  # noqa: PLR2004
        raise ValueError(f"bootstrap: expected (resamples, {n}) of positions 0..{n - 1}, got {positions.shape}")
    drawn = _resampled(outcomes, positions, alone=False)
    first, total = quantiles(drawn.first, low, high), quantiles(drawn.total, low, high)
    return Intervals(first[0], first[1], total[0], total[1])


def resample(points: int, rng: np.random.Generator, *, resamples: int = 1000) -> IntArray:
    """(resamples, points): positions drawn with replacement; the same for the same seed."""
    return rng.integers(0, points, size=(resamples, points), dtype=np.int64)


def _resampled(outcomes: Outcomes, positions: IntArray, *, alone: bool) -> Indices:
    """The indices of each resample; those of a single one without its axis."""
    n = outcomes.a.size
    times = np.zeros((len(positions), n))  # how often each point is in the resample: sums become one product
    np.add.at(times, (np.arange(len(positions))[:, np.newaxis], positions), 1)
    base = (outcomes.a.mean() + outcomes.b.mean()) / 2 if n else 0.0
    a, b = outcomes.a - base, outcomes.b - base
    sums, squares = times @ (a + b), times @ (a * a + b * b)
    even = np.all((outcomes.a == outcomes.a[:1]) & (outcomes.b == outcomes.a[:1]))
    variance = ratio(np.maximum(squares - sums**2 / max(2 * n, 1), 0), max(2 * n - 1, 0))
    variance = np.where(even, 0.0, variance) if n else variance
    moved = outcomes.ab - outcomes.a
    first = ratio(times @ (outcomes.b * moved).T / max(n, 1), variance[:, np.newaxis])
    total = ratio(times @ (moved * moved).T / max(2 * n, 1), variance[:, np.newaxis])
    return Indices(variance[0], first[0], total[0]) if alone else Indices(variance, first, total)
