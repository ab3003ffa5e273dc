"""The reference's tables, read with nothing but the standard library."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from smi_pipeline.index.engine.tree import Node, Tree


@dataclass(frozen=True)
class Reference:
    """A folder of COINr's answers. Joined on codes, never on the order of rows."""

    folder: Path

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / "asem_base" / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def vectors(self, name: str):
        return json.loads((self.folder / "vectors" / f"{name}.json").read_text(encoding="utf-8"))

    @property
    def units(self) -> list[str]:
        return [row["uCode"] for row in self.rows("input_raw")]

    @property
    def tree(self) -> Tree:
        return Tree.of(
            Node(row["iCode"], row["Parent"] or None, float(row["Weight"]), int(row["Direction"]))
            for row in self.rows("input_meta")
        )

    def table(self, name: str, columns) -> NDArray[np.float64]:
        """Rows in the order of `units`, columns in that asked for; empty = NaN."""
        by_unit = {row["uCode"]: row for row in self.rows(name)}
        return np.array([[number(by_unit[unit][column]) for column in columns] for unit in self.units])


def number(text: str) -> float:
    return float(text) if text else np.nan


@pytest.fixture(scope="session")
def reference(shared) -> Reference:
    return Reference(shared / "index_reference")


@pytest.fixture(scope="session")
def close():
    """The reference's tolerance: abs(a - b) <= 1e-9 * max(1, abs(b)), and missing in the same places."""

    def check(got, expected):
        a, b = np.asarray(got, dtype=np.float64), np.asarray(expected, dtype=np.float64)
        assert a.shape == b.shape
        assert (np.isnan(a) == np.isnan(b)).all()
        seen = ~np.isnan(b)
        assert (np.abs(a[seen] - b[seen]) <= 1e-9 * np.maximum(1, np.abs(b[seen]))).all()

    return check
