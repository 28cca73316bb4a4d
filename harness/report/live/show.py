"""Shows a running load on stderr: frames on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TextIO

from harness import clock
from harness.load.progress import Progress
from harness.report.live.frame import LiveView
from harness.report.live.streams import is_writable, terminal_size
from harness.report.wording import sentence
from harness.suite.suite import Suite

REFRESH_S = 0.5
PLAIN_EVERY_S = 5.0


async def show_progress(
    progress: Progress,
    suite: Suite,
    *,
    scheduled: bool = True,
    every_s: float | None = None,
    out: TextIO | None = None,
) -> None:
    """Show a load on stderr until cancelled: frames on a terminal, else lines, and each finding as it arises.

    `every_s`: default `REFRESH_S` on a terminal, else `PLAIN_EVERY_S`. `scheduled`: the load keeps to the suite's
    schedule. If stderr is closed, only the progress ends. A terminal that is paused (Ctrl-S) or does not read shows
    nothing until it goes on: writing to it would hold up the load.
    """
    out = sys.stderr if out is None else out
    if out is None:  # started without stderr
        return
    view = LiveView(progress, suite, scheduled=scheduled)
    with contextlib.suppress(OSError, ValueError):
        if out.isatty():
            await _draw_live(view, every_s, out)
        else:
            await _print_lines(view, every_s, out)


async def _draw_live(view: LiveView, every_s: float | None, out: TextIO) -> None:
    from rich.console import Console, ConsoleDimensions
    from rich.live import Live
    from rich.text import Text

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            """Raise the error again, since a Console would end the process."""
            self.quiet = True
            raise

    console = Screen(file=out, highlight=False)
    if console.is_dumb_terminal:
        return await _print_lines(view, every_s, out)

    def frame() -> Text:
        at_s, (width, height) = (clock.now_ns() - started_ns) / 1e9, terminal_size(out)
        console.size = ConsoleDimensions(width, height)
        view.observe(at_s)
        lines = view.lines(at_s, width, height - 1)
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)

    started_ns = clock.now_ns()
    while not is_writable(out):  # noqa: ASYNC110 (no event tells when a terminal goes on)
        await asyncio.sleep(REFRESH_S)
    with Live(frame(), console=console, auto_refresh=False, transient=True) as live:
        while True:
            await asyncio.sleep(REFRESH_S if every_s is None else every_s)
            if is_writable(out):
                live.update(frame(), refresh=True)


async def _print_lines(view: LiveView, every_s: float | None, out: TextIO) -> None:
    started_ns, told = clock.now_ns(), set[tuple[str, str]]()
    while True:
        await asyncio.sleep(PLAIN_EVERY_S if every_s is None else every_s)
        at_s = (clock.now_ns() - started_ns) / 1e9
        view.observe(at_s)
        if not is_writable(out):
            continue
        lines = [view.line(at_s), *(f"! {sentence(each)}" for key, each in view.findings.items() if key not in told)]
        told |= view.findings.keys()
        print(*lines, sep="\n", file=out, flush=True)
