"""Two runs at two times: the hour of each run moves its latencies and its errors, and earlier runs say how much."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace
from scipy.special import ndtri, stdtrit
from worlds.draws import PROMPT_SPREAD, REQUEST_SPREAD, Floats, Rng
from worlds.tables import SEED, Row, Table, holds, share_of

from harness.analysis.compare.between_runs import FEWEST_RUNS, spread_of_rates
from harness.analysis.compare.comparison import BetweenRuns, Difference, Scale
from harness.analysis.compare.gate import make_rules
from harness.analysis.compare.verdict import judge_rows
from harness.analysis.stats.interval import Effect, Interval
from harness.analysis.stats.proportions import paired_difference
from harness.analysis.stats.random_effects import (
    Spread,
    count_spread,
    pairs_apart,
    spread_of_difference,
    spread_of_runs,
)
from harness.analysis.stats.time_blocks import Answers, compare_quantiles

PROMPTS, SECONDS, ERRORS = 240, 60.0, 0.01
QUANTILES = (0.5, 0.95)
GATE = {"ttft_p50": "15%", "ttft_p95": "25%", "error_rate": "2pp"}
RULES = make_rules(GATE)
HISTORIES = (0, 5, 20)
ERRORS_MOVE = 5.0
"""How much more the error rate moves than the latency does, on the log scale: 20 % of latency are e^±1 of errors."""


@dataclass(frozen=True)
class Hours:
    """What the hour of a run does to it, on the log scale of its latencies."""

    shift: float = 0.0
    """Standard deviation of a log-normal factor."""
    rhythm: float = 0.0
    """Amplitude of a daily rhythm; runs are at random hours."""
    bad: float = 0.0
    """Share of runs in a bad hour, which is half as slow again and in which one request in ten fails."""
    stalls: float = 0.0
    """A minute, of 4 s and 2 s: inside each run."""

    def draw(self, rng: Rng, runs: int) -> tuple[Floats, Floats]:
        """Of each run the log of its latency factor, and the share of its requests that fail."""
        moved = self.shift * rng.normal(size=runs) + self.rhythm * np.sin(2 * np.pi * rng.random(runs))
        bad = rng.random(runs) < self.bad
        errors = np.minimum(ERRORS * np.exp(ERRORS_MOVE * moved), 0.5)
        return moved + math.log(1.5) * bad, np.where(bad, 0.1, errors)


WORLDS = {
    "runs do not differ": Hours(),
    "runs differ by 5 %": Hours(shift=0.05),
    "runs differ by 10 %": Hours(shift=0.10),
    "runs differ by 20 %": Hours(shift=0.20),
    "a daily rhythm of ±14 %": Hours(rhythm=0.14),
    "10 %, and a stall a minute in each run": Hours(shift=0.10, stalls=1),
    "5 %, and one run in ten is in a bad hour": Hours(shift=0.05, bad=0.1),
    "10 %, and one run in five is in a bad hour": Hours(shift=0.10, bad=0.2),
}


@dataclass(frozen=True)
class Round:
    """Two runs of one target with the same prompts, before their hours move them, and earlier runs of it."""

    logs: tuple[Floats, Floats]
    """Log latencies, baseline and candidate."""
    within: list[Effect]
    """Of QUANTILES."""
    past: Floats
    """Quantiles of the earlier runs, on the log scale; runs × quantiles."""


def draw_round(rng: Rng, world: Hours) -> Round:
    """One round; its prompts are slow or fast in every run alike, as the prompts of a suite are."""
    own = PROMPT_SPREAD * rng.normal(size=PROMPTS)
    runs = max(HISTORIES) + 2
    logs = math.log(0.5) + own + REQUEST_SPREAD * rng.normal(size=(runs, PROMPTS))
    if world.stalls:
        logs = np.log(np.exp(logs) + 2.0 * np.array([_stalled(rng, world.stalls) for _ in range(runs)]))
    pair = logs[0], logs[1]
    past = np.quantile(logs[2:], QUANTILES, axis=1, method="inverted_cdf").T
    return Round(logs=pair, within=compare(pair, 0.0, QUANTILES), past=past)


def compare(logs: tuple[Floats, Floats], moved: float, quantiles: Sequence[float]) -> list[Effect]:
    """The candidate against the baseline, with the candidate moved by so much."""
    due, codes = np.arange(PROMPTS) * SECONDS / PROMPTS, np.arange(PROMPTS)
    old, new = (
        Answers(values=np.exp(each + by), clusters=codes, due_s=due)
        for each, by in zip(logs, (0.0, moved), strict=True)
    )
    return compare_quantiles(new, old, quantiles)


def _stalled(rng: Rng, rate: float) -> npt.NDArray[np.bool_]:
    due = np.arange(PROMPTS) * SECONDS / PROMPTS
    starts = rng.uniform(-4.0, SECONDS, rng.poisson(rate / 60 * (SECONDS + 4.0)))
    return ((due >= starts[:, None]) & (due < starts[:, None] + 4.0)).any(axis=0)


def latency_row(at: int, found: Round, moved: float, past: Floats) -> Difference:
    """The row of one quantile; `moved` is what hours and truth make the candidate slower by, `past` the earlier runs.

    A latency that is moved by a factor moves its interval by the log of it. The p-value is only taken where the row
    could be significant, since it takes as long as all the rest.
    """
    w = found.within[at]
    low, high = (None if bound is None else bound + moved for bound in (w.low, w.high))
    effect = Effect(estimate=w.estimate + moved, low=low, high=high, p_value=None, method=w.method)
    between, apart = (_spread(past), pairs_apart(past, past, same=True)) if len(past) >= FEWEST_RUNS else (None, 0.0)
    row = _difference(RULES[at].metric, "log_ratio", effect, between, len(past), apart)
    if row.low is not None and row.high is not None and not row.low <= 0 <= row.high and between is not None:
        again = compare(found.logs, moved, QUANTILES[at : at + 1])[0]
        p_value = count_spread(replace(effect, p_value=again.p_value), between).p_value
        return replace(row, p_value=p_value)
    return row


def _spread(past: Floats) -> Spread:
    own = spread_of_runs(list(past))
    return spread_of_difference(own, own, same=True)


def error_row(rng: Rng, shares: Floats) -> Difference:
    """The row of the error rate; `shares`: of baseline, candidate and the earlier runs."""
    old, new = (rng.random((2, PROMPTS)) < shares[:2, None]).astype(float)
    past = list(rng.binomial(PROMPTS, shares[2:]) / PROMPTS)
    effect = paired_difference(new, old)
    if len(past) < FEWEST_RUNS:
        return _difference("error_rate", "points", effect, None, len(past))
    between = spread_of_rates(past, past, old.mean(), new.mean(), same=True)
    return _difference("error_rate", "points", effect, between, len(past), pairs_apart(past, past, same=True))


def _difference(
    metric: str, scale: Scale, effect: Effect, between: Spread | None, runs: int, apart: float = 0.0
) -> Difference:
    counted = effect if between is None else count_spread(effect, between, at_least=apart)
    known = between is not None
    return Difference(
        metric=metric,
        scale=scale,
        unit="share" if scale == "points" else "s",
        baseline=0.5,
        candidate=0.5,
        estimate=effect.estimate,
        low=counted.low if known else None,
        high=counted.high if known else None,
        p_value=counted.p_value if known else None,
        n=PROMPTS,
        clusters=PROMPTS,
        method=effect.method,
        between_runs=BetweenRuns(
            runs=runs, spread=between.sd if between else None, within_low=effect.low, within_high=effect.high
        ),
    )


def family(rng: Rng, world: Hours, found: Round, runs: int, truth: float = 0.0) -> tuple[Difference, ...]:
    """One comparison with so many earlier runs, judged as a family of three; `truth` is the candidate's, on the log."""
    moved, shares = world.draw(rng, runs + 2)
    rows = [latency_row(at, found, truth + moved[1] - moved[0], found.past[:runs, at] + moved[2:]) for at in range(2)]
    return judge_rows([[*rows, error_row(rng, shares)]], [[]], RULES)[0]


