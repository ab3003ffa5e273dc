"""Is this installation fit to run a month? Each part is tried, not only looked at."""

from __future__ import annotations

import asyncio
import platform as machine
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import requires, version

import dagster as dg
import duckdb

from smi_pipeline.collectors.collect import probe
from smi_pipeline.collectors.records import CollectionError, MissingCredential
from smi_pipeline.doctor_running import left, refused, running
from smi_pipeline.finding import Finding
from smi_pipeline.lake.connection import Lake, LakeError, extension_path
from smi_pipeline.lake.locks import held_locks
from smi_pipeline.lake.storage import Storage
from smi_pipeline.launch import dagster_home
from smi_pipeline.registry.load import RegistryError, read_registry
from smi_pipeline.registry.models import PLATFORMS, Platform
from smi_pipeline.settings import SCENARIO_REGISTRY, Settings, ignored_settings

PACKAGES = ("dagster", "duckdb", "duckdb-extension-ducklake", "httpx", "polars", "pydantic", "sqlglot")
LOW_DISK_GIB = 5
SKEW_SECONDS = 60


def examine(settings: Settings) -> Iterator[Finding]:
    """Try everything a run needs, one finding each, as it is found out."""
    yield Finding("python", "ok", machine.python_version())
    yield _packages()
    yield _extensions(settings)
    yield from (Finding("settings", "note", line) for line in ignored_settings())
    lake = _opened(settings)
    yield lake if isinstance(lake, Finding) else _read(lake)
    yield from _locks(settings)
    yield _disk(settings)
    yield _registry(settings)
    if isinstance(lake, Lake):
        yield from refused(lake)
    for platform in PLATFORMS:
        yield from _platform(platform, settings, lake if isinstance(lake, Lake) else None)
    if isinstance(lake, Lake):
        dagster_home(settings.lake)
        with dg.DagsterInstance.get() as instance:
            yield from running(lake, settings, instance)


def _packages() -> Finding:
    wrong = []
    for name, pinned in _pins().items():
        if version(name) != pinned:
            wrong.append(f"{name} is {version(name)} and must be {pinned}")
    if wrong:
        return Finding("packages", "bad", f"{'; '.join(wrong)}; run `make setup`")
    return Finding("packages", "ok", ", ".join(f"{name} {version(name)}" for name in PACKAGES))


def _pins() -> dict[str, str]:
    """The packages this one is tested with at exactly one version."""
    parts = (line.partition("==") for line in requires("smi-pipeline") or () if "extra ==" not in line)
    return {name.strip(): pin.strip() for name, equal, pin in parts if equal}


def _platform(platform: Platform, settings: Settings, lake: Lake | None) -> Iterator[Finding]:
    """The credential, what it may not do, the clocks, and what is left of the quotas."""
    if settings.files(platform, "") is not None:
        yield Finding(platform, "ok", "comes from a vendor's files; nobody is asked")
        return
    try:
        told = asyncio.run(probe(platform, settings))
    except MissingCredential as error:
        yield Finding("credential", "note", str(error))
        return
    except CollectionError as error:
        yield Finding("credential", "bad", str(error))
        return
    yield Finding(
        platform,
        "ok" if told.refusal is None else "bad",
        f"{settings.base_url(platform)} accepts the credential (answered {told.at:%Y-%m-%dT%H:%M:%SZ})"
        + (f", which lacks a permission: {told.refusal}; docs/sources/{platform}.md" if told.refusal else ""),
    )
    skew = (datetime.now(UTC) - told.at).total_seconds()
    if abs(skew) > SKEW_SECONDS and not settings.is_sandbox(platform):
        way = "ahead of" if skew > 0 else "behind"
        yield Finding(
            "clock",
            "bad",
            f"this machine is {abs(skew):.0f} s {way} {platform}: schedules tick at the wrong time; set the clock"
            " (timedatectl set-ntp true)",
        )
    if lake is not None:
        yield from left(lake, platform, told.ledger, told.at)


def _locks(settings: Settings) -> Iterator[Finding]:
    """Locks somebody holds right now; a holder that died holds none."""
    held = held_locks(settings.lake / ".locks")
    if held:
        yield Finding("locks", "note", f"{', '.join(held)}: held by processes at work; `smi status` shows on what")
    else:
        yield Finding("locks", "ok", "none is held")


def _extensions(settings: Settings) -> Finding:
    try:
        paths = [extension_path(name) for name in Storage.of(settings).extensions()]
    except LakeError as error:
        return Finding("extensions", "bad", str(error))
    return Finding("extensions", "ok", ", ".join(path.name for path in paths))


def _opened(settings: Settings) -> Lake | Finding:
    try:
        lake = Lake.configured(settings)
        there = lake.exists()
    except LakeError as error:
        return Finding("lake", "bad", str(error))
    return lake if there else Finding("lake", "note", f"{lake.path}: none yet; the first collection makes it")


def _read(lake: Lake) -> Finding:
    try:
        with lake.read() as cursor:
            # Counting rows is answered from the catalog; only reading a column opens the files.
            read = cursor.execute(
                "select count(distinct handle) from raw.collection_account union all"
                " select count(distinct observed_at) from raw.facebook_accounts"
            ).fetchall()
        snapshot = lake.snapshot()
    except (LakeError, duckdb.Error) as error:
        return Finding("lake", "bad", f"{str(error).splitlines()[0]}; restore it from a backup (docs/operations.md)")
    return Finding("lake", "ok", f"{lake.path}: snapshot {snapshot}, {read[0][0]} accounts asked so far")


def _disk(settings: Settings) -> Finding:
    there = next(folder for folder in (settings.lake.resolve(), *settings.lake.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free / 2**30
    return Finding(
        "disk",
        "bad" if free < 1 else "note" if free < LOW_DISK_GIB else "ok",
        f"{free:.1f} GiB free" + ("; make room, or move the lake's folder as a whole" if free < LOW_DISK_GIB else ""),
    )


def _registry(settings: Settings) -> Finding:
    folder = settings.registry or SCENARIO_REGISTRY
    try:
        registry = read_registry(folder)
    except RegistryError as error:
        return Finding("registry", "bad", str(error))
    return Finding("registry", "ok", f"{folder}: {len(registry.cities)} cities, {len(registry.accounts)} accounts")
