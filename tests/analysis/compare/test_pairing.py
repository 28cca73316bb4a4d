"""What is compared with what: targets of one run or two, their prompts, and what else differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import AttemptCounts, Columns, RunData
from harness.analysis.compare.pairing import (
    FinishedRun,
    difference_findings,
    find_pairings,
    invalid_findings,
    pair,
    unshared_prompts,
)
from harness.errors import CompareError
from harness.store.manifest import Manifest
from harness.suite.suite import Load, Suite

Finish = Callable[..., FinishedRun]


@pytest.fixture
def finish(
    make_suite: Callable[..., Suite],
    make_columns: Callable[..., Columns],
    make_run_manifest: Callable[..., Manifest],
    count_attempts: Callable[[Columns], AttemptCounts],
) -> Finish:
    """A run of these targets that is over, each of whose prompts was asked ten times."""

    def build(run_id: str, targets: Sequence[str], state: str = "complete", **changes: object) -> FinishedRun:
        suite = make_suite(tuple(targets), **changes)
        columns = {name: make_columns(100, target=name) for name in targets}
        counts = {name: count_attempts(c) for name, c in columns.items()}
        return FinishedRun(
            manifest=make_run_manifest(suite, run_id=run_id, state=state),
            suite=suite,
            data=RunData(columns=columns, counts=counts, recorded=100 * len(targets)),
        )

    return build


def names(
    baseline: FinishedRun, candidate: FinishedRun | None, against: str | None = None, wanted: Sequence[str] = ()
) -> list[tuple[str, str]]:
    return [
        (each.baseline_target, each.candidate_target) for each in find_pairings(baseline, candidate, against, wanted)
    ]


def test_in_one_run_the_other_targets_meet_the_baseline(finish: Finish) -> None:
    run = finish("one", "abc", baseline="b")
    assert [("b", "a"), ("b", "c")] == names(run, None)
    assert [("a", "c")] == names(run, None, "a", ["c"])


def test_in_two_runs_namesakes_meet_and_a_named_baseline_meets_what_is_named(finish: Finish) -> None:
    old, new = finish("old", "ab"), finish("new", "bc")
    assert [("b", "b")] == names(old, new)
    assert [("a", "c")] == names(old, new, "a", ["c"])
    assert [("a", "b"), ("a", "c")] == names(old, new, "a")
    assert [("b", "b")] == names(old, new, "b")


def test_without_namesakes_the_only_target_or_the_suites_baseline_meets_all(finish: Finish) -> None:
    new = finish("new", "xy")
    assert [("a", "x"), ("a", "y")] == names(finish("old", "a"), new)
    assert [("b", "x"), ("b", "y")] == names(finish("old", "ab", baseline="b"), new)
    with pytest.raises(CompareError, match="the runs have no target in common and the first has several"):
        names(finish("old", "ab"), new)


def test_a_target_without_a_measured_request_is_refused(finish: Finish) -> None:
    run = finish("one", "ab", baseline="a")
    del run.data.columns["b"]
    with pytest.raises(CompareError, match="measured no requests for b"):
        names(run, None)


def test_each_invalid_run_is_named_and_only_for_the_targets_that_are_compared(finish: Finish) -> None:
    old, new = finish("old", "a"), finish("new", "a", state="interrupted")
    (finding,) = invalid_findings(find_pairings(old, new, None, ()))
    assert finding.what.startswith("new: the run is interrupted")
    alone = finish("one", "ab", baseline="a", state="interrupted")
    (finding,) = invalid_findings(find_pairings(alone, None, None, ()))
    assert finding.what.startswith("the run is interrupted")


def test_what_else_differs_between_two_runs_is_a_finding(finish: Finish) -> None:
    old, new = finish("old", "a"), finish("new", "ab", load=Load(concurrency=9, warmup=1), gate={"ttft_p50": "5%"})
    new = replace(new, manifest=msgspec.structs.replace(new.manifest, endpoint="aws", simulated=False))
    told = [finding.what for finding in difference_findings(old, new, find_pairings(old, new, None, ()))]
    assert "the runs also differ in endpoint, load" in told[0]
    assert ["only one of the runs is simulated", "the runs have different gates; the candidate's gate decides"] == (
        told[1:3]
    )
    assert ["not compared: b, since run old has no such target"] == told[3:]
    assert [] == difference_findings(old, old, find_pairings(finish("x", "ab", baseline="a"), None, None, ()))


def test_prompts_of_one_suite_alone_are_listed_and_none_in_common_is_refused(
    make_suite: Callable[..., Suite],
) -> None:
    few, many = make_suite(prompts=2), make_suite(prompts=4)
    assert (((), ("p2", "p3")), (("p2", "p3"), ()), ((), ())) == (
        unshared_prompts(few, many), unshared_prompts(many, few), unshared_prompts(few, few),
    )  # fmt: skip
    other = msgspec.structs.replace(few, prompts=many.prompts[2:])
    with pytest.raises(CompareError, match="have no prompt in common"):
        unshared_prompts(few, other)


def test_another_tag_or_group_is_the_same_prompt_and_another_check_is_not(make_suite: Callable[..., Suite]) -> None:
    suite = make_suite(prompts=2)
    labelled = tuple(msgspec.structs.replace(p, tags=("new",), group="g") for p in suite.prompts)
    assert ((), ()) == unshared_prompts(suite, msgspec.structs.replace(suite, digest="other", prompts=labelled))
    unchecked = tuple(msgspec.structs.replace(p, checks=()) for p in suite.prompts)
    with pytest.raises(CompareError, match=r"the suites differ in 2 of 2 prompts or their checks: p0 \(checks\), p1"):
        unshared_prompts(suite, msgspec.structs.replace(suite, digest="other", prompts=unchecked))


def test_requests_are_lined_up_by_prompt_and_averaged_by_it(make_columns: Callable[..., Columns]) -> None:
    def asked(*prompts: str) -> Columns:
        ids = np.array(prompts, dtype=object)
        groups = np.array([f"g{prompt}" for prompt in prompts], dtype=object)
        return make_columns(len(prompts), prompt_id=ids, group_id=groups)

    pairs = pair(asked("b", "a", "b", "z"), asked("a", "b", "c"))
    assert (["a", "b"], ["ga", "gb"]) == (pairs.prompts.tolist(), pairs.groups.tolist())
    assert ([1, 0, 1], [0, 1]) == (pairs.baseline.codes.tolist(), pairs.candidate.codes.tolist())
    assert (3, 2) == (len(pairs.baseline.columns.ok), len(pairs.candidate.columns.ok))
    means, counts = pairs.baseline.means(np.array([1.0, np.nan, 4.0]))
    assert ([0, 2], 2.5) == (counts.tolist(), means[1])
    assert np.isnan(means[0])
    assert [0] == pairs.clusters(np.array([False, True])).tolist()
