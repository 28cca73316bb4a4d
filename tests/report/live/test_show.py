"""The live view on a real pseudo-terminal, in a pipe, and where stderr is gone."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pyte
import pytest

from harness.load.progress import Progress, Tally
from harness.report.live.show import show_progress
from harness.suite.suite import Suite

NAMES = [f"claude-{model}/{routing}/converse" for model in ("haiku-4-5", "sonnet-4-6") for routing in ("global", "us")]
PATIENCE_S = 20.0


class Terminal:
    """A pseudo-terminal that shows what is written to `out`."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        self._reading, writing = os.openpty()
        os.set_blocking(self._reading, False)
        self.out = os.fdopen(writing, "w", encoding="utf-8")
        self._screen = pyte.HistoryScreen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.received = b""
        self.resize(columns, lines)

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        fcntl.ioctl(self._reading, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def display(self) -> list[str]:
        """The lines on the screen, without trailing blanks."""
        with suppress(BlockingIOError):
            while got := os.read(self._reading, 1 << 16):
                self.received += got
                self._stream.feed(got)
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip().split("\n")

    @property
    def cursor_is_hidden(self) -> bool:
        return bool(self._screen.cursor.hidden)

    async def shows(self, text: str) -> list[str]:
        """The display once it has this text."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(text in line for line in self.display):  # noqa: ASYNC110
                await asyncio.sleep(0)
        return self.display

    def close(self) -> None:
        self.out.close()
        os.close(self._reading)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    opened = Terminal()
    yield opened
    opened.close()


@pytest.fixture
def progress() -> Progress:
    return Progress(planned=40, tallies={name: Tally(done=10, answered=10, in_flight=2) for name in NAMES})


@pytest.fixture
def suite(make_suite: Callable[..., Suite]) -> Suite:
    return make_suite(*NAMES)


@asynccontextmanager
async def shown(progress: Progress, suite: Suite, out: io.TextIOBase) -> AsyncIterator[None]:
    showing = asyncio.create_task(show_progress(progress, suite, every_s=0.0, out=out))  # type: ignore[arg-type]
    yield
    showing.cancel()
    with suppress(asyncio.CancelledError):
        await showing


async def test_frames_replace_one_another_and_leave_a_clean_terminal(
    terminal: Terminal, progress: Progress, suite: Suite
) -> None:
    terminal.out.write("before\n")
    async with shown(progress, suite, terminal.out):
        await terminal.shows("10/40")
        progress.tallies[NAMES[1]].done = 20
        display = await terminal.shows("20/40")
        assert "before" == display[0]
        assert [1, 1, 1] == [sum(text in line for line in display) for text in ("target", "20/40", "total")]
        assert terminal.cursor_is_hidden
    assert ["before"] == terminal.display
    assert not terminal.cursor_is_hidden


@pytest.mark.parametrize(("columns", "lines"), [(60, 24), (120, 30), (80, 9)])
async def test_a_frame_fits_a_resized_terminal(
    terminal: Terminal, progress: Progress, suite: Suite, columns: int, lines: int
) -> None:
    async with shown(progress, suite, terminal.out):
        await terminal.shows("10/40")
        terminal.resize(columns, lines)
        progress.tallies[NAMES[0]].done = 25
        display = await terminal.shows("25/40")
        assert 1 == sum("total" in line for line in display)
        assert ("tokens/s" in "".join(display)) == (columns >= 100)
    assert [""] == terminal.display


async def test_a_message_during_the_load_stays_above_the_frame(
    terminal: Terminal, progress: Progress, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", terminal.out)
    async with shown(progress, suite, terminal.out):
        await terminal.shows("10/40")
        print("a step is finished", file=sys.stderr)
        await terminal.shows("a step is finished")
    assert ["a step is finished"] == terminal.display


async def test_no_colour_if_the_user_wants_none(
    terminal: Terminal, progress: Progress, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress.tallies[NAMES[0]].errors = {"throttled": 1}
    async with shown(progress, suite, terminal.out):
        await terminal.shows("1 throttled")
    assert b"\x1b[1;31m" in terminal.received
    monkeypatch.setenv("NO_COLOR", "1")
    assert [""] == terminal.display
    before = len(terminal.received)
    async with shown(progress, suite, terminal.out):
        await terminal.shows("1 throttled")
    assert b";31m" not in terminal.received[before:]


async def test_a_terminal_without_a_cursor_gets_lines(
    terminal: Terminal, progress: Progress, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    async with shown(progress, suite, terminal.out):
        await terminal.shows("40/160 done")
    assert b"\x1b" not in terminal.received


async def test_a_paused_terminal_does_not_hold_up_the_load(
    terminal: Terminal, progress: Progress, suite: Suite
) -> None:
    termios.tcflow(terminal.out.fileno(), termios.TCOOFF)
    async with shown(progress, suite, terminal.out):
        for _ in range(200):
            await asyncio.sleep(0)
        termios.tcflow(terminal.out.fileno(), termios.TCOON)
        await terminal.shows("10/40")


async def test_off_a_terminal_there_are_lines_and_each_finding_once(progress: Progress, suite: Suite) -> None:
    tally = progress.tallies[NAMES[0]]
    tally.errors, tally.answered = {"throttled": 10}, 0
    out = io.StringIO()
    async with shown(progress, suite, out):
        for _ in range(50):
            await asyncio.sleep(0)
    lines = out.getvalue().splitlines()
    assert "40/160 done, 8 in flight, 10 errors (10 throttled), $0.0000, " in lines[0]
    assert lines[1].startswith(f"! {NAMES[0]}: all 10 requests failed, most often with throttled; ")
    assert 1 == sum(line.startswith("! ") for line in lines)
    assert len(lines) > 2
    assert "\x1b" not in out.getvalue()


class Gone(io.StringIO):
    """A terminal whose other end is closed."""

    def __init__(self, error: Exception, terminal: bool) -> None:
        super().__init__()
        self.error, self.terminal = error, terminal

    def isatty(self) -> bool:
        return self.terminal

    def write(self, _: str) -> int:
        raise self.error


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "I/O error"), ValueError("closed file")])
async def test_a_missing_stderr_ends_only_the_progress(
    progress: Progress, suite: Suite, error: Exception, terminal: bool
) -> None:
    await show_progress(progress, suite, every_s=0.0, out=Gone(error, terminal))


async def test_a_closed_stderr_ends_only_the_progress(progress: Progress, suite: Suite) -> None:
    out = io.StringIO()
    out.close()
    await show_progress(progress, suite, every_s=0.0, out=out)


async def test_without_a_stderr_there_is_no_progress(
    progress: Progress, suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", None)
    await show_progress(progress, suite)
