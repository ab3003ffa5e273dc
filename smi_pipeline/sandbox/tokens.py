"""Page tokens: where a listing goes on, in a form no client should read.

A token holds the place of one post among its account's posts, oldest first, and a seal over what is being listed. So it
survives a restart, still fits after newer posts arrive, and a token of another listing (or a made-up one) is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

_PLACE = 6
_SEAL = 6


def seal(scope: str, place: int) -> str:
    """The token for `place` in the listing called `scope`, in letters, digits, `-` and `_`."""
    return base64.urlsafe_b64encode(_sealed(scope, place)).decode()


def unseal(scope: str, token: str) -> int | None:
    """The place a token stands for, or `None` when it is not one of this listing."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return _place(scope, raw)


def seal_plain(scope: str, place: int) -> str:
    """Like `seal`, in small letters and digits alone, as X writes them."""
    return base64.b32encode(_sealed(scope, place)).decode().rstrip("=").lower()


def unseal_plain(scope: str, token: str) -> int | None:
    """Like `unseal`, for what `seal_plain` gave."""
    try:
        raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except (binascii.Error, ValueError):
        return None
    return _place(scope, raw)


def _sealed(scope: str, place: int) -> bytes:
    number = place.to_bytes(_PLACE)
    return number + hashlib.blake2b(scope.encode() + b"\x1f" + number, digest_size=_SEAL).digest()


def _place(scope: str, raw: bytes) -> int | None:
    if len(raw) != _PLACE + _SEAL:
        return None
    place = int.from_bytes(raw[:_PLACE])
    return place if _sealed(scope, place) == raw else None
