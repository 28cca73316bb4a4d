"""What past runs predict for one more run: a prediction interval that few runs, odd runs and rates do not break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

from harness.analysis.columns import Floats
from harness.analysis.stats.interval import LEVEL

FEWEST_RUNS = 5
"""With fewer past runs, nothing is predicted."""
ROBUST_FROM = 10
"""From so many past runs on, the one that lies farthest from their median does not count."""
WIDER = 1.1
"""Nights have heavier tails than a normal curve: with this factor an interval holds 96 to 97 % of normal runs, and 93 %
and more where one night in twenty is odd or where the tails are those of t with 3 degrees of freedom."""
METHOD, ROBUST_METHOD = "prediction-t", "prediction-t-trimmed"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Of one more run, or of as many as the arrays have entries."""

    centre: Floats
    error: Floats
    """Standard error of a new run about `centre`: the runs' own spread and the error of `centre`."""
    degrees: int
    """Of freedom, behind `error`."""
    method: str

    def reach(self, level: float = LEVEL) -> Floats:
        """Half of the prediction interval."""
        return self.error * float(stdtrit(self.degrees, (1 + level) / 2))

    def p_value(self, value: npt.ArrayLike) -> Floats:
        """Two-sided: how often a run lies as far out as this one if nothing has changed."""
        away = np.abs(np.asarray(value) - self.centre)
        scaled = np.divide(away, self.error, out=np.where(away > 0, np.inf, 0.0), where=self.error > 0)
        return 2 * stdtr(self.degrees, -scaled)  # type: ignore[no-any-return]


def predict(past: Floats) -> Prediction:
    """From k past values (the last axis), which are means, quantiles or their logarithms: x̄ ± t(k−1)·s·√(1 + 1/k).

    From ten runs on, mean and s leave out the run that lies farthest from the median, so that one odd run does no harm;
    s is then scaled by 1 + 2/k^0.9, which makes it right for normal values (fitted by simulation to within 1 % for k
    from 10 to 100), with k − 2 degrees of freedom. All is WIDER than for normal values. Raises ValueError below
    FEWEST_RUNS values.

    Source: Hahn & Meeker 1991, Statistical Intervals, section 4.7 (one future observation). Trimming and the factor
    were chosen by simulated coverage: docs/calibration.md.
    """
    centre, spread, degrees, counted = _centre_and_spread(past)
    error = WIDER * spread * np.sqrt(1 + 1 / counted)
    return Prediction(centre=centre, error=error, degrees=degrees, method=_method(past))


def predict_rate(past: Floats, answers: Floats, today: npt.ArrayLike) -> Prediction:
    """The same for rates of 0 … 1 that were measured on `answers` answers each, as `past`; `today`: of today's run.

    The past runs' spread holds the error of so many answers each. Where today has fewer than their mean n, the
    binomial variance p(1 − p)·(1/today − 1/n) is added, p being the rate over all answers with half a success and half
    a failure more (Jeffreys). The spread is no less than half an answer: k runs that are all at 100 % show that other
    results are rare, not that they never happen. The answers are to the same prompts every time, so that what prompts
    differ by is no part of it.
    """
    centre, spread, degrees, counted = _centre_and_spread(past)
    now, usual = np.asarray(today, dtype=np.float64), answers.mean(axis=-1)
    p = ((past * answers).sum(axis=-1) + 0.5) / (answers.sum(axis=-1) + 1)
    fewer = p * (1 - p) * np.maximum(0.0, 1 / now - 1 / usual)
    variance = np.maximum(spread**2, (0.5 / usual) ** 2) * (1 + 1 / counted) + fewer
    return Prediction(centre=centre, error=WIDER * np.sqrt(variance), degrees=degrees, method=_method(past))


def usual_reach(k: int, level: float = LEVEL) -> float:
    """Half of a prediction interval from k past runs, in standard deviations of a run as `predict` estimates them."""
    degrees, counted = _degrees(k)
    return WIDER * float(stdtrit(degrees, (1 + level) / 2)) * float(np.sqrt(1 + 1 / counted))


def _degrees(k: int) -> tuple[int, int]:
    """Degrees of freedom, and how many of k runs count."""
    return (k - 1, k) if k < ROBUST_FROM else (k - 2, k - 1)


def _centre_and_spread(past: Floats) -> tuple[Floats, Floats, int, int]:
    """Mean, standard deviation of a run, degrees of freedom, and how many runs count."""
    k = past.shape[-1]
    if k < FEWEST_RUNS:
        raise ValueError(f"a prediction needs {FEWEST_RUNS} past values, not {k}")
    degrees, counted = _degrees(k)
    if k < ROBUST_FROM:
        return past.mean(axis=-1), past.std(axis=-1, ddof=1), degrees, counted
    away = np.abs(past - np.median(past, axis=-1, keepdims=True))
    kept = np.take_along_axis(past, np.argsort(away, axis=-1)[..., :-1], axis=-1)
    return kept.mean(axis=-1), kept.std(axis=-1, ddof=1) * (1 + 2 / k**0.9), degrees, counted


def _method(past: Floats) -> str:
    return METHOD if past.shape[-1] < ROBUST_FROM else ROBUST_METHOD
