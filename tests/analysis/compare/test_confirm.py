"""A fall is reported when it was seen twice."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from harness.analysis.columns import RunData
from harness.analysis.compare.comparison import Arm, BetweenRuns, CompareReport, Comparison, Difference, Verdict
from harness.analysis.compare.confirm import confirm, metrics_to_rerun, outage, unconfirmed
from harness.store.finding import Finding


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
    assert ["ttft_p95"] == metrics_to_rerun(FIRST.comparisons)


def test_a_fall_that_is_seen_again_stays_and_says_so() -> None:
    after = confirm(FIRST, report(row("ttft_p95", "worse", 22.0), verdict="worse").comparisons)
    (c,) = after.comparisons
    assert ("worse", "worse", "worse") == (after.verdict, c.verdict, c.differences[0].verdict)
    assert "confirmed by a rerun (+22.0%)" == c.differences[0].note


def test_a_fall_that_is_not_seen_again_is_inconclusive_and_tells_both() -> None:
    after = confirm(FIRST, report(row("ttft_p95", "no_worse", 3.0), verdict="no_worse").comparisons)
    (c,) = after.comparisons
    assert ("inconclusive", "inconclusive") == (after.verdict, c.verdict)
    assert "worse in the first run, but no worse in a rerun (+3.0%)" == c.differences[0].note
    assert FIRST.comparisons[0].differences[1:] == c.differences[1:]


@pytest.mark.parametrize(
    "again",
    [
        report(row("ttft_p95", "worse", 22.0), verdict="worse", target="other"),
        report(row("e2e_p95", "worse", 22.0), verdict="worse"),
        report(replace(row("ttft_p95", "inconclusive"), estimate=None), verdict="inconclusive"),
    ],
    ids=["another target", "another metric", "no figure"],
)
def test_a_fall_of_which_a_rerun_has_no_figure_stays_and_says_that_it_is_not_confirmed(again: CompareReport) -> None:
    after = confirm(FIRST, again.comparisons)
    (c,) = after.comparisons
    assert ("worse", "worse") == (after.verdict, c.verdict)
    assert "not confirmed by a rerun" == c.differences[0].note


def test_without_a_rerun_the_verdict_stands_with_the_reason() -> None:
    after = unconfirmed(FIRST, Finding(what="the endpoint is away", remedy="start it"))
    (c,) = after.comparisons
    assert ("worse", "worse") == (after.verdict, c.verdict)
    assert ["not confirmed by a rerun", "", ""] == [d.note for d in c.differences]
    assert [Finding(what="worse is not confirmed by a rerun: the endpoint is away", remedy="start it")] == [
        *after.findings
    ]


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        (["credentials"] * 3 + [None] * 7, "3 of 10 requests of a failed with credentials"),
        (["connection"] * 10, "10 of 10 requests of a failed with connection"),
        (["throttled"] * 4 + [None] * 6, None),
        ([None] * 10, None),
    ],
)
def test_a_rerun_that_lost_its_endpoint_or_its_credentials_tells_nothing_of_the_model(
    make_columns: Any, kinds: list[str | None], told: str | None
) -> None:
    columns = make_columns()
    columns = dataclasses.replace(
        columns, ok=np.array([kind is None for kind in kinds]), error_kind=np.array(kinds, dtype=object)
    )
    found = outage(RunData(columns={"a": columns}, counts={}, recorded=10))
    assert told == (found and found.what)


def test_of_two_falls_one_seen_again_is_enough() -> None:
    first = report(row("ttft_p95", "worse", 24.0), row("e2e_p95", "worse", 30.0), verdict="worse")
    again = report(row("ttft_p95", "inconclusive", 5.0), row("e2e_p95", "worse", 28.0), verdict="worse")
    after = confirm(first, again.comparisons)
    assert "worse" == after.verdict
    assert ["inconclusive", "worse"] == [d.verdict for d in after.comparisons[0].differences]


OPEN = report(
    row("pass_rate", "no_worse"),
    row("ttft_p50", "inconclusive", 40.0, between_runs=BetweenRuns(runs=0)),
    row("e2e_p50", "inconclusive", 40.0, between_runs=BetweenRuns(runs=0)),
    verdict="inconclusive",
)


def in_one_run(*rows: Difference, verdict: Verdict) -> tuple[Comparison, ...]:
    return tuple(replace(c, time="cancels") for c in report(*rows, verdict=verdict).comparisons)


def test_a_rerun_of_both_targets_in_one_run_decides_what_two_runs_left_open() -> None:
    assert ["ttft_p50", "e2e_p50"] == metrics_to_rerun(OPEN.comparisons)
    again = in_one_run(row("ttft_p50", "worse", 30.0), row("e2e_p50", "no_worse", 1.0), verdict="worse")
    after = confirm(OPEN, again)
    (c,) = after.comparisons
    assert ("worse", "worse", "rerun") == (after.verdict, c.verdict, c.time)
    assert ["no_worse", "worse", "no_worse"] == [d.verdict for d in c.differences]
    assert again[0].differences[0].estimate == c.differences[1].estimate
    told = "decided by a rerun of both targets in one run; the two runs at two times said +40.0%"
    assert told == c.differences[1].note
    fine = in_one_run(row("ttft_p50", "no_worse", 1.0), row("e2e_p50", "no_worse", 1.0), verdict="no_worse")
    assert "no_worse" == confirm(OPEN, fine).verdict


def test_two_runs_that_differed_by_nothing_are_told_as_such() -> None:
    level = report(row("ttft_p50", "inconclusive", 0.0, between_runs=BetweenRuns(runs=0)), verdict="inconclusive")
    after = confirm(level, in_one_run(row("ttft_p50", "no_worse", 1.0), verdict="no_worse"))
    assert after.comparisons[0].differences[0].note.endswith("; the two runs at two times said +0.0%")


def test_a_rerun_of_the_candidate_alone_decides_nothing_that_was_open() -> None:
    again = report(row("ttft_p50", "worse", 30.0), row("e2e_p50", "worse", 1.0), verdict="worse")
    assert OPEN == confirm(OPEN, again.comparisons)


def test_without_a_rerun_what_is_open_stays_so_with_the_reason() -> None:
    after = unconfirmed(OPEN, Finding(what="the endpoint is away", remedy="start it"))
    assert ("inconclusive", OPEN.comparisons) == (after.verdict, after.comparisons)
    assert ["no rerun has decided what is open: the endpoint is away"] == [finding.what for finding in after.findings]
