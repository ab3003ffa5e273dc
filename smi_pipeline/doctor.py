"""Is this installation fit to run a month? Each part is tried, not only looked at."""

from __future__ import annotations

import asyncio
import platform as machine
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import duckdb

from smi_pipeline.collectors.collect import probe
from smi_pipeline.collectors.records import CollectionError, MissingCredential
from smi_pipeline.lake.connection import Lake, LakeError, extension_path
from smi_pipeline.lake.storage import Storage
from smi_pipeline.registry.load import RegistryError, read_registry
from smi_pipeline.registry.models import PLATFORMS
from smi_pipeline.settings import SCENARIO_REGISTRY, Settings

PACKAGES = ("dagster", "duckdb", "duckdb-extension-ducklake", "httpx", "polars", "pydantic", "sqlglot")
LOW_DISK_GIB = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was tried. `bad` makes the command fail; `note` is worth knowing."""

    subject: str
    verdict: Literal["ok", "note", "bad"]
    text: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Try everything a run needs, one finding each, as it is found out."""
    yield Finding("python", "ok", machine.python_version())
    yield Finding("packages", "ok", ", ".join(f"{name} {version(name)}" for name in PACKAGES))
    yield _extensions(settings)
    yield _lake(settings)
    yield _disk(settings)
    yield _registry(settings)
    for platform in PLATFORMS:
        try:
            at = asyncio.run(probe(platform, settings))
        except MissingCredential as error:
            yield Finding("credential", "note", str(error))
        except CollectionError as error:
            yield Finding("credential", "bad", str(error))
        else:
            yield Finding(
                platform,
                "ok",
                f"{settings.base_url(platform)} accepts the credential (answered {at:%Y-%m-%dT%H:%M:%SZ})",
            )


def _extensions(settings: Settings) -> Finding:
    try:
        paths = [extension_path(name) for name in Storage.of(settings).extensions()]
    except LakeError as error:
        return Finding("extensions", "bad", str(error))
    return Finding("extensions", "ok", ", ".join(path.name for path in paths))


def _lake(settings: Settings) -> Finding:
    try:
        lake = Lake.configured(settings)
        if not lake.exists():
            return Finding("lake", "note", f"{lake.path}: none yet; the first collection makes it")
        with lake.read() as cursor:
            # Counting rows is answered from the catalog; only reading a column opens the files.
            read = cursor.execute(
                "select count(distinct handle) from raw.collection_account union all"
                " select count(distinct observed_at) from raw.facebook_accounts"
            ).fetchall()
        snapshot = lake.snapshot()
    except (LakeError, duckdb.Error) as error:
        return Finding("lake", "bad", str(error).splitlines()[0])
    return Finding("lake", "ok", f"{lake.path}: snapshot {snapshot}, {read[0][0]} accounts asked so far")


def _disk(settings: Settings) -> Finding:
    there = next(folder for folder in (settings.lake.resolve(), *settings.lake.resolve().parents) if folder.exists())
    free = shutil.disk_usage(there).free / 2**30
    return Finding("disk", "bad" if free < 1 else "note" if free < LOW_DISK_GIB else "ok", f"{free:.1f} GiB free")


def _registry(settings: Settings) -> Finding:
    folder = settings.registry or SCENARIO_REGISTRY
    try:
        registry = read_registry(folder)
    except RegistryError as error:
        return Finding("registry", "bad", str(error))
    return Finding("registry", "ok", f"{folder}: {len(registry.cities)} cities, {len(registry.accounts)} accounts")
