"""A registry to begin with: made of a data set's accounts, one entity an account."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

from smi_pipeline.registry.load import ACCOUNTS, CITIES, RegistryError, parse_registry
from smi_pipeline.registry.models import Account, City


def from_dataset(dataset: Path, folder: Path) -> int:
    """Write cities.csv and accounts.csv for the accounts of a data set directory; give their number.

    Raises:
        RegistryError: the data set has no accounts file or an unusable one, or the folder has a registry already.
    """
    rows = list(_accounts(dataset))
    cities = [
        {"city_id": f"{row['platform']}-{row['account_id']}", "name_zh": _name(row), "name_en": _name(row)}
        for row in rows
    ]
    accounts = [
        {
            "city_id": f"{row['platform']}-{row['account_id']}",
            "platform": row["platform"],
            # no platform has blanks in a handle; the sandbox serves such an account under underscores
            "handle": "_".join((row["handle"] or row["account_id"]).split()),
            "account_id": row["account_id"],
        }
        for row in rows
    ]
    texts = _csv(list(City.model_fields), cities), _csv(list(Account.model_fields), accounts)
    parse_registry(*texts, where=f"registry of {dataset}")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip((CITIES, ACCOUNTS), texts, strict=True):
        try:
            with (folder / name).open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            raise RegistryError([f"{folder / name}: is there already; give an empty folder"]) from None
    return len(rows)


def _accounts(dataset: Path) -> Iterator[dict[str, str]]:
    for path in (dataset / "accounts.csv", dataset / "accounts.csv.gz"):
        if path.exists():
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
            reader = csv.DictReader(io.StringIO(text, newline=""))
            if missing := {"platform", "account_id", "handle"} - set(reader.fieldnames or []):
                raise RegistryError([f"{path} line 1: column {', '.join(sorted(missing))} is missing"])
            yield from reader
            return
    raise RegistryError([f"{dataset}: no accounts.csv or accounts.csv.gz; a data set directory has one"])


def _name(row: dict[str, str]) -> str:
    return row.get("display_name") or row["handle"] or row["account_id"]


def _csv(columns: list[str], rows: list[dict[str, str]]) -> str:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
