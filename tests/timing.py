"""The CPU time of hostile inputs: it may grow as the input does, and no faster."""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")
CLOCK_S = 0.001
"""What takes less is as quick as this: shorter times are mostly noise."""


def assert_linear(action: Callable[[T], object], short: T, long: T) -> None:
    """`long` is ten times as long as `short`; work that grows as its square would take a hundred times as long."""
    action(short)  # patterns and validators are made at the first call
    short_s, long_s = (
        min(timeit.repeat(partial(action, each), timer=time.process_time, repeat=3, number=1)) for each in (short, long)
    )
    assert long_s < 30 * max(short_s, CLOCK_S), f"{short_s:.4f} s for the short one, {long_s:.4f} s for the long one"
