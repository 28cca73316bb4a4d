"""The spread between runs, and what a difference of two runs makes of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.stats.interval import Effect
from harness.analysis.stats.random_effects import (
    Spread,
    count_spread,
    pairs_apart,
    spread_of_difference,
    spread_of_runs,
)

WITHIN = Effect(estimate=0.3, low=0.2, high=0.4, p_value=1e-6, method="time-blocks")


def test_the_spread_is_the_standard_deviation_of_the_runs() -> None:
    assert Spread(sd=pytest.approx(math.sqrt(2.5)), degrees=4) == spread_of_runs([1, 2, 3, 4, 5])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs two runs"):
        spread_of_runs([1.0])


def test_a_difference_has_the_spread_of_both_runs() -> None:
    one = Spread(sd=0.1, degrees=4)
    same = spread_of_difference(one, one, same=True)
    assert (pytest.approx(0.1 * math.sqrt(2)), 4) == (same.sd, same.degrees)
    assert 8 == pytest.approx(spread_of_difference(one, one).degrees)
    assert 19.8 == pytest.approx(
        spread_of_difference(Spread(sd=1.0, degrees=19), Spread(sd=0.1, degrees=4)).degrees, 0.05
    )
    none = Spread(sd=0.0, degrees=4)
    assert none == spread_of_difference(none, none)


def test_the_wider_of_the_two_intervals_holds_and_the_larger_p_value() -> None:
    wide = count_spread(WITHIN, Spread(sd=0.1 * math.sqrt(2), degrees=4))
    reach = 2.7764 * 0.1 * math.sqrt(2)
    assert (pytest.approx(0.3 - reach, 1e-3), pytest.approx(0.3 + reach, 1e-3)) == (wide.low, wide.high)
    assert 0.101 == pytest.approx(wide.p_value, abs=0.001)
    assert WITHIN == count_spread(WITHIN, Spread(sd=0.001, degrees=4))
    assert WITHIN == count_spread(WITHIN, Spread(sd=0.0, degrees=4))


def test_one_bad_hour_among_twenty_is_as_far_as_two_runs_may_differ() -> None:
    calm = list(np.random.default_rng(2).normal(0, 0.02, 19))
    assert 0.5 < pairs_apart([*calm, 0.5], [*calm, 0.5], same=True) < 0.56
    assert pairs_apart(calm, calm, same=True) < 0.1
    assert 0.4 < pairs_apart([*calm[:5], 2.5], [7 + x for x in calm] + [7.5]) < 2.6
    wide = count_spread(WITHIN, Spread(sd=0.1, degrees=19), at_least=0.52)
    assert (pytest.approx(-0.22), pytest.approx(0.82)) == (wide.low, wide.high)
    with pytest.raises(ValueError, match="needs two runs"):
        pairs_apart([1.0], [1.0])


def test_a_bound_that_the_runs_do_not_give_no_history_gives() -> None:
    open_ended = Effect(estimate=0.3, low=None, high=0.4, p_value=None, method="time-blocks")
    wide = count_spread(open_ended, Spread(sd=0.1, degrees=4))
    assert (None, None) == (wide.low, wide.p_value)
    assert (wide.high or 0) > 0.4


@pytest.mark.parametrize("runs", [5, 20])
@pytest.mark.parametrize("tau", [0.0, 0.05, 0.2])
def test_the_interval_holds_no_difference_of_two_runs_in_95_percent_and_more(runs: int, tau: float) -> None:
    rng, own, held, rounds = np.random.default_rng(1), 0.04, 0, 1000
    for _ in range(rounds):
        values = rng.normal(0, math.hypot(tau, own), runs + 2)
        d = float(values[0] - values[1])
        reach = 1.96 * own * math.sqrt(2)
        within = Effect(estimate=d, low=d - reach, high=d + reach, p_value=None, method="time-blocks")
        spread = spread_of_runs(list(values[2:]))
        wide = count_spread(within, spread_of_difference(spread, spread, same=True))
        held += (wide.low or 0) <= 0 <= (wide.high or 0)
    assert 0.935 < held / rounds < 0.99
