"""Names and ids as they go on the wire.

A data set may hold ids its platform could never have (an Instagram shortcode, a hash for a lost tweet id, a name).
Those go out as an id of the platform's own form, worked out from the original alone, so that it is the same in every
run. X and TikTok ids also carry their creation time, as the real ones do: order by id is order by time.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

from smi_pipeline.sandbox.dataset import Platform

_ACCOUNT_FORM: dict[Platform, re.Pattern[str]] = {
    "facebook": re.compile(r"[0-9]{5,20}"),
    "x": re.compile(r"[0-9]{1,19}"),
    "instagram": re.compile(r"[0-9]{17,18}"),
    "youtube": re.compile(r"UC[A-Za-z0-9_-]{22}"),
}
_POST_FORM: dict[Platform, re.Pattern[str]] = {
    "facebook": re.compile(r"[0-9]{5,20}_[0-9]{1,20}"),
    "x": re.compile(r"[0-9]{1,19}"),
    "instagram": re.compile(r"[0-9]{17,18}"),
    "youtube": re.compile(r"[A-Za-z0-9_-]{11}"),
    "tiktok": re.compile(r"[1-9][0-9]{0,17}|[1-8][0-9]{18}"),
}
_NOT_IN_A_HANDLE = re.compile(r"[^A-Za-z0-9_.]+")
_NOT_IN_AN_X_HANDLE = re.compile(r"[^A-Za-z0-9_]+")
_LONGEST_X_HANDLE = 15
_X_EPOCH = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # ids of X count milliseconds from here


def account_id(platform: Platform, ours: str) -> str:
    """The id an account has on the wire; for TikTok, whose answers carry none, the data set's own."""
    form = _ACCOUNT_FORM.get(platform)
    if form is None or form.fullmatch(ours):
        return ours
    number = _number(platform, "account", ours)
    match platform:
        case "facebook":
            return f"1{number % 10**14:014d}"
        case "x":
            return f"1{number % 10**17:017d}"
        case "instagram":
            return f"1784{number % 10**13:013d}"
        case _:
            return "UC" + _letters(22, platform, "account", ours)


def post_id(platform: Platform, ours: str, *, account: str, created_at: datetime, attempt: int = 0) -> str:
    """The id a post has on the wire.

    Args:
        platform: where it was posted.
        ours: the data set's id.
        account: the account's id on the wire; a Facebook post's id begins with it.
        created_at: when it was posted.
        attempt: how many ids worked out for it were already another post's.
    """
    if _POST_FORM[platform].fullmatch(ours):
        return ours
    number = _number(platform, account, ours, str(attempt))
    match platform:
        case "facebook":
            return f"{account}_{ours if ours.isdecimal() and ours.isascii() else number % 10**15}"
        case "x":
            milliseconds = max((created_at - _X_EPOCH) // timedelta(milliseconds=1), 1)
            return str((milliseconds << 22) | (number & 0x3FFFFF))
        case "instagram":
            return f"179{number % 10**14:014d}"
        case "youtube":
            return _letters(11, platform, account, ours, str(attempt))
        case "tiktok":
            return str((int(created_at.timestamp()) << 32) | (number & 0xFFFFFFFF))


def handle(platform: Platform, text: str) -> str:
    """A handle as it goes on the wire, and what an asked-for handle is compared by (case aside)."""
    bare = text.removeprefix("@")
    if platform == "x":
        return _NOT_IN_AN_X_HANDLE.sub("_", bare)[:_LONGEST_X_HANDLE]
    return _NOT_IN_A_HANDLE.sub("_", bare)


def _number(*parts: str) -> int:
    return int.from_bytes(_digest(8, *parts))


def _letters(length: int, *parts: str) -> str:
    return base64.urlsafe_b64encode(_digest(length, *parts)).decode()[:length]


def _digest(size: int, *parts: str) -> bytes:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=size).digest()
