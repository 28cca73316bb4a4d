"""The rule of a verdict, metric by metric and over all of them."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from scipy.stats import norm

from harness.analysis.compare.comparison import Difference, Verdict
from harness.analysis.compare.gate import make_rules
from harness.analysis.compare.sample_size.remedies import needed
from harness.analysis.compare.verdict import (
    decide,
    decide_direction,
    judge_rows,
    worst,
    worst_of_comparisons,
)


@pytest.mark.parametrize(
    ("estimate", "low", "high", "p_adjusted", "verdict"),
    [
        (0.10, 0.05, 0.15, 0.001, "worse"),
        (0.10, 0.05, 0.15, 0.20, "inconclusive"),  # significant alone, not in its family
        (0.10, -0.01, 0.21, 0.01, "inconclusive"),  # the p-value alone does not do
        (0.02, 0.01, 0.029, 0.001, "no_worse"),  # worse, by less than the margin
        (0.02, 0.01, 0.04, 0.001, "inconclusive"),
        (-0.10, -0.15, -0.05, 0.001, "better"),
        (-0.10, -0.15, -0.05, 0.20, "no_worse"),
        (-0.02, -0.02, -0.01, 0.001, "no_worse"),  # better, by less than the margin
        (0.00, -0.20, 0.02, 1.0, "no_worse"),  # not worse than the margin
        (0.00, -0.03, 0.03, 1.0, "inconclusive"),  # the margin itself is not below the margin
        (0.10, None, None, None, "inconclusive"),
        (None, None, None, None, "inconclusive"),
    ],
)
def test_a_metric_that_decides(
    estimate: float | None, low: float | None, high: float | None, p_adjusted: float | None, verdict: str
) -> None:
    assert verdict == decide(estimate=estimate, low=low, high=high, p_adjusted=p_adjusted, margin=0.03)


@pytest.mark.parametrize(
    ("estimate", "p_adjusted", "verdict"),
    [(0.1, 0.09, "worse"), (-0.1, 0.09, "better"), (0.1, 0.1, "inconclusive"), (0.0, 0.0, "inconclusive"),
     (None, None, "inconclusive")],
)  # fmt: skip
def test_what_is_exploratory_has_a_direction_only(
    estimate: float | None, p_adjusted: float | None, verdict: str
) -> None:
    assert verdict == decide_direction(estimate=estimate, p_adjusted=p_adjusted)


def test_one_bad_metric_outweighs_and_doubt_outweighs_gain() -> None:
    assert "worse" == worst(["better", "worse", "inconclusive"])
    assert "inconclusive" == worst(["better", "inconclusive", "no_worse"])
    assert "better" == worst(["no_worse", "better"])
    assert "no_worse" == worst(["no_worse"])
    assert "inconclusive" == worst([]) == worst_of_comparisons([])
    assert "no_worse" == worst_of_comparisons(["better", "no_worse"])


def test_the_n_that_would_settle_it_narrows_the_interval_to_the_margin() -> None:
    n = needed(n=100, estimate=0.0, low=-0.06, high=0.06, margin=0.03, family=1)
    assert n is not None
    assert 100 * (0.06 / 0.03) ** 2 < n
    assert 0.06 * (100 / n) ** 0.5 * (1 + 0.8416 / 1.96) == pytest.approx(0.03, rel=0.01)
    strict = needed(n=100, estimate=0.05, low=-0.01, high=0.11, margin=0.03, family=20)
    alone = needed(n=100, estimate=0.05, low=-0.01, high=0.11, margin=0.03, family=1)
    assert strict is not None
    assert alone is not None
    assert 100 < alone < strict
    assert needed(n=100, estimate=0.03 - 1e-9, low=-0.01, high=0.07, margin=0.03, family=1) is None


@pytest.mark.parametrize(
    ("difference", "margin"),
    [
        (0.85 - 0.80, 0.05),  # 0.04999999999999993
        (0.60 - 0.55, 0.05),
        (math.log(0.0011 / 0.001), math.log1p(0.10)),  # a routing's premium of exactly 10 %
        (math.log(0.00033 / 0.0003), math.log1p(0.10)),
    ],
)
def test_a_difference_of_exactly_the_margin_reaches_it_in_floats_too(difference: float, margin: float) -> None:
    def verdict(estimate: float) -> str:
        return decide(estimate=estimate, low=estimate, high=estimate, p_adjusted=0.0, margin=margin)

    assert ("worse", "better") == (verdict(difference), verdict(-difference))
    assert "no_worse" == verdict(difference - 1e-6)
    assert needed(n=100, estimate=difference, low=-0.1, high=0.2, margin=margin, family=1) is None


@pytest.mark.parametrize(
    ("true", "family"), [(0.055, 1), (0.06, 1), (0.06, 5), (0.08, 5), (0.12, 1), (0.02, 5), (0.0, 1)]
)
def test_the_n_that_is_named_settles_it_in_four_runs_of_five(true: float, family: int) -> None:
    margin, spread, z = 0.05, 0.45, 1.959964
    arm = z * spread / 10
    n = needed(n=100, estimate=true, low=true - arm, high=true + arm, margin=margin, family=family)
    assert n is not None
    error = spread / math.sqrt(n)
    estimates = true + error * norm.ppf((np.arange(2000) + 0.5) / 2000)
    verdicts = []
    for d in map(float, estimates):
        p = min(1.0, family * 2 * float(norm.sf(abs(d) / error)))
        verdicts += [decide(estimate=d, low=d - z * error, high=d + z * error, p_adjusted=p, margin=margin)]
    settled = sum(each in ("worse", "no_worse", "better") for each in verdicts) / len(verdicts)
    assert 0.79 <= settled <= 0.85


def measured(metric: str = "error_rate", **facts: object) -> Difference:
    given = {"scale": "points", "unit": "share", "baseline": 0.1, "candidate": 0.1, "n": 400, "clusters": 400}
    return Difference(metric=metric, **{**given, **facts})  # type: ignore[arg-type]


def found(estimate: float, p_value: float, half: float = 0.01, **facts: object) -> Difference:
    return measured(estimate=estimate, low=estimate - half, high=estimate + half, p_value=p_value, **facts)


def test_holm_goes_over_the_metrics_of_all_candidates_together() -> None:
    """Holm's worked example: 0.01, 0.04, 0.03 and 0.005 become 0.03, 0.06, 0.06 and 0.02."""
    rules = make_rules({"error_rate": "2pp", "pass_rate": "2pp"})
    gated = [[found(0.1, 0.01), found(0.1, 0.04)], [found(0.1, 0.03), found(0.1, 0.005)]]
    judged = judge_rows(gated, [[], []], rules)
    assert [[0.03, 0.06], [0.06, 0.02]] == [[pytest.approx(row.p_adjusted) for row in rows] for rows in judged]
    assert [["worse", "inconclusive"], ["inconclusive", "worse"]] == [[row.verdict for row in rows] for rows in judged]
    assert {(0.02, "2pp", False)} == {(d.margin, d.margin_written, d.exploratory) for rows in judged for d in rows}


