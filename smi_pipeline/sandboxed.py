"""A command against the sandbox: the server started, the lake chosen, every SMI_* set for it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console

from smi_pipeline.lake.connection import Lake
from smi_pipeline.months import Month
from smi_pipeline.registry.load import RegistryError, read_registry
from smi_pipeline.registry.models import City
from smi_pipeline.sandbox.process import SandboxProcess, environment, scenario_in
from smi_pipeline.settings import PROJECT, ignored_settings, settings

SCENARIO = Path("@scenario")  # stands for the bundled data set, which is a folder only once it is written
DEMO_LAKE = PROJECT / "data_lake" / "demo"


@contextmanager
def sandboxed(dataset: Path | None, now: datetime | None = None) -> Iterator[SandboxProcess | None]:
    """The sandbox for the time of a command that sends requests, every SMI_* set for it; nothing without a data set.

    Settings that have no effect are named on standard error first.
    """
    for line in ignored_settings():
        Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)
    if dataset is None:
        settings()
        yield None
        return
    bundled = dataset == SCENARIO
    os.environ.setdefault("SMI_LAKE", str(DEMO_LAKE if bundled else DEMO_LAKE.with_name(dataset.resolve().name)))
    if bundled:
        dataset = scenario(settings().lake)
    if "SMI_REGISTRY" not in os.environ:
        if not (dataset / "registry").is_dir():
            remedy = f"give one with --registry, or make one: smi registry from-dataset {dataset} DIR"
            raise RegistryError([f"{dataset} has no folder `registry`; {remedy}"])
        os.environ["SMI_REGISTRY"] = str(dataset / "registry")
    _offer_expert_scores(dataset, settings().lake, Path(os.environ["SMI_REGISTRY"]))
    with SandboxProcess(dataset, now=now) as server:
        os.environ.update(environment(server.base_url))
        settings.cache_clear()
        yield server


def scenario(lake: Path) -> Path:
    """The bundled scenario as a data set directory within the lake that is made from it."""
    with Lake.of(lake).lock("scenario"), Console(stderr=True).status("writing the scenario"):
        return scenario_in(lake / ".scenario")


def _offer_expert_scores(dataset: Path, lake: Path, registry: Path) -> None:
    """Put a data set's expert scores into the inbox, but never over a file that is there.

    Under a registry other than the data set's own only the scores of its cities: of others the inbox takes none.
    """
    inbox = lake / "inbox" / "expert_scores"
    own = registry.resolve() == (dataset / "registry").resolve()
    cities = None if own else read_registry(registry).cities
    for file in sorted((dataset / "expert_scores").glob("*.csv")):
        if (inbox / file.name).exists():
            continue
        text = file.read_text(encoding="utf-8")
        if cities is not None:
            text = _of_cities(text, cities, Month.parse(file.stem))
        if text:
            inbox.mkdir(parents=True, exist_ok=True)
            (inbox / file.name).write_text(text, encoding="utf-8")


def _of_cities(text: str, cities: Sequence[City], month: Month) -> str:
    """The rows about cities that are valid in a month; nothing at all where there are none."""
    known = {
        c.city_id for c in cities if c.valid_from < month.next.first and not (c.valid_to and c.valid_to <= month.first)
    }
    rows = csv.DictReader(io.StringIO(text, newline=""))
    kept = [row for row in rows if row["city_id"] in known]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows.fieldnames or (), lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    return out.getvalue() if kept else ""
