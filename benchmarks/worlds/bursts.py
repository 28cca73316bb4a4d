"""Errors and throttles that come in bursts, and a daily rhythm: comparisons of a target with itself, and power."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt
from worlds.draws import Floats, Rng, draw_side
from worlds.tables import SEED, Row, Table, holds, share_of

from harness.analysis.columns import Columns
from harness.analysis.compare.compare import compare_targets
from harness.analysis.compare.comparison import Comparison
from harness.analysis.compare.gate import DEFAULT_GATE
from harness.analysis.compare.pairing import FinishedRun

GATE = {**DEFAULT_GATE, "throttle_rate": "2pp"}
RATES = "pass_rate", "error_rate", "throttle_rate"
TRIES = 4
"""Of a request: the first and three retries, 1, 2 and 4 s later."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A service asked four times a second unless `prompts` and `seconds` say otherwise. Rates are bursts a minute."""

    prompts: int = 240
    seconds: float = 60.0
    errors: tuple[float, float] = (0.0, 0.0)
    """Of the baseline and of the candidate, each at moments of its own; in a burst, 80 % of requests fail."""
    throttles: tuple[float, float] = (0.0, 0.0)
    """In a burst, 70 % of attempts are throttled."""
    common: float = 0.0
    """Bursts of both kinds in both arms at once."""
    burst_s: float = 4.0
    rhythm: float = 0.0
    """Both arms' latencies and background errors rise and fall by this share, once in the run."""
    background: tuple[float, float] = (0.01, 0.01)
    """Requests that fail outside bursts."""
    throttled: tuple[float, float] = (0.0, 0.0)
    """Attempts that are throttled outside bursts."""

    def draw(self, rng: Rng) -> FinishedRun:
        """A run of baseline and candidate."""
        side = draw_side(rng, self.prompts, 1, candidates=1)
        due = np.arange(self.prompts) * self.seconds / self.prompts
        together = self._bursts(rng, self.common), self._bursts(rng, self.common)
        columns = {}
        for at, (name, c) in enumerate(side.data.columns.items()):
            failing = np.concatenate([together[0], self._bursts(rng, self.errors[at])])
            throttling = np.concatenate([together[1], self._bursts(rng, self.throttles[at])])
            columns[name] = self._arm(rng, c, due, failing, throttling, at)
        suite = msgspec.structs.replace(side.suite, gate=GATE)
        return replace(side, suite=suite, data=replace(side.data, columns=columns))

    def _bursts(self, rng: Rng, a_minute: float) -> Floats:
        span = self.seconds + self.burst_s
        return rng.uniform(-self.burst_s, self.seconds, rng.poisson(a_minute / 60 * span))

    def _within(self, moments: Floats, starts: Floats) -> npt.NDArray[np.bool_]:
        return ((moments >= starts[:, None]) & (moments < starts[:, None] + self.burst_s)).any(axis=0)

    def _arm(self, rng: Rng, c: Columns, due: Floats, failing: Floats, throttling: Floats, at: int) -> Columns:
        n = len(due)
        wave = 1 + self.rhythm * np.sin(2 * np.pi * due / self.seconds)
        ok = rng.random(n) >= np.where(self._within(due, failing), 0.8, self.background[at] * wave)
        throttled, moment, alive = np.zeros(n, dtype=np.int64), due.copy(), np.ones(n, dtype=np.bool_)
        for attempt in range(TRIES):
            chance = np.where(self._within(moment, throttling), 0.7, self.throttled[at])
            alive &= rng.random(n) < chance
            throttled += alive
            if attempt < TRIES - 1:
                moment += alive * 2.0**attempt
        ok &= throttled < TRIES
        ttft, e2e = ((each - c.due_s) * wave + (moment - due) for each in (c.first_s, c.done_s))
        return replace(
            c,
            due_s=due,
            first_try_sent_s=due,
            sent_s=moment,
            first_s=due + ttft,
            last_s=due + e2e - 0.001,
            done_s=due + e2e,
            attempts=np.minimum(throttled + 1, TRIES),
            throttled=throttled,
            ok=ok,
            error_kind=np.where(ok, None, np.where(throttled == TRIES, "throttled", "server_error")),
            output_tokens=np.where(ok, np.nan_to_num(c.output_tokens, nan=100.0), np.nan),
            cost_usd=np.where(ok, np.nan_to_num(c.cost_usd, nan=0.0007), np.nan),
            passed=np.where(ok, c.passed, 0.0),
        )


