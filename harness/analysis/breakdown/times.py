"""Where the time of a target's answers went: in the client's queue, in retries, on the network, in the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.analysis.metrics import e2e_s, queue_delay_s
from harness.analysis.stats.quantiles import quantile

TimePart = Literal["queue", "retries", "network", "first byte", "rest", "service", "unknown"]
"""In the order in which they are drawn. `network`: sent to done less the service's own time, the client's reading
included. `first byte` and `rest`: the service until and after its first byte, else both as `service`. `unknown`: sent
to done, of a target whose endpoint gives no time of its own."""
TIME_PARTS: tuple[TimePart, ...] = ("queue", "retries", "network", "first byte", "rest", "service", "unknown")


@dataclass(frozen=True, kw_only=True)
class TimeParts:
    """One target's median seconds in each part. Medians of parts do not add up to the median of the whole."""

    target: str
    n: int
    """Successes that are counted: where the service gave its time for some of them, those alone."""
    successes: int
    medians: Mapping[TimePart, float]
    e2e_s: float
    """The median E2E latency of those counted, by nearest rank as all of these."""


def time_parts(c: Columns) -> TimeParts | None:
    """The medians of one target's parts; None if nothing succeeded."""
    e2e = e2e_s(c)
    timed = _timed(c)
    counted = ~np.isnan(e2e) & ~np.isnan(c.sent_s) & ~np.isnan(c.first_try_sent_s)
    successes = int(counted.sum())
    if timed is not None and (counted & timed).any():
        counted &= timed
    else:
        timed = None
    if not successes:
        return None
    parts = {part: values[counted] for part, values in _parts(c, given=timed is not None).items()}
    return TimeParts(
        target=c.target,
        n=int(counted.sum()),
        successes=successes,
        medians={part: quantile(np.sort(values), 0.5) for part, values in parts.items() if not np.isnan(values).any()},
        e2e_s=quantile(np.sort(e2e[counted]), 0.5),
    )


def _timed(c: Columns) -> np.typing.NDArray[np.bool_] | None:
    """Which requests the service gave its time for; those with the time to its first byte where any has one."""
    if c.server_latency_s is None:
        return None
    latency = ~np.isnan(c.server_latency_s)
    both = latency if c.server_first_byte_s is None else latency & ~np.isnan(c.server_first_byte_s)
    return both if both.any() else latency


def _parts(c: Columns, *, given: bool) -> dict[TimePart, Floats]:
    """Seconds of each part, one a request."""
    parts: dict[TimePart, Floats] = {"queue": queue_delay_s(c)}
    if (c.attempts > 1).any():
        parts["retries"] = c.sent_s - c.first_try_sent_s
    if not given or c.server_latency_s is None:
        return {**parts, "unknown": c.done_s - c.sent_s}
    parts["network"] = c.done_s - c.sent_s - c.server_latency_s
    if c.server_first_byte_s is None or np.isnan(c.server_first_byte_s).all():
        return {**parts, "service": c.server_latency_s}
    return {**parts, "first byte": c.server_first_byte_s, "rest": c.server_latency_s - c.server_first_byte_s}
