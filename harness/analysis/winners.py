"""Who leads on what: the order of the targets on a few metrics, and whether intervals keep the first apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.columns import Columns
from harness.analysis.stats import lies_below, ratio_interval
from harness.analysis.summary import Interval, Quantiles, TargetSummary, Winner

Estimate = tuple[str, Interval]
"""A target's name and its estimate on one metric."""


@dataclass(frozen=True, kw_only=True)
class _Contest:
    metric: str
    estimate: Callable[[TargetSummary, Columns], Interval | None]
    show: Callable[[float], str]
    highest_wins: bool = False


def find_winners(targets: Sequence[TargetSummary], columns: Mapping[str, Columns]) -> list[Winner]:
    """The leader on each metric that at least two targets have; targets in the suite's order."""
    winners = []
    for contest in _CONTESTS:
        found = [(target.target, contest.estimate(target, columns[target.target])) for target in targets]
        estimates = [(name, interval) for name, interval in found if interval is not None]
        if len(estimates) >= 2:
            winners.append(_decide(contest, estimates))
    return winners


def _decide(contest: _Contest, estimates: Sequence[Estimate]) -> Winner:
    best = (max if contest.highest_wins else min)(interval.value for _, interval in estimates)
    leaders = [name for name, interval in estimates if interval.value == best]
    rivals = [interval for name, interval in estimates if name != leaders[0]]
    leader = dict(estimates)[leaders[0]]
    return Winner(
        metric=contest.metric,
        target=leaders[0],
        value=contest.show(best),
        clear=all(lies_below(rival, leader) if contest.highest_wins else lies_below(leader, rival) for rival in rivals),
        tied_with=leaders[1:],
    )


def _p50(quantiles: Quantiles | None) -> Interval | None:
    return None if quantiles is None else quantiles.p50


def _p95(quantiles: Quantiles | None) -> Interval | None:
    return None if quantiles is None else quantiles.p95


def _cost_per_request(_: TargetSummary, c: Columns) -> Interval | None:
    """Mean of the known costs, its error clustered by group."""
    known = ~np.isnan(c.cost_usd)
    return ratio_interval(c.cost_usd[known], np.ones(int(known.sum())), c.group_id[known])


def _cost_per_correct(_: TargetSummary, c: Columns) -> Interval | None:
    """Known cost / passed, its error clustered by group. Requests of unknown cost count with none, as in the metric."""
    if np.isnan(c.cost_usd).all():
        return None
    return ratio_interval(np.nan_to_num(c.cost_usd), (c.passed == 1).astype(np.float64), c.group_id)


def _three_digits(value: float) -> str:
    """Three significant digits without an exponent."""
    if value <= 0:
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _usd(value: float) -> str:
    return f"${value:,.2f}" if value >= 1 else f"${_three_digits(value)}"


def _seconds(value: float) -> str:
    return f"{_three_digits(value)} s"


_CONTESTS = (
    _Contest(metric="pass rate", estimate=lambda t, _: t.pass_rate, show="{:.1%}".format, highest_wins=True),
    _Contest(metric="TTFT p50", estimate=lambda t, _: _p50(t.ttft_s), show=_seconds),
    _Contest(metric="TTFT p95", estimate=lambda t, _: _p95(t.ttft_s), show=_seconds),
    _Contest(metric="E2E p95", estimate=lambda t, _: _p95(t.e2e_s), show=_seconds),
    _Contest(
        metric="output tokens/s per stream",
        estimate=lambda t, _: _p50(t.stream_tokens_per_s),
        show="{:.0f} tokens/s".format,
        highest_wins=True,
    ),
    _Contest(metric="cost per request", estimate=_cost_per_request, show=_usd),
    _Contest(metric="cost per correct answer", estimate=_cost_per_correct, show=_usd),
)
