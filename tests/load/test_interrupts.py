"""Interrupts: counted, passed on to whatever handles them, from any thread."""

from __future__ import annotations

import asyncio
import signal
import threading

from harness.load.interrupts import Interrupts


async def test_an_interrupt_from_another_thread_reaches_the_loop() -> None:
    interrupts, arrived = Interrupts(), asyncio.Event()
    with interrupts.handled(arrived.set):
        threading.Thread(target=interrupts.interrupt).start()
        await arrived.wait()
    assert 1 == interrupts.count


async def test_signals_interrupt_in_the_main_thread() -> None:
    interrupts, arrived = Interrupts(), asyncio.Event()
    before = signal.getsignal(signal.SIGTERM)
    with interrupts.handled(arrived.set):
        signal.raise_signal(signal.SIGTERM)
        await arrived.wait()
    assert before == signal.getsignal(signal.SIGTERM)


def test_an_interrupt_that_nothing_handles_is_only_counted() -> None:
    interrupts = Interrupts()
    interrupts.interrupt()
    assert 1 == interrupts.count
