"""A comparison in words: signs as one reads them, bounds that are missing, names that tell the sides apart."""

from __future__ import annotations

import math

import msgspec
import pytest

from harness.analysis.compare.comparison import Difference
from harness.report.compare import verdicts
from harness.report.compare.sections import remarks
from harness.report.section import Note
from harness.report.wording import write_cell

RATE = {"scale": "points", "unit": "share"}
RATIO = {"scale": "log_ratio", "unit": "s"}


def difference(**facts: object) -> Difference:
    return Difference(**{"metric": "ttft_p95", "baseline": 1.0, "candidate": 1.0, **RATIO, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("ttft_p95", "TTFT p95"),
        ("e2e_p50", "E2E p50"),
        ("tpot_p99", "TPOT p99"),
        ("e2e_p50_equal_length", "E2E p50 at equal length"),
        ("pass_rate", "pass rate"),
        ("pass_rate[two_words]", "pass rate [two_words]"),
        ("cost_per_request", "cost per request"),
        ("pass_rate[\x1b[2J]", "pass rate [�[2J]"),
    ],
)
def test_a_metric_is_written_in_the_words_of_the_field(metric: str, words: str) -> None:
    assert words == verdicts.metric_name(metric)


@pytest.mark.parametrize(
    ("facts", "written"),
    [
        ({"estimate": math.log(1.24), "low": math.log(1.18), "high": math.log(1.31)}, "+24.0% [+18.0, +31.0]"),
        ({"estimate": math.log(0.5), "low": None, "high": math.log(0.9)}, "−50.0% [−∞, −10.0]"),
        ({"estimate": math.log(3.5), "low": math.log(2), "high": None}, "+250% [+100, +∞]"),
        ({"metric": "error_rate", **RATE, "estimate": 0.01, "low": -0.002, "high": 0.03}, "+1.0 pp [−0.2, +3.0]"),
        ({"metric": "pass_rate", **RATE, "estimate": 0.1, "low": 0.05, "high": 0.15}, "−10.0 pp [−15.0, −5.0]"),
        ({"metric": "pass_rate[x]", **RATE, "estimate": -0.1, "low": None, "high": 0.02}, "+10.0 pp [−2.0, +∞]"),
        ({"scale": "absolute", "estimate": 0.2, "low": -0.1, "high": 0.5}, "+0.200 s [−0.100, +0.500]"),
        ({"estimate": 0.0}, "0.0%"),
        ({"estimate": None}, "–"),
    ],
)
def test_a_difference_is_candidate_minus_baseline_with_its_interval(facts: dict[str, object], written: str) -> None:
    assert written == write_cell(verdicts.difference(difference(**facts)))


def test_the_margin_is_written_as_the_suite_has_it_or_worked_out() -> None:
    assert "15%" == verdicts.margin(difference(margin=0.1398, margin_written="15%"))
    assert "5.0 pp" == verdicts.margin(difference(metric="pass_rate", **RATE, margin=0.05))
    assert "–" == verdicts.margin(difference())


def test_a_worse_candidate_is_one_sentence(make_comparison) -> None:
    assert (
        "claude-haiku-4-5/global/converse is worse than claude-sonnet-4-5/global/converse on TTFT p95: +24.0% "
        "(95% interval +18.0 to +31.0%, margin 15%)"
    ) == verdicts.headline(make_comparison(), 0.95)


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (
            "no_worse",
            "is no worse than claude-sonnet-4-5/global/converse: any loss is below the margin on pass",
        ),
        ("better", "is better than claude-sonnet-4-5/global/converse on cost per request: −25.0%"),
        (
            "inconclusive",
            "haiku-4-5/global/converse may be worse than claude-sonnet-4-5/global/converse on pass rate: −5.0 pp",
        ),
    ],
)
def test_every_verdict_has_its_sentence(make_comparison, verdict: str, told: str) -> None:
    assert told in verdicts.headline(make_comparison(verdict=verdict), 0.95)


def test_an_invalid_comparison_whose_rows_are_all_decided_says_what_stops_it(make_comparison) -> None:
    rows = tuple(d for d in make_comparison().differences if d.verdict != "inconclusive")
    decided = make_comparison(verdict="worse", differences=rows)
    told = verdicts.headline(msgspec.structs.replace(decided, verdict="inconclusive"), 0.95)
    assert told.endswith("one of the runs is invalid")
    none = msgspec.structs.replace(decided, verdict="inconclusive", differences=())
    assert verdicts.headline(none, 0.95).endswith("no metric could be compared")


def test_a_clear_difference_that_holm_holds_back_says_why(make_comparison) -> None:
    rate = difference(metric="pass_rate", **RATE, estimate=0.23, low=0.08, high=0.38, margin=0.1, p_value=0.006,
                      p_adjusted=0.096, n=60, n_needed=100)  # fmt: skip
    settled = "needs 100 prompts (now 60) to settle"
    held_back = f"significant on its own, but not after Holm's correction (p 0.006, corrected 0.096); {settled}"
    assert [Note(label="pass rate", text=held_back)] == remarks(make_comparison(), [rate])
    unclear = msgspec.structs.replace(rate, low=-0.01)
    assert [Note(label="pass rate", text=settled)] == remarks(make_comparison(), [unclear])
    refuted = msgspec.structs.replace(rate, p_adjusted=0.01, n_needed=None, note="a rerun could not tell")
    assert [Note(label="pass rate", text="a rerun could not tell")] == remarks(make_comparison(), [refuted])


def test_two_runs_of_one_target_are_told_apart_by_their_run(make_comparison) -> None:
    c = make_comparison()
    again = msgspec.structs.replace(c.baseline, run_id="later")
    candidate, baseline = verdicts.names(make_comparison(candidate=again))
    assert (f"{again.target} (run later)", f"{again.target} (run {c.baseline.run_id})") == (candidate, baseline)


def test_what_would_settle_a_row_is_counted_in_prompts_or_in_answers() -> None:
    rate = difference(metric="pass_rate", **RATE, n=40, n_needed=248)
    assert "248 prompts (now 40)" == verdicts.settled_by(rate, 40)
    quantile = difference(n=118, n_needed=368)
    assert "368 answers on each side (now 118), for example with --repeats 10" == verdicts.settled_by(quantile, 40)
    few = msgspec.structs.replace(quantile, n=72, n_needed=144, clusters=12, clusters_needed=24)
    assert "144 answers on each side (now 72), from 24 prompts or groups (now 12)" == verdicts.settled_by(few, 12)
    tagged = msgspec.structs.replace(rate, metric="pass_rate[facts]", n=10)
    assert "248 prompts (now 10)" == verdicts.settled_by(tagged, 40)
    throttled = msgspec.structs.replace(rate, metric="throttle_rate", n=120)
    assert "248 attempts (now 120)" == verdicts.settled_by(throttled, 40)
    assert "" == verdicts.settled_by(msgspec.structs.replace(quantile, verdict="worse"), 40)


def test_what_several_metrics_share_is_said_once() -> None:
    said = verdicts.said_once(
        [("error_rate", "no failures; two runs, no history"), ("ttft_p50", "two runs, no history")]
    )
    assert [(["error_rate"], "no failures"), (["error_rate", "ttft_p50"], "two runs, no history")] == said
    assert [(["pass_rate"], "first; second")] == verdicts.said_once([("pass_rate", "first; second")])
