"""Running a coroutine inside an asset so that a cancelled run really stops.

Dagster interrupts a step by an exception raised in a signal handler. Inside a running event loop that exception may
land in a callback, where asyncio logs it and goes on: about half of the cancelled runs would run to their end.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dagster._core.errors import DagsterExecutionInterruptedError

Result = TypeVar("Result")


def run_async(make: Callable[[], Awaitable[Result]]) -> Result:
    """Run what `make` returns; SIGINT and SIGTERM cancel it and end the step as Dagster expects.

    The batch being written when the signal comes is committed whole. A signal that comes when there is nothing to
    cancel, before the first step of the work or while the loop is being closed after its last, ends the step too.
    Outside the main thread (a test, a notebook) signals belong to somebody else and are left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(_awaited(make))
    interrupt = _Interrupt()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # Not loop.add_signal_handler: that would take the process's wakeup descriptor away from whoever has set one.
        for number in before:
            signal.signal(number, interrupt.came)
        result = asyncio.run(interrupt.cancelling(make))
    except asyncio.CancelledError:
        if not interrupt.has_come:
            raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if interrupt.has_come:
        raise DagsterExecutionInterruptedError
    return result


class _Interrupt:
    """Whether a signal has come, and the task that one cancels."""

    def __init__(self) -> None:
        self.has_come = False
        self._cancel: Callable[[], object] | None = None

    def came(self, _number: int, _frame: object) -> None:
        """Handle a signal: nothing is raised here, where it could land in a callback of the loop."""
        self.has_come = True
        if self._cancel is not None:
            self._cancel()

    async def cancelling(self, make: Callable[[], Awaitable[Result]]) -> Result:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(make())
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        if self.has_come:  # before there was anything to cancel: the task ends before its first line
            task.cancel()
        try:
            return await task
        finally:
            self._cancel = None


async def _awaited(make: Callable[[], Awaitable[Result]]) -> Result:
    return await make()
