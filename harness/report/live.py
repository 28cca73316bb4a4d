"""Progress of a run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TextIO

from harness.characters import counted
from harness.clock import now_ns
from harness.load.progress import Progress, Tally
from harness.report.section import Column, Table
from harness.report.terminal import table_lines

REFRESH_S = 0.5
PLAIN_EVERY_S = 5.0
COLUMNS = tuple(
    Column(heading=heading, weight=weight)
    for heading, weight in (("target", 9), ("done", 5), ("in flight", 1), ("errors", 4), ("tokens/s", 2), ("cost", 3))
)


async def show_progress(
    progress: Progress, *, duration_s: float | None, every_s: float = PLAIN_EVERY_S, out: TextIO | None = None
) -> None:
    """Show progress on stderr until cancelled; if that is not a terminal, print a line every `every_s`.

    Frames are plain text, so that drawing does not affect latencies. If stderr is closed, only the progress ends.
    """
    out = out or sys.stderr
    started_ns = now_ns()
    with contextlib.suppress(OSError, ValueError):
        if out.isatty():
            await _draw_live(progress, started_ns, duration_s, out)
        else:
            await _print_lines(progress, started_ns, duration_s, every_s, out)


async def _draw_live(progress: Progress, started_ns: int, duration_s: float | None, out: TextIO) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            """Raise the error again, since a Console would end the process."""
            self.quiet = True
            raise

    console = Screen(file=out)

    def frame() -> Text:
        text = "\n".join(live_lines(progress, (now_ns() - started_ns) / 1e9, duration_s, console.width))
        return Text(text, no_wrap=True, overflow="ellipsis")

    with Live(frame(), console=console, auto_refresh=False, transient=True) as live:
        while True:
            await asyncio.sleep(REFRESH_S)
            live.update(frame(), refresh=True)


async def _print_lines(
    progress: Progress, started_ns: int, duration_s: float | None, every_s: float, out: TextIO
) -> None:
    while True:
        await asyncio.sleep(every_s)
        elapsed_s = (now_ns() - started_ns) / 1e9
        failed = sum(tally.failed for tally in progress.tallies.values())
        in_flight = sum(tally.in_flight for tally in progress.tallies.values())
        print(
            f"{elapsed_s:5.0f} s  {_share(progress)} done, {in_flight} in flight, {counted(failed, 'error')}, "
            f"{_dollars(progress)}, {_left(progress, elapsed_s, duration_s)}",
            file=out,
            flush=True,
        )


def live_lines(progress: Progress, elapsed_s: float, duration_s: float | None, width: int = 80) -> list[str]:
    """A line for each target, one for the total and one for the time, in at most `width` characters if possible.

    `elapsed_s`: seconds since the load began.
    """
    tallies = progress.tallies
    total = Tally(
        done=progress.done,
        in_flight=sum(tally.in_flight for tally in tallies.values()),
        failed=sum(tally.failed for tally in tallies.values()),
        output_tokens=sum(tally.output_tokens for tally in tallies.values()),
        cost_usd=progress.cost_usd,
        unpriced=sum(tally.unpriced for tally in tallies.values()),
    )
    whole = None if progress.planned is None else progress.planned * len(tallies)
    rows = [(name, *_cells(tally, progress.planned, elapsed_s)) for name, tally in tallies.items()]
    rows.append(("total", *_cells(total, whole, elapsed_s)))
    lines = [line.plain for line in table_lines(Table(columns=COLUMNS, rows=rows), width)]
    return [*lines, f"{elapsed_s:.0f} s, {_left(progress, elapsed_s, duration_s)}"]


def _cells(tally: Tally, planned: int | None, elapsed_s: float) -> tuple[str, ...]:
    """The cells of COLUMNS after the name."""
    done = f"{tally.done}/{planned}" if planned is not None else f"{tally.done}"
    speed = tally.output_tokens / elapsed_s if elapsed_s > 0 else 0.0
    cost = "unknown" if tally.unpriced and not tally.cost_usd else f"${tally.cost_usd:.4f}"
    return done, f"{tally.in_flight}", f"{tally.failed}", f"{speed:.0f}", cost


def _share(progress: Progress) -> str:
    if progress.planned is None:
        return f"{progress.done}"
    return f"{progress.done}/{progress.planned * len(progress.tallies)}"


def _dollars(progress: Progress) -> str:
    return f"${progress.cost_usd:.4f}"


def _left(progress: Progress, elapsed_s: float, duration_s: float | None) -> str:
    """The time left by the share of finished requests or by the duration, whichever is shorter.

    After the duration, while requests are still in flight, by the share alone.
    """
    left = [] if duration_s is None or duration_s <= elapsed_s else [duration_s - elapsed_s]
    if progress.planned is not None and progress.done:
        total = progress.planned * len(progress.tallies)
        left.append(elapsed_s * (total - progress.done) / progress.done)
    return f"about {min(left):.0f} s left" if left else "time left unknown"
