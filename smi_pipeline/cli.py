"""`smi`: the pipeline from a terminal. Runs the same Dagster jobs as the UI, so both share one history.

Exit codes: 0 done, 1 failed with one clear line, 2 wrong usage, 3 deferred with the time of resumption.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from smi_pipeline.cli_arguments import existing_lake as _existing_lake
from smi_pipeline.cli_arguments import month as _month
from smi_pipeline.cli_edition import edition_app, publish, restate
from smi_pipeline.cli_explain import explain
from smi_pipeline.cli_folders import registry_app, sandbox_app
from smi_pipeline.cli_lake import lake_app
from smi_pipeline.cli_method import method_app
from smi_pipeline.cli_output import replace_what_cannot_be_shown
from smi_pipeline.cli_sql import sql_app
from smi_pipeline.cli_trace import trace
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.months import FINAL_DAY, PROVISIONAL_DAY, Month, month_range, parse_day, snapshot_instant
from smi_pipeline.registry.load import RegistryError
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.sandboxed import SCENARIO, sandboxed
from smi_pipeline.settings import SettingsError, settings

if TYPE_CHECKING:
    from smi_pipeline.lake.collections import Cut
    from smi_pipeline.launch import Ended, Goal, Launcher
    from smi_pipeline.registry.models import Platform
    from smi_pipeline.sandbox.process import SandboxProcess

app = typer.Typer(
    name="smi",
    help="Measures every month how organisations communicate on five overseas platforms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(registry_app, name="registry")
app.add_typer(method_app, name="method")
app.add_typer(sql_app, name="sql")
app.add_typer(lake_app, name="lake")
app.add_typer(edition_app, name="edition")
app.command()(explain)
app.command()(publish)
app.command()(restate)
app.command()(trace)
_NEXT = """next:
  {smi} demo --serve                            the report and the archive in a browser
  {smi} explain 2025-05 330200 --lang en --lake {lake}
  {smi} status --lake {lake}
  {smi} export index.composite --month 2025-05 --lake {lake}
  {smi} backfill 2024-05 2025-05 --sandbox      a whole year of the scenario
  make dev                                      the Dagster UI on this lake"""
out, err = Console(highlight=False), Console(stderr=True, highlight=False)

DEMO_MONTHS = ("2025-04", "2025-05")
DEMO_SNAPSHOT = date(2025, 4, 3)
DEV_CLOCK = "2025-06-10T06:00:00+08:00"


class To(StrEnum):
    """How far a run goes."""

    METRICS = "metrics"
    INDEX = "index"
    REPORT = "report"


class Asked(StrEnum):
    """A platform to restrict a run to."""

    FACEBOOK = "facebook"
    X = "x"
    INSTAGRAM = "instagram"
    YOUTUBE = "youtube"
    TIKTOK = "tiktok"


MonthArgument = Annotated[str, typer.Argument(metavar="MONTH", help="A month as YYYY-MM.")]
PlatformOption = Annotated[list[Asked] | None, typer.Option("--platform", help="Only this platform; may be repeated.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Collect anew even where the cut is there already.")]
YesOption = Annotated[
    bool, typer.Option("--yes", help="Do not ask for confirmation where X costs money and no budget is set.")
]
ToOption = Annotated[To, typer.Option("--to", help="How far to go.")]
SandboxOption = Annotated[
    Path | None,
    typer.Option(
        "--sandbox",
        metavar="[DATASET]",
        help="Start the sandbox and ask it, not the real services: a data set directory, else the bundled scenario.",
    ),
]


@app.callback()
def options(
    lake: Annotated[Path | None, typer.Option(help="Folder of the lake (also SMI_LAKE).")] = None,
    registry: Annotated[Path | None, typer.Option(help="Folder of the registry (also SMI_REGISTRY).")] = None,
) -> None:
    """Read the options every command shares; the environment carries them to whatever a command starts."""
    for name, value in (("SMI_LAKE", lake), ("SMI_REGISTRY", registry)):
        if value is not None:
            os.environ[name] = str(value)


@app.command()
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Then show the reports in a browser, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="Loopback port of --serve; 0 for a free one.")] = 8765,
) -> None:
    """Two months of the bundled scenario, end to end, without any token."""
    with sandboxed(SCENARIO) as server:
        first, last = (Month.parse(key) for key in DEMO_MONTHS)
        _snapshot(_launcher(), DEMO_SNAPSHOT, (), server)  # the followers that April begins with
        _backfill(_partition_range(first, last), "report", (), server, force=False)
    _print_top(last)
    called = sys.argv[0] if Path(sys.argv[0]).name == "smi" else "smi"  # as the reader has it, to be copied
    out.print(_NEXT.format(smi=called, lake=settings().lake), markup=False, soft_wrap=True)
    if serve:
        from smi_pipeline.serve import serve_reports, until_interrupted  # noqa: PLC0415

        listening, address = serve_reports(settings().lake / "reports", port)
        out.print(f"serving {address}{last}/index.html, all editions at {address}; Ctrl-C stops", soft_wrap=True)
        typer.launch(f"{address}{last}/index.html")
        until_interrupted(listening)


@app.command()
def collect(
    month: MonthArgument,
    platform: PlatformOption = None,
    force: ForceOption = False,
    sandbox: SandboxOption = None,
    yes: YesOption = False,
) -> None:
    """Ask the platforms about a month and keep what they say."""
    with sandboxed(sandbox) as server:
        [one] = _partition_range(_month(month), _month(month))
        _confirm_cost([one], _platforms(platform), server, force=force, yes=yes)
        for cut in _cuts(server):
            _collect_cut(_launcher(), one, _platforms(platform), server, cut, force=force)
    _print_leaving([one])
    out.print(f"{one} is collected in {settings().lake}; next: smi run {one}")


@app.command()
def snapshot(
    day: Annotated[str, typer.Argument(metavar="DAY", help="A day as YYYY-MM-DD; of the real services only today.")],
    platform: PlatformOption = None,
    sandbox: SandboxOption = None,
) -> None:
    """Ask for the followers and totals of all accounts on one day, for the fewest requests."""
    with sandboxed(sandbox) as server:
        one = _day(day)
        _snapshot(_launcher(), one, _platforms(platform), server)
    out.print(f"the accounts' figures of {one} are in {settings().lake}")


@app.command()
def run(
    month: MonthArgument,
    to: ToOption = To.REPORT,
    platform: PlatformOption = None,
    force: ForceOption = False,
    sandbox: SandboxOption = None,
    yes: YesOption = False,
) -> None:
    """Collect a month, unless it is there, and derive it up to the report."""
    with sandboxed(sandbox) as server:
        months = _partition_range(_month(month), _month(month))
        _confirm_cost(months, _platforms(platform), server, force=force, yes=yes)
        _backfill(months, to.value, _platforms(platform), server, force=force)
    _print_leaving(months)
    if to is To.REPORT:
        _print_top(months[-1])


@app.command()
def backfill(
    first: Annotated[str, typer.Argument(metavar="FROM", help="First month, YYYY-MM.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="Last month, YYYY-MM.")],
    to: ToOption = To.REPORT,
    platform: PlatformOption = None,
    force: ForceOption = False,
    sandbox: SandboxOption = None,
    yes: YesOption = False,
) -> None:
    """Collect and derive a range of months, after saying what it takes. Broken off, it goes on where it was."""
    with sandboxed(sandbox) as server:
        months = _partition_range(_month(first), _month(last))
        _show_expense(months, _platforms(platform), server, force=force)
        _confirm_cost(months, _platforms(platform), server, force=force, yes=yes)
        _backfill(months, to.value, _platforms(platform), server, force=force)
    out.print(f"{len(months)} months, {months[0]} to {months[-1]}, are derived up to {to.value} in {settings().lake}")
    _print_leaving(months)
    _print_lost(months)


@app.command()
def reparse(month: MonthArgument, platform: PlatformOption = None) -> None:
    """Read the stored payloads of a collected month again, by the models of today. Makes no request."""
    [one] = _partition_range(_month(month), _month(month))
    _existing_lake()
    _finish(_launcher().reparse(one, _platforms(platform) or PLATFORMS))
    out.print(f"the payloads of {one} were read again in {settings().lake}; next: smi run {one}", soft_wrap=True)


@app.command()
def report(month: MonthArgument) -> None:
    """Write a derived month's report files again."""
    [one] = _partition_range(_month(month), _month(month))
    _finish(_launcher().report(one))
    _print_top(one)


