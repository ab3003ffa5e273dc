"""`smi lake`: what a lake takes, its care, its backup, and what is removed from it on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from smi_pipeline.cli_arguments import existing_lake
from smi_pipeline.lake.care import KEPT_DAYS
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.lake.tables import DECLARED
from smi_pipeline.months import Month
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.settings import settings

if TYPE_CHECKING:
    from smi_pipeline.lake.care import Broken
    from smi_pipeline.lake.privacy import Held
    from smi_pipeline.registry.models import Platform

lake_app = typer.Typer(
    help="The lake's care: what it takes, compaction, expiry, check, backup, what is forgotten.", no_args_is_help=True
)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)
SHOWN = 20
_MIB = 2**20


@lake_app.command("status")
def lake_status() -> None:
    """Files and MiB by table, rows still in the catalog, files only history needs; snapshots, orphans."""
    from smi_pipeline.lake.care import sizes  # noqa: PLC0415
    from smi_pipeline.lake.privacy import still_held  # noqa: PLC0415

    lake = existing_lake()
    told = sizes(lake)
    table = Table(title=str(lake.path), title_justify="left")
    table.add_column("table", no_wrap=True)
    for heading in ("files", "MiB", "in catalog", "history", "MiB"):
        table.add_column(heading, justify="right")
    for one in told.tables:
        earlier = (str(one.earlier_files), _mib(one.earlier_size)) if one.earlier_files else ("", "")
        table.add_row(one.table, str(one.files), _mib(one.size), str(one.inlined or ""), *earlier)
    total = [sum(one.size for one in told.tables), sum(one.earlier_size for one in told.tables)]
    files = [sum(one.files for one in told.tables), sum(one.earlier_files for one in told.tables)]
    table.add_section()
    table.add_row("all", str(files[0]), _mib(total[0]), "", str(files[1]), _mib(total[1]))
    out.print(table)
    _say(f"{len(told.snapshots)} snapshots, {len(told.kept)} of them kept for editions and inputs")
    if told.catalog is not None:
        _say(f"the catalog takes {_mib(told.catalog)} MiB")
    if told.unneeded:
        _say(f"{told.unneeded} files are no longer needed; `smi lake expire` deletes them after a day")
    if told.orphans:
        _say(f"{len(told.orphans)} files belong to no commit; `smi lake orphans` lists them")
    with lake.read() as cursor:
        _tell_held(still_held(cursor))


@lake_app.command("compact")
def lake_compact() -> None:
    """Rows of the catalog to files, small files of a table and month into one. No row and no snapshot changes."""
    from smi_pipeline.lake.care import compact  # noqa: PLC0415

    done = compact(existing_lake())
    for one in done:
        parts = [f"{one.flushed} rows to a file"] if one.flushed else []
        parts += [f"{one.before} files into {one.after}"] if one.before else []
        _say(f"{one.table}: {', '.join(parts)}")
    _say("compact already" if not done else "the files they were in are deleted a day later, by `smi lake expire`")


@lake_app.command("expire")
def lake_expire(
    days: Annotated[int, typer.Option(min=0, help="Let go of snapshots that are older.")] = KEPT_DAYS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also let go of every snapshot that holds something removed, editions' too.")
    ] = False,
) -> None:
    """Let go of old snapshots, never an edition's, of payloads older than SMI_PAYLOAD_MONTHS, of unneeded files."""
    from smi_pipeline.lake.care import expire  # noqa: PLC0415
    from smi_pipeline.lake.privacy import purge as purge_lake  # noqa: PLC0415
    from smi_pipeline.lake.privacy import remove_old_payloads, still_held  # noqa: PLC0415

    lake, months, now = existing_lake(), settings().payload_months, datetime.now(UTC)
    if months is not None:
        if dry_run:
            first = Month(now.date().replace(day=1)).plus(-months)
            _say(f"payloads of months before {first} would be removed (SMI_PAYLOAD_MONTHS={months})")
        else:
            first, removed = remove_old_payloads(lake, months, now)
            _say(f"payloads of {removed.rows} rows before {first} were removed; every column stays")
    gone = expire(lake, days, dry_run=dry_run)
    would = "would be let go" if dry_run else "were let go"
    _say(f"{len(gone.gone)} snapshots older than {days} days {would}, {len(gone.kept)} stay for editions and inputs")
    if not dry_run:
        _say(f"{gone.files} unneeded files were deleted")
    if purge and not dry_run:
        _tell_purged(purge_lake(lake))
    with lake.read() as cursor:
        _tell_held(still_held(cursor))


