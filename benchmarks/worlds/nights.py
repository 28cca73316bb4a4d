"""One night against those before it: noise between runs of five shapes, with few and with many past runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from worlds.draws import Floats, Rng
from worlds.tables import SEED, Row, Table, share_of

from harness.analysis.against_history.prediction import Prediction, predict, predict_rate

Noise = Literal["normal", "t3", "spikes", "spikes-before", "ar", "ar-strong", "weekday"]
NOISES: dict[Noise, str] = {
    "normal": "normal",
    "t3": "t with 3 degrees of freedom",
    "spikes": "normal, 5 % odd nights of + 10 sd",
    "spikes-before": "the same, tonight not an odd one",
    "ar": "AR(1), 0.5 from night to night",
    "ar-strong": "AR(1), 0.8 from night to night",
    "weekday": "weekdays slower by 1.5 sd, and normal",
}
SPREADS = (0.05, 0.10, 0.20)
PAST = (5, 10, 20, 60)
MARGIN = math.log(1.15)
OWN = 0.04
"""Standard deviation of ln p95 that a run has by itself, of some hundred answers."""
ANSWERS, PASSED, FAILED = 200, 0.93, 0.003
TARGETS = 2
FAMILY = 5 * TARGETS
ROUNDS = 4000
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Nights:
    """Runs of two targets, one a night; five metrics of each: TTFT p95, E2E p95, cost, pass rate, error rate."""

    noise: Noise = "normal"
    spread: float = 0.0
    """Standard deviation from night to night of the logarithm of both latencies; both targets have the same nights."""
    past: int = 20

    def latencies(self, rng: Rng, rounds: int) -> Floats:
        """(rounds, past + 1): the logarithm of one latency quantile, night by night."""
        return self._own(rng, self._nights(rng, rounds))

    def _own(self, rng: Rng, nights: Floats) -> Floats:
        return nights + OWN * rng.normal(size=nights.shape)

    def _nights(self, rng: Rng, rounds: int) -> Floats:
        shape = (rounds, self.past + 1)
        z = rng.normal(size=shape)
        match self.noise:
            case "t3":
                z = rng.standard_t(3, size=shape) / math.sqrt(3)
            case "spikes" | "spikes-before":
                odd = rng.random(shape) < 0.05
                odd[:, -1] &= self.noise == "spikes"
                z += 10.0 * odd
            case "ar" | "ar-strong":
                phi = 0.5 if self.noise == "ar" else 0.8
                for i in range(1, shape[1]):
                    z[:, i] = phi * z[:, i - 1] + math.sqrt(1 - phi * phi) * z[:, i]
            case "weekday":
                day = (rng.integers(7, size=(rounds, 1)) + np.arange(shape[1])) % 7
                z = 0.5 * z + 1.5 * (day < 5)
        return self.spread * z

    def family(self, rng: Rng, rounds: int, *, slower: float = 0.0) -> list[tuple[Prediction, Floats, float, int]]:
        """Each metric's prediction, today's value, margin, and 1 where up is worse, else −1.

        `slower`: by so much today's latencies of the first target are longer, on the log scale.
        """
        nights = self._nights(rng, rounds)
        shape, rows = nights.shape, []
        for target in range(TARGETS):
            for _ in ("ttft_p95", "e2e_p95"):
                values = self._own(rng, nights)
                values[:, -1] += slower * (target == 0)
                rows.append((predict(values[:, :-1]), values[:, -1], MARGIN, 1))
            cost = 0.01 * rng.normal(size=shape)
            rows.append((predict(cost[:, :-1]), cost[:, -1], math.log(1.10), 1))
            for rate, margin, sign in ((PASSED, 0.05, -1), (FAILED, 0.02, 1)):
                shares = rng.binomial(ANSWERS, rate, size=shape) / ANSWERS
                answers = np.full((rounds, self.past), float(ANSWERS))
                rows.append((predict_rate(shares[:, :-1], answers, ANSWERS), shares[:, -1], margin, sign))
        return rows


def judge(rows: list[tuple[Prediction, Floats, float, int]]) -> tuple[Flags, Flags]:
    """(family, rounds): what is `worse` and what is `better`, after Holm over the family."""
    p_values = np.array([prediction.p_value(today) for prediction, today, _, _ in rows])
    order = np.argsort(p_values, axis=0)
    steps = np.arange(len(rows), 0, -1)[:, None]
    stepped = np.maximum.accumulate(np.take_along_axis(p_values, order, axis=0) * steps, axis=0)
    adjusted = np.empty_like(stepped)
    np.put_along_axis(adjusted, order, stepped, axis=0)
    change = np.array([sign * (today - prediction.centre) / margin for prediction, today, margin, sign in rows])
    return (adjusted < 0.05) & (change >= 1), (adjusted < 0.05) & (change <= -1)


def night_rows(scale: float) -> Iterator[Row]:
    """Nothing has changed: false `worse` or `better` in the family, and coverage of one latency, for each k."""
    rounds = max(20, round(ROUNDS * scale))
    worlds = [("normal", 0.0), *((noise, spread) for noise in NOISES for spread in SPREADS)]
    for noise, spread in worlds:
        cells = []
        for past in PAST:
            rng, world = np.random.default_rng(SEED), Nights(noise=noise, spread=spread, past=past)
            worse, better = judge(world.family(rng, rounds))
            cells.append(share_of(list((worse | better).any(axis=0))))
            values = world.latencies(rng, rounds)
            cells.append(_coverage(predict(values[:, :-1]), values[:, -1]))
        yield Row(f"{NOISES[noise]}; {spread:.0%}", tuple(cells))


def rate_rows(scale: float) -> Iterator[Row]:
    """Coverage of a rate's prediction, and false `worse` or `better` of it alone at its margin."""
    rounds = max(20, round(ROUNDS * scale))
    for name, answers, rate, varies, margin in (
        ("pass rate 97 % of 35 answers", 35, 0.97, 35, 0.05),
        ("pass rate 80 % of 35, all but 7 of them always the same", 35, 0.80, 7, 0.05),
        ("pass rate 93 % of 200", 200, 0.93, 200, 0.05),
        ("error rate 0.3 % of 200", 200, 0.003, 200, 0.02),
        ("pass rate 100 % of 200", 200, 1.0, 200, 0.05),
    ):
        cells = []
        for past in PAST:
            rng = np.random.default_rng(SEED)
            shape = (rounds, past + 1)
            share = rate if varies == answers else 0.5
            shares = (rng.binomial(varies, share, size=shape) + round((answers - varies) * rate)) / answers
            prediction = predict_rate(shares[:, :-1], np.full((rounds, past), float(answers)), answers)
            today, p = shares[:, -1], prediction.p_value(shares[:, -1])
            away = np.abs(today - prediction.centre)
            cells.append(share_of(list((p < 0.05) & (away >= margin))))
            cells.append(_coverage(prediction, today))
        yield Row(name, tuple(cells))