@app.command()
def status() -> None:
    """What is collected, derived and reported, month by month."""
    from smi_pipeline.status import status_table  # noqa: PLC0415

    out.print(status_table(_existing_lake()))


@app.command()
def export(
    table: Annotated[
        str | None, typer.Argument(metavar="[TABLE]", help="Like index.composite; not with --all.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every table and view, with --format duckdb.")] = False,
    month: Annotated[str | None, typer.Option(help="Only this month.")] = None,
    format_: Annotated[Literal["csv", "parquet", "json", "duckdb"], typer.Option("--format")] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; standard output when not given.")
    ] = None,
) -> None:
    """Write any table or view of the lake to a file, or to standard output; or all of them to one DuckDB database."""
    from smi_pipeline.lake.export import export_all, export_table  # noqa: PLC0415

    if all_ or format_ == "duckdb":
        if not all_ or format_ != "duckdb" or table is not None or month is not None or output is None:
            raise typer.BadParameter("everything goes to one new file: smi export --all --format duckdb -o FILE.duckdb")
        tables, count = export_all(_existing_lake(), output, _comments())
        out.print(f"{output}: {tables} tables with {count} rows", soft_wrap=True)
        return
    if table is None:
        raise typer.BadParameter("name a table, like index.composite, or give --all --format duckdb")
    data = export_table(_existing_lake(), table, None if month is None else _month(month), format_)
    if output is None:
        sys.stdout.buffer.write(data)
    else:
        output.write_bytes(data)