@lake_app.command("orphans")
def lake_orphans(
    remove: Annotated[bool, typer.Option("--remove", help="Delete those that are older than a day.")] = False,
) -> None:
    """List files that belong to no commit: left by a process that was killed."""
    from smi_pipeline.lake.care import remove_orphans  # noqa: PLC0415
    from smi_pipeline.lake.catalog import orphans  # noqa: PLC0415

    lake = existing_lake()
    if remove:
        gone = remove_orphans(lake)
        _say(f"{len(gone)} orphans older than a day were deleted")
    with lake.read() as cursor:
        listed = orphans(cursor)
    for path in listed:
        _say(path)
    _say(f"{len(listed)} orphans" + ("" if remove or not listed else "; --remove deletes those older than a day"))


@lake_app.command("check")
def lake_check(
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Put wrong bounds right; then derive each published month again and compare."),
    ] = False,
) -> None:
    """Read every column of every file: are all rows there, do the bounds hold? And look at the catalog."""
    from smi_pipeline.lake.bounds import lines  # noqa: PLC0415
    from smi_pipeline.lake.care import check, repair_bounds  # noqa: PLC0415

    lake, doubted = existing_lake(), _as_it_is()
    with _bar("read") as on_file:
        checked = check(doubted, on_file)
    for one in checked.broken:
        _complain(_broken(one))
    if checked.catalog is not None:
        _complain(checked.catalog)
    for line in lines(checked.bounds):
        _complain(line)
    failed = bool(checked.broken) or checked.catalog is not None
    if checked.bounds or checked.doubtful:
        if failed or not repair:
            what = (
                f"{len(checked.bounds)} bounds are wrong" if checked.bounds else "no bounds are wrong, some may become"
            )
            _complain(
                f"{what}; --repair puts them right" + (", once the files above are brought back" if failed else "")
            )
            raise typer.Exit(1)
        repair_bounds(doubted, checked.bounds)
        _say(f"{len(checked.bounds)} bounds were put right; tables have none now")
        if checked.bounds:
            failed = not _as_published(lake)
    if failed:
        raise typer.Exit(1)
    _say(f"{checked.files} files with {checked.rows} rows are as they were written, and so is the catalog")


def _as_published(lake: Lake) -> bool:
    """Derive the newest edition of each published month again and compare its tables; name those that are not alike."""
    from smi_pipeline.defs.rebuild import again, differences  # noqa: PLC0415
    from smi_pipeline.lake.editions import editions  # noqa: PLC0415
    from smi_pipeline.report.files import EditionError  # noqa: PLC0415

    with lake.read() as cursor:
        newest = {one.month: one for one in editions(cursor) if one.state == "published"}
    alike = True
    for month, edition in newest.items():
        named = f"{month:%Y-%m} edition {edition.number}"
        try:
            differing = differences(edition.tables, again(lake, edition).tables)
        except (LakeError, EditionError) as error:
            _complain(f"{named} cannot be compared: {error}")
            alike = False
            continue
        if not differing:
            _say(f"{named}: derived again, every table is as it was published")
            continue
        alike = False
        _complain(
            f"{named} was published wrongly: derived again, {', '.join(differing)} differ;"
            f" `smi run {month:%Y-%m}` derives it, `smi restate {month:%Y-%m} --reason TEXT` publishes it"
        )
    _say("months that are derived and not published may be wrong, too: `smi backfill FROM TO` derives them again")
    return alike


@lake_app.command("backup")
def lake_backup(folder: Annotated[Path, typer.Argument(help="The backup; made, or brought up to date.")]) -> None:
    """Copy the lake: the catalog of one instant, its files, reports and inbox; what is there is not copied again."""
    from smi_pipeline.lake.backup import back_up  # noqa: PLC0415

    with _bar("copy") as on_file:
        done = back_up(_as_it_is(), folder, on_file)
    _say(
        f"{folder}: snapshot {done.snapshot}, {done.files} files; {done.copied} of them ({_mib(done.bytes)} MiB)"
        f" were copied now, {done.dropped} dropped"
    )


@lake_app.command("restore")
def lake_restore(
    folder: Annotated[Path, typer.Argument(help="The backup.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the lake that is there.")] = False,
    files: Annotated[
        bool, typer.Option("--files", help="Only bring back files that are lost or damaged; later commits stay.")
    ] = False,
) -> None:
    """Make the lake what it was at a backup, every file checked against its checksum. Stop all that uses it before."""
    from smi_pipeline.lake.backup import restore, restore_files  # noqa: PLC0415

    lake = Lake.configured(settings())
    with _bar("restore") as on_file:
        if files:
            brought = restore_files(folder, _as_it_is(), on_file)
        else:
            done = restore(folder, lake, force=force, on_file=on_file)
    if files:
        for path in brought:
            _say(path)
        _say(f"{len(brought)} files were brought back")
        return
    _say(f"{lake.path}: snapshot {done.snapshot} of the backup {folder}, {done.copied} of {done.files} files copied")


