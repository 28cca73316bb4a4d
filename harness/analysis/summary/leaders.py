"""How the targets of a run compare: which one leads on each metric, and how global and regional routing differ."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.columns import Columns
from harness.analysis.findings import ERROR_SHARE
from harness.analysis.metrics import METRICS, Metric, answer_cost_usd, costs_known, mean_by_prompt
from harness.analysis.stats.interval import Interval, lies_below
from harness.analysis.stats.means import cluster_codes, ratio_interval
from harness.analysis.stats.totals import compare_totals
from harness.analysis.summary.summary import RoutingPair, TargetSummary, Winner, figure_of
from harness.catalog.prices import Price, premium
from harness.catalog.target import Target

GLOBAL = "global"


@dataclass(frozen=True, kw_only=True)
class _Entrant:
    target: str
    columns: Columns
    estimate: Interval


def find_winners(
    targets: Sequence[TargetSummary], columns: Mapping[str, Columns], *, stopped: Collection[str] = ()
) -> list[Winner]:
    """The leader on each metric for which at least two targets compete; targets in the suite's order.

    A target that fails often is fast and cheap for the wrong reason: only targets with at most ERROR_SHARE of failed
    requests compete on latency and cost. Every target with an answer competes on the pass rate, but none of those that
    were `stopped` early: their figures are partial.
    """
    winners = []
    targets = [each for each in targets if each.target not in stopped]
    for metric in METRICS.values():
        if metric.leads:
            share = 1.0 if metric.unit == "share" else ERROR_SHARE
            competing = [t for t in targets if t.succeeded and t.requests - t.succeeded <= share * t.requests]
            estimates = [(t.target, columns[t.target], _estimate(metric, t, columns[t.target])) for t in competing]
            entrants = [_Entrant(target=name, columns=c, estimate=e) for name, c, e in estimates if e is not None]
            if len(entrants) >= 2:
                winners.append(_decide(metric, entrants))
    return winners


def _estimate(metric: Metric, t: TargetSummary, c: Columns) -> Interval | None:
    """None on cost where the cost of an answer is unknown: the mean of the others is of other prompts.

    The error of a cost per correct answer is clustered by group.
    """
    if metric.unit == "usd" and not costs_known(c):
        return None
    if metric.key != "cost_per_correct":
        return figure_of(t, metric)
    right = (c.passed == 1).astype(np.float64)
    return ratio_interval(np.nan_to_num(c.cost_usd), right, c.group_id)


def _decide(metric: Metric, entrants: Sequence[_Entrant]) -> Winner:
    leader = (min if metric.up_is_worse else max)(entrants, key=lambda entrant: entrant.estimate.value)
    rivals = [entrant for entrant in entrants if entrant is not leader]
    best = leader.estimate.value
    tied = [rival.target for rival in rivals if rival.estimate.value == best]
    close = [rival.target for rival in rivals if rival.target in tied or not _is_apart(metric, leader, rival)]
    return Winner(
        metric=metric.label,
        target=leader.target,
        value=best,
        unit=metric.unit,
        close=close,
        tied_with=tied,
        rivals=len(rivals),
        clear=not close,
    )


def _is_apart(metric: Metric, leader: _Entrant, rival: _Entrant) -> bool:
    """Whether the leader is better than the rival beyond what chance explains."""
    if metric.key == "cost_per_request":
        return _cheaper(leader, rival)
    one, other = (leader, rival) if metric.up_is_worse else (rival, leader)
    return lies_below(one.estimate, other.estimate)


def _cheaper(leader: _Entrant, rival: _Entrant) -> bool:
    """Paired by prompt: the interval of ln(total cost of the rival / of the leader) lies above 0.

    As in a comparison: totals of the prompts that both answered, each prompt's mean, clustered by group. If all ratios
    are the same, any difference counts. Targets share their prompts, and prompts differ far more in cost than targets
    do: unpaired intervals of means would attribute a constant premium to chance.
    """
    costs, rivals = (mean_by_prompt(each.columns, answer_cost_usd(each.columns)) for each in (leader, rival))
    shared = [prompt for prompt in costs if prompt in rivals]
    ours, theirs = (np.array([of[prompt] for prompt in shared]) for of in (costs, rivals))
    if not min(ours.sum(), theirs.sum()) > 0:
        return False
    group_of = dict(zip(leader.columns.prompt_id, leader.columns.group_id, strict=True))
    low = compare_totals(theirs, ours, cluster_codes(np.array([group_of[each] for each in shared], object))).low
    return low is not None and low > 0


def pair_routings(
    targets: Sequence[Target],
    summaries: Mapping[str, TargetSummary],
    price_of: Callable[[Target], Price | None],
) -> list[RoutingPair]:
    """Each regional target with the global one that differs only in routing, in the suite's order.

    `summaries` by target's name; a target without one is left out. `price_of`: what a target cost; None: unknown.
    """
    measured = [target for target in targets if target.name in summaries]
    worldwide = {_but_for_routing(target): target for target in measured if target.routing == GLOBAL}
    return [
        _pair(worldwide[_but_for_routing(target)], target, summaries, price_of)
        for target in measured
        if target.routing != GLOBAL and _but_for_routing(target) in worldwide
    ]


def _but_for_routing(target: Target) -> tuple[object, ...]:
    """What must be equal if routing is the only difference. The Region follows from the routing."""
    return (target.base_model, target.api, target.client, target.stream, repr(target.options))


def _pair(
    worldwide: Target,
    regional: Target,
    summaries: Mapping[str, TargetSummary],
    price_of: Callable[[Target], Price | None],
) -> RoutingPair:
    ours, theirs = summaries[regional.name], summaries[worldwide.name]
    return RoutingPair(
        model=regional.model,
        routing=regional.routing,
        worldwide=worldwide.name,
        regional=regional.name,
        price_premium=premium(price_of(regional), price_of(worldwide)),
        ttft_p50_apart=_apart(*(t.ttft_s.p50 if t.ttft_s else None for t in (ours, theirs))),
        e2e_p95_apart=_apart(*(t.e2e_s.p95 if t.e2e_s else None for t in (ours, theirs))),
        success_rate_apart=_apart(ours.success_rate, theirs.success_rate),
    )


def _apart(one: Interval | None, other: Interval | None) -> bool:
    """Whether one of the intervals lies wholly below the other."""
    return one is not None and other is not None and (lies_below(one, other) or lies_below(other, one))
