"""The platform weights of a month, from dated inputs and the registry alone.

Base shares, eligibility, smoothing, caps: each month follows from the one before, back to the start weights of the
method, which stand for the month before the inputs file begins. Nothing measured enters, so a month has the same
weights whether one or thirty months were run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import polars as pl

from smi_pipeline.index.eligibility import Eligibility, eligibility
from smi_pipeline.index.method import FACTORS, Factor, Method, PlatformWeightRule
from smi_pipeline.metrics.columns import FLAGS, Schema, columns
from smi_pipeline.months import Month, month_range
from smi_pipeline.registry.models import PLATFORMS, Platform

PLATFORM_WEIGHT: Final[Schema] = {
    "month": pl.Date,
    "platform": pl.String,
    "weight": pl.Float64,
    "eligible": pl.Boolean,
    "coverage": pl.Float64,
    "parts": pl.String,
    "flags": FLAGS,
}
_INPUTS: Final[Schema] = {
    "month": pl.String,
    "platform": pl.String,
    "factor": pl.String,
    "value": pl.Float64,
    "unit": pl.String,
    "source": pl.String,
    "as_of": pl.Date,
    "retrieved_at": pl.Date,
}
_EXACT: Final = 1e-12

Weights = dict[Platform, float]


class WeightInputsError(ValueError):
    """The dated inputs do not allow the month's weights to be computed; names platform, factor and month."""


@dataclass(frozen=True)
class Input:
    """One dated row of the inputs file."""

    value: float
    unit: str
    source: str | None
    as_of: date
    retrieved_at: date | None


@dataclass(frozen=True)
class Step:
    """How one month's weights came about; each mapping over the platforms it concerns.

    Attributes:
        shares: each factor's share of a platform, over all platforms with inputs.
        base: the factors' weighted sum.
        target: the base within the eligible platforms.
        previous: last month's weights.
        smoothed: between last month's weight and the target, before the caps.
        weights: the month's weights; they add up to 1, or are empty when no platform is eligible.
    """

    inputs: dict[Platform, dict[Factor, Input]]
    shares: dict[Factor, Weights]
    base: Weights
    target: Weights
    previous: Weights
    smoothed: Weights
    weights: Weights


def platform_weights(
    *, month: Month, method: Method, cities: pl.DataFrame, accounts: pl.DataFrame, weight_inputs: pl.DataFrame
) -> pl.DataFrame:
    """The weights of the month, with every step that led to them.

    Args:
        month: the month.
        method: factors, start weights, smoothing, caps, coverage rule.
        cities: the registry: city_id, valid_from, valid_to.
        accounts: the registry: city_id, platform, in_index, valid_from, valid_to.
        weight_inputs: month ("2025-05"), platform, factor (users, activity, relevance), value, unit, source, as_of,
            retrieved_at. A row holds from its month until a later one. An activity is users x time per user, or the
            time per user alone in the method's `per_user_unit`: then it is multiplied by the users here.

    Returns:
        The columns of `PLATFORM_WEIGHT`, a row a measured platform in the project's order. `weight` is 0 where the
        platform is not eligible. `parts` is JSON: under `sum` the parts that add up to the weight (users, activity,
        relevance, previous, cap), besides them base, base_in_eligible, previous_weight, smoothed and the inputs with
        share, source, dates and age. Flag `stale`: an input is older than the method allows.

    Raises:
        WeightInputsError: the file begins later, an eligible platform has no input for a factor, or units differ.
    """
    known = eligibility(cities, accounts, last=month, method=method)
    step = weigh(month=month, method=method, known=known, weight_inputs=weight_inputs)
    eligible = known.eligible.get(month, ())
    rows = []
    for platform in method.platforms(month):
        parts = _parts(platform, step, method, month)
        stale = any(told["stale"] for told in parts["inputs"].values())
        rows.append(
            {
                "month": month.first,
                "platform": platform,
                "weight": step.weights.get(platform, 0.0),
                "eligible": platform in eligible,
                "coverage": known.coverage.get((platform, month)),
                "parts": json.dumps(parts, ensure_ascii=False, sort_keys=True),
                "flags": ["stale"] if stale else [],
            }
        )
    return pl.DataFrame(rows, schema=PLATFORM_WEIGHT)


