"""One step of a sweep: a target at one level of load, checked request by request against the objective."""

from __future__ import annotations

import math
from collections import Counter
from statistics import fmean, median
from typing import Literal

import msgspec

from harness.store.records import Attempt
from harness.suite.suite import Slo

By = Literal["rate", "concurrency"]
MEASURED = "measure"
LOAD_APART = frozenset(
    {"access_denied", "not_found", "validation", "credentials", "quota_exceeded", "connection", "protocol"}
    | {"connect_timeout", "first_token_timeout", "total_timeout"}
)
"""Errors that a lower load does not fix, if no request at all was answered, warm-up included."""
LATE_SHARE = 0.25
"""The client is the bottleneck if its median send delay exceeds this share of the median wait for an answer."""


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """Met by a level if at least `share` of `requests` requests succeed within every SLO."""

    slo: Slo
    share: float
    """0.95: the 95th percentile meets the SLOs."""
    requests: int

    @property
    def may_miss(self) -> int:
        """How many requests of a step may fail or miss an SLO."""
        return self.requests - math.ceil(self.share * self.requests - 1e-9)


class StepOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one level. Its latencies are in the attempts, whose `repeat` is the step's number."""

    target: str
    step: int
    level: float
    """Requests per second, or slots."""
    met: bool
    requests: int
    """Completed measured requests."""
    good: int
    """Requests that succeeded within every SLO."""
    throttled: int
    failed: int
    """Requests with any other error."""
    ended_early: bool
    """True if too many requests missed, so that the rest were not sent."""
    missed: dict[str, int]
    """`ttft`, `e2e` or an error kind → requests that missed for this reason, most frequent first."""
    client_limited: bool
    """True if the client was the bottleneck, so that this level says nothing about the endpoint."""
    refused: bool = False
    """True if no request was answered, for reasons unrelated to the load."""
    quota_per_s: float | None = None
    """The rate that the suite's own quota sustains, if this level exceeds it: such a level holds only briefly."""


class Trial:
    """Counts the attempts of one step. Sweeps do not retry, so an attempt is a request."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._missed: Counter[str] = Counter()
        self._good = 0
        self._answered = False
        self._late_ns: list[int] = []
        self._wait_ns: list[int] = []
        self._took_ns: list[int] = []

    def record(self, attempt: Attempt) -> None:
        """Count a measured attempt; warm-up and cancelled attempts are ignored."""
        self._answered |= attempt.ok
        if attempt.phase != MEASURED or attempt.error_kind == "cancelled":
            return
        if attempt.ok and attempt.sent_ns is not None and attempt.done_ns is not None:
            self._took_ns.append(attempt.done_ns - attempt.sent_ns)
        if attempt.ok and attempt.sent_ns is not None:  # refusals come too fast to be compared with the send delay
            self._late_ns.append(attempt.sent_ns - attempt.due_ns)
            answered_ns = attempt.done_ns if attempt.first_ns is None else attempt.first_ns
            if answered_ns is not None:
                self._wait_ns.append(answered_ns - attempt.sent_ns)
        missed = self._why_missed(attempt)
        if missed is None:
            self._good += 1
        else:
            self._missed[missed] += 1

    @property
    def has_missed(self) -> bool:
        """Whether too many requests have missed for the objective to be met."""
        return self._missed.total() > self._objective.may_miss

    def outcome(self, *, target: str, step: int, level: float, quota_per_s: float | None = None) -> StepOutcome:
        """The outcome of the finished step. A level above `quota_per_s` misses in any case."""
        requests, throttled = self._good + self._missed.total(), self._missed["throttled"]
        late = bool(self._wait_ns) and median(self._late_ns) > LATE_SHARE * median(self._wait_ns)
        return StepOutcome(
            target=target,
            step=step,
            level=level,
            met=quota_per_s is None and not self.has_missed and not late and requests >= self._objective.requests,
            requests=requests,
            good=self._good,
            throttled=throttled,
            failed=self._missed.total() - throttled - self._missed["ttft"] - self._missed["e2e"],
            ended_early=self.has_missed and requests < self._objective.requests,
            missed={why: count for why, count in self._missed.most_common() if count},
            client_limited=late and quota_per_s is None,
            refused=self.has_missed and not self._answered and LOAD_APART >= set(+self._missed),
            quota_per_s=quota_per_s,
        )

    def requested_per_s(self, level: float, by: By) -> float | None:
        """Requests per second at a level; by concurrency, from the mean E2E latency. None: nothing was answered."""
        if by == "rate":
            return level
        return level * 1e9 / fmean(self._took_ns) if any(self._took_ns) else None

    def _why_missed(self, attempt: Attempt) -> str | None:
        """The error kind, or the first SLO that was missed. None: the request was good."""
        slo = self._objective.slo
        if not attempt.ok:
            return attempt.error_kind
        for name, limit_s, at_ns in (
            ("ttft", slo.ttft_s if attempt.stream else None, attempt.first_ns),
            ("e2e", slo.e2e_s, attempt.done_ns),
        ):
            if limit_s is not None and (at_ns is None or at_ns - attempt.due_ns > limit_s * 1e9):
                return name
        return None