@lake_app.command("drop")
def lake_drop(table: Annotated[str, typer.Argument(metavar="TABLE", help="A derived one, like metrics.x.")]) -> None:
    """Drop a derived table whose files are lost, to derive its months again; raw tables are refused."""
    from smi_pipeline.lake.derived import drop_derived  # noqa: PLC0415

    drop_derived(_as_it_is(), table)
    _say(f"{table} is gone; `smi backfill FROM TO` derives its months again and asks nobody")


@lake_app.command("forget")
def lake_forget(
    platform: Annotated[str, typer.Argument(metavar="PLATFORM", help=f"One of {', '.join(PLATFORMS)}.")],
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id in the registry, or its handle.")],
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    purge: Annotated[
        bool, typer.Option("--purge", help="Also out of history: no edition up to now can be rebuilt afterwards.")
    ] = False,
) -> None:
    """Delete an account's posts and payloads; its sums and scores stay, and what was done is recorded."""
    from smi_pipeline.defs.models import derive_intermediate  # noqa: PLC0415
    from smi_pipeline.lake.privacy import (  # noqa: PLC0415
        accounts_called,
        forget,
        forgotten,
        months_with_posts,
        still_held,
    )
    from smi_pipeline.lake.privacy import purge as purge_lake  # noqa: PLC0415

    if not reason.strip():
        raise typer.BadParameter("say why", param_hint="--reason")
    lake, whose = existing_lake(), _platform(platform)
    with lake.read() as cursor:
        found = accounts_called(cursor, whose, account)
        months = months_with_posts(cursor, whose, found[0]) if len(found) == 1 else []
    if len(found) != 1:
        listed = f"several are called so: {', '.join(found)}" if found else "it was never asked about"
        raise LakeError(f"{platform} {account!r}: {listed}; give the account_id of the registry")
    for month in months:
        derive_intermediate(lake, [Month(month)])  # the sums that stay
    done = forget(lake, whose, found[0], reason=reason.strip(), removed_at=datetime.now(UTC))
    if done.rows:
        spans = ", ".join(f"{month:%Y-%m}" for month in done.months) or "no month"
        _say(f"{platform} {found[0]}: {done.rows} rows of {spans} lost their posts or payloads; sums and scores stay")
    else:
        with lake.read() as cursor:
            before = forgotten(cursor, whose, found[0])
        when = "" if before is None else f"; it was forgotten on {before[0]:%Y-%m-%d} ({before[1]})"
        _say(f"{platform} {found[0]}: nothing is left to remove{when}; nothing was done")
    if purge:
        _tell_purged(purge_lake(lake))
    with lake.read() as cursor:
        _tell_held(still_held(cursor))
    _say(
        "not touched: published files and earlier backups. If the registry still names the account, set its valid_to,"
        " or the next collection asks for it again"
    )


def _as_it_is() -> Lake:
    """The lake that is set, also where its bounds may not hold: for what goes by the catalog's files alone."""
    return replace(existing_lake(), doubted=True)


def _broken(one: Broken) -> str:
    file = one.file
    needed = "part of the table now" if file.end is None else f"needed by snapshots {file.begin} to {file.end - 1}"
    again = (
        "these rows are lost: a platform tells today's counts only, and to a lake that can still read the month"
        if file.table in DECLARED
        else f"`smi lake drop {file.table}`, then `smi backfill FROM TO` derives its months again and asks nobody"
    )
    return (
        f"{file.path}: rows of {file.whose}, {needed}, {one.state} ({one.reason});"
        f" `smi lake restore BACKUP --files` brings it back. Without a backup {again}"
    )


def _tell_held(held: Held) -> None:
    if not held.snapshots:
        return
    editions = f", {len(held.editions)} of them named by editions" if held.editions else ""
    _say(
        f"what was removed can still be read in {len(held.snapshots)} earlier snapshots{editions}:"
        " `smi lake expire --purge` lets them go; their editions can then no longer be rebuilt, only their files stay"
    )


def _tell_purged(held: Held) -> None:
    lost = f"; {len(held.editions)} snapshots of editions among them" if held.editions else ""
    _say(f"{len(held.snapshots)} snapshots from before the removal were let go and their files deleted{lost}")


def _platform(name: str) -> Platform:
    for platform in PLATFORMS:
        if platform == name:
            return platform
    raise typer.BadParameter(f"no platform {name!r}; expected one of {', '.join(PLATFORMS)}")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of files; gives what to call with how many are done of how many."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=err, transient=True
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of: progress.update(task, completed=done, total=of)


def _mib(size: int) -> str:
    return f"{size / _MIB:.1f}"


def _say(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def _complain(text: str) -> None:
    err.print(text, markup=False, soft_wrap=True)
