"""What a run looks like while it goes on: a live table on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import asyncio
import sys
from typing import TextIO

from harness.clock import now_ns
from harness.load.progress import Progress, Tally

REFRESH_S = 0.5
PLAIN_EVERY_S = 5.0


async def show_progress(
    progress: Progress, *, duration_s: float | None, every_s: float = PLAIN_EVERY_S, out: TextIO | None = None
) -> None:
    """Draw on stderr until cancelled; off a terminal, a line every `every_s`.

    Frames are plain text, so that drawing them is not seen in the latencies.
    """
    out = out or sys.stderr
    started_ns = now_ns()
    if out.isatty():
        await _draw_live(progress, started_ns, duration_s, out)
    else:
        await _print_lines(progress, started_ns, duration_s, every_s, out)


async def _draw_live(progress: Progress, started_ns: int, duration_s: float | None, out: TextIO) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    def frame() -> Text:
        text = "\n".join(live_lines(progress, (now_ns() - started_ns) / 1e9, duration_s))
        return Text(text, no_wrap=True, overflow="ellipsis")

    with Live(frame(), console=Console(file=out), auto_refresh=False, transient=True) as live:
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
            f"{elapsed_s:5.0f} s  {_share(progress)} done, {in_flight} in flight, {failed} errors, "
            f"{_dollars(progress)}, {_left(progress, elapsed_s, duration_s)}",
            file=out,
            flush=True,
        )


def live_lines(progress: Progress, elapsed_s: float, duration_s: float | None) -> list[str]:
    """One line for each target and a total; `elapsed_s` since the load began."""
    width = max([len(name) for name in progress.tallies] + [6])
    lines = [f"{'target':<{width}}  {'done':>11}  {'in flight':>9}  {'errors':>6}  {'tokens/s':>8}  {'cost':>9}"]
    lines += [_line(name, tally, progress.planned, width, elapsed_s) for name, tally in progress.tallies.items()]
    lines.append(
        f"{'total':<{width}}  {_share(progress):>11}  {elapsed_s:7.0f} s  {_left(progress, elapsed_s, duration_s)}"
    )
    return lines


def _line(name: str, tally: Tally, planned: int | None, width: int, elapsed_s: float) -> str:
    done = f"{tally.done}/{planned}" if planned is not None else f"{tally.done}"
    speed = tally.output_tokens / elapsed_s if elapsed_s > 0 else 0.0
    cost = "unknown" if tally.unpriced and not tally.cost_usd else f"${tally.cost_usd:.4f}"
    return f"{name:<{width}}  {done:>11}  {tally.in_flight:>9}  {tally.failed:>6}  {speed:>8.0f}  {cost:>9}"


def _share(progress: Progress) -> str:
    if progress.planned is None:
        return f"{progress.done}"
    return f"{progress.done}/{progress.planned * len(progress.tallies)}"


def _dollars(progress: Progress) -> str:
    return f"${progress.cost_usd:.4f}"


def _left(progress: Progress, elapsed_s: float, duration_s: float | None) -> str:
    """Time left: by the share of requests that are over, or by the duration, whichever ends first."""
    left = [] if duration_s is None else [max(0.0, duration_s - elapsed_s)]
    if progress.planned is not None and progress.done:
        total = progress.planned * len(progress.tallies)
        left.append(elapsed_s * (total - progress.done) / progress.done)
    return f"about {min(left):.0f} s left" if left else "time left unknown"