def test_a_metric_that_could_not_be_measured_stays_in_the_family_and_is_inconclusive() -> None:
    rules = make_rules({"error_rate": "2pp", "pass_rate": "2pp"})
    ((known, unknown),) = judge_rows([[found(0.1, 0.03), measured(note="nothing known")]], [[]], rules)
    assert (pytest.approx(0.06), "inconclusive") == (known.p_adjusted, known.verdict)
    assert (None, None, "inconclusive", "nothing known") == (
        unknown.estimate, unknown.p_adjusted, unknown.verdict, unknown.note,
    )  # fmt: skip
    (infinite,) = judge_rows([[found(math.inf, 0.001)]], [[]], make_rules({"error_rate": "2pp"}))[0]
    assert (None, "inconclusive") == (infinite.estimate, infinite.verdict)


def test_what_is_exploratory_has_benjamini_and_hochbergs_p_and_neither_margin_nor_n() -> None:
    """0.01, 0.02, 0.9: 0.01·3/1 and 0.02·3/2 are both 0.03."""
    rows = [found(0.1, 0.01), found(-0.1, 0.02), found(0.1, 0.9, n_needed=72, clusters_needed=24)]
    (judged,) = judge_rows([[]], [rows], ())
    assert pytest.approx([0.03, 0.03, 0.9]) == [row.p_adjusted for row in judged]
    assert ["worse", "better", "inconclusive"] == [row.verdict for row in judged]
    assert {(True, None, None, None)} == {(d.exploratory, d.margin, d.n_needed, d.clusters_needed) for d in judged}


