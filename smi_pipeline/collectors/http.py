"""The one door to the platforms: a client that asks one origin, waits, retries, checks and redacts.

What goes out: at most `concurrency` requests at a time, each with timeouts per phase and a total deadline, only to the
configured base URL's own origin. Redirects and proxies of the environment are not followed.
What comes in: redacted before anything reads it, a bounded number of bytes after decompression, strict JSON. Half an
answer is no answer. All waiting is reckoned from the answers' own `Date`.

Every request passes the ledger and the rates of `quota` before it is sent, and slows down by `pace` before a limit.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import logging
import random
import ssl
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlencode

import aiohttp
import httpx
import msgspec
import stamina
from httpx_aiohttp import AiohttpTransport

from smi_pipeline.collectors.credentials import Redactor
from smi_pipeline.collectors.pace import pace_after
from smi_pipeline.collectors.quota import Endpoint, Ledger, Rates
from smi_pipeline.collectors.records import CollectionError, Deferred
from smi_pipeline.collectors.verdict import (
    BadPayload,
    Classifier,
    Kind,
    Refusal,
    Reply,
    Verdict,
    http_date,
    words,
)
from smi_pipeline.registry.models import Platform

# httpx writes each URL at INFO, and a YouTube key is part of the URL.
logging.getLogger("httpx").setLevel(logging.WARNING)
log = logging.getLogger(__name__)


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    log.info("%s; attempt %d follows", details.caused_by, details.retry_num + 1)


# Left to itself stamina prints by structlog wherever that is installed, into the output of `smi export` as well.
stamina.instrumentation.set_on_retry_hooks([_log_retry])

TIMEOUT = httpx.Timeout(connect=10, read=30, write=30, pool=30)
ATTEMPTS = 6
LONGEST_WAIT = 930.0  # seconds; X's rate windows last 900
PATIENCE = 1800.0  # seconds for one request with all its repetitions and waits
CLOCKS_APART = timedelta(hours=12)  # a platform's time further off than this is not believed
# Where not one request succeeds any more, the accounts that are left are not tried one by one.
FRUITLESS = 20
# What a classifier may read. The others, cookies among them, go no further.
HEADERS = (
    "content-type",
    "retry-after",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "x-app-usage",
    "x-business-use-case-usage",
)

_HEADERS_SENT = {"user-agent": "smi-pipeline", "accept": "application/json", "accept-encoding": "gzip, deflate, br"}
_EXTENSIONS = {"timeout": TIMEOUT.as_dict()}
_DECODER = msgspec.json.Decoder()

Transport = httpx.AsyncBaseTransport
Params = Mapping[str, str | int]
# The SHA-256 of the last body that came in this task: what is being read whenever reading it fails.
_LAST_BODY: ContextVar[str] = ContextVar("last_body", default="none came")


@dataclass(frozen=True)
class Wire:
    """What carries requests, how waiting is done and what an answer may take; handed in so that nothing is patched.

    `deadline`: seconds for one whole answer, since a drip of a byte a second resets the read timeout for ever.
    `max_bytes`: of one answer, after decompression. `rates`: the file in which processes share the platforms' rates;
    null where this run is alone. `clock`: this host's time, which the platforms' own has to agree with; null for the
    sandbox, whose time is its own and has to agree with the first it gave.
    """

    transport: Transport | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    deadline: float = 90.0
    max_bytes: int = 32 * 2**20
    rates: Path | None = None
    clock: Callable[[], datetime] | None = None


class _AgainError(Exception):
    """This request may be repeated. `wait`: seconds to hold all requests for first, null for a growing back-off."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        wait: float | None = None,
        at: datetime | None = None,
        unreachable: bool = False,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.wait = wait
        self.at = at
        self.unreachable = unreachable


@dataclass
class _Throttled:
    """How often in a row one request was told to slow down."""

    times: int = 0
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())


