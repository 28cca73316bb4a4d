"""Running counts of a load, by target: what the live view knows before any record is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.load.limits.errors import StoppedTarget
from harness.load.plan import MEASURE
from harness.store.client_health import LostNode
from harness.store.records import Attempt

MESSAGE_CHARS = 300
"""Of the first error message of each kind."""


@dataclass(slots=True)
class Histogram:
    """Counts durations in buckets, for quantiles with an error of at most 1.6%, as HdrHistogram does.

    Buckets are exact below 64 µs. From there on, every power of two has 32 of the same width.
    """

    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, duration_ns: int) -> None:
        """Count a duration; less than zero counts as zero."""
        us = duration_ns // 1000 if duration_ns > 0 else 0
        shift = us.bit_length() - 6
        bucket = us if shift < 0 else 32 * shift + (us >> shift)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    def quantile_s(self, q: float) -> float | None:
        """The middle of the nearest rank's bucket, s. None: nothing was counted."""
        rank, passed = q * self.count, 0
        for duration_s, count in self.counts():
            passed += count
            if passed >= rank:
                return duration_s
        return None

    def counts(self) -> Iterator[tuple[float, int]]:
        """The middle of each bucket, s, and how many durations are in it; the shortest first."""
        for bucket in sorted(self.buckets):
            yield _middle_us(bucket) / 1e6, self.buckets[bucket]

    def include(self, other: Histogram) -> None:
        """Count the durations of another histogram as well."""
        buckets = self.buckets
        for bucket, count in other.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count

    def since(self, earlier: Histogram) -> Histogram:
        """The durations counted since `earlier`, which is a copy of this histogram from back then."""
        grown = self.buckets.items() - earlier.buckets.items()
        return Histogram({bucket: count - earlier.buckets.get(bucket, 0) for bucket, count in grown})

    def copy(self) -> Histogram:
        return Histogram(self.buckets.copy())


def _middle_us(bucket: int) -> float:
    shift = max(0, bucket // 32 - 1)
    return ((bucket - 32 * shift) << shift) + (1 << shift >> 1)


@dataclass(slots=True)
class Tally:
    """Running counts for one target, warm-up included (it costs money too)."""

    done: int = 0
    """Completed requests."""
    in_flight: int = 0
    answered: int = 0
    """Requests with a successful attempt."""
    errors: dict[str, int] = field(default_factory=dict)
    """Failed attempts by error kind."""
    messages: dict[str, str] = field(default_factory=dict)
    """The first error message of each kind: hostile text."""
    measured: int = 0
    """Completed requests, without warm-up and without those that were cancelled."""
    failures: dict[str, int] = field(default_factory=dict)
    """Of these, the failed ones, by error kind of the last attempt."""
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    """Attempts whose cost is unknown."""
    wait: Histogram = field(default_factory=Histogram)
    """TTFT of the answers so far, or E2E latency where the target does not stream; without warm-up."""
    late: Histogram = field(default_factory=Histogram)
    """How late attempts were sent; without warm-up."""

    @property
    def failed(self) -> int:
        """Attempts that were not ok."""
        return sum(self.errors.values())

    @property
    def attempts(self) -> int:
        return self.answered + self.failed

    def include(self, other: Tally) -> None:
        """Add the counts of another tally."""
        self.done += other.done
        self.in_flight += other.in_flight
        self.answered += other.answered
        for kind, count in other.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        self.messages = other.messages | self.messages
        self.measured += other.measured
        for kind, count in other.failures.items():
            self.failures[kind] = self.failures.get(kind, 0) + count
        self.output_tokens += other.output_tokens
        self.cost_usd += other.cost_usd
        self.unpriced += other.unpriced
        self.wait.include(other.wait)
        self.late.include(other.late)


@dataclass(slots=True)
class Progress:
    """Tallies by target."""

    planned: int | None
    """Requests for each target. None: unknown, or not the same for all targets."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    lag: Histogram = field(default_factory=Histogram)
    """The lag of the sending processes' event loops."""
    earlier_usd: float = 0.0
    """What a run that is resumed had spent before."""
    stopped: dict[str, StoppedTarget] = field(default_factory=dict)
    """Targets that were stopped early."""
    lost_nodes: dict[int, tuple[LostNode, ...]] = field(default_factory=dict)
    """Of a cluster, by worker."""

    def count(self, attempt: Attempt, first_due_ns: int) -> None:
        """Add one attempt to its target's tally. `first_due_ns`: when its request's first attempt was due."""
        tally = self.tallies[attempt.target]
        tally.output_tokens += attempt.output_tokens or 0
        if attempt.cost_usd is None:
            tally.unpriced += 1
        else:
            tally.cost_usd += attempt.cost_usd
        if attempt.ok:
            tally.answered += 1
        else:
            kind = attempt.error_kind or "internal"
            tally.errors[kind] = tally.errors.get(kind, 0) + 1
            tally.messages.setdefault(kind, (attempt.error_message or "")[:MESSAGE_CHARS])
        if attempt.phase != MEASURE:
            return
        if attempt.sent_ns is not None:
            tally.late.add(attempt.sent_ns - attempt.due_ns)
        waited_until_ns = attempt.first_ns if attempt.stream else attempt.done_ns
        if attempt.ok and waited_until_ns is not None:
            tally.wait.add(waited_until_ns - first_due_ns)

    def has_sent_all(self, target: str) -> bool:
        """Whether all requests to the target have left, as far as it is known how many there are."""
        tally = self.tallies[target]
        return self.planned is not None and tally.done + tally.in_flight >= self.planned

    @property
    def planned_in_all(self) -> int | None:
        """Requests for all targets together. None: unknown."""
        return None if self.planned is None else self.planned * len(self.tallies)

    @property
    def done(self) -> int:
        return sum(tally.done for tally in self.tallies.values())

    @property
    def cost_usd(self) -> float:
        return self.earlier_usd + sum(tally.cost_usd for tally in self.tallies.values())

    @property
    def total(self) -> Tally:
        """The sum over all targets."""
        return sum_tallies(*self.tallies.values())


def sum_tallies(*tallies: Tally) -> Tally:
    """The sum of tallies, as a new one."""
    total = Tally()
    for tally in tallies:
        total.include(tally)
    return total
