"""The health of a sending process during the load, by which a run's validity is judged."""

from __future__ import annotations

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Difference = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1e9)]


class HeldBack(msgspec.Struct, kw_only=True):
    """How often requests had to wait because of a limit, and the longest wait (ns)."""

    requests: Count = 0
    longest_ns: Count = 0


class NodeClock(msgspec.Struct, frozen=True, kw_only=True):
    """How the clocks of a node of a cluster differ from those of the machine that started the run."""

    ahead_ns: Difference
    """CLOCK_MONOTONIC, which counts from the start of each machine. The node's stamps are less this."""
    uncertainty_ns: Count
    """`ahead_ns` may be off by so much: half of the shortest round trip."""
    wall_ahead_ns: Difference
    """The wall clock, on which no stamp depends."""


class LostNode(msgspec.Struct, frozen=True, kw_only=True):
    """A node that was lost while it sent a part of the load."""

    at_ns: Count
    """On the run's clock."""
    cancelled: Count
    """Requests that it had in flight, as far as is known."""
    paused_ns: Count | None
    """How long nobody sent the part. None: nobody went on with it."""


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
    clock_set_ns: Difference = 0
    """By how much the wall clock was set, forwards or back."""
    held_back: dict[str, HeldBack] = {}
    """By target, if `load.max_in_flight` is set."""
    held_back_by_budget: HeldBack | None = None
    """Attempts that waited until others in flight had left enough of the budget. None: there is no budget."""
    node_clock: NodeClock | None = None
    """Of the node on which the process ran. None: on the machine that started the run."""
    lost_nodes: tuple[LostNode, ...] = ()
    """Those that sent a part of the load before this process, which says nothing about them."""
