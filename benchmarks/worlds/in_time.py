"""Latencies that depend on time: stalls of one arm or of both, and answers that resemble their neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from worlds.draws import LATENCY_CORRELATION, PROMPT_SPREAD, REQUEST_SPREAD, Floats, Rng
from worlds.tables import SEED, Row, Table, holds, share_of

from harness.analysis.stats.interval import Effect
from harness.analysis.stats.time_blocks import Answers, compare_quantiles


@dataclass(frozen=True, kw_only=True)
class World:
    """A minute and more of a service, asked four times a second unless `seconds` says otherwise."""

    prompts: int = 240
    repeats: int = 1
    seconds: float = 60.0
    stalls: float = 0.0
    """A minute, of each arm on its own."""
    common: float = 0.0
    """A minute, of both arms at once."""
    stall_s: float = 4.0
    persistence: float = 0.0
    """Correlation of one answer's own part with the next one's: AR(1)."""
    alike: float = LATENCY_CORRELATION
    """Correlation of the prompts' parts between the arms."""
    prompt_spread: float = PROMPT_SPREAD
    request_spread: float = REQUEST_SPREAD
    ratio: float = 1.0
    """How much slower the candidate is."""

    def draw(self, rng: Rng) -> tuple[Answers, Answers]:
        """Baseline and candidate: log-normal around 0.5 s, and 2 s more during a stall."""
        (baseline, _), (candidate, _) = self.draw_with_stalls(rng)
        return baseline, candidate

    def draw_with_stalls(self, rng: Rng) -> list[tuple[Answers, npt.NDArray[np.bool_]]]:
        """Baseline and candidate, each with which of its answers are in a stall of its own."""
        n = self.prompts * self.repeats
        due = np.arange(n) * self.seconds / n
        codes = np.concatenate([rng.permutation(self.prompts) for _ in range(self.repeats)])
        first = rng.normal(size=self.prompts)
        second = self.alike * first + math.sqrt(1 - self.alike**2) * rng.normal(size=self.prompts)
        common = self._stalled(rng, due, self.common)
        arms = []
        for own, ratio in ((first, 1.0), (second, self.ratio)):
            noise = rng.normal(size=n)
            for i in range(1, n if self.persistence else 0):
                noise[i] = self.persistence * noise[i - 1] + math.sqrt(1 - self.persistence**2) * noise[i]
            values = 0.5 * ratio * np.exp(self.prompt_spread * own[codes] + self.request_spread * noise)
            stalled = self._stalled(rng, due, self.stalls)
            answers = Answers(values=values + 2.0 * (common | stalled), clusters=codes, due_s=due)
            arms.append((answers, stalled & ~common))
        return arms

    def _stalled(self, rng: Rng, due: Floats, rate: float) -> npt.NDArray[np.bool_]:
        span = self.seconds + self.stall_s
        starts = rng.uniform(-self.stall_s, self.seconds, rng.poisson(rate / 60 * span))
        return ((due >= starts[:, None]) & (due < starts[:, None] + self.stall_s)).any(axis=0)


STRONGLY = {"alike": 0.95, "prompt_spread": 0.8, "request_spread": 0.2}
WORLDS = {
    "independent": World(),
    "independent, prompts strongly alike": World(**STRONGLY),
    "independent, prompts not alike": World(alike=0.0),
    "0.5 stalls a minute of 15 s, 300 s": World(prompts=1000, seconds=300, stalls=0.5, stall_s=15),
    "1 in 5 minutes of 15 s, 300 s": World(prompts=1000, seconds=300, stalls=0.2, stall_s=15),
    "1 a minute of 4 s": World(stalls=1),
    "1 a minute of 4 s, prompts strongly alike": World(stalls=1, **STRONGLY),
    "2 a minute of 3 s": World(stalls=2, stall_s=3),
    "2 a minute of 3 s, prompts strongly alike": World(stalls=2, stall_s=3, **STRONGLY),
    "both arms at once, 2 a minute of 3 s": World(common=2, stall_s=3),
    "AR(1), 0.9 from answer to answer": World(persistence=0.9),
    "80 prompts asked 3 times": World(prompts=80, repeats=3),
    "80 prompts asked 3 times, 1 stall a minute of 4 s": World(prompts=80, repeats=3, stalls=1),
    "80 prompts asked 3 times, strongly alike": World(prompts=80, repeats=3, **STRONGLY),
}
"""A/A: one target against itself, with stalls that each arm has at moments of its own."""
MARGIN = math.log(1.25)


def time_rows(scale: float) -> Iterator[Row]:
    """A/A in every world: `worse` and `better` at the margin of 25 %, and how often the interval holds 0."""
    for name, world in WORLDS.items():
        rng, cells = np.random.default_rng(SEED), []
        rounds = [_both_quantiles(rng, world) for _ in range(max(5, round(400 * scale)))]
        for effects in zip(*rounds, strict=True):
            cells.append(share_of([_is_worse(effect) for effect in effects]))
            cells.append(share_of([_is_worse(effect, sign=-1) for effect in effects]))
            cells.append(share_of([holds(effect, 0.0) for effect in effects]))
            open_ended = [effect.low is None or effect.high is None for effect in effects]
            cells.append(f"{100 * np.mean(open_ended):.0f}")
        yield Row(name, tuple(cells))


def time_power_rows(scale: float) -> Iterator[Row]:
    """Known differences of twice the margin: how often the verdict is `worse`, in a family of one."""
    for told, at, world in (
        ("p50 +35 %, 1 stall a minute of 4 s", 0, World(prompts=445, seconds=445 / 4, stalls=1, ratio=1.35)),
        ("p95 +50 %, no stalls", 1, World(ratio=1.5)),
        ("p95 +50 %, 1 stall a minute of 4 s", 1, World(stalls=1, ratio=1.5)),
    ):
        rng = np.random.default_rng(SEED + 2)
        found = [_both_quantiles(rng, world)[at] for _ in range(max(5, round(400 * scale)))]
        cells = (share_of([_is_worse(e) for e in found]), share_of([e.low is not None and e.low > 0 for e in found]))
        yield Row(told, (f"{world.prompts}", *cells))


def _both_quantiles(rng: Rng, world: World) -> list[Effect]:
    baseline, candidate = world.draw(rng)
    return compare_quantiles(candidate, baseline, (0.5, 0.95))


def _is_worse(effect: Effect, sign: int = 1) -> bool:
    bound = effect.low if sign > 0 else effect.high
    significant = effect.p_value is not None and effect.p_value < 0.05 and bound is not None and sign * bound > 0
    return significant and sign * effect.estimate >= MARGIN


TABLES = (
    Table(
        "in-time",
        "A/A with dependence in time: % of runs, with its 95 % interval (margin 25 %)",
        (
            "world",
            *(f"p{q} {what}" for q in (50, 95) for what in ("`worse`", "`better`", "interval holds 0", "no bound")),
        ),
        time_rows,
    ),
    Table(
        "in-time-power",
        "Power beside stalls: % of runs, with its 95 % interval (margin 25 %)",
        ("difference", "n", "`worse`", "interval above 0"),
        time_power_rows,
    ),
)
