"""`smi method`: the versions of the method, a file of one's own, what another one would change, goalposts by rule."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from smi_pipeline.cli_arguments import existing_lake
from smi_pipeline.cli_arguments import month as parse_month
from smi_pipeline.lake.connection import Lake, LakeError
from smi_pipeline.months import Month, month_range
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.settings import settings

if TYPE_CHECKING:
    import polars as pl

    from smi_pipeline.index.calibration import Calibrated, Calibration
    from smi_pipeline.index.method import Method
    from smi_pipeline.registry.models import Platform

method_app = typer.Typer(
    help="The index method: its versions, a file checked, two compared, goalposts by rule.", no_args_is_help=True
)
out, err = Console(highlight=False), Console(stderr=True, highlight=False)
SHOWN = 20
METRICS = "metrics.city_platform_month"
_NAME = "A bundled version (m1), or the path of a .toml file."


@method_app.command("list")
def method_list() -> None:
    """The bundled versions, their months, and the digest of their numbers."""
    from smi_pipeline.index.method import bundled_versions, load_method  # noqa: PLC0415
    from smi_pipeline.index.versions import bundled_months, digest  # noqa: PLC0415

    table = Table("version", "from", "to", "overlap", "digest")
    spans = {bound.version: (bound, last) for bound, last in bundled_months().spans()}
    for name in (*spans, *(name for name in bundled_versions() if name not in spans)):
        numbers = digest(load_method(name))[:12]
        if name not in spans:
            table.add_row(name, "no month", "", "", numbers)
            continue
        bound, last = spans[name]
        table.add_row(name, _key(bound.since, "the first"), _key(last, "on"), _key(bound.overlap, "-"), numbers)
    out.print(table)
    if settings().method is not None:
        out.print(f"SMI_METHOD is set: {settings().method} for every month", markup=False, soft_wrap=True)


@method_app.command("check")
def method_check(
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help=f"{_NAME} All bundled ones if left out.")] = None,
) -> None:
    """Read a method file and name everything that is wrong with it; else show its weights and goalposts."""
    from smi_pipeline.index.method import MethodError, bundled_versions, load_method  # noqa: PLC0415
    from smi_pipeline.index.versions import bundled_months, digest  # noqa: PLC0415

    problems: list[str] = []
    for name in bundled_versions() if file is None else [file]:
        try:
            method = load_method(name)
        except MethodError as error:
            told = error.mistakes if error.mistakes != [str(error)] else [str(error).removeprefix(f"{name}: ")]
            problems += [f"{name}: {mistake}" for mistake in told]
            continue
        out.print(_summary(method, name))
        if method.version in bundled_versions() and digest(method) != digest(load_method(method.version)):
            problems.append(f"{name}: version: {method.version!r} has other numbers already; give this one a new name")
    if file is None:
        bundled_months()
    for problem in problems:
        err.print(problem, markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


@method_app.command("diff")
def method_diff(
    one: Annotated[str, typer.Argument(metavar="A", help=_NAME)],
    other: Annotated[str, typer.Argument(metavar="B", help=_NAME)],
    month: Annotated[str | None, typer.Option(help="Also score this month of the lake under both.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every city's scores and ranks of --month here.")] = None,
) -> None:
    """The parameters in which two methods differ, and with --month what they do to scores and ranks; stores nothing."""
    from smi_pipeline.index.method import load_method  # noqa: PLC0415
    from smi_pipeline.index.versions import bundled_months, counted_differently, differences  # noqa: PLC0415

    if csv is not None and month is None:
        raise typer.BadParameter("--csv writes the cities of a month: give --month, too")
    scored = None if month is None else parse_month(month)
    a, b = load_method(one), load_method(other)
    found = differences(a, b)
    if found:
        table = Table("parameter", Path(one).name, Path(other).name)
        for key, *values in found:
            table.add_row(key, *("-" if value is None else str(value) for value in values))
        out.print(table)
    else:
        out.print(f"{one} and {other} have the same numbers", markup=False, soft_wrap=True)
    if scored is None:
        for bound in bundled_months().bound:
            if bound.version == other and bound.overlap is not None:
                out.print(f"overlap month: --month {bound.overlap} compares its ranks")
        return
    compared = _compared(existing_lake(), scored, a, b)
    _show_compared(compared, scored, Path(one).name, Path(other).name)
    for key in counted_differently(a, b):
        err.print(f"{key} differs: it decides what is counted, and both are scored on the lake's metrics", markup=False)
    if csv is not None:
        csv.write_text(compared.write_csv(), encoding="utf-8")
        out.print(f"{csv}: {compared.height} cities", markup=False, soft_wrap=True)


@method_app.command("calibrate")
def method_calibrate(
    first: Annotated[str | None, typer.Option("--from", metavar="MONTH", help="First month of the baseline.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="MONTH", help="Last month; the lake's newest.")] = None,
    platform: Annotated[list[str] | None, typer.Option(help="Only this platform; may be repeated.")] = None,
    method: Annotated[str | None, typer.Option(help=f"Whose rule: {_NAME} The newest version if left out.")] = None,
) -> None:
    """Goalposts by the method's rule from the lake's metrics, as TOML to paste into a new version."""
    from smi_pipeline.defs.inputs import method_versions  # noqa: PLC0415
    from smi_pipeline.index.calibration import calibrate  # noqa: PLC0415
    from smi_pipeline.index.method import load_method  # noqa: PLC0415

    begin, end = (None if text is None else parse_month(text) for text in (first, last))
    platforms = _platforms(platform)
    rule = load_method(method or method_versions(settings()).names[-1])
    lake = existing_lake()
    end = end or _newest(lake)
    if begin is None:
        begin = end
        for _ in range(rule.calibration.baseline_months - 1):
            begin = begin.previous
    try:
        months = month_range(begin, end)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    metrics = _metrics(lake, months)
    done = calibrate(metrics, method=rule, platforms=platforms)
    heading = _heading(rule, months, metrics["month"].n_unique())
    sys.stdout.write("\n".join([*heading, *(line for one in done for line in _toml(one, rule))]) + "\n")
    for one in done:
        if one.preliminary:
            err.print(
                f"{one.platform}: {one.months} of at least {rule.calibration.least_months} months: preliminary",
                markup=False,
            )


def _key(month: Month | None, otherwise: str) -> str:
    return otherwise if month is None else month.key


def _number(value: float) -> str:
    return f"{value:.12g}"


def _ends(ends: tuple[float, float]) -> str:
    return f"[{_number(ends[0])}, {_number(ends[1])}]"


def _summary(method: Method, name: str) -> Table:
    """A method's tree and goalposts; the weights that decide most in the caption."""
    from smi_pipeline.index.versions import digest  # noqa: PLC0415

    table = Table("group", "indicator", "weight", *PLATFORMS, title=f"{name}: version {method.version}, {method.zone}")
    for indicator, rule in method.indicators.items():
        posts = [method.goalposts.of(platform).get(indicator) for platform in PLATFORMS]
        group = f"{rule.group} {_number(method.groups[rule.group].weight)}"
        table.add_row(group, indicator, _number(rule.weight), *("-" if one is None else _ends(one) for one in posts))
    measured, judged = method.composite.quantitative, method.composite.qualitative
    table.caption = f"measured {_number(measured)}, judged {_number(judged)}; numbers {digest(method)[:12]}"
    return table


