import asyncio
import os
import signal
import threading

import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from smi_pipeline.defs.interrupt import run_async


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_work_as_dagster_expects_and_gives_the_handlers_back(number):
    """Left to asyncio, half of such interrupts are logged and the run goes on."""
    before, went_on = signal.getsignal(number), []

    async def work():
        os.kill(os.getpid(), number)
        await asyncio.sleep(30)
        went_on.append(1)

    with pytest.raises(DagsterExecutionInterruptedError):
        run_async(work)
    assert not went_on
    assert signal.getsignal(number) is before


def test_the_batch_being_written_is_finished_before_the_run_ends():
    written = []

    def write():
        threading.Event().wait(0.3)
        written.append("whole")

    async def work():
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        await asyncio.to_thread(write)

    with pytest.raises(DagsterExecutionInterruptedError):
        run_async(work)
    assert written == ["whole"]


def test_a_signal_before_the_work_begins_ends_the_step_without_any_of_it(monkeypatch):
    """Dagster's own handler would raise inside the loop's first callback, where asyncio logs it and goes on."""
    begun, new_loop = [], asyncio.new_event_loop

    def interrupted_loop():
        loop = new_loop()
        loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
        return loop

    async def work():
        begun.append(1)

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted_loop)
    with pytest.raises(DagsterExecutionInterruptedError):
        run_async(work)
    assert not begun


def test_a_signal_while_the_loop_closes_ends_the_step():
    """The executor's threads are waited for then; the work is done, and the next platform must not begin."""
    done = []

    def slow():
        threading.Event().wait(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    async def work():
        asyncio.get_running_loop().run_in_executor(None, slow)
        done.append(1)

    with pytest.raises(DagsterExecutionInterruptedError):
        run_async(work)
    assert done == [1]


def test_outside_the_main_thread_signals_are_left_alone():
    got = []

    async def work():
        return 7

    thread = threading.Thread(target=lambda: got.append(run_async(work)))
    thread.start()
    thread.join()
    assert got == [7]
