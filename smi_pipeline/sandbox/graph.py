"""What Facebook's and Instagram's halves of the Graph API share: paths, tokens, errors, the grammar of `fields`.

    fields     = field { "," field }
    field      = name { "." modifier "(" argument ")" | "{" fields "}" | ".fields(" fields ")" }

with blanks between any two of them,
as in `id,published_posts.since(1).until(2).limit(100){id,reactions.limit(0).summary(total_count)}`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from smi_pipeline.sandbox.exchange import CREDENTIAL, Answer, Ask, RefusedError, present

DEFAULT_LIMIT = 25
LARGEST_BATCH = 50
DEEPEST = 20  # fields inside fields
NEWEST_VERSION = "v26.0"
_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Field:
    """One asked-for field with its modifiers and, where it was expanded, the fields inside it."""

    name: str
    modifiers: dict[str, str] = field(default_factory=dict)
    fields: tuple[Field, ...] | None = None

    @property
    def alias(self) -> str:
        """The name its value goes out under."""
        return self.modifiers.get("as", self.name)

    def __str__(self) -> str:
        text = self.name + "".join(f".{name}({value})" for name, value in self.modifiers.items())
        return text if self.fields is None else f"{text}{{{','.join(map(str, self.fields))}}}"


def steps(path: str) -> tuple[str | None, list[str]]:
    """The version at the beginning of a path, null where there is none, and what follows: a node, perhaps an edge."""
    found = [step for step in path.split("/") if step]
    return (found[0], found[1:]) if found and _VERSION.fullmatch(found[0]) else (None, found)


def method_of(ask: Ask) -> str:
    """The method of a request: a POST may name another one in `method`, where a query would be too long for a GET."""
    return ask.params.get("method", ask.method).upper() if ask.method == "POST" else ask.method


def graph_error(
    code: int, message: str, *, kind: str = "OAuthException", status: int = HTTPStatus.BAD_REQUEST, **more: Any
) -> RefusedError:
    """An error of the Graph API; `more` are further members of the error object."""
    trace = "A" + secrets.token_urlsafe(16)
    body = {"error": {"message": message, "type": kind, "code": code, **present(**more), "fbtrace_id": trace}}
    return RefusedError(Answer(body, status))


def authorised(ask: Ask) -> str:
    """The access token of a request.

    Raises:
        RefusedError: no token, a wrong one, or a proof that does not belong to it.
    """
    token = ask.params.get("access_token") or ask.bearer
    if not token:
        raise graph_error(104, "An access token is required to request this resource.")
    if token != CREDENTIAL:
        raise graph_error(190, "Invalid OAuth access token - Cannot parse access token")
    proof = ask.params.get("appsecret_proof")
    if proof is None and ask.behaviours.facebook.require_proof:
        message = "API calls from the server require an appsecret_proof argument"
        raise graph_error(100, message, kind="GraphMethodException")
    if proof is not None:
        expected = hmac.new(CREDENTIAL.encode(), token.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(proof.encode(), expected.encode()):
            raise graph_error(100, "Invalid appsecret_proof provided in the API argument", kind="GraphMethodException")
    return token


def used_up(calls: int, calls_an_hour: int) -> None:
    """Refuse a call beyond what an hour allows.

    Raises:
        RefusedError: error 4, with the usage header.
    """
    if calls > calls_an_hour:
        refused = graph_error(4, "(#4) Application request limit reached", is_transient=True)
        headers = {"X-App-Usage": usage_header(calls, calls_an_hour)}
        raise RefusedError(Answer(refused.answer.body, refused.answer.status, headers))


def usage_header(calls: int, calls_an_hour: int) -> str:
    """The usage an app is told of: percent of what an hour allows."""
    percent = min(100 * calls // calls_an_hour, 100)
    return f'{{"call_count":{percent},"total_time":{percent},"total_cputime":{percent}}}'


def not_too_much(limit: int, largest_page: int | None) -> None:
    """Refuse a page larger than what goes through.

    Raises:
        RefusedError: error 1, which asks for less data.
    """
    if largest_page is not None and limit > largest_page:
        message = "Please reduce the amount of data you're asking for, then retry your request"
        raise graph_error(1, message, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def limit_of(text: str | None) -> int:
    """The page size asked for, 25 when none is.

    Raises:
        RefusedError: not a whole number of 0 or more.
    """
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,9}", text.strip()):
        raise graph_error(100, "(#100) Param limit must be a non-negative integer")
    return int(text)


def batch(ask: Ask, one: Callable[[Ask], Answer]) -> Answer:
    """Answer the requests of a batch, each as `one` does.

    Raises:
        RefusedError: no token, or the batch is none.
    """
    token = authorised(ask)
    try:
        asked = [(each, urlsplit(each["relative_url"])) for each in json.loads(ask.params["batch"])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise graph_error(100, "(#100) Param batch must be an array of requests, each with a relative_url") from None
    if len(asked) > LARGEST_BATCH:
        message = f"Too many requests in batch message. Maximum batch size is {LARGEST_BATCH}"
        raise graph_error(100, message, kind="GraphBatchException")
    bare = ask.params.get("include_headers") in {"false", "0"}
    told = []
    for each, address in asked:
        answer = one(_of_a_batch(ask, each, address, token))
        headers = [{"name": name, "value": value} for name, value in answer.headers.items()]
        part = {"code": int(answer.status), "body": answer.encoded().decode()}
        told.append(part if bare else part | {"headers": headers})
    return Answer(told)


def _of_a_batch(ask: Ask, each: dict[str, Any], address: SplitResult, token: str) -> Ask:
    """One request of a batch as if it had come alone; what it does not say itself, the batch says for it."""
    version, path = steps(unquote(address.path))
    version = version or steps(ask.path)[0]
    given = parse_qsl(f"{address.query}&{each.get('body', '')}", keep_blank_values=True)
    shared = {name: ask.params[name] for name in ("appsecret_proof",) if name in ask.params}
    return replace(
        ask,
        method=str(each.get("method", "GET")).upper(),
        path="/" + "/".join([version, *path] if version else path),
        params=shared | {"access_token": token} | dict(given),
    )


def parse_fields(text: str) -> tuple[Field, ...]:
    """Read a `fields` parameter.

    Raises:
        RefusedError: it does not follow the grammar.
    """
    reader = _Reader(text)
    fields = reader.fields()
    if reader.at != len(text):
        raise reader.error()
    return fields


def check_fields(fields: Iterable[Field], known: frozenset[str], node_type: str) -> None:
    """Refuse a field the node does not have, as the Graph API does.

    Raises:
        RefusedError: error 100 that names the first such field.
    """
    for asked in fields:
        if asked.name not in known:
            raise graph_error(
                100, f"(#100) Tried accessing nonexisting field ({asked.name}) on node type ({node_type})"
            )


class _Reader:
    """Reads one `fields` text from left to right; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fields(self) -> tuple[Field, ...]:
        found: list[Field] = []
        while True:
            self._blanks()
            if not found and self._peek() in {"", "}", ")"}:
                return ()
            found.append(self._field())
            if not self._take(","):
                return tuple(found)

    def error(self) -> RefusedError:
        rest = self.text[self.at : self.at + 20] or "end of string"
        return graph_error(2500, f"Syntax error: unexpected {rest!r} at character {self.at} of the fields parameter")

    def _field(self) -> Field:
        name = self._name()
        modifiers: dict[str, str] = {}
        inside: tuple[Field, ...] | None = None
        while True:
            if self._take("."):
                modifier = self._name()
                if not self._take("("):
                    raise self.error()
                if modifier == "fields" and inside is None:
                    inside = self._inside(")")
                    continue
                end = self.text.find(")", self.at)
                if end < 0:
                    raise self.error()
                modifiers[modifier] = self.text[self.at : end]
                self.at = end + 1
            elif inside is None and self._take("{"):
                inside = self._inside("}")
            else:
                return Field(name, modifiers, inside)

    def _inside(self, end: str) -> tuple[Field, ...]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error()
        inside = self.fields()
        if not self._take(end):
            raise self.error()
        self.depth -= 1
        return inside

    def _name(self) -> str:
        self._blanks()
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise self.error()
        self.at = match.end()
        return match.group()

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _take(self, character: str) -> bool:
        self._blanks()
        if self._peek() != character:
            return False
        self.at += 1
        return True

    def _blanks(self) -> None:
        while self._peek().isspace():
            self.at += 1
