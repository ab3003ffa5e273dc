"""The index by itself: one month of 138 cities, 10,000 draws of it, and 100,000 units; then the pipeline's own month.

    .venv/bin/python benchmarks/index.py

Prints CPU milliseconds (all threads, median and least of several runs) beside the targets, for made-up counts with
heavy tails and a twentieth of them not reported. The index is treatment, normalisation, aggregation through a tree of
groups and ranks; a draw is one of the weights (+-25 %) and of four normalisations, up to the ranks; their spread is
what is made of 10,000 of them. The pipeline's month is the method m1 on four platforms: the composite from the
month's arrays, 10,000 draws of all that its uncertainty varies, and an edition with all tables, two months of frames in
and eight frames out. COINr (R) took 120 ms for 138 units and 30.9 s for 100,000 on the machine the targets
come from. Figures of one run, to be compared with each other.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from smi_pipeline.index.assessment import assess
from smi_pipeline.index.edition import edition
from smi_pipeline.index.engine.arrays import FloatArray
from smi_pipeline.index.engine.normalisation import goalposts, min_max, percentile_rank, z_score
from smi_pipeline.index.engine.ranking import ranks
from smi_pipeline.index.engine.treatment import treat
from smi_pipeline.index.engine.tree import Tree
from smi_pipeline.index.engine.uncertainty import draw_ranks, noisy_weights, rank_spread, tiers
from smi_pipeline.index.method import load_method
from smi_pipeline.index.robustness import draw
from smi_pipeline.months import Month

PLATFORMS = ("facebook", "x", "instagram", "youtube")
MONTH = Month.parse("2025-05")
DATES = {"valid_from": pl.Date, "valid_to": pl.Date}
UNITS, INDICATORS, GROUPS, DRAWS, MANY = 138, 40, 8, 10_000, 100_000
SEED = 20250501
LOW, HIGH = np.log1p(5.0), np.log1p(1e6)  # the goalposts of a count


def main() -> None:
    """Measure each part alone, after one run that is not counted."""
    rng = np.random.default_rng(SEED)
    few, many = counts(rng, UNITS, INDICATORS), counts(rng, MANY, 20)
    tree, small = framework(INDICATORS), framework(20)
    complete, holes = alternatives(np.nan_to_num(few)), alternatives(few)
    weights, choice = noisy_weights(tree.weights, rng, draws=DRAWS), rng.integers(0, 4, size=DRAWS)
    drawn = draw_ranks(tree, complete, weights=weights, choice=choice)
    print("CPU milliseconds                                        median   least  target")
    show("138 units x 40: treat, min-max, aggregate, rank", 50, lambda: treated_index(tree, few), 5)
    show("138 units x 40: goalposts, aggregate, rank", 200, lambda: index(tree, few), 5)
    show("10,000 draws, 138 x 40: ranks", 7, lambda: draw_ranks(tree, complete, weights=weights, choice=choice), 300)
    show("10,000 draws, 138 x 40: their spread and tiers", 7, lambda: tiers(rank_spread(drawn)), 300)
    show("1,000 draws, 138 x 40, 5 % missing: ranks", 3, lambda: some_draws(tree, holes, weights, choice), None)
    show("100,000 units x 20: goalposts, aggregate, rank", 5, lambda: index(small, many), 1500)
    show("100,000 units x 20: treat, min-max, aggregate, rank", 3, lambda: treated_index(small, many), 1500)
    given = month(rng)
    made = edition(**given)
    model, official = made.model, made.model.official()
    drawn_choices = draw(model, MONTH, None, draws=DRAWS)
    show("m1, 138 cities: the composite and its ranks", 50, lambda: model.ranks(official), 5)
    show("m1, 138 cities: 10,000 draws, their ranks", 5, lambda: model.ranks(drawn_choices), 300)
    show("m1, 138 cities: an edition, every table", 10, lambda: edition(**given), None)
    show("m1, 138 cities: its assessment, every table", 3, lambda: assess(made, experts=None), None)


def counts(rng: np.random.Generator, units: int, indicators: int) -> FloatArray:
    """Heavy-tailed counts, one in twenty not reported."""
    table = np.floor(rng.lognormal(6, 2, size=(units, indicators)))
    table[rng.random(table.shape) < 1 / 20] = np.nan
    return table


def framework(indicators: int) -> Tree:
    """Indicators in eight groups in two halves."""
    leaves = [(f"i{number}", f"g{number % GROUPS}", 1.0 + number % 3) for number in range(indicators)]
    groups = [(f"g{number}", f"h{number % 2}", 1.0 + number % 2) for number in range(GROUPS)]
    return Tree.of([*leaves, *groups, ("h0", "index", 0.8), ("h1", "index", 0.2), ("index", None)])


def index(tree: Tree, table: FloatArray) -> FloatArray:
    """Ranks from fixed goalposts."""
    return ranks(tree.aggregate(goalposts(np.log1p(table), LOW, HIGH))[:, tree.place(tree.root)])


def treated_index(tree: Tree, table: FloatArray) -> FloatArray:
    """Ranks of every node as COINr has them by default."""
    return ranks(tree.aggregate(min_max(treat(table).values)), axis=0)


def alternatives(table: FloatArray) -> FloatArray:
    """The four normalisations of the uncertainty analysis."""
    logs = np.log1p(table)
    return np.stack(
        [goalposts(logs, LOW, HIGH), min_max(logs), z_score(logs, centre=50, spread=15), percentile_rank(logs)]
    )


def some_draws(tree: Tree, tables: FloatArray, weights: FloatArray, choice: FloatArray) -> FloatArray:
    """A month's uncertainty analysis on data with holes."""
    return draw_ranks(tree, tables, weights=weights[:1000], choice=choice[:1000])


