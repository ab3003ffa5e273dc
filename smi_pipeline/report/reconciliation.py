"""Do an edition's files still say what the tables say, and are they the files that were written?"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from smi_pipeline.report.tables import FLAG_SEPARATOR


def altered_files(directory: Path) -> list[str]:
    """Files of the manifest that are gone, or have other bytes; sentences that name them."""
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    found = []
    for name, told in sorted(manifest["files"].items()):
        path = directory / name
        if not path.is_file():
            found.append(f"{name} is not there")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != told["sha256"]:
            found.append(f"{name} is not the file that was written")
    return found


def disagreements(directory: Path, rankings: pl.DataFrame) -> list[str]:
    """Rows of rankings.csv that say otherwise than marts.rankings of the month, or are on one side only.

    An edition that withholds its ranks prints fewer columns; those it prints are compared.
    """
    with (directory / "rankings.csv").open(encoding="utf-8", newline="") as file:
        printed = {_key(row): row for row in csv.DictReader(file)}
    stored = {_key(row): row for row in rankings.iter_rows(named=True)}
    found = [f"{' '.join(key)} is only in rankings.csv" for key in printed.keys() - stored.keys()]
    found += [f"{' '.join(key)} is only in marts.rankings" for key in stored.keys() - printed.keys()]
    for key in printed.keys() & stored.keys():
        for name in printed[key].keys() & stored[key].keys():
            here, there = printed[key][name], _text(stored[key][name])
            if here != there:
                found.append(f"{' '.join(key)}: {name} is {here or 'null'} in rankings.csv, {there or 'null'} there")
    return sorted(found)


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["index_name"]), str(row["city_id"])


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    return FLAG_SEPARATOR.join(value) if isinstance(value, list) else str(value)
