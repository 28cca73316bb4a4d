"""One timer heap for all replies: writes each piece when it is due, with a single pump for the whole server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace

from harness.clock import now_ns
from harness.simulator.truth import Served

GRANULARITY_NS = 1_000_000
"""Pieces go out never before they are due and, on an idle core, at most about this long after."""


class Script:
    """One reply: `pieces[i]` is due at `dues_ns[i]` (CLOCK_MONOTONIC). The first `chunks` pieces hold the content.

    `served` is stamped along the way; None for a reply that is not part of the truth.
    """

    __slots__ = ("_at", "_on_end", "_transport", "chunks", "dues_ns", "pieces", "served")

    def __init__(
        self, pieces: list[bytes], dues_ns: list[int], *, chunks: int = 0, served: Served | None = None
    ) -> None:
        self.pieces = pieces
        self.dues_ns = dues_ns
        self.chunks = chunks
        self.served = served
        self._at = 0
        self._transport: asyncio.Transport | None = None
        self._on_end: Callable[[], None] | None = None

    def start(self, transport: asyncio.Transport, on_end: Callable[[], None]) -> None:
        """Say where the pieces go; `on_end` is called after the last."""
        self._transport = transport
        self._on_end = on_end

    def stop(self) -> None:
        """Nobody listens any more: let go of the pieces and the connection."""
        self._transport = self._on_end = None
        self.pieces = []
        if self.served is not None:
            self.served.chunks = min(self._at, self.chunks)

    def play(self) -> int | None:
        """Write the piece that is due. Returns when the next one is, None when there is none."""
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
        """Played to its end: say so, once."""
        on_end = self._on_end
        self.stop()
        if on_end is not None:
            on_end()

    def _stamp(self, at: int, last: int) -> None:
        """Stamps are taken just before the write, so that no client can have a piece before its stamp."""
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
    """Plays any number of scripts with one timer of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[int, int, Script]] = []
        self._added = 0
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._wake_ns = 0

    def add(self, script: Script) -> None:
        """Take on a started script."""
        self._added += 1
        heappush(self._heap, (script.dues_ns[0], self._added, script))
        self._arm()

    def close(self) -> None:
        """Play nothing more."""
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
            _, order, script = heap[0]
            due = script.play()
            if due is None:
                heappop(heap)
                script.end()
            else:
                heapreplace(heap, (due, order, script))
        if heap:
            self._arm()