def two_run_rows(scale: float, worlds: Mapping[str, Hours] = WORLDS) -> Iterator[Row]:
    """A/A at two times, with each history; what two runs alone would have said stands beside it."""
    pools: dict[float, list[Round]] = {}
    for at, (name, world) in enumerate(worlds.items()):
        if world.stalls not in pools:
            rng = np.random.default_rng([SEED, 11])
            pools[world.stalls] = [draw_round(rng, world) for _ in range(max(5, round(1000 * scale)))]
        for runs in HISTORIES:
            rng = np.random.default_rng([SEED, runs, at])
            found = [family(rng, world, each, runs) for each in pools[world.stalls]]
            yield Row(f"{name}, {runs or 'no'} earlier runs", tuple(_cells(found)))


def _cells(found: Sequence[tuple[Difference, ...]]) -> Iterator[str]:
    for verdicts in (("worse",), ("worse", "better")):
        yield share_of([any(row.verdict in verdicts for row in rows) for rows in found])
    for at in range(3):
        rows = [each[at] for each in found]
        yield share_of([holds(row, 0.0) for row in rows]) if rows[0].high is not None else "no bounds"
    alone = [b for b in (each[0].between_runs for each in found) if b is not None]
    yield share_of([holds(Interval(value=0.0, low=b.within_low, high=b.within_high), 0.0) for b in alone])


