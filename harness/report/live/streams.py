"""What a stream can take: the size of a terminal, and whether writing to it waits for a reader."""

from __future__ import annotations

import os
import select
from typing import TextIO

USUAL_SIZE = 80, 24


def terminal_size(out: TextIO) -> tuple[int, int]:
    """Columns and lines of the terminal, which may have been resized; 80 × 24 if it does not say."""
    try:
        width, height = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return USUAL_SIZE
    return width or USUAL_SIZE[0], height or USUAL_SIZE[1]


def is_writable(out: TextIO) -> bool:
    """Whether a write of a few kilobytes is likely not to wait for the reader."""
    try:
        return bool(select.select([], [out.fileno()], [], 0)[1])
    except (OSError, ValueError):  # not a file, or not one that can be waited for
        return True
