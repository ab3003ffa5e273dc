"""`smi trace`: a city's score walked down to the records the platforms sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer
from rich.console import Console

from smi_pipeline.cli_arguments import existing_lake
from smi_pipeline.cli_arguments import month as parse_month
from smi_pipeline.cli_output import print_json
from smi_pipeline.lake.connection import LakeError
from smi_pipeline.lake.editions import published
from smi_pipeline.lake.history import at_snapshot
from smi_pipeline.settings import settings

if TYPE_CHECKING:
    from smi_pipeline.report.trace import AccountTrace, PlatformTrace, Record, Trace

err = Console(stderr=True, highlight=False)
_EXCERPT: Final = 400
_SHA: Final = 12

AskedPlatform = Literal["facebook", "x", "instagram", "youtube", "tiktok"]


def trace(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="A month as YYYY-MM.")],
    city: Annotated[str, typer.Argument(metavar="CITY", help="Its id, or its Chinese or English name.")],
    platform: Annotated[AskedPlatform | None, typer.Option("--platform", help="Only this platform's part.")] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", min=1, help="Of this published edition; not given: the tables as they are."),
    ] = None,
    payload: Annotated[bool, typer.Option("--payload", help="With the beginning of each record's JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON; with --payload the records are whole.")] = False,
) -> None:
    """Walk a score down to indicators, accounts, posts and payloads; exit 1 where a sum does not agree."""
    from smi_pipeline.defs.inputs import inputs_under, kept_inputs  # noqa: PLC0415
    from smi_pipeline.defs.trace import trace_input  # noqa: PLC0415
    from smi_pipeline.report.explanation import UnknownCityError  # noqa: PLC0415
    from smi_pipeline.report.trace import trace  # noqa: PLC0415

    one, lake = parse_month(month), existing_lake()
    if number is None:
        inputs = kept_inputs(lake, settings())
    else:
        with lake.read() as cursor:
            edition = published(cursor, one.first, number)
        if edition is None:
            raise LakeError(f"there is no published edition {number} of {one}; `smi edition list` shows what is")
        lake = at_snapshot(lake, edition.tables_snapshot)
        inputs = inputs_under(lake, edition.basis.methods)
    try:
        traced = trace(trace_input(lake, one, inputs, city), platform)
    except UnknownCityError as error:
        err.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    if as_json:
        told = asdict(traced, dict_factory=dict if payload else _without_payload)
        print_json(told)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(traced, payload=payload)))
    for failure in traced.failed:
        err.print(str(failure), markup=False, soft_wrap=True)
    if traced.failed:
        raise typer.Exit(1)


def _without_payload(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if name != "payload"}


def _lines(traced: Trace, *, payload: bool) -> Iterator[str]:
    place = "not ranked" if traced.rank is None else f"rank {traced.rank}"
    names = f"{traced.city.name_zh} {traced.city.name_en} ({traced.city.city_id})"
    yield f"{traced.month} {names}: score {_number(traced.score)}, {place}, {traced.status}"
    if traced.expert is not None:
        yield f"  experts add {_number(traced.expert)}"
    for platform in traced.platforms:
        yield from _platform(platform, payload=payload)
    yield "collections and what was asked for them"
    for one in traced.collections:
        asked = ", ".join(one.requests) or ("a vendor's files" if one.source == "files" else "nothing")
        again = f", read again from the payloads of {one.reparsed_from}" if one.reparsed_from else ""
        yield f"  {one.collection_id} {one.cut}, {one.started_at:%Y-%m-%d %H:%M:%S}Z: {asked}{again}"
    failed = len(traced.failed)
    yield f"{traced.checked - failed} of {traced.checked} sums and records agree" + (" - NOT ALL" if failed else "")


def _platform(one: PlatformTrace, *, payload: bool) -> Iterator[str]:
    part = "outside the composite"
    if one.contribution is not None:
        part = f"adds {_number(one.contribution)} = {_number(one.score)} x {_number(one.weight)}"
    yield f"  {one.platform}: score {_number(one.score)}, {part}"
    for indicator in one.indicators:
        flags = f" [{', '.join(indicator.flags)}]" if indicator.flags else ""
        yield (
            f"    {indicator.indicator}: {_number(indicator.value)} of {indicator.of_month} gives"
            f" {_number(indicator.score)} points, adds {_number(indicator.contribution)}{flags}"
        )
    for account in one.accounts:
        yield from _account(account, payload=payload)


def _account(one: AccountTrace, *, payload: bool) -> Iterator[str]:
    counts = ", ".join(f"{name} {_number(value)}" for name, value in one.counts.items())
    yield f"    account {one.account_id} @{_plain(one.handle)} ({one.outcome}): {counts or 'no figures'}"
    for seen in one.followers:
        yield f"      followers {seen.followers} ({seen.at}) <- {_record(seen.record)}"
        yield from _payload(seen.record, wanted=payload)
    for post in one.posts:
        counts = ", ".join(f"{name} {_number(post.counts[name])}" for name in ("likes", "comments", "shares", "views"))
        kind = f"{post.kind or 'post'}{'' if post.counted else ', not counted'}"
        yield f"      {_plain(post.post_id)} ({kind}): {counts} <- {_record(post.record)}"
        yield from _payload(post.record, wanted=payload)


def _record(record: Record | None) -> str:
    if record is None:
        return "no record"
    seen = f"{record.observed_at:%Y-%m-%d %H:%M:%S}Z"
    return f"{record.collection_id} at {seen}, payload sha256 {record.payload_sha256[:_SHA]}"


def _payload(record: Record | None, *, wanted: bool) -> Iterator[str]:
    if wanted and record is not None:
        yield f"        {_plain(record.payload)}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.6g}"


def _plain(text: str) -> str:
    """Strangers wrote it: nothing in it acts on the terminal."""
    from smi_pipeline.report.untrusted import clean  # noqa: PLC0415

    return clean(text, length=_EXCERPT)
