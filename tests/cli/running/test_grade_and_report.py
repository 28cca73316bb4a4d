"""Grading that is interrupted."""

from __future__ import annotations

import asyncio
import threading

import pytest

from harness.cli.running.grade_and_report import _run_grading
from harness.load.interrupts import Interrupts


def test_grading_outside_the_main_thread_is_interrupted() -> None:
    interrupts = Interrupts()

    async def grade() -> None:
        interrupts.interrupt()
        await asyncio.Event().wait()

    def work() -> None:
        with pytest.raises(KeyboardInterrupt):
            _run_grading(grade(), interrupts)
        outcome.append("interrupted")

    outcome: list[str] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ["interrupted"] == outcome
