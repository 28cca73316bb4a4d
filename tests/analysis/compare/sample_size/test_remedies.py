"""An inconclusive row names what varies: prompts, answers to one prompt, or time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from harness.analysis.columns import Columns
from harness.analysis.compare.comparison import Difference
from harness.analysis.compare.gate import make_rules
from harness.analysis.compare.latencies import compare_latencies
from harness.analysis.compare.pairing import Pairs, pair
from harness.analysis.compare.rates import compare_pass_rate
from harness.analysis.compare.sample_size.remedies import needed, with_sources
from harness.analysis.compare.verdict import judge_rows
from harness.analysis.stats.means import mean_difference
from harness.report.compare.verdicts import settled_by

Arms = Callable[..., Pairs]


@pytest.fixture
def arms(make_columns: Callable[..., Columns]) -> Arms:
    """Two arms, each prompt asked `repeats` times in rounds, four a second; arrays of (baseline, candidate)."""

    def build(prompts: int, repeats: int, **arrays: tuple[Any, Any]) -> Pairs:
        ids = np.array([f"p{i:03d}" for i in range(prompts)] * repeats, dtype=object)
        n, due = prompts * repeats, np.arange(prompts * repeats) / 4
        built = []
        for at in (0, 1):
            given = {name: both[at] for name, both in arrays.items()}
            first = due + given.pop("ttft", np.full(n, 0.5))
            stamps = {"due_s": due, "first_s": first, "last_s": first + 1, "done_s": first + 1}
            built.append(make_columns(n, prompt_id=ids, group_id=ids, **stamps, **given))
        return pair(*built)

    return build


def judged(row: Difference, margin: str) -> Difference:
    return judge_rows([[row]], [[]], make_rules({row.metric: margin}))[0][0]


def passes(rng: np.random.Generator, chance: np.ndarray, repeats: int) -> np.ndarray:
    return (rng.random(len(chance) * repeats) < np.tile(chance, repeats)).astype(float)


def test_prompts_are_named_where_each_was_asked_once(arms: Arms) -> None:
    rng = np.random.default_rng(1)
    both = passes(rng, np.full(60, 0.8), 1), passes(rng, np.full(60, 0.8), 1)
    pairs = arms(60, 1, passed=both)
    row = judged(with_sources(compare_pass_rate(pairs), pairs), "3pp")
    assert ("inconclusive", "prompts", 60.0) == (row.verdict, row.remedy, row.remedy_now)
    assert row.remedy_needed == row.n_needed
    assert f"{row.n_needed:,} prompts (now 60)" == settled_by(row, 60)


def test_what_never_failed_takes_as_many_prompts_as_named_and_no_repeats(arms: Arms) -> None:
    """Wilson's bound at p = 0 with one answer a prompt, 1.96²·49 = 188.2: repeats of what never fails tell nothing."""

    def row(prompts: int) -> Difference:
        pairs = arms(prompts, 2)
        return judged(with_sources(compare_pass_rate(pairs), pairs), "2pp")

    named = row(40)
    assert ("inconclusive", "prompts", 190.0) == (named.verdict, named.remedy, named.remedy_needed)
    assert ("inconclusive", "no_worse") == (row(188).verdict, row(190).verdict)


def test_repeats_are_named_where_answers_to_one_prompt_vary_and_prompts_where_these_do(arms: Arms) -> None:
    rng = np.random.default_rng(3)
    alike = np.full(150, 0.7)
    pairs = arms(150, 3, passed=(passes(rng, alike, 3), passes(rng, alike, 3)))
    row = judged(with_sources(compare_pass_rate(pairs), pairs), "5pp")
    assert ("inconclusive", "repeats", 3.0) == (row.verdict, row.remedy, row.remedy_now)
    assert f"--repeats {row.remedy_needed:g} (now 3)" == settled_by(row, 150)
    certain = [np.tile((rng.random(60) < 0.7).astype(float), 3) for _ in (0, 1)]
    pairs = arms(60, 3, passed=tuple(certain))
    row = judged(with_sources(compare_pass_rate(pairs), pairs), "5pp")
    assert ("inconclusive", "prompts") == (row.verdict, row.remedy)


def test_the_repeats_that_are_named_narrow_the_interval_as_far_as_prompts_would(arms: Arms) -> None:
    rng = np.random.default_rng(3)
    alike = np.full(150, 0.7)
    pairs = arms(150, 3, passed=(passes(rng, alike, 3), passes(rng, alike, 3)))
    first = with_sources(compare_pass_rate(pairs), pairs)
    row = judged(first, "5pp")
    assert None not in (row.n_needed, row.remedy_needed, first.high, first.low)
    k, widths = int(row.remedy_needed or 0), []
    for _ in range(20):
        again = compare_pass_rate(arms(150, k, passed=(passes(rng, alike, k), passes(rng, alike, k))))
        widths.append((again.high or 0) - (again.low or 0))
    wanted = ((first.high or 0) - (first.low or 0)) * math.sqrt(150 / (row.n_needed or 1))
    assert np.mean(widths) == pytest.approx(wanted, rel=0.15)


def test_time_is_named_where_slow_answers_come_together(arms: Arms) -> None:
    rng = np.random.default_rng(5)
    due = np.arange(240) / 4
    both = []
    for starts in ((5, 31), (18, 44)):
        slow = sum(((due >= at) & (due < at + 5)).astype(float) for at in starts)
        both.append(rng.lognormal(-0.7, 0.5, 240) + 2 * slow)
    pairs = arms(240, 1, ttft=tuple(both))
    row = with_sources(compare_latencies(pairs, [("ttft_p50", "log_ratio")])["ttft_p50"], pairs)
    named = judged(row, "10%")
    assert ("inconclusive", "time", 1.0) == (named.verdict, named.remedy, named.remedy_now)
    assert (named.remedy_needed or 0) > 2
    assert f"a run of {named.remedy_needed:,.4g} minutes at this rate (now 1)" == settled_by(named, 240)
    calm = arms(240, 1, ttft=tuple(rng.lognormal(-0.7, 0.5, 240) for _ in (0, 1)))
    row = with_sources(compare_latencies(calm, [("ttft_p50", "log_ratio")])["ttft_p50"], calm)
    assert "prompts" == judged(row, "5%").remedy


@pytest.mark.parametrize("true", [0.0, 0.02])
def test_of_few_clusters_the_n_counts_with_the_interval_s_own_quantiles(true: float) -> None:
    """With normal quantiles, half-width over 1.96, it names 24 and 64: more than these, since t of 5 is 2.57."""
    margin, spread, n = 0.05, 0.06, 6
    half = float(stdtrit(n - 1, 0.975)) * spread / math.sqrt(n)
    named = needed(n=n, estimate=true, low=true - half, high=true + half, margin=margin, family=1, degrees=n - 1)
    assert named is not None
    normal = needed(n=n, estimate=true, low=true - half, high=true + half, margin=margin, family=1)
    assert normal is not None
    assert named < normal
    rng, settled = np.random.default_rng(2), 0
    for _ in range(2000):
        high = mean_difference(rng.normal(true, spread, named), np.arange(named)).high
        settled += high is not None and high < margin
    assert 0.76 <= settled / 2000 <= 0.88
