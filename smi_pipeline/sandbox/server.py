"""The web application: which platform a path belongs to, the clock in every `Date` header, and the control paths.

GET    /_sandbox/health      {"status": "ok", "now": ...}
GET    /_sandbox/clock       {"now": ...}
POST   /_sandbox/clock       {"now": "2025-06-03T06:00:00+08:00"}
GET    /_sandbox/requests    {"facebook": 3, "x": 0, ...}: requests per platform since the start or the last reset
DELETE /_sandbox/requests    back to zero
GET    /_sandbox/ledger      what was used of quotas and credits, by platform, measure and day
GET    /_sandbox/faults      the fault plan at work
PUT    /_sandbox/faults      another one, its counts beginning anew
DELETE /_sandbox/faults      none
"""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import socket
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from smi_pipeline.sandbox import graph, instagram
from smi_pipeline.sandbox.broken import JSON, broken
from smi_pipeline.sandbox.clock import Clock, http_date, parse_instant
from smi_pipeline.sandbox.dataset import PLATFORMS, Dataset, DatasetError, Platform, load
from smi_pipeline.sandbox.exchange import Answer, Ask, RefusedError, iso
from smi_pipeline.sandbox.facebook import Facebook
from smi_pipeline.sandbox.faults import Matching, endpoint_of
from smi_pipeline.sandbox.limits import Allowances
from smi_pipeline.sandbox.plan import FaultFileError, FaultPlan, parse_plan, read_plan
from smi_pipeline.sandbox.refusals import refusal
from smi_pipeline.sandbox.tiktok import TikTok
from smi_pipeline.sandbox.world import World
from smi_pipeline.sandbox.x import X
from smi_pipeline.sandbox.youtube import YouTube