def month(rng: np.random.Generator) -> dict[str, Any]:
    """Two months of 138 cities with an account on each of four platforms, as the pipeline has them."""
    cities = [f"{number:06d}" for number in range(UNITS)]
    valid = {"valid_from": date(2024, 1, 1), "valid_to": None}
    rows = []
    for at in (MONTH.previous, MONTH):
        for platform in PLATFORMS:
            for city in cities:
                posts, views, followers = (int(x) for x in rng.lognormal((3, 9, 9), (0.5, 2, 2)) + 1)
                interactions = int(rng.lognormal(7, 2))
                counted = {"posts": posts, "videos": posts, "interactions": interactions, "views": views}
                rates = {"engagement_rate": interactions / posts, "view_rate": views / posts}
                audience = {"followers": followers, "follower_growth": int(rng.normal(50, 400))}
                rows.append(
                    {
                        "month": at.first,
                        "platform": platform,
                        "city_id": city,
                        "flags": [],
                        **counted,
                        **rates,
                        **audience,
                    }
                )
    factors = (("users", "billion"), ("activity", "minutes"), ("relevance", "share"))
    inputs = [
        {"month": "2024-05", "platform": platform, "factor": factor, "value": 1.0, "unit": unit, "source": "made up"}
        | {"as_of": date(2024, 5, 1), "retrieved_at": date(2024, 5, 1)}
        for factor, unit in factors
        for platform in (*PLATFORMS, "tiktok")
    ]
    accounts = [{"city_id": city, "platform": p, "in_index": True, **valid} for city in cities for p in PLATFORMS]
    return {
        "month": MONTH,
        "method": load_method("m1"),
        "cities": pl.DataFrame([{"city_id": city, **valid} for city in cities], schema_overrides=DATES),
        "accounts": pl.DataFrame(accounts, schema_overrides=DATES),
        "metrics": pl.DataFrame(rows),
        "weight_inputs": pl.DataFrame(inputs),
        "experts": None,
        "experts_previous": None,
    }


def show(name: str, runs: int, work: Callable[[], object], target: int | None) -> None:
    """One line of figures."""
    spent = []
    for _ in range(runs + 1):
        began = cpu_seconds()
        work()
        spent.append(1000 * (cpu_seconds() - began))
    told = "" if target is None else f"{target:8d}"
    print(f"{name:53} {statistics.median(spent[1:]):8.2f} {min(spent[1:]):7.2f} {told}")


def cpu_seconds() -> float:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
