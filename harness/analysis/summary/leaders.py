"""Who leads on what: the order of the targets on a few metrics, and which rivals are apart from the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.columns import Columns, Floats
from harness.analysis.metrics import costs_known
from harness.analysis.stats.interval import Interval, lies_below
from harness.analysis.stats.means import cluster_codes, ratio_interval
from harness.analysis.summary.summary import Quantiles, TargetSummary, Unit, Winner
from harness.analysis.validity import ERROR_SHARE

ROUNDING = 1e-9
"""A log ratio of costs below this is what adding floats in another order makes."""


@dataclass(frozen=True, kw_only=True)
class _Entrant:
    summary: TargetSummary
    columns: Columns
    estimate: Interval


@dataclass(frozen=True, kw_only=True)
class _Contest:
    metric: str
    unit: Unit
    admits: Callable[[TargetSummary], bool]
    estimate: Callable[[TargetSummary, Columns], Interval | None]
    apart: Callable[[_Entrant, _Entrant], bool]
    """Whether the first, the leader, is better than the second beyond what chance explains."""
    highest_wins: bool = False


def find_winners(targets: Sequence[TargetSummary], columns: Mapping[str, Columns]) -> list[Winner]:
    """The leader on each metric that at least two targets take part in; targets in the suite's order.

    Who fails often is fast and cheap for the wrong reason: latency and cost are contested by targets of which at most
    ERROR_SHARE of the requests failed, the pass rate by targets that answered at all.
    """
    winners = []
    for contest in _CONTESTS:
        entrants = _admit(contest, targets, columns)
        if len(entrants) >= 2:
            winners.append(_decide(contest, entrants))
    return winners


def _admit(contest: _Contest, targets: Sequence[TargetSummary], columns: Mapping[str, Columns]) -> list[_Entrant]:
    entrants = []
    for target in filter(contest.admits, targets):
        c = columns[target.target]
        estimate = contest.estimate(target, c)
        if estimate is not None:
            entrants.append(_Entrant(summary=target, columns=c, estimate=estimate))
    return entrants


def _decide(contest: _Contest, entrants: Sequence[_Entrant]) -> Winner:
    leader = (max if contest.highest_wins else min)(entrants, key=lambda entrant: entrant.estimate.value)
    rivals = [entrant for entrant in entrants if entrant is not leader]
    best = leader.estimate.value
    tied = [rival.summary.target for rival in rivals if rival.estimate.value == best]
    close = [
        rival.summary.target for rival in rivals if rival.summary.target in tied or not contest.apart(leader, rival)
    ]
    return Winner(
        metric=contest.metric,
        target=leader.summary.target,
        value=best,
        unit=contest.unit,
        close=close,
        tied_with=tied,
        rivals=len(rivals),
        clear=not close,
    )


def _answers_at_all(t: TargetSummary) -> bool:
    return t.succeeded > 0


def _seldom_fails(t: TargetSummary) -> bool:
    return t.succeeded > 0 and t.requests - t.succeeded <= ERROR_SHARE * t.requests


def _below(leader: _Entrant, rival: _Entrant) -> bool:
    return lies_below(leader.estimate, rival.estimate)


def _above(leader: _Entrant, rival: _Entrant) -> bool:
    return _below(rival, leader)


def _cheaper(leader: _Entrant, rival: _Entrant) -> bool:
    """Paired by prompt: the interval of the mean of ln(cost of rival / cost of leader) lies above nought.

    Costs are means of a prompt's requests of known cost; prompts that one of the two lacks are left out. t interval,
    its error clustered by group. Where all ratios are the same, any difference is one.

    Targets share their prompts, and prompts differ far more in cost than targets do: unpaired intervals of means would
    call a constant premium chance.
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


def _p50(quantiles: Quantiles | None) -> Interval | None:
    return None if quantiles is None else quantiles.p50


def _p95(quantiles: Quantiles | None) -> Interval | None:
    return None if quantiles is None else quantiles.p95


def _cost_per_request(t: TargetSummary, _: Columns) -> Interval | None:
    """The mean alone: who is cheaper is told by prompt."""
    return None if t.cost_per_request_usd is None else Interval(value=t.cost_per_request_usd)


def _cost_per_correct(_: TargetSummary, c: Columns) -> Interval | None:
    """Cost / passed, its error clustered by group; None where the cost of an answered request is unknown."""
    if not costs_known(c):
        return None
    return ratio_interval(np.nan_to_num(c.cost_usd), (c.passed == 1).astype(np.float64), c.group_id)


def _latency(metric: str, estimate: Callable[[TargetSummary], Interval | None]) -> _Contest:
    return _Contest(metric=metric, unit="s", admits=_seldom_fails, estimate=lambda t, _: estimate(t), apart=_below)


_CONTESTS = (
    _Contest(
        metric="pass rate",
        unit="share",
        admits=_answers_at_all,
        estimate=lambda t, _: t.pass_rate,
        apart=_above,
        highest_wins=True,
    ),
    _latency("TTFT p50", lambda t: _p50(t.ttft_s)),
    _latency("TTFT p95", lambda t: _p95(t.ttft_s)),
    _latency("E2E p95", lambda t: _p95(t.e2e_s)),
    _Contest(
        metric="output tokens/s per stream",
        unit="tokens/s",
        admits=_seldom_fails,
        estimate=lambda t, _: _p50(t.stream_tokens_per_s),
        apart=_above,
        highest_wins=True,
    ),
    _Contest(metric="cost per request", unit="usd", admits=_seldom_fails, estimate=_cost_per_request, apart=_cheaper),
    _Contest(
        metric="cost per correct answer",
        unit="usd",
        admits=_seldom_fails,
        estimate=_cost_per_correct,
        apart=_below,
    ),
)
