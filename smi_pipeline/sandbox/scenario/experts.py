"""The expert scores of the scenario: fifteen raters, five a city, four criteria, whole numbers from 1 to 10.

A city's mean is its level of targets.csv exactly; around it raters differ as people do, by their own severity towards a
city and by the criterion.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from smi_pipeline.sandbox.scenario.scale import Numbers

CRITERIA = ("content", "language", "interaction", "image")
Rating = tuple[str, str, str, int]
"""rater, city_id, criterion, score."""

_RATERS, _A_CITY = 15, 5
_NOISE, _TASTE = 0.9, 0.35
_LOW, _HIGH = 1, 10


def ratings(seed: int) -> dict[str, list[Rating]]:
    """The ratings of every month, by city, rater and criterion."""
    with Path(__file__).with_name("targets.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    told: dict[str, list[Rating]] = {}
    for month in sorted({row["month"] for row in rows}):
        random = np.random.default_rng(np.random.SeedSequence([seed, 4, int(month.replace("-", ""))]))
        cities = sorted((row for row in rows if row["month"] == month), key=lambda row: row["city_id"])
        told[month] = [
            rating
            for number, row in enumerate(cities)
            for rating in _city(row["city_id"], float(row["expert_level"]), number, random)
        ]
    return told


def _city(city_id: str, level: float, number: int, random: np.random.Generator) -> list[Rating]:
    mean = _LOW + (_HIGH - _LOW) * level / 100
    raters = [f"R{(number + 3 * step) % _RATERS + 1:02d}" for step in range(_A_CITY)]
    taste = random.normal(0, _TASTE, (_A_CITY, 1))
    drawn = np.clip(np.round(mean + taste + random.normal(0, _NOISE, (_A_CITY, len(CRITERIA)))), _LOW, _HIGH)
    scores = _with_sum(drawn, round(mean * drawn.size), random)
    return [
        (rater, city_id, criterion, int(scores[i, j]))
        for i, rater in sorted(enumerate(raters), key=lambda one: one[1])
        for j, criterion in enumerate(CRITERIA)
    ]


def _with_sum(scores: Numbers, total: int, random: np.random.Generator) -> Numbers:
    """The scores moved by one here and there until they add up."""
    flat = scores.ravel().copy()
    while flat.sum() != total:
        step = np.sign(total - flat.sum())
        room = np.flatnonzero(flat < _HIGH if step > 0 else flat > _LOW)
        flat[random.choice(room)] += step
    return flat.reshape(scores.shape)
