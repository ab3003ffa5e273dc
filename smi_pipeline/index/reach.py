"""Which months an edited input file reaches: what of each file a month can see, as a digest that is compared.

A month looks back and never ahead. It sees the registry's rows that began by its end, and of their ends only those that
came by then: eligibility and weights follow from every month before. Names count where they are printed, in the months
a row is valid in and the two after, which look back at it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from smi_pipeline.index.method import Method
from smi_pipeline.index.versions import digest
from smi_pipeline.metrics.validity import touches
from smi_pipeline.months import Month

LOOKS_BACK: Final = 2  # months whose figures may stand in for gaps of the one before
_NAMES: Final = ("name_zh", "name_en", "province", "handle", "role")


@dataclass(frozen=True)
class Files:
    """The input files of one time, read.

    Attributes:
        cities, accounts: the registry, one row each.
        weight_inputs: one row a figure, `month` as "2025-05"; null where the registry has no such file.
        method: of the month.
        rule: how the month is published, as text; null where no rule names it.
    """

    cities: pl.DataFrame
    accounts: pl.DataFrame
    weight_inputs: pl.DataFrame | None
    method: Method
    rule: str | None


def seen_by(month: Month, files: Files) -> Mapping[str, str]:
    """A digest of what the month sees of each kind of file; equal digests: an edit does not reach it."""
    weights = files.weight_inputs
    return {
        "cities": _digest(_visible(files.cities, month)),
        "accounts": _digest(_visible(files.accounts, month)),
        "platform_inputs": "" if weights is None else _digest(weights.filter(pl.col("month") <= month.key)),
        "method": digest(files.method),
        "editions": files.rule or "",
    }


def edited(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The kinds of file of which a month sees something else now, in a fixed order; none: nothing reaches it."""
    return [kind for kind in now if then.get(kind) != now[kind]]


def _visible(registry: pl.DataFrame, month: Month) -> pl.DataFrame:
    printed = pl.any_horizontal(touches(month.plus(-back)) for back in range(LOOKS_BACK + 1))
    names = [name for name in _NAMES if name in registry.columns]
    return registry.filter(pl.col("valid_from") < month.next.first).with_columns(
        pl.when(pl.col("valid_to") < month.next.first).then("valid_to"),
        *(pl.when(printed).then(name) for name in names),
    )


def _digest(frame: pl.DataFrame) -> str:
    """Independent of the order of rows: no figure depends on it."""
    return hashlib.sha256(frame.sort(pl.all()).write_csv().encode()).hexdigest()