@pytest.mark.parametrize(("metric", "level"), [("error_rate", 0.0), ("pass_rate", 1.0), ("throttle_rate", 0.0)])
def test_what_never_happened_is_ruled_out_by_as_many_prompts_as_wilsons_interval_takes(
    metric: str, level: float
) -> None:
    """Wilson's bound of 0 in n is z²/(n + z²), below 1 % from n = 1.96²·99 = 380.3 on; in groups of ten, ten times."""
    row = found(0.0, 1.0, half=0.02, metric=metric, baseline=level, candidate=level, n=400, clusters=40)
    (judged,) = judge_rows([[row]], [[]], make_rules({metric: "1pp"}))[0]
    assert judged.n_needed is not None
    assert ("inconclusive", True) == (judged.verdict, 3803 <= judged.n_needed <= 3830)
    upside_down = msgspec.structs.replace(row, baseline=1 - level, candidate=1 - level)
    (other,) = judge_rows([[upside_down]], [[]], make_rules({metric: "1pp"}))[0]
    assert judged.n_needed != other.n_needed


def latency(estimate: float, half: float, **facts: object) -> Difference:
    row = found(estimate, 0.001, half, metric="ttft_p50", scale="log_ratio", unit="s", method="time-blocks")
    return msgspec.structs.replace(row, **facts)


@pytest.mark.parametrize(
    ("estimate", "inflated", "verdict"),
    [
        (-0.2, -0.1, "better"),
        (-0.2, -0.05, "no_worse"),
        (-0.2, 0.01, "no_worse"),
        (-0.2, 0.2, "inconclusive"),
        (0.0, 0.01, "no_worse"),
        (0.0, 0.2, "inconclusive"),
        (0.0, math.inf, "inconclusive"),
        (0.2, -math.inf, "worse"),
    ],
)
def test_failures_hide_no_slow_answers(estimate: float, inflated: float, verdict: Verdict) -> None:
    row = latency(estimate, 0.01, inflated_estimate=inflated)
    (judged,) = judge_rows([[row]], [[]], make_rules({"ttft_p50": "10%"}))[0]
    assert verdict == judged.verdict
    assert ("its failed requests may hide slow answers" in judged.note) == (verdict == "inconclusive")
    assert b"inflated_estimate" not in msgspec.json.encode(judged)


@pytest.mark.parametrize(
    ("estimate", "strict", "verdict"),
    [(-0.2, -0.1, "better"), (-0.2, 0.01, "no_worse"), (0.0, 0.2, "inconclusive"), (0.2, math.inf, "worse")],
)
def test_a_baseline_that_fails_makes_no_latency_look_better(estimate: float, strict: float, verdict: Verdict) -> None:
    row = latency(estimate, 0.01, inflated_estimate=-math.inf, strict_estimate=strict)
    (judged,) = judge_rows([[row]], [[]], make_rules({"ttft_p50": "10%"}))[0]
    assert verdict == judged.verdict
    assert ("the baseline's failed requests may hide slow answers" in judged.note) == (verdict == "inconclusive")
    assert b"strict_estimate" not in msgspec.json.encode(judged)


def test_a_quantile_without_bounds_asks_for_the_samples_that_give_it_some() -> None:
    row = latency(0.2, 0.0, low=None, high=None, p_value=None, n_needed=72, clusters_needed=24)
    (judged,) = judge_rows([[row]], [[]], make_rules({"ttft_p50": "10%"}))[0]
    assert ("inconclusive", 72, 24, None) == (
        judged.verdict, judged.n_needed, judged.clusters_needed, judged.p_adjusted,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("estimate", "half", "equivalent", "note"),
    [
        (0.01, 0.005, True, "worse, but by less than the margin"),
        (0.0, 0.01, True, ""),
        (-0.03, 0.04, False, ""),
    ],
)
def test_equivalence_takes_both_bounds_within_the_margin(
    estimate: float, half: float, equivalent: bool, note: str
) -> None:
    (judged,) = judge_rows([[found(estimate, 0.5, half)]], [[]], make_rules({"error_rate": "2pp"}))[0]
    assert ("no_worse", equivalent, note) == (judged.verdict, judged.equivalent, judged.note)


def test_the_n_that_is_named_counts_the_whole_family() -> None:
    row = found(0.04, 0.5, 0.1)
    alone, among = (
        judge_rows([[row] * size], [[]], make_rules(dict.fromkeys(keys, "2pp")))[0][0].n_needed
        for size, keys in ((1, ["error_rate"]), (3, ["error_rate", "pass_rate", "throttle_rate"]))
    )
    assert alone is not None
    assert among is not None
    assert alone < among
