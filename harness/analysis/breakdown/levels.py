"""A run whose load changes by plan, apart by level: latency, goodput and errors of each step or part of a ramp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from harness.analysis import metrics
from harness.analysis.columns import Columns
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.stats.interval import Interval
from harness.analysis.stats.proportions import wilson
from harness.analysis.summary.summarise import dependence_of, quantiles
from harness.analysis.summary.summary import Quantiles
from harness.load.arrivals import make_arrival
from harness.load.plan import due_times, make_schedules
from harness.suite.suite import Load, Slo, Suite

RAMP_PARTS = 8
"""Equal parts of a ramp's time."""
GOOD_SHARE = 0.95
"""A level is met if this share of its requests succeeds within every SLO, as in a sweep by default."""
ON_TIME_S = 1e-6
"""Due times are stored in ns: rounding moves no request into another level."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """A stretch of a run at one planned rate."""

    per_s: float
    """Requests per second for each target; of a ramp's part, the mean."""
    from_s: float
    until_s: float
    """Seconds since the measured load began."""


@dataclass(frozen=True, kw_only=True)
class LevelResult:
    """One target at one level. Rates are per second."""

    level: Level
    requests: int
    failed: Interval
    """Share of requests whose last attempt failed; Wilson."""
    throttled: int
    """Requests with a throttled attempt."""
    offered_per_s: float | None
    """As it came: near the planned rate, at random unless arrivals are evenly spaced."""
    achieved_per_s: float | None
    goodput_per_s: float | None
    """None: the suite has no SLO that applies."""
    good_share: float | None
    """Requests that succeeded within every SLO / requests."""
    ttft_s: Quantiles | None
    e2e_s: Quantiles | None

    @property
    def met(self) -> bool | None:
        """Whether enough requests were good; None without an SLO."""
        return None if self.good_share is None else self.good_share >= GOOD_SHARE


def load_levels(load: Load) -> list[Level]:
    """The levels of `steps` and `ramp`, in order of time; empty for any other load."""
    if load.arrival == "steps" and load.steps:
        ends = np.cumsum([step.duration_s for step in load.steps]).tolist()
        return [
            Level(per_s=step.rate_per_s, from_s=end - step.duration_s, until_s=end)
            for step, end in zip(load.steps, ends, strict=True)
        ]
    if load.arrival == "ramp" and load.rate_per_s and load.to_per_s and load.duration_s:
        width, rise = load.duration_s / RAMP_PARTS, (load.to_per_s - load.rate_per_s) / RAMP_PARTS
        return [
            Level(per_s=load.rate_per_s + rise * (at + 0.5), from_s=at * width, until_s=(at + 1) * width)
            for at in range(RAMP_PARTS)
        ]
    return []


def level_results(run: FinishedRun) -> dict[str, list[LevelResult]]:
    """Target → its levels that have a request, in order of time; empty for a load of one level."""
    levels = load_levels(run.suite.load)
    columns = {name: c for name, c in run.data.columns.items() if len(c.due_s)}
    if not levels or not columns:
        return {}
    start_s = _measured_from_s(columns, run.suite, run.manifest.seed)
    streams = {target.name: target.stream for target in run.suite.targets}
    found = {}
    for name, c in columns.items():
        at_s = c.due_s - start_s + ON_TIME_S
        places = np.searchsorted([level.from_s for level in levels], at_s, side="right") - 1
        places = np.where(at_s < levels[-1].until_s + 2 * ON_TIME_S, places, -1)
        found[name] = [
            _result(level, c.select(places == place), run.suite.slo, stream=streams.get(name, True))
            for place, level in enumerate(levels)
            if (places == place).any()
        ]
    return found


def knee_of(results: Sequence[LevelResult]) -> float | None:
    """The highest rate that was met, with every lower one met too. None: not even the lowest, or there is no SLO.

    `results`: in order of time. A level that misses after a higher rate missed does not count: it may still be working
    off the backlog.
    """
    missed: list[float] = []
    for each in results:
        if not each.met and not any(rate > each.level.per_s for rate in missed):
            missed.append(each.level.per_s)
    lowest = min(missed, default=float("inf"))
    return max((each.level.per_s for each in results if each.met and each.level.per_s < lowest), default=None)


def _measured_from_s(columns: Mapping[str, Columns], suite: Suite, seed: int) -> float:
    """When the measured load began, s since the run's origin: the earliest due time less its offset in the plan.

    A request's id begins with its number in the plan. Without such an id, the earliest due time.
    """
    first = min(columns.values(), key=lambda c: float(c.due_s[0]))
    due_s, number = float(first.due_s[0]), str(first.request_id[0]).partition("-")[0]
    if not (number.isascii() and number.isdigit()) or int(number) < suite.load.warmup:
        return due_s
    schedule, opening = make_schedules(suite)[0], make_arrival(suite.load).opening_per_s
    planned = next(islice(due_times(suite, schedule, seed=seed), min(int(number), 10**7), None), None)
    return due_s if planned is None or not opening else due_s - planned + suite.load.warmup / opening


def _result(level: Level, c: Columns, slo: Slo, *, stream: bool) -> LevelResult:
    n, dependence = len(c.ok), dependence_of(c)
    good = metrics.meets_slo(c, slo, stream=stream)
    return LevelResult(
        level=level,
        requests=n,
        failed=wilson(int((~c.ok).sum()), n),
        throttled=0 if c.throttled is None else int((c.throttled > 0).sum()),
        offered_per_s=metrics.offered_per_s(c),
        achieved_per_s=metrics.achieved_per_s(c, arrival="open"),
        goodput_per_s=metrics.goodput_per_s(c, slo, arrival="open", stream=stream),
        good_share=None if good is None else float(good.mean()),
        ttft_s=quantiles(metrics.ttft_s(c), dependence),
        e2e_s=quantiles(metrics.e2e_s(c), dependence),
    )
