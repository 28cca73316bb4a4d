"""The rule of a verdict, metric by metric and over all of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from harness.analysis.compare.verdict import decide, decide_direction, needed, worst, worst_of_comparisons


@pytest.mark.parametrize(
    ("estimate", "low", "high", "p_adjusted", "verdict"),
    [
        (0.10, 0.05, 0.15, 0.001, "worse"),
        (0.10, 0.05, 0.15, 0.20, "inconclusive"),  # significant alone, not in its family
        (0.10, -0.01, 0.21, 0.01, "inconclusive"),  # the p-value alone does not do
        (0.02, 0.01, 0.029, 0.001, "equivalent"),  # worse, by less than the margin
        (0.02, 0.01, 0.04, 0.001, "inconclusive"),
        (-0.10, -0.15, -0.05, 0.001, "better"),
        (-0.10, -0.15, -0.05, 0.20, "equivalent"),
        (-0.02, -0.02, -0.01, 0.001, "equivalent"),  # better, by less than the margin
        (0.00, -0.20, 0.02, 1.0, "equivalent"),  # not worse than the margin
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
    assert "inconclusive" == worst(["better", "inconclusive", "equivalent"])
    assert "better" == worst(["equivalent", "better"])
    assert "equivalent" == worst(["equivalent"])
    assert "inconclusive" == worst([]) == worst_of_comparisons([])
    assert "equivalent" == worst_of_comparisons(["better", "equivalent"])


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
    assert "equivalent" == verdict(difference - 1e-6)
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
    settled = sum(each in ("worse", "equivalent", "better") for each in verdicts) / len(verdicts)
    assert 0.79 <= settled <= 0.85
