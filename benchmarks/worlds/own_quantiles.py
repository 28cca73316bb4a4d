"""One run's own p50, p95 and success rate: how often their intervals hold the truth, with repeats and stalls."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from worlds.draws import Floats, Rng
from worlds.tables import SEED, Row, Table, holds, share_of

from harness.analysis.columns import Codes
from harness.analysis.stats.clusters import Dependence, DesignEffect, success_interval
from harness.analysis.stats.quantiles import quantile_interval

QUANTILES = (0.5, 0.95)
SPREAD = 0.5
STALL_S = 4.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """Log-normal latencies around 0.5 s, `repeats` of each prompt; stalls that add 2 s."""

    prompts: int
    repeats: int = 1
    icc: float = 0.5
    """The share of the variance that is the prompt's own."""
    groups: Codes | None = None
    """The group of each prompt; half of a prompt's own part is its group's."""
    minutes: float = 1.0
    stalls: float = 0.0
    """A minute, of 4 s each."""

    def draw(self, rng: Rng) -> tuple[Floats, Codes, Floats]:
        """Latency, cluster and due time of each answer."""
        n, seconds = self.prompts * self.repeats, 60 * self.minutes
        due, asked = np.arange(n) * seconds / n, np.concatenate([rng.permutation(self.prompts)] * self.repeats)
        clusters = np.arange(self.prompts) if self.groups is None else self.groups
        own, shared = rng.normal(size=self.prompts), rng.normal(size=self.prompts)[clusters]
        prompt = shared if self.groups is None else math.sqrt(0.5) * (own + shared)
        noise = math.sqrt(self.icc) * prompt[asked] + math.sqrt(1 - self.icc) * rng.normal(size=n)
        span = seconds + STALL_S
        starts = rng.uniform(-STALL_S, seconds, rng.poisson(self.stalls / 60 * span))
        stalled = ((due >= starts[:, None]) & (due < starts[:, None] + STALL_S)).any(axis=0)
        return 0.5 * np.exp(SPREAD * noise) + 2.0 * stalled, clusters[asked], due

    def truth(self, q: float) -> float:
        """The q-quantile of a run without end."""
        within = 1 - math.exp(-self.stalls / 60 * STALL_S)
        values = 0.5 * np.exp(SPREAD * ndtri((np.arange(200_000) + 0.5) / 200_000))
        both, weights = np.concatenate([values, values + 2]), np.repeat([1 - within, within], len(values))
        order = np.argsort(both)
        return float(both[order][np.searchsorted(np.cumsum(weights[order]), q * len(values))])


UNEQUAL = np.concatenate([np.repeat(np.arange(12), 10), np.arange(12, 132)])
"""Twelve groups of ten beside 120 single prompts: they count as 43."""
RUNS = {
    "100 prompts, asked once": Run(prompts=100),
    "400 prompts, asked once": Run(prompts=400),
    "20 prompts × 10": Run(prompts=20, repeats=10),
    "50 prompts × 10": Run(prompts=50, repeats=10),
    "200 prompts × 3": Run(prompts=200, repeats=3),
    "24 prompts × 10, alike at 0.9": Run(prompts=24, repeats=10, icc=0.9),
    "50 prompts × 10, alike at 0.9": Run(prompts=50, repeats=10, icc=0.9),
    "100 prompts × 10, alike at 0.9": Run(prompts=100, repeats=10, icc=0.9),
    "200 prompts in groups of 4": Run(prompts=200, groups=np.arange(200) // 4),
    "240 prompts in groups of unequal size": Run(prompts=240, groups=UNEQUAL),
    "240 prompts, 1 stall a minute, 1 minute": Run(prompts=240, stalls=1),
    "1,000 prompts, 1 stall a minute, 5 minutes": Run(prompts=1000, stalls=1, minutes=5),
    "1,000 prompts, 1 stall a minute, 10 minutes": Run(prompts=1000, stalls=1, minutes=10),
    "80 prompts × 3, 1 stall a minute, 4 minutes": Run(prompts=80, repeats=3, stalls=1, minutes=4),
}


def quantile_rows(scale: float) -> Iterator[Row]:
    """The interval of the report, and in the last columns the order statistics of as many independent answers."""
    for name, run in RUNS.items():
        rng, truths = np.random.default_rng(SEED), [run.truth(q) for q in QUANTILES]
        held: list[list[bool]] = [[] for _ in range(3 * len(QUANTILES))]
        for _ in range(max(5, round(1000 * scale))):
            values, clusters, due = run.draw(rng)
            order = np.argsort(values)
            effect = DesignEffect(Dependence.of(clusters, due).select(order))
            for at, (q, truth) in enumerate(zip(QUANTILES, truths, strict=True)):
                interval = quantile_interval(values[order], q, effect)
                found = (
                    holds(interval, truth),
                    interval.low is None or interval.high is None,
                    holds(quantile_interval(values[order], q), truth),
                )
                for part, hit in zip(held[3 * at : 3 * at + 3], found, strict=True):
                    part.append(hit)
        cells = [share_of(part) if i % 3 != 1 else f"{100 * np.mean(part):.0f}" for i, part in enumerate(held)]
        yield Row(name, tuple(cells))


def success_rows(scale: float) -> Iterator[Row]:
    """Failures: at random, of some prompts more than of others, or all in bursts."""
    for name, prompts, repeats, kind in (
        ("400 prompts, 3 % fail at random", 400, 1, "random"),
        ("40 prompts × 10, 5 % fail, some prompts more (ICC 0.2)", 40, 10, "prompts"),
        ("100 prompts × 5, 5 % fail, some prompts more (ICC 0.2)", 100, 5, "prompts"),
        ("1,200 prompts, 1 burst of 5 s a minute fails, 10 minutes", 1200, 1, "bursts"),
        ("400 prompts, 1 burst of 5 s a minute fails, 4 minutes", 400, 1, "bursts"),
    ):
        rng, held = np.random.default_rng(SEED + 1), []
        for _ in range(max(5, round(1000 * scale))):
            n = prompts * repeats
            codes, due = np.tile(np.arange(prompts), repeats), np.arange(n) * (0.5 if prompts == 1200 else 0.6)
            if kind == "bursts":
                starts = rng.uniform(-5, due[-1], rng.poisson((due[-1] + 5) / 60))
                failed, truth = (
                    ((due >= starts[:, None]) & (due < starts[:, None] + 5)).any(axis=0),
                    -math.expm1(-1 / 12),
                )
            else:
                truth = 0.03 if kind == "random" else 0.05
                chance = np.full(prompts, truth) if kind == "random" else rng.beta(0.2, 3.8, prompts)
                failed = rng.random(n) < chance[codes]
            interval = success_interval(~failed, codes, Dependence.of(codes, due))
            held.append(holds(interval, 1 - truth))
        yield Row(name, (share_of(held),))


TABLES = (
    Table(
        "own-quantiles",
        "One run's own quantiles: % of runs whose 95 % interval holds the truth, with its 95 % interval",
        (
            "run",
            *(f"p{round(100 * q)}{what}" for q in QUANTILES for what in ("", " no bound", " as if independent")),
        ),
        quantile_rows,
    ),
    Table(
        "own-success",
        "One run's own success rate: % of runs whose 95 % interval holds the truth, with its 95 % interval",
        ("run", "holds"),
        success_rows,
    ),
)
