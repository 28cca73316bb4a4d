"""A fall is reported when it was seen twice."""

from __future__ import annotations

import math

import pytest

from harness.analysis.comparison import Arm, CompareReport, Comparison, Difference, Verdict
from harness.analysis.confirm import confirm, fallen


def row(metric: str, verdict: Verdict, percent: float = 0.0, **facts: object) -> Difference:
    estimate = math.log1p(percent / 100)
    return Difference(metric=metric, scale="log_ratio", unit="s", baseline=1.0, candidate=1.0, estimate=estimate,
                      verdict=verdict, **facts)  # type: ignore[arg-type]  # fmt: skip


def report(*rows: Difference, verdict: Verdict, target: str = "new") -> CompareReport:
    def arm(name: str) -> Arm:
        return Arm(run_id="r", target=name, model_id="m", routing="us", api="invoke", client="wire", region="us-east-1",
                   requests=9, failed=0)  # fmt: skip

    comparison = Comparison(baseline=arm("old"), candidate=arm(target), verdict=verdict, differences=rows, prompts=9)
    return CompareReport(suite="s", suite_digest="d", simulated=True, level=0.95, comparisons=(comparison,),
                         verdict=verdict, family=len(rows))  # fmt: skip


FIRST = report(
    row("ttft_p95", "worse", 24.0),
    row("cost_per_request", "better", -20.0),
    row("pass_rate[x]", "worse", 9.0, exploratory=True),
    verdict="worse",
)


def test_only_what_decides_has_fallen() -> None:
    assert ["ttft_p95"] == fallen(FIRST)


def test_a_fall_that_is_seen_again_stays_and_says_so() -> None:
    after = confirm(FIRST, report(row("ttft_p95", "worse", 22.0), verdict="worse"))
    (c,) = after.comparisons
    assert ("worse", "worse", "worse") == (after.verdict, c.verdict, c.differences[0].verdict)
    assert "confirmed by a rerun (+22.0%)" == c.differences[0].note


@pytest.mark.parametrize(
    ("again", "told"),
    [
        (report(row("ttft_p95", "equivalent", 3.0), verdict="equivalent"), "a rerun says equivalent (+3.0%)"),
        (report(row("ttft_p95", "worse", 22.0), verdict="worse", target="other"), "a rerun could not tell"),
        (None, "a rerun could not tell"),
    ],
)
def test_a_fall_that_is_not_seen_again_is_inconclusive_and_tells_both(again: CompareReport | None, told: str) -> None:
    after = confirm(FIRST, again)
    (c,) = after.comparisons
    assert ("inconclusive", "inconclusive") == (after.verdict, c.verdict)
    assert f"worse at first, but {told}" == c.differences[0].note
    assert FIRST.comparisons[0].differences[1:] == c.differences[1:]


def test_of_two_falls_one_seen_again_is_enough() -> None:
    first = report(row("ttft_p95", "worse", 24.0), row("e2e_p95", "worse", 30.0), verdict="worse")
    again = report(row("ttft_p95", "inconclusive", 5.0), row("e2e_p95", "worse", 28.0), verdict="worse")
    after = confirm(first, again)
    assert "worse" == after.verdict
    assert ["inconclusive", "worse"] == [d.verdict for d in after.comparisons[0].differences]
