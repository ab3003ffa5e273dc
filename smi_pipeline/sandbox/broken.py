"""What happens to an answer on its way: changed, cut short, late or slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from smi_pipeline.sandbox.exchange import Answer, Ask
from smi_pipeline.sandbox.plan import Fault
from smi_pipeline.sandbox.refusals import changed, usage_headers

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


async def broken(answer: Answer, fault: Fault, ask: Ask) -> Response:
    """An answer as a fault leaves it; one that does not concern the way is sent as it is."""
    headers, body = {name.lower(): value for name, value in answer.headers.items()}, answer.body
    match fault.do:
        case "drop_field" | "add_field" | "rename_field":
            body = changed(body, fault)
        case "usage":
            headers |= usage_headers(fault.platform, fault.percent, ask)
        case "delay":
            await asyncio.sleep(fault.seconds)
    is_text = isinstance(body, str)
    content = body.encode() if is_text else Answer(body).encoded()
    media_type = HTML if is_text and body.lstrip().startswith("<") else JSON
    match fault.do:
        case "truncated":
            content = content[: len(content) // 2]
        case "cut":
            headers["content-length"] = str(len(content) + 1)
            return StreamingResponse(_half(content), answer.status, headers, media_type)
        case "drip":
            headers["content-length"] = str(len(content))
            return StreamingResponse(_dripping(content, fault.seconds), answer.status, headers, media_type)
    return Response(content, answer.status, headers, media_type)


async def _half(content: bytes) -> AsyncIterator[bytes]:
    """Half of what was announced; then the server has nothing more to say and closes the connection."""
    yield content[: len(content) // 2]


async def _dripping(content: bytes, seconds_a_byte: float) -> AsyncIterator[bytes]:
    for place in range(len(content)):
        yield content[place : place + 1]
        await asyncio.sleep(seconds_a_byte)
