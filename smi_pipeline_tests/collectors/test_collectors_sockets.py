"""Broken connections, over real sockets: what a transport does with them cannot be told from a mock."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest

from smi_pipeline.collectors.collect import collector
from smi_pipeline.collectors.http import Wire

Bytes = Callable[[asyncio.StreamWriter, bytes], None]


def told(response: httpx.Response) -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {response.status_code} x", *(f"{k}: {v}" for k, v in response.headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + response.content


@dataclass
class Server:
    """Serves a fake platform on a socket; the first answers of a test go out as `broken` says."""

    fake: Callable[[httpx.Request], httpx.Response]
    broken: list[Bytes] = field(default_factory=list)

    open: set[asyncio.Task[None]] = field(default_factory=set)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(asyncio.current_task())
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            length = {name.lower(): value for name, value in headers.items()}.get("content-length", "0")
            body = await reader.readexactly(int(length))
            method, path, _ = first.split(" ")
            request = httpx.Request(method, f"http://x{path}", headers=headers, content=body)
            answer = told(self.fake(request))
            if self.broken:
                self.broken.pop(0)(writer, answer)
                return
            writer.write(answer)
            await writer.drain()

    def gather(self, lab, wire: Wire | None = None):
        async def run():
            async with await asyncio.start_server(self, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
                self.fake.settings = {f"{self.fake.platform}_base_url": f"http://127.0.0.1:{port}"}
                async with collector(self.fake.platform, self.fake.make_settings(), wire=wire) as reader:
                    results = [result async for result in reader.collect(self.fake.accounts(), lab.MAY)]
                await asyncio.gather(*self.open, return_exceptions=True)
                return results

        return asyncio.run(run())


def cut(writer: asyncio.StreamWriter, answer: bytes) -> None:
    """All but the last bytes that Content-Length promised, then an ordinary end."""
    writer.write(answer[:-5])


def reset(writer: asyncio.StreamWriter, answer: bytes) -> None:
    """Half of it, then a reset."""
    writer.write(answer[: len(answer) // 2])
    writer.transport.abort()


def unfinished_chunk(writer: asyncio.StreamWriter, answer: bytes) -> None:
    """A chunk that ends before its length, without the last chunk."""
    head, body = answer.split(b"\r\n\r\n", 1)
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    writer.write(b"\r\n".join([*lines, b"transfer-encoding: chunked"]) + b"\r\n\r\n")
    writer.write(f"{len(body):x}\r\n".encode() + body[: len(body) // 2])


def nothing(writer: asyncio.StreamWriter, answer: bytes) -> None:
    """Closed without a word."""


@pytest.mark.parametrize("how", [cut, reset, unfinished_chunk, nothing])
def test_an_answer_cut_in_the_middle_is_asked_for_again(fake, lab, how):
    """Half a page must be no page; the second time it comes whole."""
    server = Server(fake, broken=[how, how])

    [result] = server.gather(lab)

    assert lab.texts(result) == ["text 10", "text 15", "text 20", "text 25", "text 5"]


def test_a_whole_collection_over_a_socket_equals_the_one_without(fake, lab):
    [over_a_socket] = Server(fake).gather(lab)

    assert over_a_socket == fake.one()


@pytest.mark.parametrize("platform", ["x"])
def test_a_compressed_answer_is_read_and_a_bomb_is_not(fake, lab):
    """The limit holds after decompression."""

    def squeezed(request):
        answer = fake(request)
        content = gzip.compress(answer.content)
        headers = {**answer.headers, "content-encoding": "gzip", "content-length": str(len(content))}
        headers.pop("transfer-encoding", None)
        squeezed = httpx.Response(answer.status_code, headers=headers, stream=httpx.ByteStream(content))
        squeezed._content = content
        return squeezed

    for name in ("platform", "settings", "make_settings", "accounts"):
        setattr(squeezed, name, getattr(fake, name))
    squeezed.make_settings = lambda: fake.make_settings().model_copy(update=squeezed.settings)

    [result] = Server(squeezed).gather(lab)
    assert len(result.posts) == 5
    fake.edit = lambda body: {**body, "padding": "x" * 1_000_000}
    [result] = Server(squeezed).gather(lab, Wire(max_bytes=100_000))
    assert result.outcome == "failed"
    assert "larger than 100000 bytes" in result.detail


@pytest.mark.parametrize("platform", ["youtube"])
def test_a_drip_is_cut_off_at_the_deadline(fake, lab):
    """A byte now and then keeps every read timeout from ever running out."""

    class Dripping(Server):
        async def serve(self, reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    began = time.monotonic()
    [result] = Dripping(fake).gather(lab, Wire(deadline=0.1))

    assert result.outcome == "failed"
    assert "TimeoutError" in result.detail
    assert time.monotonic() - began < 10
