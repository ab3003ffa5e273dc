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

    The batch being written when the signal comes is committed whole. Outside the main thread (a test, a notebook)
    signals belong to somebody else and are left alone.
    """
    in_main = threading.current_thread() is threading.main_thread()

    async def main() -> Result:
        if not in_main:
            return await make()
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        hit: list[int] = []
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def cancel(number: int) -> None:
            hit.append(number)
            if task is not None:
                task.cancel()

        # Not loop.add_signal_handler: that would take the process's wakeup descriptor away from whoever has set one.
        for number in before:
            signal.signal(number, lambda number, _frame: loop.call_soon_threadsafe(cancel, number))
        try:
            return await make()
        except asyncio.CancelledError:
            if hit:
                raise DagsterExecutionInterruptedError from None
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    return asyncio.run(main())
