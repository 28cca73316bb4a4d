"""Flips out of stored runs: both answers, cut and bounded, and why the failing side failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from harness.analysis.comparison import Flip
from harness.analysis.flips import MOST_CHARACTERS, MOST_FLIPS, with_answers
from harness.analysis.loader import load_run
from harness.analysis.pairs import pair
from harness.store.attempt import Attempt
from harness.store.run_folder import RunFolder
from harness.store.score import Score
from harness.suite.schema import Suite


def find(run: RunFolder) -> list[Flip]:
    """The flips between targets `a` and `b` of one run, with their answers."""
    from harness.analysis.flips import find_flips

    columns = load_run(run).columns
    flips = find_flips(pair(columns["a"], columns["b"]), {"p0": ("even",)})
    return with_answers(flips, (run, "a"), (run, "b"))


def stored(
    make_suite: Callable[..., Suite],
    make_attempt: Callable[..., Attempt],
    write_run: Callable[..., RunFolder],
    said: list[tuple[str, str, bool, dict[str, Any]]],
) -> RunFolder:
    """A run of (target, prompt, passed, changes of the attempt)."""
    attempts, scores = [], []
    for index, (target, prompt, passed, changes) in enumerate(said):
        request = f"{index:06d}-00"
        attempts.append(make_attempt(request, target=target, prompt_id=prompt, text=f"{target} says", **changes))
        reason = "" if passed else "not what was expected"
        scores.append(Score(request_id=request, scorer="exact", value=float(passed), passed=passed, reason=reason))
    return write_run(make_suite(("a", "b"), prompts=100), attempts, scores)


def test_losses_come_first_with_both_answers_and_the_reason(make_suite, make_attempt, write_run) -> None:
    failed = {"ok": False, "error_kind": "throttled"}
    run = stored(
        make_suite,
        make_attempt,
        write_run,
        [
            ("a", "p0", True, {}),
            ("b", "p0", False, {}),
            ("a", "p1", False, failed),
            ("b", "p1", True, {}),
            ("a", "p2", True, {}),
            ("b", "p2", True, {}),
        ],
    )
    lost, gained = find(run)
    assert ("p0", ("even",), "pass_to_fail", 1.0, 0.0) == (
        lost.prompt_id, lost.tags, lost.direction, lost.baseline_passed, lost.candidate_passed,
    )  # fmt: skip
    assert ("a says", "b says", "not what was expected") == (
        lost.baseline_answer, lost.candidate_answer, lost.reason,
    )  # fmt: skip
    assert ("p1", "fail_to_pass", None, "b says") == (
        gained.prompt_id, gained.direction, gained.baseline_answer, gained.candidate_answer,
    )  # fmt: skip


def test_of_several_answers_the_one_that_shows_the_flip_is_told(make_suite, make_attempt, write_run) -> None:
    said = [
        ("a", "p0", False, {"repeat": 0, "text": "wrong"}),
        ("a", "p0", True, {"repeat": 1, "text": "right"}),
        ("a", "p0", True, {"repeat": 2, "text": "right too"}),
        *(("b", "p0", False, {"repeat": at, "text": "x" * 5000}) for at in range(3)),
    ]
    attempts, scores = [], []
    for index, (target, prompt, passed, changes) in enumerate(said):
        attempts.append(make_attempt(f"{index:06d}-00", target=target, prompt_id=prompt, **changes))
        scores.append(Score(request_id=f"{index:06d}-00", scorer="exact", value=float(passed), passed=passed))
    (flip,) = find(write_run(make_suite(("a", "b")), attempts, scores))
    assert ("right", MOST_CHARACTERS) == (flip.baseline_answer, len(flip.candidate_answer or ""))
    assert (2 / 3, 0.0) == (flip.baseline_passed, flip.candidate_passed)


def test_no_more_flips_than_people_read_and_both_ways_are_shown(make_suite, make_attempt, write_run) -> None:
    said = [("a", f"p{i}", i < 60, {}) for i in range(100)] + [("b", f"p{i}", i >= 60, {}) for i in range(100)]
    shown = find(stored(make_suite, make_attempt, write_run, said))
    directions = [flip.direction for flip in shown]
    assert (MOST_FLIPS, MOST_FLIPS // 2) == (len(shown), directions.count("pass_to_fail"))
    assert all(msgspec.json.encode(flip) for flip in shown)