class Http:
    """Asks one platform. Knows its origin, its classifier and its credentials, and shows none of them.

    Args:
        platform: for messages.
        base_url: scheme, host, port and the path every request begins with.
        classify: what an answer means.
        redact: holds the credentials' values.
        headers: sent with every request.
        params: likewise.
        concurrency: requests in flight at most.
        wire: transport and sleep.
        ledger: what requests cost, and whether there is anything left.
        a_minute: requests a minute at most, for endpoints without a published rate; null: as many as come.
    """

    def __init__(
        self,
        platform: Platform,
        base_url: str,
        *,
        classify: Classifier,
        redact: Redactor,
        concurrency: int,
        wire: Wire,
        ledger: Ledger,
        a_minute: int | None = None,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
    ) -> None:
        self.platform: Platform = platform
        self.requests = 0
        # Accounts read at a time: twice the requests in flight, so that a slot is not idle while an answer is read.
        self.readers = 2 * concurrency if concurrency > 1 else 1
        self.last_date: datetime | None = None
        self.sleep = wire.sleep
        self._wire = wire
        self._base = _base_url(platform, base_url)
        self._classify = classify
        self.redact = redact
        self.ledger = ledger
        self._rates = Rates(platform, wire.rates, a_minute)
        self._pace: dict[str, tuple[float, float]] = {}  # by limit: when the next may be sent, and the gap after it
        self._turn = asyncio.Lock()
        self._params = dict(params or {})
        self._slots = asyncio.Semaphore(concurrency)
        self._ended = asyncio.Event()
        self._first = asyncio.Lock()
        self._accepted = False
        self._stopped: CollectionError | None = None
        self._not_before = 0.0
        self._first_date: tuple[datetime, float] | None = None  # and when it came
        self._fruitless = 0
        self._transport = wire.transport or _aiohttp(concurrency)
        self._headers = {**_HEADERS_SENT, "host": self._base.netloc.decode(), **(headers or {})}

    def __repr__(self) -> str:
        return f"Http({self.platform}, {self.origin}, {self.requests} requests)"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()
        self._rates.close()

    @property
    def origin(self) -> str:
        """Scheme, host and port that are asked, and no other."""
        return f"{self._base.scheme}://{self._base.netloc.decode()}"

    async def ask(
        self,
        endpoint: Endpoint,
        path: str,
        *,
        params: Params | None = None,
        json_body: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        secret: bool = False,
        most: int = 0,
    ) -> Reply:
        """One answer, after as many repetitions as it takes and is worth. GET, or POST where there is a body.

        Args:
            endpoint: what kind of request it is: what it costs and how often it may be made.
            path: below the base URL, segments already quoted.
            params: query parameters of this request.
            json_body: body of a POST.
            form: form of a POST.
            headers: of this request alone.
            secret: the answer itself is a credential: it is read as it came and never quoted.
            most: counted or billed records the answer can hold.

        Raises:
            Refusal: the platform said no to this request, or it failed for good. Its kind tells.
            CollectionError: nobody else should be asked: credential refused, out of reach. Asked once, remembered.
            Deferred: quota used up, or a wait longer than LONGEST_WAIT.
        """
        request = httpx.Request(
            "GET" if json_body is None and form is None else "POST",
            self._url(path, {**self._params, **(params or {})}),
            json=json_body,
            data=form,
            headers={**self._headers, **(headers or {})},
            extensions=_EXTENSIONS,
        )
        throttled = _Throttled()
        try:
            async for attempt in stamina.retry_context(
                on=lambda error: self._again(error, throttled),
                attempts=ATTEMPTS,
                timeout=None,
                wait_initial=0.5,
                wait_max=8,
                wait_jitter=0.5,
            ):
                with attempt:
                    reply = await self._in_turn(endpoint, request, most, secret=secret)
        except _AgainError as error:
            self._give_up(error)
        self._fruitless = 0
        return reply

    def _again(self, error: Exception, throttled: _Throttled) -> bool | float:
        """Whether to repeat, decided for stamina; the waits that concern everybody are kept by the gate."""
        if not isinstance(error, _AgainError) or self._stopped is not None:
            return False
        now = asyncio.get_running_loop().time()
        if error.kind != "throttle" and error.wait is None:
            return now - throttled.began < PATIENCE
        throttled.times += 1
        # Without a word how long: doubling, and spread so that those who wait do not all come back at once.
        wait = min(60.0, 2.0**throttled.times) * random.uniform(0.5, 1) if error.wait is None else error.wait  # noqa: S311
        if wait > LONGEST_WAIT or now + wait - throttled.began > PATIENCE:
            return False
        self._not_before = max(self._not_before, now + wait)
        return 0.0

    def _give_up(self, error: _AgainError) -> NoReturn:
        if self._stopped is not None:
            raise self._stopped from None
        if error.unreachable:
            self.stop(
                CollectionError(
                    f"{self.platform}: cannot connect to {self.origin} ({error.detail})",
                    retryable=True,
                    remedy=f"check SMI_{self.platform.upper()}_BASE_URL and that the service runs",
                )
            )
        if error.kind == "throttle" or (error.wait or 0) > LONGEST_WAIT:
            at = error.at or self.last_date
            if at is not None:
                wait = timedelta(seconds=error.wait or LONGEST_WAIT)
                self.stop(Deferred(f"{self.platform}: {error.detail}", resume_at=at + wait))
        self._fruitless += 1
        if self._fruitless >= FRUITLESS:
            self.stop(
                CollectionError(
                    f"{self.platform}: {self._fruitless} requests in a row failed for good, the last: {error.detail}",
                    retryable=True,
                )
            )
        said = words(error.detail, f"given up after {ATTEMPTS} attempts")
        raise Refusal("failed", said, at=error.at, unanswered=True) from None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What reads answers in here and fails, whatever it raises, fails the accounts they are about and no others.

        Raises:
            Refusal: in place of any error that is neither a refusal nor about the whole platform; it says where the
                reading failed and has the hash of the answer.
        """
        try:
            yield
        except (Refusal, CollectionError):
            raise
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{type(error).__name__}: {error} at {Path(frame.filename).name} line {frame.lineno}"
            detail = f"cannot be read (payload sha256 {_LAST_BODY.get()}): {said}"
            raise Refusal("failed", self.redact.message(words(detail))) from error

    def room(self, endpoint: Endpoint) -> float:
        """How many records the budgets leave for one more answer; infinite where they count none."""
        return self.ledger.room(endpoint, self._now())

    def stop(self, error: CollectionError) -> NoReturn:
        """Nobody is asked any more: whoever asks next gets the same error without a request."""
        self._stopped = error
        raise error from None

    async def _in_turn(self, endpoint: Endpoint, request: httpx.Request, most: int, *, secret: bool) -> Reply:
        """Send when there is a slot. Until the platform has accepted the credential once, one at a time."""
        if not self._accepted:
            async with self._first:
                if not self._accepted:
                    return await self._judged(endpoint, request, most, secret=secret)
        async with self._slots:
            reply = await self._judged(endpoint, request, most, secret=secret)
        await asyncio.sleep(0)  # who waits for the slot sends first, and this answer is read while that one is awaited
        return reply

    async def _judged(self, endpoint: Endpoint, request: httpx.Request, most: int, *, secret: bool) -> Reply:
        await self._until_allowed(endpoint)
        if self._stopped is not None:
            raise self._stopped
        reply = await self._counted(endpoint, request, most, secret=secret)
        verdict = self._classify(reply)
        if self._accepted and verdict.later is not None:
            verdict = replace(verdict, kind=verdict.later)
        detail = self.redact.message(verdict.detail)
        if verdict.kind not in ("auth", "throttle", "transient"):
            self._accepted = True
        if verdict.kind in ("throttle", "transient"):
            raise _AgainError(verdict.kind, detail, wait=verdict.wait, at=reply.at)
        if verdict.kind in ("auth", "quota"):
            self.stop(self._refused(verdict, detail))
        if verdict.kind != "ok":
            raise Refusal(verdict.kind, detail, at=reply.at, named=verdict.named)
        return reply

    async def _until_allowed(self, endpoint: Endpoint) -> None:
        """Wait for a place in the endpoint's rate, the end of a general pause, and for one's turn where it slows."""
        while (wait := self._rates.wait(endpoint)) > 0:
            self._put_off_if_long(wait, f"the rate of {endpoint.name}")
            await self.sleep(wait)
        async with self._turn:
            now = asyncio.get_running_loop().time()
            free_at, gap = self._pace.get(endpoint.limit, (now, 0.0))
            self._put_off_if_long(free_at - now, f"{endpoint.name}, used up,")
            free_at = max(free_at, self._not_before)
            self._pace[endpoint.limit] = max(free_at, now) + gap, gap
            if free_at > now:
                await self.sleep(free_at - now)

    def _put_off_if_long(self, wait: float, why: str) -> None:
        if wait > LONGEST_WAIT:
            at = self._now() + timedelta(seconds=wait)
            self.stop(Deferred(f"{self.platform}: {why} asks for a wait of {wait:,.0f} s", resume_at=at))

    async def _counted(self, endpoint: Endpoint, request: httpx.Request, most: int, *, secret: bool) -> Reply:
        """Send, with the request in the ledger whatever comes of it."""
        while self.ledger.must_wait(endpoint, self._now(), most):
            await self._ended.wait()
            if self._stopped is not None:
                raise self._stopped
        try:
            self.ledger.begin(endpoint, self._now(), most)
        except Deferred as used_up:
            self.stop(used_up)
        reply = None
        try:
            reply = await self._send(request, secret=secret)
        finally:
            at = None if reply is None else reply.at
            self.ledger.end(endpoint, reply, at or self._now(), most)
            self._ended.set()  # wakes who waits for a part of the budget that was reserved
            self._ended.clear()
        hold, gap = pace_after(reply)
        if hold or gap or endpoint.limit in self._pace:
            self._pace[endpoint.limit] = asyncio.get_running_loop().time() + hold, gap
        return reply

    def _now(self) -> datetime:
        """The platform's time as far as it is known."""
        return self.last_date or datetime.now(UTC)

    def _refused(self, verdict: Verdict, detail: str) -> CollectionError:
        if verdict.resume_at is not None:
            return Deferred(f"{self.platform}: {detail}", resume_at=verdict.resume_at)
        return CollectionError(f"{self.platform} refused: {detail}", remedy=verdict.remedy)

    async def _send(self, request: httpx.Request, *, secret: bool) -> Reply:
        if f"{request.url.scheme}://{request.url.netloc.decode()}" != self.origin:
            raise CollectionError(f"{self.platform}: only {self.origin} is asked, not {request.url.host}")
        self.requests += 1
        raw = bytearray()
        try:
            async with asyncio.timeout(self._wire.deadline):
                response = await self._transport.handle_async_request(request)
                try:
                    async for chunk in response.aiter_bytes():
                        raw += chunk
                        if len(raw) > self._wire.max_bytes:
                            raise BadPayload(f"the answer is larger than {self._wire.max_bytes} bytes")
                finally:
                    await response.aclose()
        except (httpx.HTTPError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._transport_failed(error) from None
        _LAST_BODY.set(hashlib.sha256(raw).hexdigest())
        said = http_date(response.headers.get("date", ""))
        at = said if said is not None and self._is_believed(said) else None
        if at is not None:
            self.last_date = max(at, self.last_date or at)
        return self._reply(response, bytes(raw), at, secret=secret)

    def _is_believed(self, said: datetime) -> bool:
        """Whether a time of the platform agrees with this host's; for the sandbox, with the first it gave."""
        now = asyncio.get_running_loop().time()
        if self._wire.clock is not None:
            return abs(said - self._wire.clock()) <= CLOCKS_APART
        first, came = self._first_date = self._first_date or (said, now)
        return abs(said - first - timedelta(seconds=now - came)) <= CLOCKS_APART

    def _transport_failed(self, error: Exception) -> _AgainError:
        # The aiohttp transport calls a refused connection a connect time-out; the cause says which it was.
        unreachable = isinstance(error, httpx.ConnectError) or isinstance(error.__cause__, aiohttp.ClientConnectorError)
        said = words(str(error)) if unreachable else words("no whole answer", type(error).__name__, str(error))
        return _AgainError("transient", self.redact.message(said), unreachable=unreachable)

    def _reply(self, response: httpx.Response, raw: bytes, at: datetime | None, *, secret: bool) -> Reply:
        headers = {name: response.headers[name] for name in HEADERS if name in response.headers}
        good = response.status_code < HTTPStatus.MULTIPLE_CHOICES
        try:
            text = raw.decode()
            if good and not any(kind in headers.get("content-type", "") for kind in ("json", "javascript")):
                raise ValueError(f"content type {headers.get('content-type') or 'not given'} instead of JSON")  # noqa: TRY301
            body = _json(text if secret else self.redact.received(text))
        except (ValueError, RecursionError) as error:
            if good:
                raise _AgainError("transient", self._quoted(error, raw, secret=secret), at=at) from None
            body = None  # an error page of something in between; the status says enough
        if good and at is None:
            raise BadPayload(words("the answer has no Date that can be believed", self._why(response)))
        return Reply(response.status_code, headers, body, at)

    def _why(self, response: httpx.Response) -> str:
        said = response.headers.get("date", "") or "none"
        host = "" if self._wire.clock is None else f"; this host's clock says {self._wire.clock():%Y-%m-%d %H:%M} UTC"
        return f"it says {said}{host}"

    def _quoted(self, error: Exception, raw: bytes, *, secret: bool) -> str:
        """What was wrong with a body, its hash, and how it begins: enough to find it again, without a credential."""
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        begins = "" if secret else self.redact.message(raw[:1000].decode(errors="replace"))[:200]
        digest = hashlib.sha256(raw).hexdigest()
        return self.redact.message(
            f"bad payload: {reason.splitlines()[0]} ({len(raw)} bytes, sha256 {digest}), begins {begins!r}"
        )

    def _url(self, path: str, params: Params) -> httpx.URL:
        """A whole address. The query is written here: httpx takes a millisecond over a long list of fields."""
        raw = self._base.raw_path.rstrip(b"/") + b"/" + path.lstrip("/").encode()
        return self._base.copy_with(raw_path=raw + (b"?" + urlencode(params).encode() if params else b""))


def _base_url(platform: Platform, text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise CollectionError(
            f"{platform}: the base URL is not one", remedy=f"set SMI_{platform.upper()}_BASE_URL like https://host/path"
        )
    return url


def _aiohttp(concurrency: int) -> Transport:
    """The transport: httpx's own becomes CPU-bound at some thirty requests at a time; this one does not."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency, keepalive_expiry=15)
    return AiohttpTransport(verify=_trust(), trust_env=False, limits=limits)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Whom TLS trusts; read once a process, because reading the certificates takes longer than a request."""
    return httpx.create_ssl_context(trust_env=False)


def _json(text: str) -> Any:
    """What a JSON text holds, integers of any length exact.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except msgspec.MsgspecError:  # half a surrogate pair, which this one refuses; and all that is no JSON, told better
        return json.loads(text, parse_constant=_no_number)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
