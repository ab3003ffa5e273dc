"""One request and one answer, as the platform modules see them: no web framework, no clock of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from smi_pipeline.sandbox.plan import Behaviours, Limits

# Accepted wherever a platform wants a key, a token, a secret or the asking account's id.
CREDENTIAL = os.environ.get("SANDBOX_CREDENTIAL", "sandbox")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. `params` has the query (and form) parameters; one given several times is joined with commas.

    `limits` and `behaviours` are the fault file's, for those who answer.
    """

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    origin: str
    now: datetime
    limits: Limits
    behaviours: Behaviours

    @property
    def bearer(self) -> str | None:
        """The token of the Authorization header; `None` when there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() in {"bearer", "oauth"} else None


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a JSON body, its status and the platform's own headers."""

    body: Any
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body as UTF-8 JSON."""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


class RefusedError(Exception):
    """The platform answers with an error: raised anywhere below a handler, sent as it is."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def iso(instant: datetime, *, milliseconds: bool = False) -> str:
    """An instant as 2025-05-01T08:30:00Z, or with `.000` where the platform writes it."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.removesuffix("+00:00") + "Z"


def present(**members: Any) -> dict[str, Any]:
    """A JSON object without the members that are `None`: what the data lack is absent on the wire."""
    return {name: value for name, value in members.items() if value is not None}


def words(text: str) -> list[str]:
    """The parts of a comma-separated parameter, blanks dropped."""
    return [part for part in (piece.strip() for piece in text.split(",")) if part]
