"""A trace: requests are due when those of the recorded traffic arrived."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.suite.suite import Load, TracedCall

MINUTE_S = 60.0
RECENT_S = 5.0
"""How far the rate at a moment looks back."""


class Trace(msgspec.Struct, frozen=True):
    """All calls of the trace for each target, `speed` times as fast as recorded."""

    calls: tuple[TracedCall, ...]
    speed: float

    @classmethod
    def from_load(cls, load: Load) -> Trace:
        if not load.calls:
            raise HarnessError("load: arrival 'trace' needs a trace with calls; for example trace: my.trace.jsonl")
        return cls(load.calls, load.speed or 1.0)

    @property
    def opening_per_s(self) -> float:
        """The mean rate; 1 per second if all calls arrived at once."""
        span_s = self.calls[-1].at_s / self.speed
        return (len(self.calls) - 1) / span_s if span_s > 0 else 1.0

    @property
    def peak_per_s(self) -> float:
        most, minute = 0, deque[float]()
        for at_s in self._offsets():
            minute.append(at_s)
            while minute[0] <= at_s - MINUTE_S:
                minute.popleft()
            most = max(most, len(minute))
        return most / MINUTE_S

    def rate_at(self, at_s: float) -> float:
        upto, start = at_s * self.speed, (at_s - RECENT_S) * self.speed
        calls = bisect_right(self.calls, upto, key=_at_s) - bisect_right(self.calls, start, key=_at_s)
        return calls / min(RECENT_S, at_s) if at_s > 0 else 0.0

    def offsets(self, rng: Random) -> Iterator[float]:
        return self._offsets()

    def _offsets(self) -> Iterator[float]:
        return (call.at_s / self.speed for call in self.calls)


def _at_s(call: TracedCall) -> float:
    return call.at_s
