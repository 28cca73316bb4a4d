"""Interrupts at the end of a load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from harness.cli.options import RunContext
from harness.cli.running.send_load import Sender, send_load
from harness.load.interrupts import Interrupts
from harness.load.stop import Stop
from harness.store.client_health import ClientHealth
from harness.suite.loader import load_suite

SUITE = """\
suite: tiny
endpoint: http://127.0.0.1:9
targets: [{model: claude-haiku-4-5, routing: us}]
prompts: [{id: a, prompt: a}]
"""


def test_a_second_interrupt_as_the_load_ends_is_an_interrupt_and_no_crash(tmp_path: Path) -> None:
    interrupts = Interrupts()

    class Interrupted:
        async def send(self, *_: object) -> list[ClientHealth]:
            interrupts.interrupt()
            interrupts.interrupt()
            return []

    @asynccontextmanager
    async def open_sender(url: str, stop: Stop) -> AsyncIterator[Sender]:
        yield Interrupted()
        await asyncio.sleep(0)

    (tmp_path / "tiny.yaml").write_text(SUITE)
    context = RunContext(out=tmp_path / "results", quiet=True, interrupts=interrupts)
    with pytest.raises(KeyboardInterrupt):
        send_load(load_suite(tmp_path / "tiny.yaml"), context, open_sender, locks=ExitStack())