def night_power_rows(scale: float) -> Iterator[Row]:
    """One target's latencies are longer: how often its TTFT p95 is `worse`, and how a loss of the margin fares."""
    rounds = max(20, round(ROUNDS * scale))
    for noise, spread in (("normal", 0.0), ("normal", 0.05), ("normal", 0.10), ("spikes", 0.05), ("ar", 0.05)):
        cells = []
        for past in PAST[:3]:
            world: Nights = Nights(noise=noise, spread=spread, past=past)  # type: ignore[arg-type]
            for slower in (1.25, 1.50):
                worse, _ = judge(world.family(np.random.default_rng(SEED), rounds, slower=math.log(slower)))
                cells.append(f"{100 * worse[0].mean():.0f}")
            values = world.latencies(np.random.default_rng(SEED + 1), rounds)
            prediction = predict(values[:, :-1])
            change, reach = values[:, -1] + MARGIN - prediction.centre, prediction.reach()
            cells.append(share_of(list(change + reach < MARGIN)))
            cells.append(f"{100 * ((np.abs(change) <= reach) & (reach < MARGIN)).mean():.0f}")
        yield Row(f"{NOISES[noise]}; {spread:.0%}", tuple(cells))  # type: ignore[index]


def _coverage(prediction: Prediction, today: Floats) -> str:
    return f"{100 * np.mean(np.abs(today - prediction.centre) <= prediction.reach()):.1f}"


def _heads(*what: str, pasts: tuple[int, ...] = PAST) -> tuple[str, ...]:
    return tuple(f"k = {past}: {each}" for past in pasts for each in what)


TABLES = (
    Table(
        "nights",
        "Nothing has changed: % of nights with a false `worse` or `better` in a family of 10, and coverage of TTFT p95",
        ("noise between runs; its sd", *_heads("false", "coverage")),
        night_rows,
    ),
    Table(
        "night-rates",
        "Rates, nothing has changed: % false at the margin, each row alone, and coverage",
        ("rate", *_heads("false", "coverage")),
        rate_rows,
    ),
    Table(
        "night-power",
        "TTFT p95 slower today: % `worse` (margin 15 %, family of 10), and % `no worse` of a true loss of the margin",
        (
            "noise between runs; its sd",
            *_heads("+25 %", "+50 %", "false `no worse`", "if inside were enough", pasts=PAST[:3]),
        ),
        night_power_rows,
    ),
)
