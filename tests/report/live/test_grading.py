"""How far the grading is, in place on a terminal and as lines in a pipe."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress

import pytest

from harness.report.live.grading import ERASE_LINE, show_grading
from harness.scoring.score import Grading


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def shown(grading: Grading, out: io.StringIO) -> str:
    showing = asyncio.create_task(show_grading(grading, every_s=0.0, out=out))
    for _ in range(10):
        await asyncio.sleep(0)
    showing.cancel()
    with suppress(asyncio.CancelledError):
        await showing
    return out.getvalue()


async def test_a_pipe_gets_lines() -> None:
    lines = await shown(Grading(done=1234, answers=2000), io.StringIO())
    assert {"grading 1,234/2,000"} == set(lines.splitlines())


async def test_a_terminal_gets_one_line_which_disappears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = await shown(Grading(done=1234, answers=2000), Terminal())
    assert text.startswith(f"{ERASE_LINE}grading 1,234/2,000")
    assert text.endswith(ERASE_LINE)
    assert "\n" not in text


async def test_nothing_is_shown_before_the_answers_are_counted() -> None:
    assert "" == await shown(Grading(), io.StringIO())


async def test_a_closed_stderr_ends_only_the_progress() -> None:
    out = io.StringIO()
    out.close()
    await show_grading(Grading(answers=1), every_s=0.0, out=out)