def weigh(*, month: Month, method: Method, known: Eligibility, weight_inputs: pl.DataFrame) -> Step:
    """Walk from the inputs file's first month to `month` and give its step."""
    dated = _dated(weight_inputs)
    first = min((start for start, *_ in dated), default=None)
    if first is None or month < first:
        begins = "is empty" if first is None else f"begins in {first}"
        raise WeightInputsError(f"platform inputs: expected rows for {month} or earlier, but the file {begins}")
    rule = method.platform_weights
    weights: Weights = dict(rule.start)
    step = Step(inputs={}, shares={}, base={}, target={}, previous=weights, smoothed={}, weights={})
    for at in month_range(first, month):
        inputs = _in_force(dated, at)
        shares = _shares(inputs, rule, at)
        base = {p: math.fsum(rule.factors[f] * shares[f][p] for f in FACTORS) for p in inputs}
        if known.first is None or at < known.first:  # nobody was monitored yet: the start weights wait
            step = Step(inputs, shares, base, {}, weights, {}, {})
            continue
        members = known.eligible[at]
        lacking = [p for p in members if p not in inputs]
        if lacking:
            raise WeightInputsError(f"platform inputs: {lacking[0]} has no row in force in {at}, yet it is eligible")
        target = _normalised({p: base[p] for p in members})
        smoothed = smooth(target, weights, rule.smoothing)
        capped = cap(smoothed, floor=rule.floor, ceiling=rule.cap)
        step = Step(inputs, shares, base, target, weights, smoothed, capped)
        weights = capped
    return step


def smooth(target: Mapping[Platform, float], previous: Mapping[Platform, float], part: float) -> Weights:
    """`part` of the target and the rest of last month's weight; a newcomer starts from the target. Adds up to 1."""
    mixed = {p: part * share + (1 - part) * previous[p] if p in previous else share for p, share in target.items()}
    return _normalised(mixed)


def cap(weights: Mapping[Platform, float], *, floor: float, ceiling: float) -> Weights:
    """Bring weights that add up to 1 between floor and ceiling, and keep the sum, by water-filling.

    Those beyond a bound are set to it and the others rescaled in proportion, until none is beyond. The side with the
    larger total violation goes first, the upper one on a tie: clipping the smaller one first can push all the rest
    over the other bound. Fewer than 1 / ceiling platforms cannot hold it: then the ceiling is 1 / n.
    """
    if not weights:
        return {}
    ceiling = max(ceiling, 1 / len(weights))
    fixed: Weights = {}
    free: Weights = dict(weights)
    while True:
        free = _normalised(free, to=1 - math.fsum(fixed.values()))
        over = {p: w - ceiling for p, w in free.items() if w > ceiling + _EXACT}
        under = {p: floor - w for p, w in free.items() if w < floor - _EXACT}
        if not over and not under:
            break
        upper = math.fsum(over.values()) >= math.fsum(under.values())
        fixed |= dict.fromkeys(over if upper else under, ceiling if upper else floor)
        free = {p: w for p, w in free.items() if p not in fixed}
    return {p: fixed[p] if p in fixed else free[p] for p in weights}


def _normalised(weights: Mapping[Platform, float], *, to: float = 1.0) -> Weights:
    whole = math.fsum(weights.values())
    if whole <= 0:  # nothing to be in proportion to
        return {p: to / len(weights) for p in weights}
    return {p: to * (w / whole) for p, w in weights.items()}


