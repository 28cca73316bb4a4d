"""Judges beside people: the corrected pass rate, κ, and how often their intervals hold the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from worlds.draws import Floats, Rng
from worlds.tables import SEED, Row, Table, holds, share_of

from harness.analysis.columns import Codes
from harness.analysis.stats.labels.agreement import clustered_kappa, cohen_kappa
from harness.analysis.stats.labels.misclassification import Share, corrected_rate

PROMPTS, REPEATS = 100, 3
ALIKE = 0.4
"""Agreement within a prompt of its true grades."""
ERRORS_ALIKE = 0.15
"""The same of the judge's errors: a prompt may be hard to judge."""
JUDGES = ((0.8, 0.8), (0.9, 0.8), (0.95, 0.9), (0.98, 0.98))
"""Share of good answers that the judge passes, and of bad ones that it fails."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class World:
    """A target whose answers pass at `rate`, and people who labelled answers to some of its prompts."""

    rate: float
    labels: int
    each: int = 1
    """Labels a prompt."""
    half: bool
    """Half of the labelled answers are good; else as many as of the target's own."""

    def draw(self, rng: Rng, judge: tuple[float, float]) -> tuple[Share, Flags, Flags, Codes]:
        """The judged share; person, judge and prompt of each label."""
        good, right, wrong = (
            _by_prompt(rng, mean, alike)
            for mean, alike in ((self.rate, ALIKE), (judge[0], ERRORS_ALIKE), (judge[1], ERRORS_ALIKE))
        )
        asked = np.repeat(np.arange(PROMPTS), REPEATS)
        _, said = _grade(rng, asked, good, right, wrong)
        own = np.concatenate([np.arange(PROMPTS)] * -(-self.labels // (PROMPTS * self.each)))
        chosen = np.repeat(rng.permutation(own)[: self.labels // self.each], self.each)
        labelled = np.full(PROMPTS, 0.5) if self.half else good
        person, graded = _grade(rng, chosen, labelled, right, wrong)
        share = Share.of(said.reshape(PROMPTS, REPEATS).mean(axis=1), np.arange(PROMPTS), len(asked))
        assert share is not None
        return share, person, graded, chosen


def _by_prompt(rng: Rng, mean: float, alike: float) -> Floats:
    scale = 1 / alike - 1
    return rng.beta(mean * scale, (1 - mean) * scale, PROMPTS)


def _grade(rng: Rng, prompts: Codes, good: Floats, right: Floats, wrong: Floats) -> tuple[Flags, Flags]:
    true = rng.random(len(prompts)) < good[prompts]
    agrees = rng.random(len(prompts)) < np.where(true, right[prompts], wrong[prompts])
    return true, true == agrees


WORLDS = {
    f"{rate:.0%} pass, {labels} labels{told}": World(rate=rate, labels=labels, each=each, half=half)
    for labels, each, half, told in (
        (50, 1, True, ", half of them good"),
        (100, 1, False, " as the answers come"),
        (200, 4, True, ", half of them good, 4 a prompt"),
        (200, 4, False, " as the answers come, 4 a prompt"),
    )
    for rate in (0.6, 0.85, 0.97)
}


def corrected_rows(scale: float) -> Iterator[Row]:
    """For each judge: the corrected interval, how often there is none, and the judge's own rate taken as the truth."""
    for name, world in WORLDS.items():
        cells = []
        for judge in JUDGES:
            rng, held, raw, none = np.random.default_rng(SEED), [], [], 0
            for _ in range(max(5, round(400 * scale))):
                share, person, graded, prompts = world.draw(rng, judge)
                found = [
                    Share.of((person == graded)[person == of].astype(np.float64), prompts[person == of])
                    for of in (True, False)
                ]
                corrected = corrected_rate(share, *found) if found[0] and found[1] else None
                none += corrected is None
                if corrected is not None:
                    held.append(holds(corrected, world.rate))
                raw.append(holds(share.interval(), world.rate))
            gone = f", none {100 * none / len(raw):.0f}" if none else ""
            cells.append(f"{share_of(held) if held else '–'}{gone}; raw {100 * np.mean(raw):.0f}")
        yield Row(name, tuple(cells))


def kappa_rows(scale: float) -> Iterator[Row]:
    """By cluster, and as if each label were independent."""
    for labels, each in ((100, 1), (100, 4), (200, 4), (200, 10)):
        world = World(rate=0.6, labels=labels, each=each, half=False)
        cells = []
        for judge in JUDGES[:3]:
            truth = _kappa(world.rate, *judge)
            rng, held, alone = np.random.default_rng(SEED + 1), [], []
            for _ in range(max(5, round(400 * scale))):
                _, person, graded, prompts = world.draw(rng, judge)
                found = clustered_kappa(person, graded, prompts)
                cells_of = np.bincount(2 * person + graded, minlength=4).reshape(2, 2)
                simple = cohen_kappa(cells_of)
                held.append(found is not None and holds(found, truth))
                alone.append(simple is not None and holds(simple, truth))
            cells.append(f"{share_of(held)}; as if independent {100 * np.mean(alone):.0f}")
        yield Row(f"{labels} labels, {each} a prompt", tuple(cells))


def _kappa(rate: float, right: float, wrong: float) -> float:
    agreed = rate * right + (1 - rate) * wrong
    said = rate * right + (1 - rate) * (1 - wrong)
    chance = rate * said + (1 - rate) * (1 - said)
    return (agreed - chance) / (1 - chance)


TABLES = (
    Table(
        "judged-rate",
        "The corrected pass rate: % of runs whose 95 % interval holds the true one",
        ("target and labels", *(f"judge right on {se:.0%} of good, {sp:.0%} of bad" for se, sp in JUDGES)),
        corrected_rows,
    ),
    Table(
        "kappa",
        "Cohen's κ by prompt: % of samples whose 95 % interval holds the true one",
        ("labels", *(f"judge right on {se:.0%} of good, {sp:.0%} of bad" for se, sp in JUDGES[:3])),
        kappa_rows,
    ),
)