@app.command()
def doctor() -> None:
    """Check versions, extensions, the lake, the disk, the registry, and each credential with one cheap call."""
    from smi_pipeline.doctor import examine  # noqa: PLC0415

    bad = 0
    for finding in examine(settings()):
        mark = {"ok": "[green]ok[/]  ", "note": "[yellow]note[/]", "bad": "[red]bad[/] "}[finding.verdict]
        out.print(f"{mark} {finding.subject}: ", end="")
        out.print(finding.text, markup=False)
        bad += finding.verdict == "bad"
    if bad:
        raise typer.Exit(1)


@app.command()
def prepare() -> None:
    """Make Dagster's folder, tables and pools, before the first of several processes starts (deploy/)."""
    from smi_pipeline.launch import history  # noqa: PLC0415

    history(settings().lake).dispose()
    out.print(f"Dagster's history is ready in {os.environ['DAGSTER_HOME']}", soft_wrap=True)


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
    dataset: Annotated[Path, typer.Option(help="Data set the sandbox serves.")] = SCENARIO,
    now: Annotated[str, typer.Option(help="The sandbox's clock at the start.")] = DEV_CLOCK,
) -> None:
    """Sandbox and Dagster UI together, on the demo lake. Ctrl-C stops both."""
    from smi_pipeline.dev import serve  # noqa: PLC0415

    os.environ["SMI_SERVICES_NOW"] = _instant(now).isoformat()
    with sandboxed(dataset, now=_instant(now)):
        raise typer.Exit(serve(settings(), port))


