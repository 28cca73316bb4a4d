"""The findings of stalls: each stall is named once, with what it explains of every comparison."""

from __future__ import annotations

import math

from harness.analysis.compare.comparison import Arm, Comparison
from harness.analysis.compare.stalls import stall_findings
from harness.analysis.stalls import Explained, Stall

ORIGINS = {"run": lambda at_ns: 1_700_000_000_000_000_000 + at_ns}


def stall(target: str, start_s: float = 30.0, requests: int = 16) -> Stall:
    return Stall(run_id="run", target=target, start_s=start_s, seconds=3.75, requests=requests, times_as_slow=5.12)


def comparison(candidate: str, *stalls: Stall, percent: float = 61.0, without: float = 4.0) -> Comparison:
    def arm(name: str) -> Arm:
        return Arm(run_id="run", target=name, model_id="m", routing="us", api="invoke", client="wire",
                   region="us-east-1", requests=9, failed=0)  # fmt: skip

    measured, left = math.log1p(percent / 100), math.log1p(without / 100)
    explained = Explained(metric="ttft_p95", logarithm=True, measured=measured, without=left)
    return Comparison(
        baseline=arm("slow"), candidate=arm(candidate), verdict="worse", differences=(), prompts=9, stalls=stalls,
        without_stalls=(explained,) if stalls else (),
    )  # fmt: skip


def test_the_finding_says_when_who_how_long_and_how_much() -> None:
    (finding,) = stall_findings([comparison("fast", stall("fast"))], ORIGINS)
    assert (
        "fast against slow: fast stalled for 3.8 s at 30 s (22:13:50 UTC): 16 answers, 5.1 × as slow as its median; "
        "without these answers: TTFT p95 +61% → +4%"
    ) == finding.what
    assert not finding.invalidates
    assert [] == stall_findings([comparison("fast")], ORIGINS)


def test_a_stall_of_the_baseline_is_named_once_for_all_candidates() -> None:
    found = [comparison("a", stall("slow")), comparison("b", stall("slow", 30.25, 15), percent=50), comparison("c")]
    (finding,) = stall_findings(found, ORIGINS)
    assert (
        "slow stalled for 3.8 s at 30 s (22:13:50 UTC): 16 answers, 5.1 × as slow as its median; "
        "without these answers: a TTFT p95 +61% → +4%; b TTFT p95 +50% → +4%"
    ) == finding.what


def test_two_stalls_of_the_baseline_are_both_named() -> None:
    found = [comparison("a", stall("slow"), stall("slow", 50.0)), comparison("b", stall("slow"))]
    (finding,) = stall_findings(found, ORIGINS)
    assert ["30 s", "50 s"] == [moment for moment in ("30 s", "50 s") if f"at {moment}" in finding.what]
    assert 2 == finding.what.count("stalled for")


def test_a_candidate_that_stalled_itself_has_a_finding_of_its_own() -> None:
    found = [comparison("a", stall("slow"), stall("a", 70.0)), comparison("b", stall("slow"))]
    of_baseline, of_a = (finding.what for finding in stall_findings(found, ORIGINS))
    assert of_baseline.startswith("b against slow: slow stalled for 3.8 s at 30 s")
    assert (
        "a against slow: a stalled for 3.8 s at 70 s (22:14:30 UTC): 16 answers, 5.1 × as slow as its median; "
        "without these answers and those in the baseline's stalls: TTFT p95 +61% → +4%"
    ) == of_a
