"""Limits of a route: concurrent streams, beyond which requests queue, and tokens per minute, beyond which they fail."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping

import msgspec

MINUTE_NS = 60_000_000_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits per model and route: routing (`us`, `global`, …) → limit; the empty routing is the default."""

    streams: Mapping[str, float] = {}
    tokens_per_minute: Mapping[str, float] = {}


def limit_of(limits: Mapping[str, float], routing: str) -> float | None:
    """The limit of a route, None if it has none."""
    return limits.get(routing, limits.get(""))


class Capacity:
    """Limits the concurrent streams of a place; a request beyond the limit starts when the first of them ends."""

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._ends_ns: dict[str, list[int]] = defaultdict(list)

    def begin(self, place: str, routing: str, now_ns: int, service_ns: int) -> int:
        """How long a request that takes `service_ns` must wait first, ns. Call in order of time."""
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
    """Bedrock's accounting: input + max_tokens are reserved at admission, input + output × burndown charged at the end.

    Each place has a bucket with one minute's tokens that refills continuously.
    """

    def __init__(self, limits: Mapping[str, float]) -> None:
        self._limits = limits
        self._left: dict[str, float] = {}
        self._at_ns: dict[str, int] = {}
        self._returns: dict[str, list[tuple[int, float]]] = defaultdict(list)

    def admit(self, place: str, routing: str, now_ns: int, reserved: float) -> bool:
        """Whether the reservation is granted. A rejected one costs nothing."""
        limit = limit_of(self._limits, routing)
        if limit is None:
            return True
        self._refill(place, limit, now_ns)
        if self._left[place] < reserved:
            return False
        self._left[place] -= reserved
        return True

    def settle(self, place: str, end_ns: int, *, reserved: float, charged: float) -> None:
        """When a granted request ends, charge `charged` tokens and return the rest of its reservation."""
        if place in self._left:
            heapq.heappush(self._returns[place], (end_ns, reserved - charged))

    def _refill(self, place: str, limit: float, now_ns: int) -> None:
        left = self._left.get(place, limit) + limit * (now_ns - self._at_ns.get(place, now_ns)) / MINUTE_NS
        returns = self._returns[place]
        while returns and returns[0][0] <= now_ns:
            left += heapq.heappop(returns)[1]
        self._left[place], self._at_ns[place] = min(limit, left), now_ns
