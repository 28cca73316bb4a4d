"""Findings while a load runs, as soon as the counts show what the checks of the finished run would raise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.findings import (
    ANSWER_TIME,
    COLD_RATIO,
    COLD_SAMPLES,
    STEADY_ARRIVALS,
    TTFT,
    Wait,
    behind_schedule,
    cold_start,
    failed_requests,
    is_capped,
    late_event_loop,
    late_requests,
    lost_node,
    stopped_target,
    throttled_attempts,
)
from harness.load.progress import Histogram, Progress, Tally
from harness.report.live.rates import Recent
from harness.store.finding import Finding
from harness.suite.suite import Suite

FEWEST = 20
"""Requests, attempts or samples of which a share or a quantile says something."""
FEWEST_FAILURES = 5
"""Requests of a target that has answered none."""
FEWEST_SENT = 5
"""Attempts within the last seconds, whose median lateness says something."""
LAG_SAMPLES = 100
"""Of the event loop's lag: the first two seconds."""
BUDGET_SHARE = 0.9
"""Of the budget; spent, or what the load will cost: from here on the budget is a finding."""


class LiveFindings:
    """Checks a running load. What was a short event, such as a stall, stays a finding to the end."""

    def __init__(self, suite: Suite, progress: Progress) -> None:
        self._suite = suite
        self._progress = progress
        self._stream = {target.name: target.stream for target in suite.targets}
        self._most_behind_s: dict[str, float] = {}
        self._stalls: dict[str, Finding | None] = {}
        self._first_tenth: dict[str, Histogram] = {}
        self._cold: dict[str, Finding] = {}

    def check(self, recent: Recent, at_s: float) -> dict[tuple[str, str], Finding]:
        """(what kind, which target) → finding, those that invalidate the run first. `at_s`: since the load began."""
        waits = {name: self._wait(name, tally.wait) for name, tally in self._progress.tallies.items()}
        found = list(self._load_findings([wait for wait in waits.values() if wait is not None]))
        for name, wait in waits.items():
            found += [((kind, name), each) for kind, each in self._target_findings(name, wait, recent, at_s)]
        present = [(key, finding) for key, finding in found if finding is not None]
        return dict(sorted(present, key=lambda each: not each[1].invalidates))

    def _load_findings(self, waits: Sequence[Wait]) -> Iterator[tuple[tuple[str, str], Finding | None]]:
        progress = self._progress
        yield ("budget", ""), self._budget()
        lag_s = progress.lag.quantile_s(0.99)
        if waits and lag_s is not None and progress.lag.count >= LAG_SAMPLES:
            yield ("lag", ""), late_event_loop(lag_s, min(waits, key=lambda wait: wait.median_s))
        for worker, lost in progress.lost_nodes.items():
            for each in lost:
                yield (
                    (f"lost at {each.at_ns}, {each.paused_ns}", f"worker {worker}"),
                    lost_node(worker, each, running=True),
                )

    def _target_findings(
        self, name: str, wait: Wait | None, recent: Recent, at_s: float
    ) -> Iterator[tuple[str, Finding | None]]:
        tally, stopped = self._progress.tallies[name], self._progress.stopped.get(name)
        yield "stopped", None if stopped is None else stopped_target(stopped)
        yield "failures", _failures(name, tally) if stopped is None else None
        if tally.attempts >= FEWEST:
            throttled = tally.errors.get("throttled", 0)
            yield "throttled", throttled_attempts(name, attempts=tally.attempts, throttled=throttled)
        behind = None if self._suite.load.arrival == "closed" else self._behind(name, recent)
        yield "behind", behind
        delay_s = tally.late.quantile_s(0.5)
        if behind is None and wait is not None and delay_s is not None and tally.answered >= FEWEST:
            yield "late", late_requests(name, delay_s, wait, capped=is_capped(self._suite))
        yield "cold", self._cold_start(name, tally, at_s)

    def _budget(self) -> Finding | None:
        """The budget is nearly spent, or will be before the load ends."""
        budget_usd, spent_usd, done = self._suite.budget_usd, self._progress.cost_usd, self._progress.done
        if budget_usd is None:
            return None
        remedy = "raise the budget, or send fewer requests: a run that its budget ends is incomplete"
        if spent_usd >= BUDGET_SHARE * budget_usd:
            return Finding(what=f"${spent_usd:,.2f} of the budget of ${budget_usd:,.2f} is spent", remedy=remedy)
        planned = self._progress.planned_in_all
        if planned is None or done < FEWEST:
            return None
        earlier_usd = self._progress.earlier_usd
        cost_usd = earlier_usd + (spent_usd - earlier_usd) / done * planned
        if cost_usd <= budget_usd:
            return None
        return Finding(
            what=f"the budget of ${budget_usd:,.2f} is too small: at this cost the load takes ${cost_usd:,.2f}",
            remedy=remedy,
        )

    def _behind(self, name: str, recent: Recent) -> Finding | None:
        late = recent.late(name)
        late_s = late.quantile_s(0.5) if late.count >= FEWEST_SENT else None
        if late_s is not None and late_s > self._most_behind_s.get(name, 0.0):
            self._most_behind_s[name] = late_s
            self._stalls[name] = behind_schedule(name, late_s, during=f"for {recent.seconds:.0f} s")
        return self._stalls.get(name)

    def _cold_start(self, name: str, tally: Tally, at_s: float) -> Finding | None:
        """Compares the first tenth with the rest so far, once that is twice as much."""
        if name in self._cold or self._suite.load.arrival not in STEADY_ARRIVALS:
            return self._cold.get(name)
        first = self._first_tenth.get(name)
        if first is None:
            if tally.wait.count >= COLD_SAMPLES and self._is_tenth(tally, at_s):
                self._first_tenth[name] = tally.wait.copy()
            return None
        if tally.wait.count < 3 * first.count:
            return None
        first_s, wait = first.quantile_s(0.5), self._wait(name, tally.wait.since(first))
        if first_s is None or wait is None or first_s <= COLD_RATIO * wait.median_s:
            return None
        self._cold[name] = cold_start(name, first_s=first_s, rest=wait, warmup=self._suite.load.warmup)
        return self._cold[name]

    def _is_tenth(self, tally: Tally, at_s: float) -> bool:
        """Whether a tenth of the load is behind us, by requests or by time."""
        planned, duration_s = self._progress.planned, self._suite.load.duration_s
        by_requests = planned is not None and tally.wait.count >= (planned - self._suite.load.warmup) / 10
        return by_requests or (duration_s is not None and at_s >= duration_s / 10)

    def _wait(self, name: str, waits: Histogram) -> Wait | None:
        median_s = waits.quantile_s(0.5)
        return None if median_s is None else Wait(median_s, TTFT if self._stream[name] else ANSWER_TIME)


def _failures(name: str, tally: Tally) -> Finding | None:
    failed = tally.done - tally.answered
    if not tally.errors or failed < FEWEST_FAILURES or (tally.done < FEWEST and tally.answered):
        return None
    kind = max(tally.errors, key=lambda each: tally.errors[each])
    return failed_requests(name, requests=tally.done, failed=failed, kind=kind, message=tally.messages.get(kind))
