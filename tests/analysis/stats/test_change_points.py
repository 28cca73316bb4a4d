"""Change points on seeded series: seldom in noise, within a run of where the level changed, and only if it matters."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.stats.change_points import FEWEST_RUNS, find_change_points

NOISES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_t(3, size=n),
    "spikes": lambda rng, n: rng.normal(size=n) + 10 * (rng.random(n) < 0.05),
}


def always(_before: float, _after: float) -> bool:
    return True


@pytest.mark.parametrize("noise", NOISES)
def test_stationary_noise_has_a_change_in_about_one_series_in_a_hundred(noise: str) -> None:
    found = [
        bool(find_change_points(NOISES[noise](np.random.default_rng(seed), n), always))
        for n in (15, 30)
        for seed in range(100)
    ]
    assert sum(found) <= 6  # P(more of 200 at 1 %) = 0.4 %


@pytest.mark.parametrize("at", [5, 15, 25])
def test_a_level_that_changes_is_found_within_one_run(at: int) -> None:
    for seed in range(20):
        series = np.random.default_rng(seed).normal(size=30)
        series[at:] += 6
        (found,) = find_change_points(series, always)
        assert abs(found - at) <= 1


def test_two_changes_are_found_as_two() -> None:
    series = np.random.default_rng(5).normal(size=45)
    series[15:30] += 8
    assert [15, 30] == find_change_points(series, always)


def test_a_single_odd_run_is_no_change() -> None:
    series = np.random.default_rng(5).normal(1.0, 0.01, size=30)
    series[20] = 3.0
    assert [] == find_change_points(series, always)


def test_a_slow_drift_is_found() -> None:
    series = np.linspace(1.0, 1.5, 40) + np.random.default_rng(2).normal(0, 0.03, size=40)
    assert find_change_points(series, lambda before, after: after / before > 1.1)


def test_a_change_that_does_not_matter_is_not_told() -> None:
    series = [1.0 + 0.001 * (i % 2) for i in range(15)] + [1.05 + 0.001 * (i % 2) for i in range(15)]
    assert [15] == find_change_points(series, always)
    assert [] == find_change_points(series, lambda before, after: after / before > 1.1)


def test_the_same_share_of_a_small_and_a_large_latency_weighs_the_same() -> None:
    steps = np.repeat([1.0, 2.0], 15) * np.random.default_rng(3).lognormal(0, 0.05, 30)
    assert find_change_points(steps, always, log=True) == find_change_points(1000 * steps, always, log=True) == [15]


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-9])
def test_a_series_that_never_changes_has_no_change(value: float) -> None:
    assert [] == find_change_points([value] * 40, always, log=True)


def test_nothing_is_searched_below_fifteen_runs() -> None:
    series = np.repeat([0.0, 100.0], FEWEST_RUNS)[: 2 * FEWEST_RUNS]
    assert [] == find_change_points(series[8 : 8 + FEWEST_RUNS - 1], always)
    assert [7] == find_change_points(series[8 : 8 + FEWEST_RUNS], always)
