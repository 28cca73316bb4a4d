"""Shows on stderr how far the grading of a run is, once it takes longer than a moment."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from typing import TextIO

from harness.report.live.streams import is_writable
from harness.scoring.score import Grading

REFRESH_S = 0.5
PLAIN_EVERY_S = 5.0
ERASE_LINE = "\r\x1b[K"


async def show_grading(grading: Grading, *, every_s: float | None = None, out: TextIO | None = None) -> None:
    """Show `grading 1,234/2,000` until cancelled: in place on a terminal, else a line every few seconds.

    If stderr is closed, only the progress ends.
    """
    out = sys.stderr if out is None else out
    if out is None:  # started without stderr
        return
    with suppress(OSError, ValueError):
        in_place = out.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        pause_s = every_s if every_s is not None else REFRESH_S if in_place else PLAIN_EVERY_S
        try:
            while True:
                await asyncio.sleep(pause_s)
                if grading.answers is not None and is_writable(out):
                    text = f"grading {grading.done:,}/{grading.answers:,}"
                    print(ERASE_LINE + text if in_place else text, end="" if in_place else "\n", file=out, flush=True)
        finally:
            if in_place:
                print(ERASE_LINE, end="", file=out, flush=True)
