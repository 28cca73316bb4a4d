"""Rows of cost: what an invoice shows, and what a prompt costs typically."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_rel

from harness.analysis.columns import Columns
from harness.analysis.compare.cost.rows import compare_cost, compare_cost_per_correct, compare_geometric
from harness.analysis.compare.pairing import Pairs, pair
from harness.analysis.stats.totals import compare_totals

N = 12
OLD = np.random.default_rng(1).lognormal(-6, 0.5, N)
NEW = OLD * np.random.default_rng(2).lognormal(0.2, 0.3, N)
Costs = Callable[..., Pairs]


@pytest.fixture
def costs(make_columns: Callable[..., Columns]) -> Costs:
    """Two arms that asked each prompt once."""

    def build(old: dict[str, Any], new: dict[str, Any], groups: Any = None) -> Pairs:
        n = len(next(iter(old.values())))
        prompts = np.array([f"p{i:03d}" for i in range(n)], dtype=object)
        clusters = prompts if groups is None else np.array(groups, dtype=object)
        return pair(*(make_columns(n, prompt_id=prompts, group_id=clusters, **each) for each in (old, new)))

    return build


def test_a_relative_margin_takes_the_ratio_of_totals(costs: Costs) -> None:
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": NEW}), "log_ratio")
    effect = compare_totals(NEW, OLD, np.arange(N))
    assert (math.log(NEW.sum() / OLD.sum()), effect.low, effect.high, effect.p_value) == pytest.approx(
        (row.estimate, row.low, row.high, row.p_value)
    )
    assert (OLD.mean(), NEW.mean()) == pytest.approx((row.baseline, row.candidate))
    assert ("cost_per_request", "log_ratio", "usd", "cluster-jackknife", N, N) == (
        row.metric, row.scale, row.unit, row.method, row.n, row.clusters,
    )  # fmt: skip


def test_the_ratio_of_the_shown_costs_is_the_difference(costs: Costs) -> None:
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": NEW}), "log_ratio")
    assert row.baseline
    assert row.candidate
    assert math.log(row.candidate / row.baseline) == pytest.approx(row.estimate)


def test_a_margin_in_dollars_takes_the_difference_of_means(costs: Costs) -> None:
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": NEW}), "absolute")
    effect = compare_totals(NEW, OLD, np.arange(N), logarithm=False)
    assert (NEW.mean() - OLD.mean(), effect.low, effect.p_value) == pytest.approx((row.estimate, row.low, row.p_value))


def test_groups_count_as_one(costs: Costs) -> None:
    codes = np.arange(N) // 3
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": NEW}, [f"g{c}" for c in codes]), "log_ratio")
    effect = compare_totals(NEW, OLD, codes)
    assert (effect.low, effect.high) == pytest.approx((row.low, row.high))
    assert (N, 4) == (row.n, row.clusters)


def test_repeats_are_one_prompt_with_their_mean(make_columns: Callable[..., Columns]) -> None:
    """p0 was asked three times of the baseline and once of the candidate: it weighs no more for that."""
    ids = np.array(["p0", "p0", "p0", "p1"], dtype=object)
    old = make_columns(4, prompt_id=ids, group_id=ids, cost_usd=np.array([1.0, 2, 3, 10]))
    new = make_columns(2, prompt_id=ids[2:], group_id=ids[2:], cost_usd=np.array([3.0, 10]))
    row = compare_cost(pair(old, new), "log_ratio")
    assert (6.0, 6.5, math.log(13 / 12)) == pytest.approx((row.baseline, row.candidate, row.estimate))


def test_the_geometric_mean_is_a_row_of_its_own(costs: Costs) -> None:
    row = compare_geometric(costs({"cost_usd": OLD}, {"cost_usd": NEW}))
    bounds = ttest_rel(np.log(NEW), np.log(OLD)).confidence_interval(0.95)
    assert (np.log(NEW / OLD).mean(), bounds.low, bounds.high) == pytest.approx((row.estimate, row.low, row.high))
    assert ("cost_per_prompt_geometric", "paired-t") == (row.metric, row.method)
    assert (np.exp(np.log(OLD).mean()), np.exp(np.log(NEW).mean())) == pytest.approx((row.baseline, row.candidate))


def test_a_failed_or_unpriced_request_is_no_cheap_answer(costs: Costs) -> None:
    ok = np.arange(N) != 0
    unknown = np.where(np.arange(N) == 1, np.nan, NEW)
    pairs = costs({"cost_usd": OLD}, {"cost_usd": unknown, "ok": ok})
    row = compare_cost(pairs, "log_ratio")
    assert N - 2 == row.n == compare_geometric(pairs).n
    assert "leaves out 2 prompts without a known cost on both sides" in row.note
    assert pytest.approx(math.log(NEW[2:].sum() / OLD[2:].sum())) == row.estimate


def test_free_answers_have_a_difference_in_dollars_and_no_ratio(costs: Costs) -> None:
    pairs = costs({"cost_usd": OLD}, {"cost_usd": np.zeros(N)})
    ratio, dollars = compare_cost(pairs, "log_ratio"), compare_cost(pairs, "absolute")
    assert (None, 0) == (ratio.estimate, ratio.n)
    assert "so there is no ratio; give the margin in dollars" in ratio.note
    assert pytest.approx(-OLD.mean()) == dollars.estimate
    assert compare_geometric(pairs).estimate is None
    unknown = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": np.full(N, np.nan)}), "absolute")
    assert "no prompt has a known cost on both sides" in unknown.note


def test_a_free_prompt_is_part_of_a_bill(costs: Costs) -> None:
    old, new = np.where(np.arange(N) == 0, 0.0, OLD), np.where(np.arange(N) == 1, 0.0, NEW)
    row = compare_cost(costs({"cost_usd": old}, {"cost_usd": new}), "log_ratio")
    assert (N, math.log(new.sum() / old.sum())) == (row.n, pytest.approx(row.estimate))


def test_a_bill_that_few_prompts_carry_is_said_to_rest_on_them(costs: Costs) -> None:
    dear = np.where(np.arange(20) < 2, 20.0, 1.0) * np.random.default_rng(3).lognormal(0, 0.1, 20)
    note = compare_cost(costs({"cost_usd": dear}, {"cost_usd": dear[::-1].copy()[::-1]}), "log_ratio").note
    assert "of 20 prompts carry" in note
    assert "a cost that is as rare as these may be missing from it" in note
    even = np.random.default_rng(4).lognormal(0, 0.3, 20)
    assert "" == compare_cost(costs({"cost_usd": even}, {"cost_usd": 1.1 * even}), "log_ratio").note


def test_a_correct_answer_costs_what_wrong_ones_cost_too(costs: Costs) -> None:
    passed = (np.arange(N) % 4 > 0).astype(float)
    pairs = costs({"cost_usd": OLD}, {"cost_usd": OLD, "passed": passed})
    row = compare_cost_per_correct(pairs)
    assert (OLD.sum() / N, OLD.sum() / 9, math.log(4 / 3)) == pytest.approx((row.baseline, row.candidate, row.estimate))
    assert row.low is not None
    assert row.high is not None
    assert row.low < math.log(4 / 3) < row.high
    nothing = compare_cost_per_correct(costs({"cost_usd": OLD}, {"cost_usd": OLD, "passed": np.zeros(N)}))
    assert (None, None) == (nothing.estimate, nothing.baseline)
