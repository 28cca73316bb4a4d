"""Margins as a suite writes them, on the scale of their metric, and the exit code of a verdict."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import pytest

from harness.analysis.compare.comparison import CompareReport, Verdict
from harness.analysis.compare.gate import DEFAULT_GATE, exit_code, gate_of, make_rules
from harness.errors import CompareError
from harness.suite.suite import Check, Suite


@pytest.mark.parametrize(
    ("metric", "written", "scale", "margin"),
    [
        ("pass_rate", "3pp", "points", 0.03),
        ("pass_rate[facts]", "10pp", "points", 0.10),
        ("throttle_rate", "0.5pp", "points", 0.005),
        ("ttft_p95", "15%", "log_ratio", math.log(1.15)),
        ("e2e_p50", "200ms", "absolute", 0.2),
        ("tpot_p99", "1s", "absolute", 1.0),
        ("cost_per_request", "10%", "log_ratio", math.log(1.1)),
        ("cost_per_request", "$0.002", "absolute", 0.002),
    ],
)
def test_a_margin_is_on_the_scale_of_its_metric(metric: str, written: str, scale: str, margin: float) -> None:
    (rule,) = make_rules({metric: written})
    assert (metric, written, scale, pytest.approx(margin)) == (rule.metric, rule.written, rule.scale, rule.margin)


@pytest.mark.parametrize(
    ("metric", "written", "message"),
    [
        ("ttft_p42", "15%", r"gate\.ttft_p42: no such metric \(known: pass_rate, error_rate, throttle_rate, pass_rate"),
        ("pass@3", "3pp", "no such metric"),
        ("cost_per_correct", "10%", "no such metric"),
        ("e2e_p50_equal_length", "10%", "no such metric"),
        ("pass_rate", "15%", "percentage points"),
        ("ttft_p95", "3pp", r"gate\.ttft_p95: "),
        ("cost_per_request", "200ms", r"gate\.cost_per_request: "),
    ],
)
def test_what_no_gate_can_name_or_read_is_refused(metric: str, written: str, message: str) -> None:
    with pytest.raises(CompareError, match=message):
        make_rules({metric: written})


def test_the_default_gate_keeps_what_the_suite_can_have(make_suite: Callable[..., Suite]) -> None:
    suite = make_suite()
    assert (DEFAULT_GATE, True) == gate_of(suite, tail=True)
    assert ["pass_rate", "error_rate", "ttft_p50", "e2e_p50", "cost_per_request"] == list(gate_of(suite, tail=False)[0])
    whole = tuple(msgspec.structs.replace(target, stream=False) for target in suite.targets)
    assert "ttft_p95" not in gate_of(msgspec.structs.replace(suite, targets=whole), tail=True)[0]
    ungraded = tuple(msgspec.structs.replace(prompt, checks=(Check(type="pairwise"),)) for prompt in suite.prompts)
    assert "pass_rate" not in gate_of(msgspec.structs.replace(suite, prompts=ungraded), tail=True)[0]
    own = {"ttft_p50": "5%"}
    assert (own, False) == gate_of(msgspec.structs.replace(suite, gate=own), tail=False)


@pytest.mark.parametrize(
    ("verdict", "valid", "code"),
    [
        ("better", True, 0),
        ("no_worse", True, 0),
        ("worse", True, 1),
        ("inconclusive", True, 3),
        ("inconclusive", False, 4),
        ("worse", False, 4),
    ],
)
def test_the_exit_code_is_the_verdicts_unless_a_run_is_invalid(verdict: Verdict, valid: bool, code: int) -> None:
    report = CompareReport(suite="s", suite_digest="d", simulated=True, level=0.95, comparisons=(), verdict=verdict,
                           family=1, valid=valid)  # fmt: skip
    assert code == exit_code(report)
