"""Sums of counts: a table holds what was added up, or nothing of the month. The rule stands in docs/tables.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# What a bigint holds, in DuckDB as in polars.
SMALLEST: Final = -(2**63)
LARGEST: Final = 2**63 - 1
EXAMPLES: Final = 3


@dataclass(frozen=True)
class Beyond:
    """A sum that a bigint does not hold: its column, the exact amount, and the row by its keys."""

    column: str
    amount: int
    row: Mapping[str, Any]

    def __str__(self) -> str:
        keys = ", ".join(f"{name} {value}" for name, value in self.row.items())
        return f"{self.column} of {keys}: {self.amount}"


class SumTooGreat(Exception):  # noqa: N818 - says what happened, like CheckFailed
    """A month has sums that a bigint does not hold. Nothing of it was written."""

    def __init__(self, relation: str, month: str, sums: Sequence[Beyond], *, number: int) -> None:
        shown = "; ".join(map(str, sums[:EXAMPLES]))
        more = f" and {number - EXAMPLES} more" if number > EXAMPLES else ""
        super().__init__(
            f"{relation} {month}: expected sums from {SMALLEST} to {LARGEST}, as a bigint holds, got {shown}{more};"
            f" nothing was written. Collect the month again (`smi collect {month} --force`) once the platform sends"
            " better counts, or without that account"
        )
        self.relation = relation
        self.month = month
        self.sums = tuple(sums)
