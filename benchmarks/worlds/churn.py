"""Expected churn: how many prompts an unchanged model changes, and how many are expected from one arm's repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from worlds.draws import Floats, Rng
from worlds.tables import SEED, Row, Table

from harness.analysis.stats.churn import expected_changes

PROMPTS = 60
ROUNDS = 1000


def _fixed_or(rng: Rng, varying: float, chance: Floats | float) -> Floats:
    """A tenth of the prompts never pass, `varying` of them pass with `chance`, all others always do."""
    u = rng.random(PROMPTS)
    return np.where(u < 0.1, 0.0, np.where(u < 0.1 + varying, chance, 1.0))


WORLDS: dict[str, Callable[[Rng], Floats]] = {
    "of every kind: Beta(2, 0.5)": lambda rng: rng.beta(2.0, 0.5, PROMPTS),
    "of every kind: logit-normal (2, 2)": lambda rng: 1 / (1 + np.exp(-rng.normal(2.0, 2.0, PROMPTS))),
    "3 in 10 anything, the others fixed": lambda rng: _fixed_or(rng, 0.3, rng.random(PROMPTS)),
    "2 in 10 a coin, the others fixed": lambda rng: _fixed_or(rng, 0.2, 0.5),
    "all 80 %": lambda rng: np.full(PROMPTS, 0.8),
}
"""Chances to pass, a prompt each."""


def churn_rows(scale: float) -> Iterator[Row]:
    """Mean number that changed / mean number expected, single answers and K on each side, from K repeats."""
    for name, draw in WORLDS.items():
        cells = []
        for repeats in (2, 3, 5):
            rng = np.random.default_rng(SEED)
            for each in (1, repeats):
                rounds = [_round(rng, draw, repeats, each) for _ in range(max(10, round(ROUNDS * scale)))]
                changed, expected = np.mean(rounds, axis=0)
                cells.append(f"{changed:.1f} / {expected:.1f}")
        yield Row(name, tuple(cells))


def _round(rng: Rng, draw: Callable[[Rng], Floats], repeats: int, each: int) -> tuple[float, float]:
    """Prompts that changed between two sides of `each` answers, and how many are expected from `repeats` others."""
    p = draw(rng)
    known, sides = np.full(PROMPTS, repeats), np.full(PROMPTS, each)
    changed = (rng.binomial(each, p) != rng.binomial(each, p)).sum()
    return float(changed), expected_changes(rng.binomial(repeats, p), known, sides, sides) or 0.0


TABLES = (
    Table(
        "churn",
        "Expected churn of 60 prompts: changed / expected, means; answers on each side, from K repeats",
        ("chances to pass", *(f"K = {k}: {n} each" for k in (2, 3, 5) for n in (1, k))),
        churn_rows,
    ),
)
