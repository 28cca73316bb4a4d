"""One step of a sweep: a target at one level of load, judged request by request against the objective."""

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
"""Errors that a lower load does not fix if no request at all is answered, warm-up included."""
LATE_SHARE = 0.25
"""A client whose median request leaves later than this share of the median wait measures itself."""


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """A level meets it when at least `share` of `requests` requests succeed within every SLO."""

    slo: Slo
    share: float
    """0.95: the 95th percentile meets the SLOs."""
    requests: int

    @property
    def may_miss(self) -> int:
        """How many requests of a step may fail or be too slow."""
        return self.requests - math.ceil(self.share * self.requests - 1e-9)


class StepOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one level. The latencies are in the attempts: their `repeat` is the step's number."""

    target: str
    step: int
    level: float
    """Requests per second, or slots."""
    met: bool
    requests: int
    """Measured requests that are over."""
    good: int
    """… that succeeded within every SLO."""
    throttled: int
    failed: int
    """… of any other error."""
    ended_early: bool
    """Too many requests missed the objective, so the rest was not sent."""
    missed: dict[str, int]
    """Why requests were not good: `ttft`, `e2e` or an error kind, the most frequent first."""
    client_limited: bool
    """The client itself was late: this level says nothing of the endpoint."""
    refused: bool = False
    """Not one request was answered, for reasons that have nothing to do with the load."""
    quota_per_s: float | None = None
    """Requests per second that the suite's own quota sustains, if this level needs more: it may hold while the quota is
    unused, but not for long."""


class Trial:
    """Counts the attempts of one step; retries are off in a sweep, so that an attempt is a request."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._missed: Counter[str] = Counter()
        self._good = 0
        self._answered = False
        self._late_ns: list[int] = []
        self._wait_ns: list[int] = []
        self._took_ns: list[int] = []

    def record(self, attempt: Attempt) -> None:
        """Count a measured attempt; ignores warm-up and cancelled attempts."""
        self._answered |= attempt.ok
        if attempt.phase != MEASURED or attempt.error_kind == "cancelled":
            return
        if attempt.ok and attempt.sent_ns is not None and attempt.done_ns is not None:
            self._took_ns.append(attempt.done_ns - attempt.sent_ns)
        if attempt.ok and attempt.sent_ns is not None:  # a refusal takes no time to wait for, however busy the client
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
    def is_lost(self) -> bool:
        """Whether too many requests missed the objective."""
        return self._missed.total() > self._objective.may_miss

    def outcome(self, *, target: str, step: int, level: float, quota_per_s: float | None = None) -> StepOutcome:
        """The outcome, once the step is over. A level above `quota_per_s` misses, however the step went."""
        requests, throttled = self._good + self._missed.total(), self._missed["throttled"]
        late = bool(self._wait_ns) and median(self._late_ns) > LATE_SHARE * median(self._wait_ns)
        return StepOutcome(
            target=target,
            step=step,
            level=level,
            met=quota_per_s is None and not self.is_lost and not late and requests >= self._objective.requests,
            requests=requests,
            good=self._good,
            throttled=throttled,
            failed=self._missed.total() - throttled - self._missed["ttft"] - self._missed["e2e"],
            ended_early=self.is_lost and requests < self._objective.requests,
            missed={why: count for why, count in self._missed.most_common() if count},
            client_limited=late and quota_per_s is None,
            refused=self.is_lost and not self._answered and LOAD_APART >= set(+self._missed),
            quota_per_s=quota_per_s,
        )

    def requested_per_s(self, level: float, by: By) -> float | None:
        """Requests per second at a level; by concurrency, from the mean time of an answer. None: none was answered."""
        if by == "rate":
            return level
        return level * 1e9 / fmean(self._took_ns) if any(self._took_ns) else None

    def _why_missed(self, attempt: Attempt) -> str | None:
        """The error kind, or the first SLO that was missed; None: it was good."""
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