LONG = {"prompts": 1200, "seconds": 300.0}
WORLDS = {
    "no bursts, 1 % fail": World(),
    "errors in either arm, 0.5 a minute of 15 s, 300 s": World(**LONG, errors=(0.5, 0.5), burst_s=15),
    "errors in either arm, 1 a minute of 4 s": World(errors=(1, 1)),
    "errors in either arm, 2 a minute of 3 s": World(errors=(2, 2), burst_s=3),
    "errors and throttles in both arms at once, 1 a minute of 10 s, 300 s": World(**LONG, common=1, burst_s=10),
    "throttling in either arm, 0.5 a minute of 15 s, 300 s": World(**LONG, throttles=(0.5, 0.5), burst_s=15),
    "throttling in either arm, 1 a minute of 4 s": World(throttles=(1, 1)),
    "throttling in either arm, 2 a minute of 3 s": World(throttles=(2, 2), burst_s=3),
    "errors and throttling in either arm, 2 a minute of 4 s, 300 s": World(**LONG, errors=(2, 2), throttles=(2, 2)),
    "a daily rhythm of ± 50 %, 24 h": World(prompts=1200, seconds=86400.0, rhythm=0.5, background=(0.02, 0.02)),
}
"""A/A: one target against itself. Bursts in either arm come at moments of its own."""


def burst_rows(scale: float) -> Iterator[Row]:
    """A/A: verdicts of the whole family, and how often each rate's interval holds 0."""
    for name, world in WORLDS.items():
        rng = np.random.default_rng(SEED + 3)
        found = [_compare(world, rng) for _ in range(max(1, int(150 * scale)))]
        rows = [{row.metric: row for row in c.differences if not row.exploratory} for c in found]
        alarms = [[any(row.verdict == word for row in each.values()) for each in rows] for word in ("worse", "better")]
        held = [[holds(each[metric], 0.0) for each in rows] for metric in RATES]
        yield Row(name, tuple(share_of(cell) for cell in (*alarms, *held)))


POWER = {
    "errors 5 % → 10 %, spread": ("error_rate", World(prompts=500, seconds=125, background=(0.05, 0.10)), 0.05),
    "throttled 5 % → 10 % of attempts, spread": (
        "throttle_rate",
        World(prompts=500, seconds=125, throttled=(0.05, 0.10)),
        0.05,
    ),
    "errors 5 % → 10 %, spread, beside one burst of both a minute": (
        "error_rate",
        World(prompts=500, seconds=125, background=(0.05, 0.10), common=1),
        None,
    ),
    "error bursts of 4 s, 1 → 2 a minute, 10 minutes": (
        "error_rate",
        World(prompts=1200, seconds=600, errors=(1, 2)),
        None,
    ),
    "error bursts of 4 s, 1 → 2 a minute, 30 minutes": (
        "error_rate",
        World(prompts=1800, seconds=1800, errors=(1, 2)),
        None,
    ),
    "throttling of 4 s, 1 → 2 a minute, 30 minutes": (
        "throttle_rate",
        World(prompts=1800, seconds=1800, throttles=(1, 2)),
        None,
    ),
}
"""What doubles, the metric, the world, and the true difference, unless it is the mean of all rounds."""


def burst_power_rows(scale: float) -> Iterator[Row]:
    """A doubled rate: how often the row is `worse` in its family, and how often its interval holds the truth."""
    for name, (metric, world, known) in POWER.items():
        rng = np.random.default_rng(SEED + 4)
        found = [_compare(world, rng) for _ in range(max(1, int(150 * scale)))]
        rows = [next(row for row in c.differences if row.metric == metric) for c in found]
        truth = float(np.mean([row.estimate for row in rows])) if known is None else known
        cells = [[row.verdict == "worse" for row in rows], [holds(row, truth) for row in rows]]
        yield Row(name, (f"{world.prompts:,}", *(share_of(cell) for cell in cells)))


def _compare(world: World, rng: Rng) -> Comparison:
    return compare_targets(world.draw(rng)).comparisons[0]


TABLES = (
    Table(
        "bursts",
        "A/A with bursts of errors and throttles: % of runs, with its 95 % interval (the default gate and "
        "throttle_rate: 2pp, 6 metrics)",
        ("world", "any `worse`", "any `better`", *(f"{metric.replace('_', ' ')} holds 0" for metric in RATES)),
        burst_rows,
    ),
    Table(
        "bursts-power",
        "Power beside bursts: % of runs, with its 95 % interval (margin 2 points, a family of 6)",
        ("what doubles", "n", "`worse`", "interval holds the truth"),
        burst_power_rows,
    ),
)
