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


def test_outside_the_main_thread_signals_are_left_alone():
    got = []

    async def work():
        return 7

    thread = threading.Thread(target=lambda: got.append(run_async(work)))
    thread.start()
    thread.join()
    assert got == [7]
