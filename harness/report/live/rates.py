"""What happened within the last seconds of a load: the achieved rate, and how late requests were sent."""

from __future__ import annotations

from collections import deque

import msgspec

from harness.load.progress import Histogram, Progress

RECENT_S = 5.0


class Moment(msgspec.Struct, frozen=True):
    """The counts of all targets at a moment. `late`: copies."""

    at_s: float
    answered: dict[str, int]
    late: dict[str, Histogram]


class Recent:
    """Keeps the counts of the last `RECENT_S`. Times in seconds after the load began."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._moments = deque([self._moment(0.0)])

    def observe(self, at_s: float) -> None:
        """Keep the counts of now. To be called for every frame or line."""
        self._moments.append(self._moment(at_s))
        while len(self._moments) > 2 and self._moments[1].at_s <= at_s - RECENT_S:
            self._moments.popleft()

    def achieved_per_s(self, name: str) -> float:
        """Answered requests per second."""
        first, last = self._moments[0], self._moments[-1]
        passed_s = last.at_s - first.at_s
        return (last.answered[name] - first.answered[name]) / passed_s if passed_s > 0 else 0.0

    def late(self, name: str) -> Histogram:
        """How late the attempts of this time were sent."""
        return self._moments[-1].late[name].since(self._moments[0].late[name])

    @property
    def seconds(self) -> float:
        """How much time the rates cover."""
        return self._moments[-1].at_s - self._moments[0].at_s

    def _moment(self, at_s: float) -> Moment:
        tallies = self._progress.tallies
        answered = {name: tally.answered for name, tally in tallies.items()}
        return Moment(at_s, answered, {name: tally.late.copy() for name, tally in tallies.items()})
