"""How the targets of a run compare: which one leads on each metric, and how global and regional routing differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.analysis.metrics import METRICS, Metric, costs_known
from harness.analysis.stats.interval import Interval, lies_below
from harness.analysis.stats.means import cluster_codes, ratio_interval
from harness.analysis.summary.summary import RoutingPair, TargetSummary, Winner, figure_of
from harness.analysis.validity import ERROR_SHARE
from harness.catalog.prices import PriceOverride, price_for, terms_of
from harness.catalog.target import Target

ROUNDING = 1e-9
"""A log ratio of costs below this may come from adding floats in another order."""
GLOBAL = "global"


@dataclass(frozen=True, kw_only=True)
class _Entrant:
    target: str
    columns: Columns
    estimate: Interval


def find_winners(targets: Sequence[TargetSummary], columns: Mapping[str, Columns]) -> list[Winner]:
    """The leader on each metric for which at least two targets compete; targets in the suite's order.

    A target that fails often is fast and cheap for the wrong reason: only targets with at most ERROR_SHARE of failed
    requests compete on latency and cost. Every target with an answer competes on the pass rate.
    """
    winners = []
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
    """Cost per correct answer: its error is clustered by group; None where the cost of an answer is unknown."""
    if metric.key != "cost_per_correct":
        return figure_of(t, metric)
    right = (c.passed == 1).astype(np.float64)
    return ratio_interval(np.nan_to_num(c.cost_usd), right, c.group_id) if costs_known(c) else None


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
    """Paired by prompt: the interval of the mean of ln(cost of rival / cost of leader) lies above 0.

    Costs are means of a prompt's requests of known cost; prompts without one on either side are left out. A t interval
    with an error clustered by group. If all ratios are the same, any difference counts.

    Targets share their prompts, and prompts differ far more in cost than targets do: unpaired intervals of means would
    attribute a constant premium to chance.
    """
    groups, costs = _cost_by_prompt(leader.columns)
    _, rival_costs = _cost_by_prompt(rival.columns)
    shared = [prompt for prompt, cost in costs.items() if cost > 0 and rival_costs.get(prompt, 0) > 0]
    ratios = np.array([np.log(rival_costs[prompt] / costs[prompt]) for prompt in shared])
    interval = ratio_interval(ratios, np.ones(len(shared)), np.array([groups[prompt] for prompt in shared], object))
    return interval is not None and interval.low is not None and interval.low > ROUNDING


def _cost_by_prompt(c: Columns) -> tuple[dict[str, str], dict[str, float]]:
    """(Prompt → group, prompt → mean of its known costs, USD); prompts without a known cost are left out."""
    known = ~np.isnan(c.cost_usd)
    prompts, costs = c.prompt_id[known], c.cost_usd[known]
    codes = cluster_codes(prompts)
    means: Floats = np.bincount(codes, weights=costs) / np.bincount(codes)
    groups = dict(zip(prompts, c.group_id[known], strict=True))
    return groups, dict(zip(dict.fromkeys(prompts), means.tolist(), strict=True))


def pair_routings(
    targets: Sequence[Target], summaries: Mapping[str, TargetSummary], prices: Sequence[PriceOverride] = ()
) -> list[RoutingPair]:
    """Each regional target with the global one that differs only in routing, in the suite's order.

    `summaries` by target's name; a target without one is left out.
    """
    measured = [target for target in targets if target.name in summaries]
    worldwide = {_but_for_routing(target): target for target in measured if target.routing == GLOBAL}
    return [
        _pair(worldwide[_but_for_routing(target)], target, summaries, prices)
        for target in measured
        if target.routing != GLOBAL and _but_for_routing(target) in worldwide
    ]


def _but_for_routing(target: Target) -> tuple[object, ...]:
    """What must be equal if routing is the only difference. The Region follows from the routing."""
    return (target.base_model, target.api, target.client, target.stream, repr(target.options))


def _pair(
    worldwide: Target, regional: Target, summaries: Mapping[str, TargetSummary], prices: Sequence[PriceOverride]
) -> RoutingPair:
    ours, theirs = summaries[regional.name], summaries[worldwide.name]
    return RoutingPair(
        model=regional.model,
        routing=regional.routing,
        worldwide=worldwide.name,
        regional=regional.name,
        price_premium=_premium(worldwide, regional, prices),
        ttft_p50_apart=_apart(*(t.ttft_s.p50 if t.ttft_s else None for t in (ours, theirs))),
        e2e_p95_apart=_apart(*(t.e2e_s.p95 if t.e2e_s else None for t in (ours, theirs))),
        success_rate_apart=_apart(ours.success_rate, theirs.success_rate),
    )


def _premium(worldwide: Target, regional: Target, prices: Sequence[PriceOverride]) -> float | None:
    """Regional list price of an input token / the global one − 1."""
    dear, cheap = (
        price_for(target.base_model, target.routing, prices, terms_of(target.options))
        for target in (regional, worldwide)
    )
    return None if dear is None or cheap is None else round(dear.input / cheap.input - 1, 6)


def _apart(one: Interval | None, other: Interval | None) -> bool:
    """Whether one of the intervals lies wholly below the other."""
    return one is not None and other is not None and (lies_below(one, other) or lies_below(other, one))
