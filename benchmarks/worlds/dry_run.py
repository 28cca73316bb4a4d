"""What the dry run names for a latency, prompts and minutes: how often they find it, with a stall a minute."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from worlds.draws import draw_side
from worlds.in_time import World
from worlds.tables import SEED, Row, Table, share_of

from harness.analysis.compare.sample_size.detectable import ASSUMED_STALLS, find_detectable
from harness.analysis.compare.verdict import decide
from harness.analysis.stats.time_blocks import compare_quantiles
from harness.suite.suite import Load, Suite


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A suite's latency gate, and how it is asked."""

    margin: float = 0.25
    metrics: int = 1
    """Of the gate, with one candidate: the family of tests."""
    rate_per_s: float = 4.0
    repeats: int = 1

    def suite(self, prompts: int) -> Suite:
        gate = dict.fromkeys(["ttft_p50", "e2e_p50", "tpot_p50", "ttft_p90", "e2e_p90"][: self.metrics], "25%")
        suite = draw_side(np.random.default_rng(SEED), prompts, 1, candidates=1).suite
        gate["ttft_p50"] = f"{100 * self.margin:g}%"
        return msgspec.structs.replace(suite, gate=gate, load=Load(warmup=1, repeats=self.repeats))

    def world(self, prompts: int, ratio: float) -> World:
        seconds = prompts * self.repeats / self.rate_per_s
        stalls = ASSUMED_STALLS
        return World(
            prompts=prompts, repeats=self.repeats, seconds=seconds, ratio=ratio,
            stalls=stalls.a_minute, stall_s=stalls.seconds,
        )  # fmt: skip


PLANS = {
    "25 %, 4 requests a second": Plan(),
    "25 %, 4 a second, family of 5": Plan(metrics=5),
    "15 %, 4 a second, family of 5": Plan(margin=0.15, metrics=5),
    "25 %, 1 a second": Plan(rate_per_s=1.0),
    "25 %, 20 a second": Plan(rate_per_s=20.0),
    "25 %, 4 a second, 3 repeats": Plan(repeats=3),
}


def dry_run_rows(scale: float) -> Iterator[Row]:
    """At the n and the minutes that the dry run names: `worse` of twice the margin, `no_worse` of no difference."""
    for name, plan in PLANS.items():
        named = find_detectable(plan.suite(40), rate_per_s=plan.rate_per_s).metrics[0]
        rng, cells = np.random.default_rng(SEED), []
        for prompts, minutes, ratio, wanted in (
            (named.prompts_for_worse, named.minutes_for_worse, (1 + plan.margin) ** 2, "worse"),
            (named.prompts_for_no_worse, named.minutes_for_no_worse, 1.0, "no_worse"),
        ):
            assert prompts is not None
            world = plan.world(prompts, ratio)
            found = [_verdict(rng, world, plan) for _ in range(max(3, round(300 * scale)))]
            cells += [f"{prompts:,} in {minutes:.1f} min", share_of([each == wanted for each in found])]
        yield Row(name, tuple(cells))


def _verdict(rng: np.random.Generator, world: World, plan: Plan) -> str:
    """Holm at its strictest, as the dry run counts."""
    baseline, candidate = world.draw(rng)
    e = compare_quantiles(candidate, baseline, [0.5])[0]
    p = None if e.p_value is None else min(1.0, plan.metrics * e.p_value)
    return decide(estimate=e.estimate, low=e.low, high=e.high, p_adjusted=p, margin=math.log1p(plan.margin))


TABLES = (
    Table(
        "dry-run",
        "TTFT p50 beside a stall a minute of 4 s, at the prompts and minutes that the dry run names: % of runs, with "
        "its 95 % interval (promised 80)",
        ("margin and load", "to detect", "twice the margin is `worse`", "to rule out", "no difference is `no worse`"),
        dry_run_rows,
    ),
)
