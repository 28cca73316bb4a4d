"""Picking the best of five candidates that all equal the baseline: how much the picked figure flatters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy.special import betaincinv
from worlds.draws import PROMPT_SPREAD, REQUEST_SPREAD, Rng, in_order
from worlds.tables import SEED, Row, Table, holds, share_of

from harness.analysis.compare.verdict import decide
from harness.analysis.stats.interval import Effect, holm
from harness.analysis.stats.means import mean_difference
from harness.analysis.stats.proportions import paired_difference
from harness.analysis.stats.time_blocks import compare_quantiles

CANDIDATES = 5


def _pass_rates(rng: Rng, prompts: int) -> list[Effect]:
    """Of failures, so that + is worse; half of an outcome's variance is its prompt's own."""
    chance = betaincinv(0.85, 0.15, rng.random(prompts))
    arms = [(rng.random(prompts) >= chance).astype(float) for _ in range(CANDIDATES + 1)]
    return [paired_difference(arm, arms[0]) for arm in arms[1:]]


def _medians(rng: Rng, prompts: int) -> list[Effect]:
    own = PROMPT_SPREAD * rng.normal(size=prompts)
    arms = [in_order(np.exp(own + REQUEST_SPREAD * rng.normal(size=prompts)), 1) for _ in range(CANDIDATES + 1)]
    return [compare_quantiles(arm, arms[0], [0.5])[0] for arm in arms[1:]]


def _costs(rng: Rng, prompts: int) -> list[Effect]:
    baseline = 0.2 * rng.normal(size=prompts)
    codes = np.arange(prompts)
    return [mean_difference(0.2 * rng.normal(size=prompts) - baseline, codes) for _ in range(CANDIDATES)]


METRICS: dict[str, tuple[Callable[[Rng, int], list[Effect]], int, float, float]] = {
    "pass rate 85 %, 40 prompts, margin 5 points": (_pass_rates, 40, 0.05, 1.0),
    "pass rate 85 %, 200 prompts, margin 5 points": (_pass_rates, 200, 0.05, 1.0),
    "TTFT p50, 240 prompts, margin 10 %": (_medians, 240, math.log(1.1), 0.25),
    "cost, 40 prompts, margin 10 %": (_costs, 40, math.log(1.1), 1.0),
}
"""What is drawn, prompts, margin on its scale, and the share of the rounds that it gets."""


def best_of_rows(scale: float) -> Iterator[Row]:
    """The candidate with the best estimate, against the baseline: nothing is true of it but chance."""
    for name, (draw, prompts, margin, share) in METRICS.items():
        rng = np.random.default_rng(SEED)
        any_one, picked, better, widths = [], [], [], []
        for _ in range(max(5, round(800 * scale * share))):
            effects = draw(rng, prompts)
            best = min(range(CANDIDATES), key=lambda at: effects[at].estimate)
            p_values = holm([1.0 if e.p_value is None else e.p_value for e in effects])
            e, first = effects[best], effects[0]
            any_one.append(holds(first, 0.0))
            picked.append(e)
            widths.append((e.high or 0.0) - (e.low or 0.0))
            verdict = decide(estimate=e.estimate, low=e.low, high=e.high, p_adjusted=p_values[best], margin=margin)
            better.append(verdict == "better")
        gain = -float(np.mean([e.estimate for e in picked]))
        half = float(np.mean(widths)) / 2
        cells = (
            f"{100 * gain:.1f}",
            f"{gain / half:.2f}",
            share_of(any_one),
            share_of([holds(e, 0.0) for e in picked]),
        )
        yield Row(name, (*cells, share_of(better)))


TABLES = (
    Table(
        "best-of",
        "The best of five candidates that equal the baseline",
        (
            "metric",
            "it looks better by (points or %)",
            "in half-widths of its interval",
            "interval of any one holds 0, %",
            "interval of the picked one holds 0, %",
            "`better` after Holm, %",
        ),
        best_of_rows,
    ),
)
