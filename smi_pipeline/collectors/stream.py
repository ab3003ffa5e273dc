"""Concurrency: results as they come, nothing left running when nobody listens any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

from smi_pipeline.collectors.records import AccountResult

T = TypeVar("T")
Emit = Callable[[AccountResult], Awaitable[None]]
# Results that may lie unread: whoever collects faster than the lake commits waits here instead of filling memory.
UNREAD = 16


async def each(items: Iterable[T], do: Callable[[T], Awaitable[None]], *, at_once: int) -> None:
    """Do something with every item, `at_once` at a time. The first failure ends all and is raised as it is."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await do(item)

    await together(*(work() for _ in range(at_once)))


async def together(*jobs: Awaitable[None]) -> None:
    """Wait for all; at the first failure, or when cancelled, cancel the others, wait for their end, raise it."""
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def stream(work: Callable[[Emit], Awaitable[None]]) -> AsyncGenerator[AccountResult, None]:
    """Yield what `work` emits while it goes on; then raise what it raised.

    Closing the generator cancels the work and waits until it has ended.
    """
    queue: asyncio.Queue[AccountResult | Exception | None] = asyncio.Queue(UNREAD)

    async def produce() -> None:
        try:
            await work(queue.put)
        except Exception as error:  # noqa: BLE001 - handed to the consumer, who raises it
            await queue.put(error)
        else:
            await queue.put(None)

    task = asyncio.create_task(produce())
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
