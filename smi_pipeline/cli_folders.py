"""`smi sandbox` and `smi registry`: commands about a folder, that need no lake's jobs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from smi_pipeline.sandboxed import DEMO_LAKE, SCENARIO, scenario
from smi_pipeline.settings import settings

sandbox_app = typer.Typer(help="The local server that speaks the five APIs.", no_args_is_help=True)
registry_app = typer.Typer(help="Who is measured: check a registry folder, or make one.", no_args_is_help=True)
out = Console(highlight=False)


@sandbox_app.command("serve")
def sandbox_serve(
    dataset: Annotated[Path, typer.Option(help="Data set directory.")] = SCENARIO,
    now: Annotated[str | None, typer.Option(metavar="INSTANT", help="The clock at the start.")] = None,
    port: Annotated[int, typer.Option(help="0 for a free one.")] = 8700,
    faults: Annotated[Path | None, typer.Option(metavar="FILE", help="What goes wrong: docs/sandbox.md.")] = None,
) -> NoReturn:
    """Serve a data set as the five platforms would have, on loopback."""
    if dataset == SCENARIO:
        os.environ.setdefault("SMI_LAKE", str(DEMO_LAKE))
        dataset = scenario(settings().lake)
    arguments = ["--dataset", str(dataset), "--port", str(port), *(() if now is None else ("--now", now))]
    arguments += () if faults is None else ("--faults", str(faults))
    os.execv(sys.executable, [sys.executable, "-m", "smi_pipeline.sandbox", *arguments])  # noqa: S606


@sandbox_app.command("scenario")
def sandbox_scenario(
    folder: Annotated[Path, typer.Argument(help="Folder to write; replaced when it is there.")],
    seed: Annotated[int, typer.Option(help="Another seed: other posts, the same rankings.")] = 2025,
) -> None:
    """Write the bundled scenario as a data set directory, to look at or to give to --sandbox."""
    from smi_pipeline.sandbox.scenario.write import write_scenario  # noqa: PLC0415

    write_scenario(folder, seed)
    out.print(f"{folder}: the scenario with seed {seed}; next: smi run 2025-05 --sandbox {folder}", soft_wrap=True)


@registry_app.command("check")
def registry_check(folder: Annotated[Path, typer.Argument(help="Folder with cities.csv and accounts.csv.")]) -> None:
    """Read a registry folder and name everything that is wrong with it, and cities that share a name."""
    from smi_pipeline.registry.load import read_registry  # noqa: PLC0415
    from smi_pipeline.registry.namesakes import namesakes  # noqa: PLC0415

    read = read_registry(folder)
    out.print(f"{folder}: {len(read.cities)} cities and {len(read.accounts)} accounts, all well-formed")
    for line in namesakes(read.cities):
        out.print(f"note: {line}", markup=False, soft_wrap=True)


@registry_app.command("from-dataset")
def registry_from_dataset(
    dataset: Annotated[Path, typer.Argument(help="Data set directory in the neutral format.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write.")],
) -> None:
    """Make a registry of a data set's accounts: one entity an account."""
    from smi_pipeline.registry.template import from_dataset  # noqa: PLC0415

    count = from_dataset(dataset, folder)
    out.print(f"{folder}: {count} accounts of {dataset}")
