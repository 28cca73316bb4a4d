"""What the sending process itself suffered while it loaded: what a run's validity is judged by."""

from __future__ import annotations

import msgspec


class HeldBack(msgspec.Struct, kw_only=True):
    """Requests of one target that were due and had to wait for another to end (`load.max_in_flight`)."""

    requests: int = 0
    longest_ns: int = 0


class ClientHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the load, over the time in which it sent. Times in ns."""

    worker: int = 0
    lag_samples: int
    lag_p50_ns: int
    """The event loop's lateness in waking a sleeper."""
    lag_p99_ns: int
    lag_max_ns: int
    wall_ns: int = 0
    """How long it sent."""
    cpu_share: float
    """CPU seconds / wall seconds; 1.0 is one whole core."""
    busiest_cpu_share: float
    """The same over the busiest second."""
    gc_pauses: int = 0
    gc_total_ns: int = 0
    gc_longest_ns: int = 0
    open_files_most: int | None = None
    """The most files and sockets that were open at once. None: this system does not say."""
    open_files_limit: int | None = None
    connections: int = 0
    """The most exchanges that one client may have on connections of its own at once: the width of its pool."""
    connections_most: int = 0
    """The most that one client had under way at once."""
    connection_waits: int = 0
    """Exchanges that began while every connection of their client was taken."""
    held_back: dict[str, HeldBack] = {}
    """By target, where `load.max_in_flight` is set."""
