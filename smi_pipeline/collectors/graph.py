"""What Facebook and Instagram share: the Graph API's errors, credential and the halving of pages.

Sources: Graph API error handling and rate limiting pages; python-facebook's recorded answers. Errors are told by code,
and by message only where one code has several meanings.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from smi_pipeline.collectors.credentials import Redactor, appsecret_proof, credential
from smi_pipeline.collectors.http import Http, Wire
from smi_pipeline.collectors.pace import minutes_to_regain_access
from smi_pipeline.collectors.quota import Ledger
from smi_pipeline.collectors.verdict import (
    OK,
    Classifier,
    Kind,
    Refusal,
    Reply,
    Verdict,
    by_status,
    decided,
    is_good,
    words,
)
from smi_pipeline.registry.models import Platform
from smi_pipeline.settings import Settings

POLICY_BLOCK = 368
_NO_FIELD = re.compile(r"nonexisting field \((\w+)\)")
_PROOF = re.compile(r"app[\s_-]*secret[\s_-]*proof", re.IGNORECASE)
BAD_PARAMETER, NO_SUCH_OBJECT = 100, 33
MIGRATED = 21  # a Page that was merged into another one, which the message names
TRANSIENT_CODES = (1, 2)
_CODES: dict[Kind, Iterable[int]] = {
    "auth": (102, 104, 190, POLICY_BLOCK),
    "throttle": (4, 17, 32, 341, 613, *range(80000, 80015)),
    "transient": TRANSIENT_CODES,
    "missing": (MIGRATED, 803),
    "unavailable": (110,),
    "permission": (10, *range(200, 300)),
}
_KINDS = {code: kind for kind, codes in _CODES.items() for code in codes}


def connect(platform: Platform, settings: Settings, wire: Wire, *, classify: Classifier) -> Http:
    """A client for the Graph API. The token travels in a header, never in a URL.

    Where an app secret is set it proves Instagram's token as well: both tokens are of the same app.
    """
    token = credential(settings, platform, f"{platform}_token")
    proof = appsecret_proof(settings, token)
    secret = settings.facebook_app_secret.get_secret_value() if settings.facebook_app_secret else ""
    return Http(
        platform,
        settings.base_url(platform),
        classify=classify,
        redact=Redactor([token, secret, *proof.values()]),
        headers={"authorization": f"Bearer {token}"},
        params=proof,
        concurrency=settings.concurrency,
        wire=wire,
        ledger=Ledger(platform),
        a_minute=settings.a_minute(platform),
    )


def classify(reply: Reply, *, variable: str) -> Verdict:
    """What a Graph answer means. `variable` names the credential's setting."""
    remedy = f"set a valid {variable}"
    error = reply.part("error")
    if not isinstance(error, dict):
        if is_good(reply) and not isinstance(reply.body, dict):
            return Verdict("failed", "drift: the answer is not a JSON object")
        return by_status(reply, "", remedy=remedy)
    said = words(f"error {error.get('code')}", error.get("message"), error.get("error_user_msg"))
    refused = _NO_FIELD.search(str(error.get("message") or ""))
    if error.get("code") == BAD_PARAMETER and refused is not None:
        return Verdict("bad_field", said, named=(refused[1],))
    kind = _kind(error)
    if kind is None:
        verdict = by_status(reply, said, remedy=remedy)
        return Verdict("failed", said) if verdict is OK else verdict
    if error.get("code") == POLICY_BLOCK:
        remedy = "the app is blocked for a violation of policies: see its dashboard"
    elif _demands_proof(error):
        remedy = "set SMI_FACEBOOK_APP_SECRET to the secret of the token's own app"
    verdict = decided(kind, reply, said, remedy=remedy)
    if kind == "throttle" and (minutes := minutes_to_regain_access(reply)):
        return replace(verdict, wait=minutes * 60)
    return verdict


def _kind(error: dict[str, Any]) -> Kind | None:
    """What an error object means, null where only its HTTP status tells."""
    code, message = error.get("code"), str(error.get("message") or "").lower()
    if _demands_proof(error):
        return "auth"
    if code == BAD_PARAMETER:
        if error.get("error_subcode") == NO_SUCH_OBJECT:
            return "missing"
        return "permission" if "permission" in message else None
    if code in TRANSIENT_CODES and "reduce the amount of data" in message:
        return "less_data"
    known = _KINDS.get(code) if isinstance(code, int) else None
    return "transient" if known is None and error.get("is_transient") is True else known


def _demands_proof(error: dict[str, Any]) -> bool:
    """Whether the app's proof is wanting or wrong: one code (100) for this and much else, in several wordings."""
    return any(_PROOF.search(str(error.get(name) or "")) for name in ("message", "error_user_title", "error_user_msg"))


async def in_smaller_pages(ask: Callable[[int], Awaitable[Reply]], limit: int) -> tuple[Reply, int]:
    """Ask for a page, for half as many whenever that is said to be too much. Gives the limit that went through."""
    while True:
        try:
            return await ask(limit), limit
        except Refusal as refusal:
            if refusal.kind != "less_data" or limit == 1:
                raise
            limit //= 2
