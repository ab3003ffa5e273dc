"""A command against the sandbox: the server started, the lake chosen, every SMI_* set for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from rich.console import Console

from smi_pipeline.lake.connection import Lake
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.sandbox.process import SandboxProcess, environment, scenario_in
from smi_pipeline.settings import PROJECT, settings

SCENARIO = Path("@scenario")  # stands for the bundled data set, which is a folder only once it is written
DEMO_LAKE = PROJECT / "data_lake" / "demo"


@contextmanager
def sandboxed(dataset: Path | None, now: datetime | None = None) -> Iterator[SandboxProcess | None]:
    """The sandbox for the time of a command, every SMI_* set for it; nothing when no data set is given."""
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
    _offer_expert_scores(dataset / "expert_scores", settings().lake)
    with SandboxProcess(dataset, now=now) as server:
        os.environ.update(environment(server.base_url))
        settings.cache_clear()
        yield server


def scenario(lake: Path) -> Path:
    """The bundled scenario as a data set directory within the lake that is made from it."""
    with Lake.of(lake).lock("scenario"), Console(stderr=True).status("writing the scenario"):
        return scenario_in(lake / ".scenario")


def _offer_expert_scores(folder: Path, lake: Path) -> None:
    """Put a data set's expert scores into the inbox, but never over a file that is there."""
    inbox = lake / "inbox" / "expert_scores"
    for file in sorted(folder.glob("*.csv")):
        inbox.mkdir(parents=True, exist_ok=True)
        if not (inbox / file.name).exists():
            shutil.copyfile(file, inbox / file.name)
