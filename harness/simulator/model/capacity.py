"""What a route can bear: streams that it serves at once, the others queue; tokens a minute, the rest is throttled."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping

import msgspec

MINUTE_NS = 60_000_000_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of each model on each route. Routing (`us`, `global`, …) → limit; `` is every other one's. None: no limit."""

    streams: Mapping[str, float] = {}
    tokens_per_minute: Mapping[str, float] = {}


def limit_of(limits: Mapping[str, float], routing: str) -> float | None:
    """The limit of one route."""
    return limits.get(routing, limits.get(""))


class Capacity:
    """Serves so many streams of one place at once; a request beyond that begins when the first of them ends."""

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._ends_ns: dict[str, list[int]] = defaultdict(list)

    def begin(self, place: str, routing: str, now_ns: int, service_ns: int) -> int:
        """How long a request that takes `service_ns` has to wait first, ns. Requests come in the order of time."""
        limit = limit_of(self._limits, routing)
        if limit is None:
            return 0
        ends = self._ends_ns[place]
        while ends and ends[0] <= now_ns and len(ends) >= limit:
            heapq.heappop(ends)
        start_ns = now_ns if len(ends) < limit else max(now_ns, heapq.heappop(ends))
        heapq.heappush(ends, start_ns + service_ns)
        return start_ns - now_ns


class TokenQuota:
    """Bedrock's own accounting: input + max_tokens reserved at admission; at the end output × burndown is kept of it.

    A bucket of one minute's tokens for each place, filled continuously.
    """

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._left: dict[str, float] = {}
        self._at_ns: dict[str, int] = {}
        self._returns: dict[str, list[tuple[int, float]]] = defaultdict(list)

    def admit(self, place: str, routing: str, now_ns: int, reserved: float) -> bool:
        """Whether the reservation is granted; what is not granted costs nothing."""
        limit = limit_of(self._limits, routing)
        if limit is None:
            return True
        self._refill(place, limit, now_ns)
        if self._left[place] < reserved:
            return False
        self._left[place] -= reserved
        return True

    def settle(self, place: str, end_ns: int, *, reserved: float, kept: float) -> None:
        """At its end a granted request has cost `kept`; the rest of its reservation goes back then."""
        if place in self._left:
            heapq.heappush(self._returns[place], (end_ns, reserved - kept))

    def _refill(self, place: str, limit: float, now_ns: int) -> None:
        left = self._left.get(place, limit) + limit * (now_ns - self._at_ns.get(place, now_ns)) / MINUTE_NS
        returns = self._returns[place]
        while returns and returns[0][0] <= now_ns:
            left += heapq.heappop(returns)[1]
        self._left[place], self._at_ns[place] = min(limit, left), now_ns
