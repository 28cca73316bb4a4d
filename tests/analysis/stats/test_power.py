"""The formulas against the figures of their sources, and what a dry run makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from harness.analysis.compare.sample_size.detectable import COST_SPREAD, find_detectable
from harness.analysis.compare.verdict import decide
from harness.analysis.stats.means import mean_difference
from harness.analysis.stats.power import (
    detectable_difference,
    discordance_at,
    none_in,
    pairs_for_difference,
    pairs_to_rule_out,
    quantile_ratio_error,
    samples_for_ratio,
)
from harness.analysis.stats.proportions import newcombe_paired
from harness.suite.suite import Load, Suite

MakeSuite = Callable[..., Suite]


@pytest.mark.parametrize(
    ("discordance", "difference", "pairs"),
    [(0.10, 0.03, 870), (0.10, 0.05, 312), (0.10, 0.10, 77), (0.20, 0.03, 1742), (0.20, 0.05, 626), (0.20, 0.10, 155)],
)
def test_pairs_for_a_difference(discordance: float, difference: float, pairs: int) -> None:
    assert pairs == pairs_for_difference(difference, discordance)


def test_pairs_to_rule_out_one_sided_at_five_and_at_the_verdicts_two_and_a_half_per_cent() -> None:
    assert 248 == pairs_to_rule_out(0.05, 0.10, alpha=0.05)
    assert 314 == pairs_to_rule_out(0.05, 0.10)


@pytest.mark.parametrize("difference", [0.0, -0.1, 0.3])
def test_a_difference_that_the_discordance_does_not_hold_is_refused(difference: float) -> None:
    with pytest.raises(ValueError, match="needs a discordance"):
        pairs_for_difference(difference, 0.2)
    with pytest.raises(ValueError, match="more than 0"):
        pairs_to_rule_out(0, 0.2)


@pytest.mark.parametrize("n", [20, 155, 626])
def test_what_is_detectable_at_n_takes_n(n: int) -> None:
    found = detectable_difference(n, discordance=0.2, alpha=0.05)
    assert found is not None
    less = 0.99 * found
    assert pairs_for_difference(found, 0.2 + found) <= n < pairs_for_difference(less, 0.2 + less)
    beyond = detectable_difference(n, discordance=0.2, margin=0.9 * found, alpha=0.05)
    assert beyond is None or beyond > found
    assert detectable_difference(2, discordance=0.2, alpha=0.05) is None


def test_who_loses_disagrees_more_at_least_as_much_as_models_that_err_independently() -> None:
    """A dry run's n for equals' disagreement found a fall of 10 points in 14 of 20 runs, not in 16."""
    for rate, fall in ((0.9, 0.1), (0.8, 0.1), (0.97, 0.05)):
        equals, apart = 2 * rate * (1 - rate), rate * (1 - rate + fall) + (1 - rate) * (rate - fall)
        assert equals < apart <= discordance_at(fall, equals)
    assert 1.0 == discordance_at(0.9, 0.2)


def test_twenty_prompts_asked_once_see_only_differences_of_twenty_points_and_more() -> None:
    found = detectable_difference(20, discordance=0.1, alpha=0.05)
    assert found is not None
    assert 0.20 <= found < 0.45


def test_without_a_failure_the_interval_ends_below_the_margin_from_exactly_that_n() -> None:
    for margin in (0.01, 0.03, 0.05):
        n = none_in(margin)
        assert newcombe_paired(0, 0, 0, n)[2] < margin
        assert newcombe_paired(0, 0, 0, n - 3)[2] > margin


def test_the_error_of_a_quantile_ratio_is_what_samples_show() -> None:
    rng = np.random.default_rng(1)
    for q in (0.5, 0.95):
        drawn = np.quantile(np.exp(0.5 * rng.normal(size=(2, 3000, 400))), q, axis=2)
        assert np.log(drawn[0] / drawn[1]).std() == pytest.approx(quantile_ratio_error(q, 400, spread=0.5), rel=0.08)


def test_a_wide_margin_still_takes_the_samples_for_bounds() -> None:
    assert 368 == samples_for_ratio(0.99, 5.0, spread=0.5, alpha=0.025)
    assert 368 < samples_for_ratio(0.99, 0.2, spread=0.5, alpha=0.025)


def test_a_dry_run_tells_what_each_margin_takes(make_suite: MakeSuite) -> None:
    gate = {"pass_rate": "5pp", "error_rate": "1pp", "ttft_p99": "15%", "e2e_p50": "200ms", "cost_per_request": "10%"}
    found = find_detectable(make_suite(("a", "b", "c"), prompts=40, gate=gate))
    rows = {each.metric: each for each in found.metrics}
    assert (40, 1, 40, 10, False) == (found.prompts, found.repeats, found.clusters, found.family, found.default_gate)
    assert list(gate) == list(rows)
    assert 628 == rows["pass_rate"].prompts_for_no_worse
    assert pairs_for_difference(0.10, 0.30, alpha=0.05 / 10) == rows["pass_rate"].prompts_for_worse
    assert (rows["pass_rate"].minimum_detectable or 0) > 0.20
    assert rows["ttft_p99"].minimum_detectable is None
    assert "368 samples" in rows["ttft_p99"].note
    assert "known only after a run" in rows["e2e_p50"].note
    assert none_in(0.01) == rows["error_rate"].prompts_for_no_worse


def test_the_prompts_that_are_named_find_a_dearer_model_in_four_runs_of_five(make_suite: MakeSuite) -> None:
    """With the normal quantile alone, 71 %: of so few, the t quantile is larger."""
    gate = {"error_rate": "1pp", "pass_rate": "5pp", "ttft_p50": "20%", "e2e_p95": "20%"}
    gate["cost_per_request"] = "10%"
    found = find_detectable(make_suite(("a", "b"), prompts=40, gate=gate))
    n, margin = found.metrics[-1].prompts_for_worse, math.log(1.1)
    assert ("cost_per_request", True) == (found.metrics[-1].metric, n is not None)
    rng, rounds, worse = np.random.default_rng(6), 1000, 0
    for _ in range(rounds):
        effect = mean_difference(rng.normal(2 * margin, COST_SPREAD, n), np.arange(n))
        p = min(1.0, found.family * (effect.p_value or 0.0))
        worse += "worse" == decide(
            estimate=effect.estimate, low=effect.low, high=effect.high, p_adjusted=p, margin=margin
        )
    assert 0.76 <= worse / rounds <= 0.85


def test_few_prompts_are_told_that_no_repeats_show_a_latency_worse(make_suite: MakeSuite) -> None:
    gate = {"ttft_p50": "20%", "e2e_p95": "20%"}
    few = find_detectable(make_suite(("a", "b", "c", "d", "e"), prompts=6, gate=gate, load=Load(repeats=50))).metrics[0]
    assert few.minimum_detectable is None
    assert "needs 9 prompts or groups" in few.note
    wide = {"ttft_p50": "900%", "e2e_p95": "900%"}
    suite = make_suite(("a", "b"), prompts=40, gate=wide, load=Load(repeats=50))
    grouped = tuple(msgspec.structs.replace(p, group=f"g{i // 4}") for i, p in enumerate(suite.prompts))
    found = [find_detectable(each).metrics for each in (suite, msgspec.structs.replace(suite, prompts=grouped))]
    assert [[7, 24], [28, 96]] == [[each.prompts_for_worse for each in metrics] for metrics in found]


def test_repeats_help_and_groups_do_not(make_suite: MakeSuite) -> None:
    plain = make_suite(("a", "b"), prompts=100, gate={"pass_rate": "5pp", "e2e_p95": "15%"})
    asked_often = msgspec.structs.replace(plain, load=Load(repeats=5))
    grouped = msgspec.structs.replace(
        plain,
        prompts=tuple(msgspec.structs.replace(p, group=f"g{i // 5}") for i, p in enumerate(plain.prompts)),
    )
    once, often, alike = (
        find_detectable(suite).metrics[0].minimum_detectable for suite in (plain, asked_often, grouped)
    )
    assert once is not None
    assert often is not None
    assert alike is not None
    assert often < once < alike


def test_without_a_gate_the_default_one_is_foreseen(make_suite: MakeSuite) -> None:
    found = find_detectable(make_suite(("a", "b"), prompts=40))
    assert found.default_gate
    assert ["pass_rate", "error_rate", "ttft_p50", "e2e_p50", "cost_per_request"] == [e.metric for e in found.metrics]
    ungraded = make_suite(("a",), prompts=80)
    bare = tuple(msgspec.structs.replace(prompt, checks=()) for prompt in ungraded.prompts)
    assert ["error_rate", "ttft_p95", "e2e_p95", "cost_per_request"] == [
        each.metric for each in find_detectable(msgspec.structs.replace(ungraded, prompts=bare)).metrics
    ]


def test_a_pass_rate_rests_on_the_prompts_that_are_graded(make_suite: MakeSuite) -> None:
    gate = {"pass_rate": "25pp", "error_rate": "10pp"}
    mixed = make_suite(("a", "b"), prompts=40, gate=gate)
    bare = (msgspec.structs.replace(p, checks=p.checks if i < 10 else ()) for i, p in enumerate(mixed.prompts))
    found = find_detectable(msgspec.structs.replace(mixed, prompts=tuple(bare)))
    assert [10, 40] == [each.prompts for each in found.metrics]
    none = tuple(msgspec.structs.replace(p, checks=()) for p in mixed.prompts)
    blind = find_detectable(msgspec.structs.replace(mixed, prompts=none)).metrics[0]
    assert (None, 0) == (blind.minimum_detectable, blind.prompts)
