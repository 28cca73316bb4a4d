"""What an inconclusive row asks for: how often as much of it settles the row, where nothing differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from worlds.draws import Rng, draw_side
from worlds.tables import SEED, Row, Table, share_of

from harness.analysis.columns import Columns
from harness.analysis.compare.comparison import Difference
from harness.analysis.compare.gate import make_rules
from harness.analysis.compare.latencies import compare_latencies
from harness.analysis.compare.pairing import pair
from harness.analysis.compare.rates import compare_pass_rate
from harness.analysis.compare.sample_size.remedies import with_sources
from harness.analysis.compare.verdict import judge_rows


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A first run of the same target twice; half of an outcome's variance is its prompt's, in both arms alike."""

    metric: str = "pass_rate"
    margin: str = "5pp"
    prompts: int = 100
    repeats: int = 1
    stalls_a_minute: float = 0.0
    remedy: str = "prompts"
    """The one that is tried."""

    def judge(self, rng: Rng) -> Difference:
        columns = draw_side(rng, self.prompts, self.repeats, candidates=1).data.columns
        pairs = pair(*(self._stalled(rng, c) for c in columns.values()))
        row = compare_pass_rate(pairs) if self.metric == "pass_rate" else (
            compare_latencies(pairs, [(self.metric, "log_ratio")])[self.metric]
        )  # fmt: skip
        return judge_rows([[with_sources(row, pairs)]], [[]], make_rules({self.metric: self.margin}))[0][0]

    def _stalled(self, rng: Rng, c: Columns) -> Columns:
        """Stalls of 4 s add 2 s; two requests are due a second, each round of prompts in turn."""
        starts = rng.uniform(-4, c.due_s[-1], rng.poisson(self.stalls_a_minute * (c.due_s[-1] + 4) / 60))
        late = ((c.due_s >= starts[:, None]) & (c.due_s < starts[:, None] + 4)).any(axis=0)
        return dataclasses.replace(c, first_s=c.first_s + 2.0 * late)

    def with_more(self, remedy: str, wanted: float) -> Trial:
        match remedy:
            case "prompts":
                return dataclasses.replace(self, prompts=round(wanted))
            case "repeats":
                return dataclasses.replace(self, repeats=round(wanted))
        return dataclasses.replace(self, prompts=round(wanted * 60 * 2))


TRIALS = {
    "pass rate, margin 5 points, 100 prompts asked once": Trial(),
    "pass rate, margin 5 points, 60 prompts asked 3 times": Trial(prompts=60, repeats=3, remedy="repeats"),
    "TTFT p50, margin 15 %, 120 prompts in 1 min": Trial(metric="ttft_p50", margin="15%", prompts=120),
    "TTFT p50, margin 25 %, 120 prompts in 1 min, 2 stalls a minute": Trial(
        metric="ttft_p50", margin="25%", prompts=120, stalls_a_minute=2, remedy="time"
    ),
}


def remedy_rows(scale: float) -> Iterator[Row]:
    """The median of a remedy where the row is inconclusive and names it, and new runs with as much of it."""
    for name, trial in TRIALS.items():
        rng, rounds = np.random.default_rng(SEED), max(3, round(200 * scale))
        rows = [row for row in (trial.judge(rng) for _ in range(rounds)) if row.verdict == "inconclusive"]
        named = [row.remedy_needed for row in rows if row.remedy == trial.remedy and row.remedy_needed is not None]
        if not named:
            yield Row(name, (f"{100 * len(rows) / rounds:.0f}", trial.remedy, "–", "–"))
            continue
        wanted = float(np.median(named))
        again = trial.with_more(trial.remedy, wanted)
        settled = [again.judge(rng).verdict != "inconclusive" for _ in range(rounds)]
        told = f"{trial.remedy} ({100 * len(named) / len(rows):.0f} % of them)"
        yield Row(name, (f"{100 * len(rows) / rounds:.0f}", told, f"{wanted:.4g}", share_of(settled)))


TABLES = (
    Table(
        "remedies",
        "What an inconclusive row asks for, where nothing differs",
        ("first run", "inconclusive, %", "remedy named", "its median", "settled by as much of it, %"),
        remedy_rows,
    ),
)
