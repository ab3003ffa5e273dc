"""The way in: a collector for a platform, and a cheap check of its credential."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from smi_pipeline.collectors import facebook, instagram, tiktok, x, youtube
from smi_pipeline.collectors.files import FileReader
from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.quota import Ledger
from smi_pipeline.collectors.reader import Reader
from smi_pipeline.collectors.records import CollectionError, Collector
from smi_pipeline.collectors.verdict import Refusal
from smi_pipeline.registry.models import Platform
from smi_pipeline.settings import Settings

_CREATE: dict[Platform, Callable[[Settings, Wire], Reader]] = {
    "facebook": facebook.create,
    "x": x.create,
    "instagram": instagram.create,
    "youtube": youtube.create,
    "tiktok": tiktok.create,
}


@asynccontextmanager
async def collector(
    platform: Platform, settings: Settings, *, wire: Wire | None = None, files: Path | None = None
) -> AsyncIterator[Collector]:
    """A collector with an open client, closed at the end; or one over a vendor's files.

    Args:
        platform: whose accounts are to be read.
        settings: base URL, credentials and concurrency.
        wire: what carries the requests and how waiting is done; the network and the clock when not given.
        files: folder of a vendor's files for what is to be collected, in place of the API.

    Raises:
        MissingCredential: before any request, naming the variable to set.
    """
    if files is not None:
        yield FileReader(platform, files)
        return
    reader = _CREATE[platform](settings, wire or Wire())
    async with reader.http:
        yield reader


@dataclass(frozen=True)
class Probed:
    """A credential that is accepted: the platform's own time, what it would not show, and the budgets that count.

    `refusal`: the platform's words where it lacks a permission; null where nothing was refused.
    """

    at: datetime
    refusal: str | None
    ledger: Ledger


async def probe(platform: Platform, settings: Settings, *, wire: Wire | None = None) -> Probed:
    """Make one cheap call that needs the credential.

    Any answer about the account asked for, even "there is none", shows that the credential is accepted.

    Raises:
        MissingCredential: nothing to check.
        CollectionError: refused, out of quota, or the platform cannot be reached.
    """
    reader, lacks = _CREATE[platform](settings, wire or Wire()), None
    async with reader.http:
        try:
            await reader.probe()
        except Refusal as refusal:
            if refusal.kind == "failed":
                raise CollectionError(f"{platform}: {refusal.detail}", retryable=True) from None
            lacks = refusal.detail if refusal.kind == "permission" else None
        if reader.http.last_date is None:
            raise CollectionError(f"{platform}: the answer has no readable Date header", retryable=True)
        return Probed(reader.http.last_date, lacks, reader.http.ledger)
