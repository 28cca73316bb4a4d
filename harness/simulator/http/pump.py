"""Sends every piece of every reply when it is due, with one timer heap for the whole server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from typing import Literal

from harness.clock import now_ns
from harness.simulator.truth import ServedRequest

GRANULARITY_NS = 1_000_000
"""No piece is sent before it is due and, on an idle core, hardly any more than this long after."""

Ending = Literal["keep", "close", "reset", "hold"]
"""What happens to the connection after a reply: it is kept for the next request, closed, reset, or held in silence."""


class ScheduledReply:
    """One reply: `pieces[i]` is due at `dues_ns[i]` (CLOCK_MONOTONIC). The first `chunks` pieces are the content.

    `served` is stamped along the way; it is None for a reply that is not recorded in the truth.
    """

    __slots__ = ("_at", "_on_end", "_transport", "chunks", "dues_ns", "ending", "pieces", "served")

    def __init__(
        self,
        pieces: list[bytes],
        dues_ns: list[int],
        *,
        chunks: int = 0,
        served: ServedRequest | None = None,
        ending: Ending = "keep",
    ) -> None:
        self.pieces = pieces
        self.dues_ns = dues_ns
        self.chunks = chunks
        self.served = served
        self.ending = ending
        self._at = 0
        self._transport: asyncio.Transport | None = None
        self._on_end: Callable[[], None] | None = None

    def start(self, transport: asyncio.Transport, on_end: Callable[[], None]) -> None:
        """Set the transport; `on_end` is called after the last piece."""
        self._transport = transport
        self._on_end = on_end

    def stop(self) -> None:
        """Drop the pieces and the connection: nobody is listening any more."""
        self._transport = self._on_end = None
        self.pieces = []
        if self.served is not None:
            self.served.chunks = min(self._at, self.chunks)

    def send_next(self) -> int | None:
        """Write the next piece. Returns when the one after it is due, None if it was the last."""
        transport = self._transport
        if transport is None:
            return None
        at = self._at
        last = len(self.dues_ns) - 1
        if at == 0 or at >= self.chunks - 1:
            self._stamp(at, last)
        transport.write(self.pieces[at])
        self._at = at + 1
        return self.dues_ns[at + 1] if at < last else None

    def end(self) -> None:
        """Finish the reply and call `on_end`, once. A reply that holds the connection ends when the client hangs up."""
        if self.ending == "hold":
            return
        on_end = self._on_end
        self.stop()
        if on_end is not None:
            on_end()

    def _stamp(self, at: int, last: int) -> None:
        """Take stamps just before the write, so that no client receives a piece before its stamp."""
        served = self.served
        if served is None:
            return
        now = now_ns()
        if at == 0 and self.chunks:
            served.first_ns = now
        if at == self.chunks - 1:
            served.last_ns = now
        if at == last:
            served.done_ns = now


class Pump:
    """Sends any number of replies with one timer of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[int, int, ScheduledReply]] = []
        self._added = 0
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._wake_ns = 0

    def add(self, reply: ScheduledReply) -> None:
        """Schedule a started reply."""
        self._added += 1
        heappush(self._heap, (reply.dues_ns[0], self._added, reply))
        self._arm()

    def close(self) -> None:
        """Send nothing more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        now = now_ns()
        wake_ns = max(self._heap[0][0], now + GRANULARITY_NS)
        if self._timer is not None:
            if self._wake_ns <= wake_ns:
                return
            self._timer.cancel()
        self._wake_ns = wake_ns
        self._timer = self._loop.call_later((wake_ns - now) / 1e9, self._run)

    def _run(self) -> None:
        self._timer = None
        heap = self._heap
        horizon = now_ns()  # fixed, so that a backlog cannot keep requests from being read
        while heap and heap[0][0] <= horizon:
            _, order, reply = heap[0]
            due = reply.send_next()
            if due is None:
                heappop(heap)
                reply.end()
            else:
                heapreplace(heap, (due, order, reply))
        if heap:
            self._arm()
