"""Bills: the ratio of two arms' total costs where few prompts may carry most of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit
from worlds.draws import Floats, Rng, draw_answers
from worlds.tables import SEED, Row, Table, holds, share_of

from harness.analysis.columns import Codes
from harness.analysis.stats.interval import Effect
from harness.analysis.stats.totals import compare_quotients, compare_totals, effective_totals

SIZES = (20, 50, 100, 500)
MARGIN = math.log(1.1)
NOISE = 0.3
"""Standard deviation of ln of one answer's cost about its prompt's: answers differ in length."""
Costs = Callable[[Rng, int], Floats]


def log_normal(spread: float) -> Costs:
    """Costs of prompts, `spread` the standard deviation of their logs."""
    return lambda rng, n: np.exp(spread * rng.normal(size=n))


def pareto(tail: float) -> Costs:
    """Costs of prompts with P(cost > x) = x^−tail; from 2 down, without a variance."""
    return lambda rng, n: (1 - rng.random(n)) ** (-1 / tail)


def some_dear(rng: Rng, n: int) -> Floats:
    """One prompt in ten, by chance, is twenty times as dear."""
    return np.where(rng.random(n) < 0.1, 20.0, 1.0)


def one_in_ten(rng: Rng, n: int) -> Floats:
    """The same, and exactly one in ten."""
    return np.where(np.arange(n) % 10 == 0, 20.0, 1.0)


PLAIN = log_normal(1.0)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """Prompts with their costs, asked of both arms."""

    costs: Costs = PLAIN
    repeats: int = 1
    ratio: float = 1.0
    """Of the arms' prices or tokens, everywhere."""
    spread: float = 0.0
    """Standard deviation of ln of a prompt's own ratio, which has mean 1."""
    dear_ratio: float = 1.0
    """Of prompts that cost more than 10."""
    runaway: float = 0.0
    """Share of the candidate's answers that are ten times as long."""
    alike: float = 1.0
    """Correlation of the log costs of a prompt in both arms."""
    groups: int = 1
    """Prompts that share their cost and their own ratio; -1: two groups of 30 % and 20 % of them, the rest single."""

    @property
    def truth(self) -> float:
        """ln of the ratio of expected totals."""
        dear = (1 * 0.9 + 20 * 0.1 * self.dear_ratio) / 2.9 if self.dear_ratio != 1 else 1.0
        return math.log(self.ratio * dear * (1 + 9 * self.runaway))

    def draw(self, rng: Rng, n: int) -> tuple[Floats, Floats, Codes]:
        """Costs of candidate and baseline, one a prompt, and which prompts are one cluster."""
        codes = self._clusters(n)
        base = self.costs(rng, n)[codes]
        other = base
        if self.alike < 1:
            logs = np.log(base)
            other = np.exp(self.alike * logs + math.sqrt(1 - self.alike**2) * np.log(self.costs(rng, n)))
        own = np.exp(self.spread * rng.normal(size=n)[codes] - self.spread**2 / 2)
        ratios = self.ratio * own * np.where(base > 10, self.dear_ratio, 1.0)
        long = np.where(rng.random(n) < self.runaway, 10.0, 1.0)
        return other * ratios * long * self._answers(rng, n), base * self._answers(rng, n), codes

    def _clusters(self, n: int) -> Codes:
        if self.groups > 0:
            return np.arange(n) // self.groups
        codes = np.arange(n)
        codes[: 3 * n // 10], codes[3 * n // 10 : n // 2] = 0, 1
        codes[n // 2 :] -= n // 2 - 2
        return codes

    def _answers(self, rng: Rng, n: int) -> Floats:
        return np.asarray(np.exp(NOISE * rng.normal(size=(n, self.repeats)) - NOISE**2 / 2).mean(axis=1))


ALIKE = {
    "log-normal, σ 0.5": Bill(costs=log_normal(0.5)),
    "log-normal, σ 1": Bill(),
    "log-normal, σ 1.5": Bill(costs=log_normal(1.5)),
    "log-normal, σ 2": Bill(costs=log_normal(2.0)),
    "Pareto, tail 3": Bill(costs=pareto(3)),
    "Pareto, tail 2": Bill(costs=pareto(2)),
    "Pareto, tail 1.5": Bill(costs=pareto(1.5)),
    "one prompt in ten twenty times as dear": Bill(costs=one_in_ten),
    "the same, but one in ten by chance": Bill(costs=some_dear),
    "log-normal, σ 1, 3 repeats": Bill(repeats=3),
    "log-normal, σ 1, groups of 4": Bill(groups=4, spread=0.2),
    "log-normal, σ 1, groups of 30 % and 20 %, the rest single": Bill(groups=-1, spread=0.2),
    "log-normal, σ 1, arms half alike": Bill(alike=0.5),
}
"""A/A: the same target twice."""
APART = {
    "+10 %, log-normal, σ 1, each prompt's ratio its own": Bill(ratio=1.1, spread=0.3),
    "+10 %, log-normal, σ 1.5, each prompt's ratio its own": Bill(costs=log_normal(1.5), ratio=1.1, spread=0.3),
    "one prompt in ten, twenty times as dear, doubles": Bill(costs=one_in_ten, dear_ratio=2.0),
    "one in ten by chance, doubles": Bill(costs=some_dear, dear_ratio=2.0),
    "one answer in fifty ten times as long": Bill(costs=log_normal(0.5), runaway=0.02),
}


def coverage_rows(scale: float) -> Iterator[Row]:
    """The share of 2,000 rounds whose 95 % interval holds the truth, at each n."""
    rounds = max(5, round(2000 * scale))
    for name, bill in (ALIKE | APART).items():
        rng, cells = np.random.default_rng(SEED), []
        for n in SIZES:
            drawn = [bill.draw(rng, n) for _ in range(rounds)]
            held = [holds(compare_totals(*each), bill.truth) for each in drawn]
            worth = np.median([effective_totals(*each) for each in drawn])
            cells.append(f"{100 * np.mean(held):.1f} ({worth:.0f})")
        yield Row(name, tuple(cells))


def verdict_rows(scale: float) -> Iterator[Row]:
    """False alarms at the margin of 10 %, of cost alone."""
    rounds = max(5, round(2000 * scale))
    for name, bill in ALIKE.items():
        rng, cells = np.random.default_rng(SEED + 1), []
        for n in (20, 100):
            effects = [compare_totals(*bill.draw(rng, n)) for _ in range(rounds)]
            cells += [share_of([_is_worse(effect, sign) for effect in effects]) for sign in (1, -1)]
        yield Row(name, tuple(cells))


POWER = {
    "one prompt in ten, twenty times as dear, doubles (+69 %)": Bill(costs=one_in_ten, dear_ratio=2.0),
    "one in ten by chance, doubles": Bill(costs=some_dear, dear_ratio=2.0),
    "+21 % everywhere, log-normal, σ 0.5": Bill(costs=log_normal(0.5), ratio=1.21),
    "+21 % everywhere, log-normal, σ 1": Bill(ratio=1.21),
    "+21 % everywhere, log-normal, σ 1.5": Bill(costs=log_normal(1.5), ratio=1.21),
}


def power_rows(scale: float) -> Iterator[Row]:
    """How often a dearer candidate is `worse` at the margin of 10 %."""
    rounds = max(5, round(1000 * scale))
    for name, bill in POWER.items():
        rng, cells = np.random.default_rng(SEED + 2), []
        for n in (20, 30, 50, 100, 200, 500):
            effects = [compare_totals(*bill.draw(rng, n)) for _ in range(rounds)]
            cells.append(f"{100 * np.mean([_is_worse(effect) for effect in effects]):.0f}")
        yield Row(name, tuple(cells))


def _is_worse(effect: Effect, sign: int = 1) -> bool:
    bound = effect.low if sign > 0 else effect.high
    return bound is not None and sign * bound > 0 and sign * effect.estimate >= MARGIN


def method_rows(scale: float) -> Iterator[Row]:
    """The other intervals for a ratio of totals, of 500 rounds."""
    rounds = max(5, round(500 * scale))
    chosen = ("log-normal, σ 1", "log-normal, σ 2", "one prompt in ten twenty times as dear", "Pareto, tail 1.5")
    worlds = {name: ALIKE[name] for name in chosen} | {
        name: APART[name] for name in ("one prompt in ten, twenty times as dear, doubles",)
    }
    for name, bill in worlds.items():
        for n in (20, 100):
            rng = np.random.default_rng(SEED + 3)
            held = [[low <= bill.truth <= high for low, high in _intervals(rng, bill, n)] for _ in range(rounds)]
            yield Row(f"{name}, n = {n}", tuple(f"{100 * share:.1f}" for share in np.mean(held, axis=0)))


RESAMPLES = 999
METHODS = ("jackknife, t by the bill's worth", "jackknife, t(n − 1)", "Fieller", "bootstrap-t", "BCa", "ln, paired t")


def _intervals(rng: Rng, bill: Bill, n: int) -> Iterator[tuple[float, float]]:
    """By METHODS. The last is the interval of the geometric mean, which earlier versions gated."""
    new, old, codes = bill.draw(rng, n)
    chosen = compare_totals(new, old, codes)
    assert chosen.low is not None
    assert chosen.high is not None
    yield chosen.low, chosen.high
    degrees = max(1.0, effective_totals(new, old, codes) - 1)
    t, plain = stdtrit(degrees, 0.975), stdtrit(n - 1, 0.975)
    error = (chosen.high - chosen.estimate) / t
    yield chosen.estimate - plain * error, chosen.estimate + plain * error
    yield _fieller(new, old, t)
    yield from _bootstraps(rng, new, old, error)
    logs = np.log(new / old)
    reach = plain * logs.std(ddof=1) / math.sqrt(n)
    yield logs.mean() - reach, logs.mean() + reach


def _fieller(new: Floats, old: Floats, t: float) -> tuple[float, float]:
    """Every ratio r at which the mean of new − r·old is within t errors of 0; Fieller 1954."""
    n = len(new)
    (a, ab), (_, b) = np.cov(new, old) / n * t**2
    x, y = new.mean(), old.mean()
    square, half, rest = y**2 - b, x * y - ab, x**2 - a
    inside = half**2 - square * rest
    if square <= 0 or inside < 0:
        return -math.inf, math.inf
    low, high = ((half + sign * math.sqrt(inside)) / square for sign in (-1, 1))
    return (math.log(low) if low > 0 else -math.inf), math.log(high)


def _bootstraps(rng: Rng, new: Floats, old: Floats, error: float) -> Iterator[tuple[float, float]]:
    """Bootstrap-t on the log, its error linearised, and BCa (Efron 1987), both over prompts."""
    n, estimate = len(new), math.log(new.sum() / old.sum())
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(float)
    tops, bottoms = drawn @ new, drawn @ old
    thetas = np.log(tops / bottoms)
    squares = drawn @ new**2 / tops**2 - 2 * (drawn @ (new * old)) / (tops * bottoms) + drawn @ old**2 / bottoms**2
    studentised = (thetas - estimate) / np.sqrt(np.maximum(squares, 1e-12))
    low, high = np.quantile(studentised, (0.025, 0.975))
    yield estimate - high * error, estimate - low * error
    influence = new / new.sum() - old / old.sum()
    skew = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    shift = float(ndtri(np.clip((thetas < estimate).mean(), 1 / RESAMPLES, 1 - 1 / RESAMPLES)))
    ends = [ndtr(shift + (shift + z) / (1 - skew * (shift + z))) for z in (ndtri(0.025), ndtri(0.975))]
    low, high = np.quantile(thetas, ends)
    yield float(low), float(high)


def dollar_rows(scale: float) -> Iterator[Row]:
    """The difference of means in dollars, of the same target twice: coverage of 2,000 rounds."""
    rounds = max(5, round(2000 * scale))
    for name in ("log-normal, σ 0.5", "log-normal, σ 1", "log-normal, σ 2", "one prompt in ten twenty times as dear"):
        rng, cells = np.random.default_rng(SEED + 5), []
        for n in SIZES:
            effects = [compare_totals(*ALIKE[name].draw(rng, n), logarithm=False) for _ in range(rounds)]
            cells.append(f"{100 * np.mean([holds(effect, 0.0) for effect in effects]):.1f}")
        yield Row(name, tuple(cells))


def correct_rows(scale: float) -> Iterator[Row]:
    """Cost of a correct answer, where prompts that are hard are hard for both arms: coverage of 2,000 rounds."""
    rounds = max(5, round(2000 * scale))
    for rates in ((0.9, 0.9), (0.9, 0.8), (0.6, 0.6)):
        for name in ("log-normal, σ 0.5", "log-normal, σ 1", "log-normal, σ 2"):
            rng, cells, truth = np.random.default_rng(SEED + 4), [], math.log(rates[0] / rates[1])
            for n in SIZES:
                held = [holds(_cost_per_correct(rng, ALIKE[name], n, rates), truth) for _ in range(rounds)]
                cells.append(f"{100 * np.mean(held):.1f}")
            yield Row(f"pass rate {rates[0]:.0%} against {rates[1]:.0%}, {name}", tuple(cells))


def _cost_per_correct(rng: Rng, bill: Bill, n: int, rates: tuple[float, float]) -> Effect:
    new, old, codes = bill.draw(rng, n)
    before, after = draw_answers(rng, n, 1, rates)
    if not before.any() or not after.any():
        return Effect(estimate=0.0, low=None, high=None, p_value=None, method="")
    return compare_quotients((new, after), (old, before), codes)


TABLES = (
    Table(
        "bills",
        "Bills: % of samples whose 95 % interval of the ratio of totals holds the truth; in brackets, how many prompts "
        "or groups of equal cost the bill is worth (median)",
        ("costs", *(f"n = {n}" for n in SIZES)),
        coverage_rows,
    ),
    Table(
        "bills-alike",
        "Bills, A/A: % of runs, with its 95 % interval (cost alone, margin 10 %)",
        ("costs", *(f"n = {n} {what}" for n in (20, 100) for what in ("`worse`", "`better`"))),
        verdict_rows,
    ),
    Table(
        "bills-power",
        "Bills, power: % of runs that are `worse` (cost alone, margin 10 %)",
        ("difference", *(f"n = {n}" for n in (20, 30, 50, 100, 200, 500))),
        power_rows,
    ),
    Table(
        "bills-correct",
        "Cost of a correct answer: coverage, %",
        ("difference", *(f"n = {n}" for n in SIZES)),
        correct_rows,
    ),
    Table("bills-dollars", "Bills, in dollars: coverage, %", ("costs", *(f"n = {n}" for n in SIZES)), dollar_rows),
    Table("bills-methods", "Bills, other intervals: coverage, %", ("costs", *METHODS), method_rows),
)