def main() -> None:
    """Run the command line; every failure ends in one line on standard error and the documented exit code."""
    replace_what_cannot_be_shown()
    sys.argv[1:] = _arranged(sys.argv[1:])
    try:
        app()
    except (LakeError, RegistryError, SettingsError) as error:
        _fail(str(error))
    except ValidationError as error:
        _fail("; ".join(f"SMI_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
    except _known_errors() as error:
        _fail(str(error))
    except _history_errors() as error:
        history = os.environ.get("DAGSTER_HOME", "DAGSTER_HOME")
        _fail(f"{history}: {getattr(error, 'orig', error)}; see that the disk of the run history has room and is whole")
    except OSError as error:
        _fail(f"{error.filename or settings().lake}: {error.strerror}; see that the disk has room and may be written")


def _known_errors() -> tuple[type[Exception], ...]:
    """The errors of rooms that a command may never have entered: nothing is imported to name them."""
    names = {
        "smi_pipeline.sandbox.process": "SandboxError",
        "smi_pipeline.sandbox.dataset": "DatasetError",
        "smi_pipeline.index.method": "MethodError",
        "smi_pipeline.sql.yml": "ProjectError",
        "smi_pipeline.sums": "SumTooGreat",
        "smi_pipeline.report.files": "EditionError",
    }
    return tuple(getattr(sys.modules[room], name) for room, name in names.items() if room in sys.modules)


def _history_errors() -> tuple[type[Exception], ...]:
    """What Dagster's history raises when it cannot be written."""
    room = sys.modules.get("sqlalchemy.exc")
    return () if room is None else (room.SQLAlchemyError,)


def _arranged(arguments: Sequence[str]) -> list[str]:
    """What typer cannot say: the shared options may stand anywhere, and `--sandbox` may stand alone."""
    shared: list[str] = []
    given: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument in {"--lake", "--registry"} and rest:
            shared += [argument, rest.pop(0)]
        elif argument.startswith(("--lake=", "--registry=")):
            shared.append(argument)
        else:
            given.append(argument)
            following = rest[0] if rest else "-"
            if argument == "--sandbox" and (following.startswith("-") or re.fullmatch(r"[0-9]{4}-[0-9]{2}", following)):
                given.append(str(SCENARIO))
    return shared + given


@functools.cache
def _launcher() -> Launcher:
    """The jobs, on the lake's own Dagster instance; loaded once a command."""
    from smi_pipeline.launch import Launcher  # noqa: PLC0415

    return Launcher.on_this_host()


def _backfill(
    months: Sequence[Month],
    to: Goal,
    platforms: Sequence[Platform],
    server: SandboxProcess | None,
    *,
    force: bool,
) -> None:
    """Collect every month, and derive the months up to `to`; two bars show how far it is."""
    launcher = _launcher()
    _say_what_follows(months)
    cuts = [(month, cut) for month in months for cut in _cuts(server)]
    with _progress() as progress:
        collecting = progress.add_task("collect", total=len(cuts) * len(platforms or PLATFORMS))
        deriving = progress.add_task("derive", total=launcher.steps(to))
        for month, cut in cuts:

            def on_platform(step: str, label: str = f"collect {month}") -> None:
                progress.update(collecting, description=f"{label} {step.removeprefix('raw__')}", advance=1)

            _collect_cut(launcher, month, platforms, server, cut, force=force, on_step=on_platform)
        progress.update(
            collecting, description=f"collect {months[0]} .. {months[-1]}", completed=progress.tasks[0].total
        )

        def on_step(step: str) -> None:
            progress.update(deriving, description=f"derive {step}", advance=1)

        _finish(launcher.derive(months, to, on_step))


def _say_what_follows(months: Sequence[Month]) -> None:
    """Which later months, scored already, look back at `months` and are derived anew with them."""
    from smi_pipeline.defs.derive import with_followers  # noqa: PLC0415

    lake = Lake.configured(settings())
    follow = sorted(set(with_followers(lake, months, "index.composite")) - set(months)) if lake.exists() else []
    if follow:
        listed = " and ".join(map(str, follow))
        err.print(f"{listed} look back at {months[-1]} and will be derived anew with it; no other month is touched")


def _show_expense(
    months: Sequence[Month], platforms: Sequence[Platform], server: SandboxProcess | None, *, force: bool
) -> None:
    """What is about to be asked, in requests, quota days and dollars."""
    from smi_pipeline.expense import expense_table  # noqa: PLC0415

    lake = Lake.configured(settings())
    err.print(expense_table(lake, settings(), _due_cuts(months, server), platforms, force=force))


def _confirm_cost(
    months: Sequence[Month], platforms: Sequence[Platform], server: SandboxProcess | None, *, force: bool, yes: bool
) -> None:
    """Say what X will cost where nothing limits it, and let a person agree; without a terminal only `--yes` does."""
    from smi_pipeline.expense import unlimited_cost  # noqa: PLC0415

    lake = Lake.configured(settings())
    cost = unlimited_cost(lake, settings(), _due_cuts(months, server), platforms, force=force)
    if cost is None:
        return
    err.print(cost, markup=False, soft_wrap=True)
    if yes:
        return
    if not sys.stdin.isatty():
        _fail("nothing was requested: give --yes, or set a budget; without a terminal nobody can be asked")
    typer.confirm("go on?", abort=True, err=True)


def _due_cuts(months: Sequence[Month], server: SandboxProcess | None) -> list[tuple[Month, Cut, datetime]]:
    """The cuts that months are collected at, and when: of the real services now."""
    from smi_pipeline.defs.partitions import ZONE  # noqa: PLC0415
    from smi_pipeline.defs.raw import cut_of  # noqa: PLC0415

    now, days = datetime.now(UTC), {"provisional": PROVISIONAL_DAY, "final": FINAL_DAY}
    return [
        (month, due, now if server is None else month.cut(ZONE, days[due]))
        for month in months
        for due in (cut_of(month, cut, now) for cut in _cuts(server))
    ]


def _cuts(server: SandboxProcess | None) -> tuple[Cut | None, ...]:
    """The cuts a month is collected at: of the real services the one that is due, of the sandbox both."""
    return (None,) if server is None else ("provisional", "final")


def _collect_cut(
    launcher: Launcher,
    month: Month,
    platforms: Sequence[Platform],
    server: SandboxProcess | None,
    cut: Cut | None,
    *,
    force: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> None:
    """One cut of a month, the sandbox's clock set to its instant."""
    from smi_pipeline.defs.partitions import ZONE  # noqa: PLC0415

    if server is not None:
        server.set_clock(month.cut(ZONE, FINAL_DAY if cut == "final" else PROVISIONAL_DAY))
    _finish(launcher.collect(month, platforms or PLATFORMS, cut=cut, force=force, on_step=on_step))


def _snapshot(launcher: Launcher, day: date, platforms: Sequence[Platform], server: SandboxProcess | None) -> None:
    """A day's figures, the sandbox's clock set to the hour at which they are taken."""
    from smi_pipeline.defs.partitions import ZONE  # noqa: PLC0415

    if server is not None:
        server.set_clock(snapshot_instant(day, ZONE))
    _finish(launcher.snapshot(day, platforms or PLATFORMS))


def _finish(ended: Ended) -> None:
    if ended.interrupted:
        err.print("interrupted; what was committed is kept, run the same command to go on")
        raise SystemExit(130)
    if ended.ok:
        return
    failures = dict.fromkeys(ended.failures)  # five platforms that find the same lake damaged say so once
    if ended.resume_at is not None:
        for failure in failures:
            err.print(failure, markup=False, soft_wrap=True)
        err.print(f"deferred: run the same command again after {ended.resume_at}", soft_wrap=True)
        raise SystemExit(3)
    _fail("\n".join(failures) or "the run failed; its log is in the UI")


def _fail(message: str) -> NoReturn:
    for line in message.splitlines():
        err.print(line, markup=False, soft_wrap=True)
    raise SystemExit(1)


def _day(text: str) -> date:
    """A day that is a partition."""
    from smi_pipeline.defs.partitions import DAYS  # noqa: PLC0415

    try:
        day = parse_day(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not DAYS.has_partition_key(day.isoformat()):
        known = DAYS.get_partition_keys()
        raise typer.BadParameter(f"{day} is not a day of this index: they run from {known[0]} to {known[-1]}")
    return day


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"an instant is written like {DEV_CLOCK}; got {text!r}") from None
    if instant.tzinfo is None:
        raise typer.BadParameter(f"an instant needs its zone, like {DEV_CLOCK}; got {text!r}")
    return instant


def _partition_range(first: Month, last: Month) -> list[Month]:
    """The months asked for, each of them a partition."""
    from smi_pipeline.defs.partitions import MONTHS  # noqa: PLC0415

    try:
        months = month_range(first, last)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    known = MONTHS.get_partition_keys()
    for month in months:
        if month.key not in known:
            raise typer.BadParameter(
                f"{month} is not a month of this index: they run from {known[0]} to {known[-1]}"
                " (SMI_FIRST_MONTH sets the first, the last is the newest one that is over)"
            )
    return months


def _comments() -> dict[str, tuple[str | None, dict[str, str]]]:
    """What the models' yml says of each relation and its columns."""
    from smi_pipeline.sql.project import load_project  # noqa: PLC0415

    return {
        model.relation: (model.description, {column.name: column.description for column in model.columns})
        for model in load_project()
    }


def _platforms(asked: Sequence[Asked] | None) -> list[Platform]:
    return [one.value for one in asked or ()]


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
    )


def _print_lost(months: Sequence[Month]) -> None:
    """What no asking brings back: said where months of the past are made."""
    from smi_pipeline.defs.checks import lost_to_the_past  # noqa: PLC0415

    for line in lost_to_the_past(_existing_lake(), months):
        out.print(f"cannot be had any more, since nobody tells past counts: {line}", soft_wrap=True)


def _print_leaving(months: Sequence[Month]) -> None:
    """Posts that months of the past have no longer, where one of these months has them now."""
    from smi_pipeline.defs.raw import leaving  # noqa: PLC0415

    for line in leaving(_existing_lake(), months):
        out.print(line, markup=False, soft_wrap=True)


def _print_top(month: Month) -> None:
    from smi_pipeline.status import report_lines, top_table  # noqa: PLC0415

    lake = _existing_lake()
    out.print(top_table(lake, month))
    for line in report_lines(lake, month):
        out.print(line, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
