"""The stalls of a comparison's two sides, how much of its latencies they explain, and the findings that say so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from harness.analysis.compare.comparison import Comparison, Difference
from harness.analysis.compare.pairing import Pairing, Pairs
from harness.analysis.metrics import metric_of
from harness.analysis.stalls import Explained, Stall, explain, find_stalls
from harness.characters import counted
from harness.clock import utc_from_ns
from harness.store.finding import Finding

MOST_NAMED = 3
"""Stalls in a finding, those of most answers."""
REMEDY = "measure for longer to see which of the two stalls more; one stall more or less is chance"


def stalls_of(
    each: Pairing, pairs: Pairs, differences: Sequence[Difference]
) -> tuple[tuple[Stall, ...], tuple[Explained, ...]]:
    """The stalls of both sides, and the gate's latencies with and without them; the second is empty without stalls."""
    runs, arms = (each.baseline, each.candidate), (pairs.baseline.columns, pairs.candidate.columns)
    stalled = [
        find_stalls(arm, other, run_id=run.manifest.run_id, together=pairs.together)
        for run, arm, other in zip(runs, arms, reversed(arms), strict=True)
    ]
    stalls = tuple(stall for side in stalled for stall in side.stalls)
    latencies = [
        Explained(metric=row.metric, logarithm=row.scale == "log_ratio", measured=row.estimate, without=row.estimate)
        for row in differences
        if row.estimate is not None and not row.exploratory
    ]
    return stalls, explain(arms, stalled, latencies) if stalls else ()


Clock = Callable[[int], int]
"""The wall clock at a stamp of a run, as `Manifest.utc_ns`."""


def stall_findings(comparisons: Sequence[Comparison], clocks: Mapping[str, Clock]) -> list[Finding]:
    """What stalled, and how much of the latencies that explains. `clocks`: of each run, by its id.

    Each stall is named once: comparisons in which only the baseline stalled share a finding, and come first.
    """
    stalled = [c for c in comparisons if c.stalls]
    by_baseline: dict[tuple[str, str], list[Comparison]] = {}
    for c in stalled:
        if not _own(c):
            by_baseline.setdefault((c.baseline.run_id, c.baseline.target), []).append(c)
    findings, named = [], list[Stall]()
    for group in (*by_baseline.values(), *([c] for c in stalled if _own(c))):
        stalls = [each for each in _merged([stall for c in group for stall in c.stalls]) if not _overlaps(each, named)]
        also = any(_overlaps(stall, named) for c in group for stall in c.stalls)
        findings.append(_finding(group, stalls, clocks, also=also))
        named += stalls
    return findings


def _own(c: Comparison) -> list[Stall]:
    """The candidate's own stalls."""
    return [each for each in c.stalls if (each.run_id, each.target) != (c.baseline.run_id, c.baseline.target)]


def _finding(
    group: Sequence[Comparison], stalls: Sequence[Stall], clocks: Mapping[str, Clock], *, also: bool
) -> Finding:
    """Names `stalls`. `also`: the effects leave out the baseline's as well, which another finding names."""
    longest = sorted(stalls, key=lambda each: -each.requests)[:MOST_NAMED]
    names = [_describe(each, clocks[each.run_id]) for each in sorted(longest, key=lambda each: each.start_s)]
    more = f", and {len(stalls) - len(names)} more" if len(stalls) > len(names) else ""
    first, *others = group
    about = "" if others else f"{first.candidate.target} against {first.baseline.target}: "
    effects = [
        (f"{c.candidate.target} " if others else "") + ", ".join(map(_effect, c.without_stalls))
        for c in group
        if c.without_stalls
    ]
    answers = "these answers and those in the baseline's stalls" if also else "these answers"
    without = f"; without {answers}: {'; '.join(effects)}" if effects else ""
    return Finding(what=f"{about}{'; '.join(names)}{more}{without}", remedy=REMEDY)


def _merged(stalls: Sequence[Stall]) -> list[Stall]:
    """Without those that overlap a longer one of the same target, as another candidate's comparison found it."""
    kept: list[Stall] = []
    for each in sorted(stalls, key=lambda stall: -stall.requests):
        if not _overlaps(each, kept):
            kept.append(each)
    return kept


def _overlaps(stall: Stall, others: Sequence[Stall]) -> bool:
    """Whether it overlaps a stall of the same target in time."""
    return any(
        (stall.run_id, stall.target) == (each.run_id, each.target)
        and stall.start_s <= each.start_s + each.seconds
        and each.start_s <= stall.start_s + stall.seconds
        for each in others
    )


def _describe(stall: Stall, clock: Clock) -> str:
    """`fast stalled for 4.0 s at 31 s (21:43:12 UTC): 16 answers, 5.1 × as slow as its median`."""
    utc = utc_from_ns(clock(int(stall.start_s * 1e9)))
    return (
        f"{stall.target} stalled for {stall.seconds:.1f} s at {stall.start_s:.0f} s ({utc:%H:%M:%S} UTC): "
        f"{counted(stall.requests, 'answer')}, {stall.times_as_slow:.1f} × as slow as its median"
    )


def _effect(row: Explained) -> str:
    """`TTFT p95 +61% → +4%`."""
    return f"{metric_of(row.metric).label} {_change(row.measured, row)} → {_change(row.without, row)}"


def _change(value: float, row: Explained) -> str:
    return (f"{math.expm1(value):+.0%}" if row.logarithm else f"{value:+.3g} s").replace("-", "−")