def _compared(lake: Lake, month: Month, one: Method, other: Method) -> pl.DataFrame:
    """The month's composite under both, with the cities' names."""
    from smi_pipeline.defs.derive import score_month  # noqa: PLC0415
    from smi_pipeline.defs.inputs import kept_inputs  # noqa: PLC0415
    from smi_pipeline.index.comparison import compare  # noqa: PLC0415

    inputs = kept_inputs(lake, settings())
    if _metrics(lake, [month]).is_empty():
        raise LakeError(f"{month} has no metrics in {lake.path}; run `smi run {month} --to metrics`")
    a, b = (score_month(lake, month, inputs, method) for method in (one, other))
    return compare(a, b).join(
        inputs.cities.select("city_id", "name_zh", "name_en").unique("city_id", keep="last", maintain_order=True),
        on="city_id",
        how="left",
        maintain_order="left",
    )


def _show_compared(compared: pl.DataFrame, month: Month, one: str, other: str) -> None:
    """A line on all cities, and those that move most."""
    from smi_pipeline.index.comparison import in_words  # noqa: PLC0415

    out.print(f"{month}: {in_words(compared)}", markup=False, soft_wrap=True)
    moved = [row for row in compared.iter_rows(named=True) if row["rank_change"] or row["rank_a"] != row["rank_b"]]
    if not moved:
        return
    table = Table("city", "name", f"rank {one}", f"rank {other}", "move", f"score {one}", f"score {other}", "change")
    for row in moved[:SHOWN]:
        ranks = ["-" if row[key] is None else str(row[key]) for key in ("rank_a", "rank_b")]
        scores = ["-" if row[key] is None else f"{row[key]:.2f}" for key in ("score_a", "score_b")]
        move, change = row["rank_change"], row["score_change"]
        table.add_row(
            row["city_id"],
            row["name_zh"] or "",
            *ranks,
            "-" if move is None else f"{move:+d}",
            *scores,
            "-" if change is None else f"{change:+.2f}",
        )
    out.print(table)
    if len(moved) > SHOWN:
        out.print(f"and {len(moved) - SHOWN} more; --csv writes all")


