"""Quantiles compared by shares: known answers, symmetries, and a target against itself with stalls."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.stats.interval import Effect
from harness.analysis.stats.quantiles import is_bounded
from harness.analysis.stats.time_blocks import Answers, _ranked, compare_quantiles


def make_arms(n: int, *, seed: int = 1, repeats: int = 1, slower: float = 1.0, stalls: bool = False) -> list[Answers]:
    """Baseline and candidate: log-normal, four a second. With stalls each has its own, one a minute of 4 s, +2 s."""
    rng, due = np.random.default_rng(seed), np.arange(n) / 4
    clusters = np.tile(np.arange(n // repeats), repeats)
    arms = []
    for factor in (1.0, slower):
        values = factor * 0.5 * np.exp(0.5 * rng.normal(size=n))
        if stalls:
            for start in rng.uniform(-4, n / 4, rng.poisson((n / 4 + 4) / 60)):
                values += 2.0 * ((due >= start) & (due < start + 4))
        arms.append(Answers(values=values, clusters=clusters, due_s=due))
    return arms


def compare(arms: list[Answers], q: float = 0.5, *, logarithm: bool = True) -> Effect:
    return compare_quantiles(arms[1], arms[0], [q], logarithm=logarithm)[0]


def bounds(effect: Effect) -> tuple[float, float]:
    assert effect.low is not None
    assert effect.high is not None
    return effect.low, effect.high


def test_the_estimate_is_the_log_ratio_of_the_arms_own_quantiles_or_their_difference() -> None:
    arms = make_arms(200, slower=1.3)
    new, old = (float(np.quantile(arm.values, 0.95, method="inverted_cdf")) for arm in reversed(arms))
    assert math.log(new / old) == pytest.approx(compare(arms, 0.95).estimate)
    assert new - old == pytest.approx(compare(arms, 0.95, logarithm=False).estimate)


def test_arms_that_differ_by_a_constant_alone_have_no_width() -> None:
    old = make_arms(80)[0]
    old = replace(old, values=np.full(80, 0.4))
    new = replace(old, values=np.full(80, 0.5))
    for logarithm, truth in ((True, math.log(1.25)), (False, 0.1)):
        effect = compare([old, new], logarithm=logarithm)
        assert (truth, truth, truth) == pytest.approx((effect.estimate, effect.low, effect.high))
        assert effect.p_value is not None
        assert effect.p_value < 1e-5


def test_equal_arms_do_not_differ() -> None:
    old, _ = make_arms(100)
    effect = compare([old, old])
    low, high = bounds(effect)
    assert (0.0, 1.0) == (effect.estimate, effect.p_value)
    assert -0.1 < low < 0 < high < 0.1
    assert -low == pytest.approx(high, abs=1e-3)


@pytest.mark.parametrize("stalls", [False, True])
@pytest.mark.parametrize("logarithm", [True, False])
def test_swapped_arms_turn_the_sign(stalls: bool, logarithm: bool) -> None:
    arms = make_arms(240, slower=1.2, stalls=stalls)
    one, other = compare(arms, logarithm=logarithm), compare(arms[::-1], logarithm=logarithm)
    low, high = bounds(other)
    assert (one.estimate, one.low, one.high) == pytest.approx((-other.estimate, -high, -low), abs=1e-3)
    assert one.p_value == pytest.approx(other.p_value)


def test_a_unit_changes_nothing_and_a_slower_candidate_moves_the_interval_by_as_much() -> None:
    arms = make_arms(240, slower=1.2)
    low, high = bounds(compare(arms))
    in_ms = [replace(arm, values=1000 * arm.values) for arm in arms]
    assert (low, high) == pytest.approx(bounds(compare(in_ms)), abs=1e-3)
    twice = [arms[0], replace(arms[1], values=2 * arms[1].values)]
    assert (low, high) == pytest.approx([each - math.log(2) for each in bounds(compare(twice))], abs=1e-3)


def test_the_order_of_the_answers_and_the_start_of_an_arm_change_nothing() -> None:
    arms = make_arms(240, slower=1.2, stalls=True)
    shuffled = np.random.default_rng(2).permutation(240)
    new = Answers(
        values=arms[1].values[shuffled],
        clusters=arms[1].clusters[shuffled],
        due_s=arms[1].due_s[shuffled] + 86400,
    )
    assert compare(arms) == compare([arms[0], new])


def test_the_slower_the_candidate_the_smaller_the_p_value() -> None:
    found = [compare(make_arms(240, slower=slower)) for slower in (1.0, 1.1, 1.2, 1.4, 2.0)]
    p_values = [max(each.p_value or 0.0, 1e-8) for each in found]
    assert sorted(p_values, reverse=True) == p_values
    assert sorted(each.low or 0.0 for each in found) == [each.low for each in found]
    assert [each < 0.05 for each in p_values] == [(each.low or 0.0) > 0 for each in found]


def test_slowness_that_comes_in_bursts_widens_the_interval() -> None:
    """The same values: spread over time, or all slow ones of an arm at once."""
    arms = make_arms(240)
    burst = [replace(arm, values=np.sort(arm.values)) for arm in arms]
    spread, together = (high - low for low, high in map(bounds, (compare(arms), compare(burst))))
    assert together > 2 * spread


def test_repeats_that_agree_are_no_new_answers() -> None:
    """80 prompts asked thrice, each with the same latency every time: as wide as asked once, nearly."""
    once = make_arms(80)
    rng, three = np.random.default_rng(3), []
    for arm in once:
        order = np.concatenate([rng.permutation(80) for _ in range(3)])
        three.append(Answers(values=arm.values[order], clusters=order, due_s=np.arange(240) / 4))
    one, thrice = (high - low for low, high in map(bounds, (compare(once), compare(three))))
    assert 0.8 * one < thrice < 1.2 * one


def test_unequal_arms_are_compared_share_with_share() -> None:
    arms = make_arms(240, slower=1.5)
    half = Answers(values=arms[1].values[::2], clusters=arms[1].clusters[::2], due_s=arms[1].due_s[::2])
    low, high = bounds(compare([arms[0], half]))
    assert 0 < low < math.log(1.5) < high
    assert high - low > np.subtract(*reversed(bounds(compare(arms))))


def test_a_tail_of_few_bursts_has_no_bound() -> None:
    """One stall holds all slow answers of an arm: how often it stalls, one stall cannot tell."""
    arms = make_arms(240)
    stalled = arms[1].values + 5.0 * (arms[1].due_s > 54)
    effect = compare([arms[0], replace(arms[1], values=stalled)], 0.95)
    assert effect.high is None or effect.low is None or effect.low < 0
    assert effect.p_value is not None
    assert effect.p_value > 0.05
    assert effect.time_limited


def test_a_thin_tail_without_a_bound_is_not_one_of_bursts() -> None:
    found = [compare(make_arms(80, seed=seed), 0.95) for seed in range(12)]
    open_ended = [each for each in found if each.low is None or each.high is None]
    assert len(open_ended) >= 2
    assert not any(each.time_limited for each in open_ended)


def test_dependence_that_outlasts_a_block_widens_the_interval() -> None:
    """A wave of two periods in one arm; the same blocks in another order have none."""
    arms = make_arms(320)
    wave = arms[1].values * np.exp(0.5 * np.sin(4 * np.pi * arms[1].due_s / 80))
    shuffled = wave.reshape(16, 20)[[0, 9, 4, 13, 2, 11, 6, 15, 8, 1, 12, 5, 10, 3, 14, 7]].reshape(-1)
    slow, quick = (bounds(compare([arms[0], replace(arms[1], values=each)])) for each in (wave, shuffled))
    assert slow[1] - slow[0] > 1.3 * (quick[1] - quick[0])


@pytest.mark.parametrize(
    ("q", "samples", "clusters"),
    [(0.95, 71, 71), (0.95, 72, 72), (0.95, 72, 24), (0.95, 72, 23), (0.99, 367, 367), (0.99, 368, 368), (0.5, 6, 6),
     (0.5, 60, 5)],
)  # fmt: skip
def test_too_few_samples_or_prompts_give_no_bounds(q: float, samples: int, clusters: int) -> None:
    rng, codes = np.random.default_rng(5), np.arange(samples) % clusters
    arm = Answers(values=rng.lognormal(size=samples), clusters=codes, due_s=np.arange(samples) * 1.0)
    effect = compare([arm, arm], q)
    assert is_bounded(q, samples, clusters) is (effect.p_value is not None)
    assert effect.p_value is not None or (None, None) == (effect.low, effect.high)


def test_one_large_group_among_single_prompts_gives_no_bounds() -> None:
    arm = Answers(
        values=np.random.default_rng(9).lognormal(size=100),
        clusters=np.repeat(np.arange(21), [80] + [1] * 20),
        due_s=np.arange(100) * 1.0,
    )
    assert compare([arm, arm]).low is None


@pytest.mark.parametrize(("prompts", "repeats"), [(3, 20), (5, 12), (6, 2), (8, 1)])
def test_few_prompts_say_nothing_however_often_they_are_asked(prompts: int, repeats: int) -> None:
    rng, rounds, wrong = np.random.default_rng(8), 100, 0
    codes, due = np.repeat(np.arange(prompts), repeats), np.arange(prompts * repeats) / 4
    for _ in range(rounds):
        arms = [
            Answers(
                values=np.exp(rng.normal(0, 0.2, prompts)[codes] + rng.normal(0, 0.3, len(codes))),
                clusters=codes,
                due_s=due,
            )
            for _ in "ab"
        ]
        effect = compare(arms)
        wrong += effect.p_value is not None and effect.p_value < 0.01
    assert wrong / rounds <= 0.02


def test_all_answers_due_at_one_moment_are_one_block_and_count_by_prompt() -> None:
    arms = [replace(arm, due_s=np.zeros(240)) for arm in make_arms(240, slower=1.5)]
    assert bounds(compare(arms))[0] > 0


def test_an_empty_arm_is_refused() -> None:
    nothing = Answers(values=np.array([]), clusters=np.array([], dtype=np.int64), due_s=np.array([]))
    with pytest.raises(ValueError, match="values in both arms"):
        compare([nothing, nothing])


@pytest.mark.parametrize(("old", "new"), [([1.0, 2.0, 5.0], [3.0, 4.0]), ([], [1.0, 2.0]), ([2.0, 2.0], [2.0, 2.0])])
def test_the_ranked_value_of_two_arms_is_that_of_both_sorted(old: list[float], new: list[float]) -> None:
    for shift in (0.0, 1.5):
        together = sorted([*old, *(each - shift for each in new)])
        found = [_ranked(np.array(old), np.array(new), shift, rank) for rank in range(len(together))]
        assert together == found


def test_a_stall_in_one_arm_is_no_difference_of_the_targets() -> None:
    """A target against itself, each arm with its own stalls, one a minute of 4 s: 60 runs of a minute, 240 prompts.

    Nominal: 3 of the intervals leave out 0. A bootstrap over prompts leaves it out in 10 at p50 and in 36 at p95.
    """
    wrong = {0.5: 0, 0.95: 0}
    for seed in range(60):
        arms = make_arms(240, seed=seed, stalls=True)
        for q, effect in zip(wrong, compare_quantiles(arms[1], arms[0], list(wrong)), strict=True):
            wrong[q] += effect.p_value is not None and effect.p_value < 0.05
            assert (effect.p_value or 1.0) < 0.05 or effect.low is None or effect.low <= 1e-3
    assert wrong[0.5] <= 5
    assert wrong[0.95] <= 5


def test_a_third_slower_is_found_beside_a_stall_a_minute() -> None:
    """+35 % at p50, 445 prompts in 111 s: 80 % at least of 40 runs."""
    found = [compare(make_arms(445, seed=seed, slower=1.35, stalls=True)) for seed in range(40)]
    assert sum(each.low is not None and each.low > 0 for each in found) >= 32


def test_a_hundred_thousand_answers_take_less_than_ten_times_a_second() -> None:
    """A bound that only a step of quadratic cost breaks; 0.2 s on an idle core."""
    arms = make_arms(100_000, repeats=10, slower=1.05)
    before = time.process_time()
    compare(arms, 0.95)
    assert time.process_time() - before < 5.0
