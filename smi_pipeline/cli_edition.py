"""`smi publish`, `smi restate`, `smi edition`: what is published, from what, and the same made again byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smi_pipeline.cli_arguments import existing_lake
from smi_pipeline.cli_arguments import month as parse_month
from smi_pipeline.cli_output import print_json
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.editions import Edition, editions, published, row_of
from smi_pipeline.months import Month

out, err = Console(highlight=False), Console(stderr=True, highlight=False)
edition_app = typer.Typer(no_args_is_help=True, help="Published editions: list, show, make again byte for byte.")

MonthArgument = Annotated[str, typer.Argument(metavar="MONTH", help="A month as YYYY-MM.")]
NumberOption = Annotated[int | None, typer.Option("--number", min=1, help="Which edition; the newest when not given.")]


def publish(month: MonthArgument) -> None:
    """Publish a month's draft: its files and what they were made from are kept for good."""
    _publish(parse_month(month), None)


def restate(
    month: MonthArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why the month is published again; the report prints it.")],
) -> None:
    """Publish the draft of a published month as its next edition, with what changed and why."""
    _publish(parse_month(month), reason)


@edition_app.command("list")
def list_editions(
    month: Annotated[str | None, typer.Argument(metavar="[MONTH]", help="Only this month, as YYYY-MM.")] = None,
) -> None:
    """Every edition and draft, a line each."""
    lake = existing_lake()
    with lake.read() as cursor:
        found = editions(cursor, None if month is None else parse_month(month).first)
    table = Table("month", "edition", "state", "status", "method", "since (UTC)", "reason")
    for one in found:
        names = (f"{one.month:%Y-%m}", str(one.number), one.state, one.basis.status, one.basis.method_version)
        table.add_row(*names, f"{one.recorded_at:%Y-%m-%d}", Text(_plain(one.reason or "")))
    out.print(table)


@edition_app.command("show")
def show(
    month: MonthArgument,
    number: NumberOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What a published edition was made from, and the checksums of its tables and files."""
    lake = existing_lake()
    told = row_of(_edition(lake, parse_month(month), number))
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        if isinstance(value, dict):
            out.print(f"{name}:")
            for key, checksum in value.items():
                out.print(f"  {checksum}  {key}", markup=False, soft_wrap=True)
        else:
            shown = ", ".join(value) if isinstance(value, list) else "-" if value is None else value
            out.print(f"{name}: {_plain(str(shown))}", markup=False, soft_wrap=True)


@edition_app.command("rebuild")
def rebuild(
    month: MonthArgument,
    number: NumberOption = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Keep the files that are made.")] = None,
) -> None:
    """Derive a published edition again from its snapshot and compare every table and file; exit 1 where one differs."""
    from smi_pipeline.defs.rebuild import rebuild  # noqa: PLC0415
    from smi_pipeline.report.files import write_files  # noqa: PLC0415

    one, lake = parse_month(month), existing_lake()
    edition = _edition(lake, one, number)
    again = rebuild(lake, edition)
    if to is not None:
        write_files(again.files, to)
        out.print(f"files: {to}", markup=False, soft_wrap=True)
    which = f"edition {edition.number} of {one}"
    if again.same:
        counted = f"{len(edition.tables)} tables and {len(edition.files)} files"
        out.print(f"{which}: {counted} are what was published, byte for byte", soft_wrap=True)
        return
    for kind, names in (("table", again.differing_tables), ("file", again.differing_files)):
        for name in names:
            err.print(f"{which}: {kind} {name} is not what was published", markup=False, soft_wrap=True)
    if again.code_version != edition.basis.code_version:
        versions = f"made by version {edition.basis.code_version} of this software, and this is {again.code_version}"
        err.print(f"it was {versions}", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def _publish(month: Month, reason: str | None) -> None:
    from smi_pipeline.defs.publication import publish  # noqa: PLC0415
    from smi_pipeline.report.places import current, kept  # noqa: PLC0415

    lake = existing_lake()
    edition = publish(lake, month, reason=reason)
    out.print(f"{month} is published as edition {edition.number} ({edition.basis.status})", markup=False)
    for folder in (current(lake.path, month), kept(lake.path, month, edition.number)):
        out.print(f"  {folder / 'index.html'}", markup=False, soft_wrap=True)


def _edition(lake: Lake, month: Month, number: int | None) -> Edition:
    with lake.read() as cursor:
        found = published(cursor, month.first, number)
    if found is None:
        which = f"{month} is not published" if number is None else f"there is no published edition {number} of {month}"
        raise LakeError(f"{which} in {lake.path}; `smi edition list` shows what is")
    return found


def _plain(text: str) -> str:
    """A reason is whatever somebody typed: nothing in it acts on the terminal."""
    from smi_pipeline.report.untrusted import clean  # noqa: PLC0415

    return clean(text, length=len(text) + 1)
