"""Differences of cost against scipy and statsmodels, and cost taken apart by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import ttest_rel

from harness.analysis.columns import AttemptCounts, Columns
from harness.analysis.compare.costs import compare_cost, find_drift
from harness.analysis.compare.pairing import Pairs, pair
from harness.catalog.prices import Price

N = 12
OLD = np.random.default_rng(1).lognormal(-6, 0.5, N)
NEW = OLD * np.random.default_rng(2).lognormal(0.2, 0.3, N)
Costs = Callable[..., Pairs]


@pytest.fixture
def costs(make_columns: Callable[..., Columns]) -> Costs:
    """Two arms that asked each prompt once."""

    def build(old: dict[str, Any], new: dict[str, Any], groups: Any = None) -> Pairs:
        n = len(next(iter(old.values())))
        prompts = np.array([f"p{i:02d}" for i in range(n)], dtype=object)
        clusters = prompts if groups is None else np.array(groups, dtype=object)
        return pair(*(make_columns(n, prompt_id=prompts, group_id=clusters, **each) for each in (old, new)))

    return build


def test_a_relative_margin_takes_the_paired_t_test_of_the_logs(costs: Costs) -> None:
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": NEW}), "log_ratio")
    test = ttest_rel(np.log(NEW), np.log(OLD))
    bounds = test.confidence_interval(0.95)
    assert (np.log(NEW / OLD).mean(), bounds.low, bounds.high, test.pvalue) == pytest.approx(
        (row.estimate, row.low, row.high, row.p_value)
    )
    assert (OLD.mean(), NEW.mean()) == pytest.approx((row.baseline, row.candidate))
    assert ("cost_per_request", "log_ratio", "usd", "paired-t", N, N, "") == (
        row.metric, row.scale, row.unit, row.method, row.n, row.clusters, row.note,
    )  # fmt: skip


def test_a_margin_in_dollars_takes_the_paired_t_test_of_the_costs(costs: Costs) -> None:
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": NEW}), "absolute")
    test = ttest_rel(NEW, OLD)
    bounds = test.confidence_interval(0.95)
    assert (bounds.low, bounds.high, test.pvalue) == pytest.approx((row.low, row.high, row.p_value))


def test_groups_take_the_clustered_error_of_statsmodels(costs: Costs) -> None:
    codes = np.arange(N) // 3
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": NEW}, [f"g{c}" for c in codes]), "log_ratio")
    fit = sm.OLS(np.log(NEW / OLD), np.ones(N)).fit(cov_type="cluster", cov_kwds={"groups": codes}, use_t=True)
    assert (*fit.conf_int()[0], fit.pvalues[0]) == pytest.approx((row.low, row.high, row.p_value))
    assert ("cluster-t", N, 4) == (row.method, row.n, row.clusters)


def test_a_failed_or_unpriced_request_is_no_cheap_answer(costs: Costs) -> None:
    ok = np.arange(N) != 0
    unknown = np.where(np.arange(N) == 1, np.nan, NEW)
    row = compare_cost(costs({"cost_usd": OLD}, {"cost_usd": unknown, "ok": ok}), "log_ratio")
    assert (N - 2, "leaves out 2 prompts without a known cost on both sides") == (row.n, row.note)
    assert pytest.approx(np.log(NEW / OLD)[2:].mean()) == row.estimate


def test_free_answers_have_a_difference_in_dollars_and_no_ratio(costs: Costs) -> None:
    pairs = costs({"cost_usd": OLD}, {"cost_usd": np.zeros(N)})
    ratio, dollars = compare_cost(pairs, "log_ratio"), compare_cost(pairs, "absolute")
    assert (None, 0) == (ratio.estimate, ratio.n)
    assert "no prompt has a known cost above 0 on both sides" in ratio.note
    assert pytest.approx(-OLD.mean()) == dollars.estimate


def test_cost_is_price_times_tokens(costs: Costs) -> None:
    """100 + 50 tokens at $1 and $5 a million cost 350 millionths; 100 + 100 at $2 and $10 1,200."""
    old = {"input_tokens": np.full(4, 100.0), "output_tokens": np.full(4, 50.0), "cost_usd": np.full(4, 350e-6)}
    new = {"input_tokens": np.full(4, 100.0), "output_tokens": np.full(4, 100.0), "cost_usd": np.full(4, 1200e-6)}
    new["passed"] = np.array([1.0, 1, 0, 0])
    prices = tuple(Price(input=r, output=5 * r, source="here", as_of=None) for r in (1.0, 2.0))
    counts = AttemptCounts(attempts=4, error_kinds={}, input_tokens=400, output_tokens=200, cache_read_tokens=0,
                           cache_write_tokens=0, cost_usd=None)  # fmt: skip
    drift = find_drift(costs(old, new), (prices[0], prices[1]), counts, same_model=False)
    assert (1200 / 350, 2.0, 1200 / 700) == pytest.approx((drift.cost_ratio, drift.price_ratio, drift.token_ratio))
    assert (1.0, 2.0) == pytest.approx((drift.input_token_ratio, drift.output_token_ratio))
    assert (1400e-6, 4800e-6) == pytest.approx((drift.baseline_total_usd, drift.candidate_total_usd))
    assert (350e-6, 2400e-6) == pytest.approx(
        (drift.baseline_cost_per_correct_usd, drift.candidate_cost_per_correct_usd)
    )
    assert (
        "cost +243%: price +100% (price drift), 2 × the output tokens (token drift); different models may also "
        "count tokens differently"
    ) == drift.summary


def test_the_cost_ratio_is_a_geometric_mean_and_unknown_prices_take_nothing_apart(costs: Costs) -> None:
    pairs = costs({"cost_usd": np.array([1.0, 1.0])}, {"cost_usd": np.array([2.0, 8.0])})
    counts = AttemptCounts(attempts=2, error_kinds={}, input_tokens=0, output_tokens=0, cache_read_tokens=0,
                           cache_write_tokens=0, cost_usd=None)  # fmt: skip
    drift = find_drift(pairs, (None, None), counts, same_model=True)
    assert (4.0, None, None) == (pytest.approx(drift.cost_ratio), drift.price_ratio, drift.token_ratio)
    assert math.isclose(math.exp(compare_cost(pairs, "log_ratio").estimate or 0), 4.0)
