"""From a stored payload to the record it holds: the same reading as when it came, by the models of today."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter

from smi_pipeline.collectors import facebook, files, instagram, tiktok, x, youtube
from smi_pipeline.collectors.fields import PostRecord, Record, read
from smi_pipeline.collectors.harvest import Harvest
from smi_pipeline.collectors.records import AccountResult, Outcome, Window
from smi_pipeline.registry.models import Account


class Stored(NamedTuple):
    """One payload as it was kept, with the account's id on the platform and when it was read."""

    platform_account_id: str
    observed_at: datetime
    payload: str


class _Models(NamedTuple):
    account: type[Record]
    post: type[PostRecord]


R = TypeVar("R", bound=Record)
UPLOAD = TypeAdapter(youtube.Upload)
# By what the raw tables of the records begin with.
_MODELS = {
    "facebook": _Models(facebook.FacebookPage, facebook.FacebookPost),
    "x": _Models(x.XUser, x.XPost),
    "instagram": _Models(instagram.InstagramAccount, instagram.InstagramPost),
    "youtube": _Models(youtube.YouTubeChannel, youtube.YouTubeVideo),
    "tiktok": _Models(tiktok.TikTokUser, tiktok.TikTokVideo),
    "vendor": _Models(files.VendorAccount, files.VendorPost),
}


def read_again(
    tables: str,
    account: Account,
    window: Window,
    outcome: Outcome,
    detail: str | None,
    observed_at: datetime,
    *,
    accounts: Sequence[Stored],
    posts: Sequence[Stored],
) -> AccountResult:
    """What an account gave, read again from its payloads. Outcome and words stay what they were.

    Args:
        tables: whose payloads they are: a platform, or `vendor`.
        account: the account, as it was asked.
        window: the instants whose posts were wanted.
        outcome: what became of it then.
        detail: the platform's words then.
        observed_at: when it was done.
        accounts: payloads of its own record.
        posts: payloads of its posts, those that were rejected whole among them.

    Raises:
        Refusal: a payload does not fit today's models.
    """
    models, harvest = _MODELS[tables], Harvest(account, window)
    for stored in accounts:
        harvest.platform_account_id = stored.platform_account_id
        payload = json.loads(stored.payload)
        harvest.observe(_validated(models.account, payload), payload, stored.observed_at)
    for stored in posts:
        harvest.platform_account_id = stored.platform_account_id or harvest.platform_account_id
        payload = json.loads(stored.payload)
        if tables == "youtube" and "video" not in payload:  # an upload whose time was unreadable: never asked for
            harvest.refuse(UPLOAD.validate_python(payload["playlistItem"]), payload, stored.observed_at)
            continue
        prepared = x.item(payload) if tables == "x" else payload
        harvest.add([_validated(models.post, prepared)], [payload], stored.observed_at)
    harvest.observed_at = observed_at
    result = harvest.result(outcome)
    return replace(result, detail=detail)


def _validated(model: type[R], payload: Any) -> R:
    return read(TypeAdapter(model), payload, f"a stored payload ({model.__name__})")
