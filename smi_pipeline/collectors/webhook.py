"""The door to a chat: one POST of a JSON object with a `text`, as incoming webhooks of chat tools accept it.

The URL is a secret: whoever has it may write. It is in no message, no error and no log.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

# httpx writes each URL at INFO.
logging.getLogger("httpx").setLevel(logging.WARNING)
TIMEOUT = httpx.Timeout(10)
ANSWER = 200  # characters of a refusal that are quoted


class WebhookError(Exception):
    """The message did not arrive. Names the host and what it answered."""


def post(url: SecretStr, text: str, *, transport: httpx.BaseTransport | None = None) -> None:
    """Send `text`; asked once, since whoever calls comes back.

    Raises:
        WebhookError: no URL of the right kind, out of reach, or anything but a 2xx answer.
    """
    address = url.get_secret_value().strip()
    parts = urlsplit(address)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise WebhookError("SMI_NOTIFY_WEBHOOK is not an http or https URL")
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False, follow_redirects=False, transport=transport) as client:
            answer = client.post(address, json={"text": text})
    except httpx.HTTPError as error:
        # Not `from error`: its request carries the URL, and a traceback would show it.
        raise WebhookError(f"the webhook at {parts.hostname} is out of reach: {type(error).__name__}") from None
    if not answer.is_success:
        said = answer.text[:ANSWER].replace(address, "[redacted]").strip()
        raise WebhookError(f"the webhook at {parts.hostname} answered {answer.status_code}: {said}")