HOST = "127.0.0.1"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Sandbox:
    """The five platforms of one data set, a clock, and how often each was asked."""

    def __init__(self, dataset: Dataset, clock: Clock, plan: FaultPlan | None = None) -> None:
        """Put a data set behind the five APIs, with the limits, behaviours and faults of a plan.

        Raises:
            DatasetError: two of its accounts cannot be told apart on the wire.
        """
        world = World(dataset)
        self.clock = clock
        self.requests: dict[Platform, int] = dict.fromkeys(PLATFORMS, 0)
        self._matching = Matching(plan or FaultPlan())
        self._allowances = Allowances()
        self._platforms: dict[Platform, Callable[[Ask], Answer]] = {
            "facebook": Facebook(world).answer,
            "x": X(world, self._allowances).answer,
            "instagram": instagram.Instagram(world).answer,
            "youtube": YouTube(world).answer,
            "tiktok": TikTok(world).answer,
        }

    def application(self) -> ASGIApp:
        """The whole of it as an ASGI application."""
        control = "/_sandbox"
        app = Starlette(
            routes=[
                Route(f"{control}/health", self._health),
                Route(f"{control}/clock", self._clock, methods=["GET", "POST"]),
                Route(f"{control}/requests", self._requests, methods=["GET", "DELETE"]),
                Route(f"{control}/ledger", self._ledger),
                Route(f"{control}/faults", self._faults, methods=["GET", "PUT", "DELETE"]),
                Route("/{path:path}", self._platform, methods=_METHODS),
            ]
        )
        return _dated(app, self.clock)

    async def _platform(self, request: Request) -> Response:
        plan = self._matching.plan
        ask = await _ask(request, self.clock.now(), plan)
        platform = _platform_of(ask)
        if platform is None:
            return _json(Answer({"error": f"no platform answers under {ask.path}"}, 404))
        endpoint = endpoint_of(platform, ask)
        is_batch = endpoint == "batch" and "batch" in ask.params
        self.requests[platform] += not is_batch  # it counts as what is in it
        if plan.latency_seconds:
            await asyncio.sleep(plan.latency_seconds)
        fault = self._matching.fault(platform, endpoint, ask)
        try:
            self._allowances.before(platform, endpoint, ask, plan.limits)
            answer = refusal(fault, ask) if fault is not None else None
            if answer is None and is_batch:
                answer = graph.batch(ask, self._of_a_batch)
            elif answer is None:
                answer = self._platforms[platform](ask)
                self._allowances.after(platform, endpoint, answer, ask)
        except RefusedError as refused:
            answer = refused.answer
        return await broken(answer, fault, ask) if fault is not None else _json(answer)

    def _of_a_batch(self, ask: Ask) -> Answer:
        """One request of a Graph batch, which counts as any other."""
        platform: Platform = "instagram" if instagram.is_asked_for(ask) else "facebook"
        self.requests[platform] += 1
        try:
            return self._platforms[platform](ask)
        except RefusedError as refused:
            return refused.answer

    async def _ledger(self, _: Request) -> Response:
        return _json(Answer(self._allowances.used()))

    async def _faults(self, request: Request) -> Response:
        if request.method != "GET":
            try:
                given = json.loads(await request.body()) if request.method == "PUT" else {}
                self._matching = Matching(parse_plan(given, "faults"))
            except (ValueError, FaultFileError) as error:
                return _json(Answer({"error": str(error)}, 400))
        return _json(Answer(self._matching.plan.model_dump(mode="json", by_alias=True)))

    async def _health(self, _: Request) -> Response:
        return _json(Answer({"status": "ok", "now": iso(self.clock.now(), milliseconds=True)}))

    async def _clock(self, request: Request) -> Response:
        if request.method == "POST":
            try:
                self.clock.set(parse_instant(str(json.loads(await request.body())["now"])))
            except (ValueError, KeyError, TypeError) as error:
                return _json(Answer({"error": f'expected {{"now": INSTANT}}: {error}'}, 400))
        return _json(Answer({"now": iso(self.clock.now(), milliseconds=True)}))

    async def _requests(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.requests = dict.fromkeys(PLATFORMS, 0)
        return _json(Answer(dict(self.requests)))


def _platform_of(ask: Ask) -> Platform | None:
    if ask.path.startswith("/2/"):
        return "x"
    if ask.path.startswith("/youtube/v3/"):
        return "youtube"
    if ask.path.startswith("/v2/"):
        return "tiktok"
    version, _ = graph.steps(ask.path)
    # Without a version nothing but the token tells a Graph path from a path of nobody.
    if version is not None or "access_token" in ask.params or ask.bearer is not None:
        return "instagram" if instagram.is_asked_for(ask) else "facebook"
    return None


async def _ask(request: Request, now: datetime, plan: FaultPlan) -> Ask:
    body = await request.body()
    pairs = list(request.query_params.multi_items())
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        pairs += parse_qsl(body.decode(errors="replace"), keep_blank_values=True)
    params: dict[str, str] = {}
    for name, value in pairs:
        params[name] = f"{params[name]},{value}" if name in params else value
    return Ask(
        method=request.method,
        path=str(request.scope["path"]),
        params=params,
        headers=dict(request.headers),
        body=body,
        origin=f"{request.url.scheme}://{request.url.netloc}",
        now=now,
        limits=plan.limits,
        behaviours=plan.behaviours,
    )


def _json(answer: Answer) -> Response:
    return Response(answer.encoded(), answer.status, dict(answer.headers), media_type=JSON)


def _dated(app: ASGIApp, clock: Clock) -> ASGIApp:
    """Put the sandbox's time into the `Date` header of every answer."""

    async def dated(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"date", http_date(clock.now()).encode())]
            await send(message)

        await app(scope, receive, send_dated)

    return dated


class _Announcing(uvicorn.Server):
    """A server that says where it listens as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()
            sys.stdout.write(f"sandbox http://{host}:{port}\n")
            sys.stdout.flush()


def serve(directory: Path | str, *, now: datetime | None = None, port: int = 0, faults: Path | None = None) -> int:
    """Serve a data set on loopback until SIGTERM or SIGINT; print one line with the address once it listens.

    Args:
        directory: the data set.
        now: where the clock starts; the machine's own time when not given.
        port: 0 takes a free one.
        faults: a fault file; nothing goes wrong when not given.

    Returns:
        The exit code: 0 after a signal, 1 when the port is taken or a file is not what it should be.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with listener:
        try:
            listener.bind((HOST, port))
        except OSError as error:
            sys.stderr.write(
                f"sandbox: cannot listen on {HOST}:{port} ({error.strerror}): "
                "choose another --port, or 0 for a free one, or stop what holds it\n"
            )
            return 1
        gc.disable()  # what is loaded lives as long as the process: collecting amid a million new objects costs a third
        try:
            plan = read_plan(faults) if faults is not None else None
            sandbox = Sandbox(load(directory), Clock(now), plan)
        except (DatasetError, FaultFileError) as error:
            one_line = " ".join(str(error).split())
            sys.stderr.write(f"sandbox: {one_line}\n")
            return 1
        gc.freeze()
        gc.enable()
        config = uvicorn.Config(
            sandbox.application(),
            log_level="warning",
            access_log=False,
            lifespan="off",
            date_header=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=2,
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)  # uvicorn sends the signal again once it has stopped
        _Announcing(config).run(sockets=[listener])
    return 0
