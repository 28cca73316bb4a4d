"""A trace: requests are due when those of the recorded traffic arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from random import Random

import msgspec

from harness.errors import HarnessError
from harness.suite.suite import Load, TracedCall

MINUTE_S = 60.0


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

    def offsets(self, rng: Random) -> Iterator[float]:
        return self._offsets()

    def _offsets(self) -> Iterator[float]:
        return (call.at_s / self.speed for call in self.calls)