def _dated(weight_inputs: pl.DataFrame) -> list[tuple[Month, Platform, Factor, Input]]:
    rows: dict[tuple[Month, Platform, Factor], Input] = {}
    for row in columns(weight_inputs, _INPUTS, name="platform inputs").iter_rows(named=True):
        where = f"platform inputs: {row['platform']} {row['factor']} of {row['month']}"
        if row["platform"] not in PLATFORMS or row["factor"] not in FACTORS:
            raise WeightInputsError(f"{where}: expected a platform and one of the factors {', '.join(FACTORS)}")
        if row["value"] is None or not math.isfinite(row["value"]) or row["value"] < 0:
            raise WeightInputsError(f"{where}: expected a value of 0 or more, got {row['value']}")
        if row["as_of"] is None or not row["unit"]:
            raise WeightInputsError(f"{where}: expected a unit and the date as_of which the value holds")
        key = (Month.parse(row["month"] or ""), row["platform"], row["factor"])
        if key in rows:
            raise WeightInputsError(f"{where}: expected one row, got two")
        rows[key] = Input(row["value"], row["unit"], row["source"], row["as_of"], row["retrieved_at"])
    return sorted(((*key, told) for key, told in rows.items()), key=lambda row: row[0])


def _in_force(dated: list[tuple[Month, Platform, Factor, Input]], at: Month) -> dict[Platform, dict[Factor, Input]]:
    latest: dict[Platform, dict[Factor, Input]] = {}
    for start, platform, factor, told in dated:
        if start <= at:
            latest.setdefault(platform, {})[factor] = told
    for platform, factors in latest.items():
        for factor in FACTORS:
            if factor not in factors:
                raise WeightInputsError(f"platform inputs: {platform} has no {factor} in force in {at}")
    return {platform: latest[platform] for platform in PLATFORMS if platform in latest}


def _shares(inputs: dict[Platform, dict[Factor, Input]], rule: PlatformWeightRule, at: Month) -> dict[Factor, Weights]:
    shares: dict[Factor, Weights] = {}
    for factor in FACTORS:
        units = sorted({factors[factor].unit for factors in inputs.values()})
        if len(units) > 1:
            raise WeightInputsError(f"platform inputs: {factor} in {at}: expected one unit, got {' and '.join(units)}")
        amounts = {
            p: factors[factor].value
            * (factors["users"].value if factor == "activity" and factors[factor].unit == rule.per_user_unit else 1)
            for p, factors in inputs.items()
        }
        if math.fsum(amounts.values()) <= 0:
            raise WeightInputsError(f"platform inputs: {factor} in {at}: expected at least one value above 0")
        shares[factor] = _normalised(amounts)
    return shares


def _parts(platform: Platform, step: Step, method: Method, month: Month) -> dict[str, Any]:
    rule = method.platform_weights
    inputs = {}
    for factor, told in step.inputs.get(platform, {}).items():
        age = (month.next.first - told.as_of).days
        inputs[factor] = {
            "value": told.value,
            "unit": told.unit,
            "share": step.shares[factor][platform],
            "source": told.source,
            "as_of": told.as_of.isoformat(),
            "retrieved_at": None if told.retrieved_at is None else told.retrieved_at.isoformat(),
            "age_days": age,
            "stale": age > rule.stale_after,
        }
    return {
        "sum": _sum(platform, step, rule) if platform in step.weights else None,
        "base": step.base.get(platform),
        "base_in_eligible": step.target.get(platform),
        "previous_weight": step.previous.get(platform),
        "smoothed": step.smoothed.get(platform),
        "inputs": inputs,
    }


def _sum(platform: Platform, step: Step, rule: PlatformWeightRule) -> dict[str, float]:
    """The weight taken apart: what each factor, last month's weight and the caps put into it."""
    newcomer = platform not in step.previous
    of_target = 1.0 if newcomer else rule.smoothing
    mixed = of_target * step.target[platform] + (0.0 if newcomer else (1 - of_target) * step.previous[platform])
    scale = step.smoothed[platform] / mixed if mixed else 0.0  # renormalising after newcomers and leavers
    per_base = scale * of_target * step.target[platform] / step.base[platform] if step.base[platform] else 0.0
    return {
        **{f: per_base * rule.factors[f] * step.shares[f][platform] for f in FACTORS},
        "previous": 0.0 if newcomer else scale * (1 - of_target) * step.previous[platform],
        "cap": step.weights[platform] - step.smoothed[platform],
    }
