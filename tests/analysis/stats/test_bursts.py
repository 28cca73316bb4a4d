"""What time adds to a difference of shares: nothing where events are spread, and their bursts where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.stats.bursts import Shares, TimeError, time_error, widen
from harness.analysis.stats.interval import Effect

N = 320
DUE = np.arange(N, dtype=np.float64)


def arm(hit: np.ndarray) -> Shares:
    return Shares(parts=(hit - hit.mean()) / N, clusters=np.arange(N), due_s=DUE)


def burst(start: int, length: int = 20) -> Shares:
    return arm(((start <= DUE) & (start + length > DUE)).astype(np.float64))


def variance(candidate: Shares, baseline: Shares, *, together: bool) -> float:
    return time_error(candidate, baseline, together=together).variance


NONE = arm(np.zeros(N))


def test_one_burst_in_one_block_has_the_variance_of_one_event_of_its_size() -> None:
    """20 of 320 in the second of 16 blocks: p = 1/16 and Σ (x − p) = 18.75 there, −1.25 in the others."""
    by_hand = 16 / 15 * (18.75**2 + 15 * 1.25**2) / N**2
    cell = N / (N - 1) * 20 * (15 / 16) / N**2
    by_chance = 0.5 * np.sqrt(2 / 15) * cell
    assert by_hand - cell - by_chance == pytest.approx(variance(burst(20), NONE, together=True), rel=0.01)


def test_spread_events_add_nothing() -> None:
    spread = arm((DUE % 16 == 3).astype(np.float64))
    assert 0 == variance(spread, NONE, together=True) == variance(NONE, NONE, together=True)


def test_what_both_suffer_together_cancels_and_what_they_suffer_in_two_runs_adds_up() -> None:
    one = variance(burst(20), NONE, together=True)
    assert pytest.approx(0, abs=1e-15) == variance(burst(20), burst(20), together=True)
    assert 2 * one == pytest.approx(variance(burst(20), burst(20), together=False), rel=0.05)
    assert 2 * one == pytest.approx(variance(burst(20), burst(200), together=True), rel=0.15)


def test_events_of_one_prompt_in_one_moment_are_the_prompts_own() -> None:
    """What the prompts or groups show already is not counted twice."""
    hit = burst(20)
    grouped = Shares(parts=hit.parts, clusters=np.arange(N) // 20, due_s=DUE)
    assert 0 == pytest.approx(variance(grouped, NONE, together=True), abs=1e-12)


def test_as_many_degrees_of_freedom_as_bursts() -> None:
    """Three bursts of 10, each in a block of its own: residuals of 8.1 there and −1.9 in 13 others. Then everywhere."""
    bursts = arm(sum((burst(start, 10).parts > 0).astype(np.float64) for start in (5, 65, 125)))
    assert pytest.approx(4.49, abs=0.01) == time_error(bursts, NONE, together=True).degrees
    spread = arm((np.random.default_rng(1).random(N) < 0.3).astype(np.float64))
    assert 5 < time_error(spread, NONE, together=True).degrees <= 7


def test_requests_of_one_moment_show_nothing_of_time() -> None:
    at_once = Shares(parts=burst(20).parts, clusters=np.arange(N), due_s=np.zeros(N))
    assert 0 == variance(at_once, at_once, together=True)


def test_a_wider_interval_says_so_and_its_p_value_agrees_with_it() -> None:
    effect = Effect(estimate=0.05, low=0.03, high=0.07, p_value=1e-6, method="newcombe-paired")

    def interval(level: float) -> tuple[float, float]:
        from scipy.special import ndtri

        reach = 0.02 * float(ndtri((1 + level) / 2)) / float(ndtri(0.975))
        return 0.05 - reach, 0.05 + reach

    assert effect == widen(effect, interval, TimeError(variance=0.0, degrees=7))
    a_little, much = (widen(effect, interval, TimeError(variance=variance, degrees=7)) for variance in (0.00003, 0.001))
    assert ("newcombe-paired+time-blocks", False) == (a_little.method, a_little.time_limited)
    assert ("newcombe-paired+time-blocks", True) == (much.method, much.time_limited)
    assert much.low is not None
    assert a_little.low is not None
    assert much.low < 0 < a_little.low < 0.03
    assert a_little.p_value is not None
    assert much.p_value is not None
    assert a_little.p_value < 0.05 < much.p_value
