"""The way in: a collector for a platform, and a cheap check of its credential."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from smi_pipeline.collectors import facebook, instagram, tiktok, x, youtube
from smi_pipeline.collectors.http import Wire
from smi_pipeline.collectors.reader import Reader
from smi_pipeline.collectors.records import CollectionError, Collector
from smi_pipeline.collectors.verdict import Refusal
from smi_pipeline.registry.models import Platform
from smi_pipeline.settings import Settings

# A source that is not an API (a licensed provider's export) joins here too, under a name of its own.
_CREATE: dict[Platform, Callable[[Settings, Wire], Reader]] = {
    "facebook": facebook.create,
    "x": x.create,
    "instagram": instagram.create,
    "youtube": youtube.create,
    "tiktok": tiktok.create,
}


@asynccontextmanager
async def collector(platform: Platform, settings: Settings, *, wire: Wire | None = None) -> AsyncIterator[Collector]:
    """A collector with an open client, closed at the end.

    Args:
        platform: whose accounts are to be read.
        settings: base URL, credentials and concurrency.
        wire: what carries the requests and how waiting is done; the network and the clock when not given.

    Raises:
        MissingCredential: before any request, naming the variable to set.
    """
    reader = _CREATE[platform](settings, wire or Wire())
    async with reader.http:
        yield reader


async def probe(platform: Platform, settings: Settings, *, wire: Wire | None = None) -> datetime:
    """Make one cheap call that needs the credential; give the platform's own time of the answer.

    Any answer about the account asked for, even "there is none", shows that the credential is accepted.

    Raises:
        MissingCredential: nothing to check.
        CollectionError: refused, out of quota, or the platform cannot be reached.
    """
    reader = _CREATE[platform](settings, wire or Wire())
    async with reader.http:
        try:
            await reader.probe()
        except Refusal as refusal:
            if refusal.kind == "failed":
                raise CollectionError(f"{platform}: {refusal.detail}", retryable=True) from None
        if reader.http.last_date is None:
            raise CollectionError(f"{platform}: the answer has no readable Date header", retryable=True)
        return reader.http.last_date
