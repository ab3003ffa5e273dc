"""The month's platform weights as printed: parts, inputs, and why a platform is left out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import polars as pl

from smi_pipeline.index.method import FACTORS, Method
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.report.content import Absence, Weight, WeightInput
from smi_pipeline.report.untrusted import clean

SOURCE_LENGTH: Final = 200


def weights(platform_weight: pl.DataFrame, method: Method) -> tuple[Weight, ...]:
    """One Weight a platform of index.platform_weight, in the project's order.

    Raises:
        ValueError, TypeError: `parts` is not JSON, or not an object.
    """
    rows = {row["platform"]: row for row in platform_weight.iter_rows(named=True)}
    return tuple(_weight(platform, rows[platform], method) for platform in PLATFORMS if platform in rows)


def absence(*, eligible: bool, coverage: float | None, method: Method) -> Absence | None:
    """Why the coverage rule leaves a platform out; null where it does not.

    Coverage below the entry threshold leaves no other reason. At or above it the platform has not held it for long
    enough: the rule asks for a number of consecutive months.
    """
    if eligible:
        return None
    if coverage is None:
        return "unknown_coverage"
    return "below_entry" if coverage < method.platform_weights.enter_from else "not_yet_entered"


def _weight(platform: Platform, row: Mapping[str, Any], method: Method) -> Weight:
    parts: dict[str, Any] = json.loads(row["parts"]) if row["parts"] else {}
    if not isinstance(parts, dict):
        raise TypeError(f"report, platform_weight: expected a JSON object as parts of {platform}, got {row['parts']}")
    told = parts.get("inputs") or {}
    return Weight(
        platform=platform,
        weight=row["weight"],
        eligible=row["eligible"],
        coverage=row["coverage"],
        absence=absence(eligible=row["eligible"], coverage=row["coverage"], method=method),
        parts=parts.get("sum") or {},
        base=parts.get("base"),
        previous=parts.get("previous_weight"),
        inputs=tuple(_input(factor, told[factor]) for factor in FACTORS if factor in told),
        flags=tuple(sorted(row["flags"] or ())),
    )


def _input(factor: str, given: Mapping[str, Any]) -> WeightInput:
    return WeightInput(
        factor=factor,
        value=given["value"],
        unit=clean(given["unit"], length=SOURCE_LENGTH),
        share=given["share"],
        source=clean(given["source"], length=SOURCE_LENGTH) if given["source"] else None,
        as_of=date.fromisoformat(given["as_of"]),
        retrieved_at=date.fromisoformat(given["retrieved_at"]) if given["retrieved_at"] else None,
        stale=given["stale"],
    )
