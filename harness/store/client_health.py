"""The health of a sending process during the load, by which a run's validity is judged."""

from __future__ import annotations

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class HeldBack(msgspec.Struct, kw_only=True):
    """How often requests had to wait because of a limit, and the longest wait (ns)."""

    requests: Count = 0
    longest_ns: Count = 0


class ClientHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health of one sending process while it sent. Times in ns."""

    worker: Count = 0
    lag_samples: Count
    lag_p50_ns: Count
    """Quantiles of the event loop's lag: how late it woke a sleeping task."""
    lag_p99_ns: Count
    lag_max_ns: Count
    wall_ns: Count = 0
    """How long the process sent."""
    cpu_share: Share
    """CPU seconds / wall seconds; 1.0 is one full core."""
    busiest_cpu_share: Share
    """The same, over the busiest second."""
    gc_pauses: Count = 0
    gc_total_ns: Count = 0
    gc_longest_ns: Count = 0
    open_files_most: Count | None = None
    """The most files and sockets open at once. None: not available on this system."""
    open_files_limit: Count | None = None
    connections: Count = 0
    """Size of the smallest connection pool of a client: the most exchanges that it can make at once."""
    connections_most: Count = 0
    """The most exchanges that one client made at once."""
    connection_waits: Count = 0
    """Exchanges that started while every connection of their client was in use."""
    slept_ns: Count = 0
    """How long the machine was suspended, which no other time includes."""
    clock_set_ns: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] = 0
    """By how much the wall clock was set, forwards or back."""
    held_back: dict[str, HeldBack] = {}
    """By target, if `load.max_in_flight` is set."""
    held_back_by_budget: HeldBack | None = None
    """Attempts that waited until others in flight had left enough of the budget. None: there is no budget."""
