"""Global against regional: the targets that differ in nothing but routing, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.analysis.stats.interval import Interval, lies_below
from harness.analysis.summary.summary import RoutingPair, TargetSummary
from harness.catalog.prices import PriceOverride, price_for, terms_of
from harness.catalog.target import Target

GLOBAL = "global"


def pair_routings(
    targets: Sequence[Target], summaries: Mapping[str, TargetSummary], prices: Sequence[PriceOverride] = ()
) -> list[RoutingPair]:
    """Each regional target beside the global one that is otherwise its equal, in the suite's order.

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
    """What must be equal for routing to be the only difference. The Region follows from the routing."""
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
    """One of the intervals lies wholly below the other."""
    return one is not None and other is not None and (lies_below(one, other) or lies_below(other, one))
