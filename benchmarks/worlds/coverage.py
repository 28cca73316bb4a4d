"""How often an interval covers the truth: 95 % nominal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from worlds.draws import Rng, draw_answers, draw_latencies, in_order
from worlds.tables import SEED, Row, Table, holds

from harness.analysis.stats.interval import Effect
from harness.analysis.stats.proportions import (
    Events,
    clustered_difference,
    effect_of,
    events_interval,
    paired_difference,
)
from harness.analysis.stats.quantiles import is_bounded
from harness.analysis.stats.time_blocks import compare_quantiles

SIZES = (20, 100, 500)


def coverage(scale: float, truth: float, draw: Callable[[Rng, int], Effect]) -> tuple[str, ...]:
    """For each of SIZES prompts the share of 2000 rounds whose interval holds the truth, in %."""
    rng, rounds = np.random.default_rng(SEED), max(5, round(2000 * scale))
    return tuple(f"{100 * np.mean([holds(draw(rng, n), truth) for _ in range(rounds)]):.1f}" for n in SIZES)


def coverage_rows(scale: float) -> Iterator[Row]:
    """One row a method and kind of data, one cell a number of prompts."""
    for rates in ((0.97, 0.97), (0.85, 0.80), (0.60, 0.60)):
        for repeats, of in ((1, 1), (3, 1), (1, 4), (3, 4)):
            told = ", ".join((f"pass rate {rates[0]:.0%} against {rates[1]:.0%}", *_data(repeats, of)))
            method = "newcombe-paired" if (repeats, of) == (1, 1) else "newcombe-clustered"
            draw = partial(rate_effect, rates=rates, repeats=repeats, of=of)
            yield Row(f"{told}: `{method}`", coverage(scale, rates[1] - rates[0], draw))
    for shares in ((0.0, 0.02), (0.05, 0.10)):
        told = f"throttled {shares[0]:.0%} against {shares[1]:.0%} of 3n attempts: `newcombe-clustered`"
        draw = partial(throttle_effect, shares=shares)
        yield Row(told, coverage(scale, shares[1] - shares[0], draw))
    yield from latency_rows(scale)


def rate_effect(rng: Rng, n: int, *, rates: tuple[float, float], repeats: int, of: int) -> Effect:
    """One comparison of pass rates."""
    baseline, candidate = draw_answers(rng, n, repeats, rates, groups_of=of)
    if repeats == of == 1:
        return paired_difference(candidate, baseline)
    return clustered_difference(candidate, baseline, np.arange(n) // of, answers=n * repeats)


def throttle_effect(rng: Rng, n: int, *, shares: tuple[float, float]) -> Effect:
    """One comparison of throttle rates."""
    baseline, candidate = (Events(events=rng.binomial(3, share, size=n), trials=np.full(n, 3)) for share in shares)
    return effect_of(candidate.share - baseline.share, events_interval(candidate, baseline))


def _data(repeats: int, of: int) -> Iterator[str]:
    yield f"{repeats} repeats" if repeats > 1 else "asked once"
    if of > 1:
        yield f"groups of {of}"


def latency_rows(scale: float) -> Iterator[Row]:
    """Quantiles share their samples, as they do in a comparison; 1500 rounds up to 100 prompts, 500 above."""
    rng, truth = np.random.default_rng(SEED), math.log(1.1)
    quantiles = (0.5, 0.95, 0.99)
    for repeats in (1, 3):
        shares: dict[tuple[float, int], str] = {}
        for n in SIZES:
            rounds = max(5, round(scale * (1500 if n <= 100 else 500)))
            held = dict.fromkeys(quantiles, 0)
            for _ in range(rounds):
                old, new = draw_latencies(rng, n, repeats, shift=truth)
                effects = compare_quantiles(in_order(new, repeats), in_order(old, repeats), quantiles)
                for q, effect in zip(quantiles, effects, strict=True):
                    held[q] += holds(effect, truth)
            shares |= {(q, n): f"{100 * held[q] / rounds:.1f}" for q in quantiles if is_bounded(q, n * repeats, n)}
        asked = f"{repeats} repeats" if repeats > 1 else "asked once"
        for q in quantiles:
            yield Row(
                f"latency p{round(100 * q)}, {asked}: `time-blocks`", tuple(shares.get((q, n), "–") for n in SIZES)
            )


TABLES = (
    Table(
        "coverage",
        "Coverage, % of samples whose 95 % interval holds the truth",
        ("difference", *(f"n = {n}" for n in SIZES)),
        coverage_rows,
    ),
)