def _platforms(asked: Sequence[str] | None) -> list[Platform]:
    unknown = [one for one in asked or () if one not in PLATFORMS]
    if unknown:
        raise typer.BadParameter(f"no platform {unknown[0]!r}; expected one of {', '.join(PLATFORMS)}")
    return [platform for platform in PLATFORMS if not asked or platform in asked]


def _newest(lake: Lake) -> Month:
    """The last month with metrics."""
    [newest] = _read(lake, f"select max(month) as month from {METRICS}")["month"]
    if newest is None:
        raise LakeError(_nothing_in(lake))
    return Month(newest)


def _metrics(lake: Lake, months: Sequence[Month]) -> pl.DataFrame:
    """The lake's metrics of cities from the first to the last of `months`."""
    span = {"first": months[0].first, "last": months[-1].first}
    return _read(lake, f"select * from {METRICS} where month between $first and $last", span)


def _read(lake: Lake, sql: str, bound: dict[str, date] | None = None) -> pl.DataFrame:
    import duckdb  # noqa: PLC0415

    from smi_pipeline.lake.frames import read_frame  # noqa: PLC0415

    with lake.read() as cursor:
        try:
            return read_frame(cursor, sql, bound)
        except duckdb.CatalogException:
            raise LakeError(_nothing_in(lake)) from None


def _nothing_in(lake: Lake) -> str:
    return f"no month has metrics in {lake.path}; run `smi run MONTH --to metrics`"


def _heading(method: Method, months: Sequence[Month], there: int) -> list[str]:
    rule = method.calibration
    held = f"the lake has {there} of {len(months)} months, the rule wants {rule.baseline_months}"
    counted = f"city-platforms with at least {rule.active_posts} post in a month"
    return [
        f"# goalposts by the rule of {method.version}, from {counted}:",
        f"# {_number(100 * rule.quantile)} % quantile (type {rule.quantile_type}) rounded down, maximum rounded up",
        f"# baseline {months[0]} .. {months[-1]}: {held}",
    ]


def _toml(done: Calibration, method: Method) -> list[str]:
    """The platform's table, each line with what it was."""
    lines = ["", f"[goalposts.{done.platform}]  # months: {done.months}, cities: {done.cities}"]
    if done.preliminary:
        lines.append(f"# PRELIMINARY: fewer than {method.calibration.least_months} months; see goalposts.frozen_from")
    now = method.goalposts.of(done.platform)
    return lines + [_line(one, now.get(one.indicator), method.version) for one in done.indicators]


def _line(one: Calibrated, now: tuple[float, float] | None, version: str) -> str:
    if one.ends is None:
        why = "not reported" if one.low is None or one.high is None else f"{_number(one.low)} .. {_number(one.high)}"
        kept = "" if now is None else f"; {version}: {_ends(now)}"
        return f"# {one.indicator}: no goalposts follow from {one.observed} figures ({why}){kept}"
    said = f"as in {version}" if one.ends == now else f"{version}: {'-' if now is None else _ends(now)}"
    return f"{one.indicator} = {_ends(one.ends)}  # {said}"
