"""Credentials: read from the settings, and kept out of everything that is written down."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

from smi_pipeline.collectors.records import CollectionError, MissingCredential
from smi_pipeline.registry.models import Platform
from smi_pipeline.settings import Settings

HIDDEN = "[redacted]"
# A shorter value is a placeholder (the sandbox's `sandbox`); hiding it would blank ordinary words in posts.
SHORTEST_SECRET = 8
# In what a platform sent, only names that never belong to a text; in our own messages `key` and headers as well.
# One pattern a name, tried only where the name occurs: each begins with a literal, which keeps it fast on whole pages.
_SENT = {
    name: (re.compile(rf"({name})=[^&\s\"'\\<>]+"), re.compile(rf'({name}"\s*:\s*)"(?:[^"\\]|\\.)*"'))
    for name in ("access_token", "appsecret_proof", "client_secret", "client_key", "refresh_token")
}
_SAID = re.compile(r"(?i)(?<![a-z0-9])(key|token|secret|password)=[^&\s\"'\\<>]+")
_HEADER = re.compile(r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?)(?:bearer\s+|basic\s+)?[^\s\"',;]+")
_BEARER = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=%-]{8,}")


def credential(settings: Settings, platform: Platform, name: str) -> str:
    """The value of a credential setting.

    Raises:
        MissingCredential: it is not set, or empty.
        CollectionError: it holds characters no credential has (a line break from a copied file, for one).
    """
    value = getattr(settings, name)
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    text = (text or "").strip()
    variable = f"SMI_{name.upper()}"
    if not text:
        raise MissingCredential(platform, variable)
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise CollectionError(
            f"{platform}: the credential holds characters that none has", remedy=f"set {variable} again"
        )
    return str(text)


def appsecret_proof(settings: Settings, token: str) -> dict[str, str]:
    """The parameter that proves a Graph API token to be used by its own app; none where no app secret is set."""
    if settings.facebook_app_secret is None or not settings.facebook_app_secret.get_secret_value():
        return {}
    secret = settings.facebook_app_secret.get_secret_value().strip()
    return {"appsecret_proof": hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()}


class Redactor:
    """Takes credentials out of text: the values it knows, and whatever stands where a credential stands."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: list[str] = []
        for secret in secrets:
            self.learn(secret)

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values)"

    def learn(self, secret: str) -> None:
        """Hide this value too, in each form it takes in a URL or in JSON."""
        if len(secret) < SHORTEST_SECRET:
            return
        in_json = json.dumps(secret)[1:-1]
        forms = {secret, quote(secret, safe=""), quote_plus(secret), in_json, in_json.replace("/", "\\/")}
        self._values = sorted({*self._values, *forms}, key=len, reverse=True)

    def received(self, text: str) -> str:
        """What a platform sent, without credentials: applied before anything else reads the answer.

        Texts of posts stay as they are but for the credentials themselves; JSON stays valid JSON.
        """
        for value in self._values:  # longest first, so that no part of one is left over
            text = text.replace(value, HIDDEN)
        for name, (parameter, member) in _SENT.items():
            if name in text:
                text = member.sub(rf'\1"{HIDDEN}"', parameter.sub(rf"\1={HIDDEN}", text))
        return text

    def message(self, text: str) -> str:
        """A message of our own, without anything that could be a credential."""
        text = _HEADER.sub(rf"\1{HIDDEN}", self.received(text))
        return _BEARER.sub(rf"\1{HIDDEN}", _SAID.sub(rf"\1={HIDDEN}", text))