def power_rows(scale: float) -> Iterator[Row]:
    """A target that is half as slow again: how often TTFT p50 is `worse`, in a family of three."""
    rng = np.random.default_rng([SEED, 12])
    pool = [draw_round(rng, Hours()) for _ in range(max(5, round(250 * scale)))]
    for shift in (0.05, 0.10, 0.20):
        for runs in HISTORIES[1:]:
            rng = np.random.default_rng([SEED, runs])
            rows = [family(rng, Hours(shift=shift), each, runs, math.log(1.5))[0] for each in pool]
            told = f"+50 %, runs differ by {shift:.0%}, {runs} earlier runs"
            alone = share_of([row.low is not None and row.low > 0 for row in rows])
            yield Row(told, (share_of([row.verdict == "worse" for row in rows]), alone))


def method_rows(scale: float) -> Iterator[Row]:
    """Ways to count the spread, on normal values: coverage of the difference of two runs.

    The error w of a run is 4 %, its summary's interval holds the choice of prompts as well: in all `wide` times w².
    """
    rounds, own = max(100, round(20_000 * scale)), 0.04
    for told, wide in (("prompts alike", 1.0), ("prompts differ much", 3.0)):
        for shift in (0.0, 0.05, 0.10, 0.20):
            for runs in HISTORIES[1:]:
                rng = np.random.default_rng([SEED, 13])
                values = math.hypot(shift, own) * rng.normal(size=(rounds, runs + 2))
                d, s2 = np.abs(values[:, 0] - values[:, 1]), values[:, 2:].var(axis=1, ddof=1)
                t, two = float(stdtrit(runs - 1, 0.975)), 2 * own**2
                apart = t * np.sqrt(2 * np.maximum(0.0, s2 - wide * own**2) + two)
                both = t * np.sqrt(2 * s2 + two)
                wider = np.maximum(float(ndtri(0.975)) * math.sqrt(two), t * np.sqrt(2 * s2))
                cells = (f"{100 * np.mean(d <= reach):.1f}" for reach in (apart, both, wider))
                yield Row(f"{told}, runs differ by {shift:.0%}, {runs} earlier runs", tuple(cells))


TABLES = (
    Table(
        "two-runs",
        "A/A of two runs at two times: % of runs, with its 95 % interval (3 metrics in the family)",
        (
            "world",
            "`worse`",
            "`worse` or `better`",
            *(f"{what} interval holds 0" for what in ("TTFT p50", "TTFT p95", "error rate")),
            "TTFT p50 interval of the two runs alone holds 0",
        ),
        two_run_rows,
    ),
    Table(
        "two-runs-power",
        "Power of two runs at two times: % of runs, with its 95 % interval (TTFT p50, margin 15 %)",
        ("difference", "`worse`", "interval above 0"),
        power_rows,
    ),
    Table(
        "two-runs-methods",
        "Ways to count the spread between runs: coverage, % of 20,000 (95 nominal)",
        (
            "world",
            "τ² without the summary's error, and the runs' own",
            "s² and the runs' own error",
            "the wider of the two",
        ),
        method_rows,
    ),
)
