"""Incoming webhooks of chats: one POST of JSON in the shape the chat takes; its answer may refuse with a 200.

The URL is a secret: whoever has it may write. It is in no message, no error and no log.
Sources: docs.slack.dev (formatting message text: & < > are escaped), open.dingtalk.com (custom robots), open.feishu.cn
(custom bot guide: `<at user_id=...>` in a text is a mention), developer.work.weixin.qq.com/document/path/91770.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

import httpx
from pydantic import SecretStr

from smi_pipeline.settings import Chat as ChatName

# httpx writes each URL at INFO.
logging.getLogger("httpx").setLevel(logging.WARNING)
TIMEOUT = httpx.Timeout(10)
ANSWER = 200  # characters of a refusal that are quoted
_ACCEPTED = {"0", "200"}  # relays of one's own repeat HTTP's code; no chat has an error of that number
SECRET_PART = 8  # a part of the URL's path or query of so many characters is redacted where an answer repeats it


class WebhookError(Exception):
    """The message did not arrive. Names the host and what it answered."""


@dataclass(frozen=True)
class Chat:
    """What a chat takes. `hosts`: where it answers; `room`: bytes of UTF-8 that a text may have, once escaped."""

    hosts: tuple[str, ...]
    room: int
    body: Callable[[str], dict[str, Any]]
    escape: Callable[[str], str] = str

    def size(self, text: str) -> int:
        """Bytes of a text as it is sent."""
        return len(self.escape(text).encode())


def _slack_escaped(text: str) -> str:
    """`<!channel>` would call everybody, `<url|words>` hide an address."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_tags(text: str) -> str:
    """`<at user_id="all">` would call everybody; Feishu has no escape: a full-width sign stands where a tag begins."""
    return re.sub(r"<(?=/?[A-Za-z])", "＜", text)


CHATS: Final[Mapping[ChatName, Chat]] = {
    "slack": Chat(("hooks.slack.com", "hooks.slack-gov.com"), 40_000, lambda text: {"text": text}, _slack_escaped),
    "dingtalk": Chat(
        ("oapi.dingtalk.com", "oapi.dingtalk.io"), 18_000, lambda text: {"msgtype": "text", "text": {"content": text}}
    ),
    "feishu": Chat(
        ("open.feishu.cn", "open.larksuite.com"),
        18_000,
        lambda text: {"msg_type": "text", "content": {"text": text}},
        _without_tags,
    ),
    "wecom": Chat(("qyapi.weixin.qq.com",), 2_048, lambda text: {"msgtype": "text", "text": {"content": text}}),
}


def chat_of(url: SecretStr, name: ChatName | None = None) -> Chat:
    """The chat of that name, else the one at the URL's host; of other hosts Slack, whose format most chats take.

    Raises:
        WebhookError: not an http or https URL.
    """
    if name is not None:
        return CHATS[name]
    host = _parts(url).hostname
    return next((chat for chat in CHATS.values() if host in chat.hosts), CHATS["slack"])


def post(url: SecretStr, text: str, chat: Chat | None = None, *, transport: httpx.BaseTransport | None = None) -> None:
    """Send `text` in one request, without a retry: the caller comes back.

    Raises:
        WebhookError: no URL of the right kind, out of reach, anything but a 2xx answer, or one whose body refuses.
    """
    parts, chat = _parts(url), chat or chat_of(url)
    try:
        with httpx.Client(timeout=TIMEOUT, trust_env=False, follow_redirects=False, transport=transport) as client:
            answer = client.post(url.get_secret_value().strip(), json=chat.body(chat.escape(text)))
    except httpx.HTTPError as error:
        # Not `from error`: its request carries the URL, and a traceback would show it.
        raise WebhookError(f"the webhook at {parts.hostname} is out of reach: {type(error).__name__}") from None
    except httpx.InvalidURL:
        raise WebhookError("SMI_NOTIFY_WEBHOOK is not an http or https URL") from None
    if not answer.is_success or _refuses(answer):
        said = _redacted(answer.text, parts)[:ANSWER].strip()
        raise WebhookError(f"the webhook at {parts.hostname} answered {answer.status_code}: {said}")


def _parts(url: SecretStr) -> SplitResult:
    try:
        parts = urlsplit(url.get_secret_value().strip())
    except ValueError:
        raise WebhookError("SMI_NOTIFY_WEBHOOK is not an http or https URL") from None
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise WebhookError("SMI_NOTIFY_WEBHOOK is not an http or https URL")
    return parts


def _refuses(answer: httpx.Response) -> bool:
    """Whether a 2xx answer refuses in its body, as DingTalk, Feishu and WeCom do; text that is not JSON does not."""
    try:
        told = answer.json()
    except ValueError:
        return False
    if not isinstance(told, dict):
        return False
    if any(told.get(name) is False for name in ("ok", "success")):
        return True
    return any(str(told.get(name) or 0) not in _ACCEPTED for name in ("errcode", "code", "StatusCode"))


def _redacted(text: str, parts: SplitResult) -> str:
    """An answer without the URL, or what of it lets somebody write."""
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    secrets = [parts.geturl(), *(piece for piece in pieces if len(piece) >= SECRET_PART)]
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "[redacted]").replace(secret.replace("/", "\\/"), "[redacted]")
    return text
