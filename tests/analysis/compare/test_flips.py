"""Prompts that changed, out of stored runs: every one of them, with both answers of the first, and why one failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import Columns
from harness.analysis.compare.comparison import Flip, Outcomes
from harness.analysis.compare.flips import (
    MOST_ANSWERS,
    MOST_CHARACTERS,
    expected_from_repeats,
    find_flips,
    with_answers,
)
from harness.analysis.compare.pairing import pair
from harness.analysis.loader import load_run
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite


def of(side: Outcomes) -> tuple[int, int]:
    return side.passed, side.scored


def find(run: RunFolder) -> list[Flip]:
    """The flips between targets `a` and `b` of one run, with their answers."""
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
    assert ("p0", ("even",), "worse", (1, 1), (0, 1)) == (
        lost.prompt_id, lost.tags, lost.direction, of(lost.baseline), of(lost.candidate),
    )  # fmt: skip
    assert ("a says", "b says", "not what was expected") == (
        lost.baseline_answer, lost.candidate_answer, lost.reason,
    )  # fmt: skip
    assert ("p1", "better", None, "b says") == (
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
    assert ("right", "x" * MOST_CHARACTERS + "… (5,000 characters)") == (flip.baseline_answer, flip.candidate_answer)
    assert ((2, 3), (0, 3)) == (of(flip.baseline), of(flip.candidate))


def test_of_many_prompts_that_changed_all_are_listed_and_some_of_both_ways_with_answers(
    make_suite, make_attempt, write_run
) -> None:
    said = [("a", f"p{i}", i < 60, {}) for i in range(100)] + [("b", f"p{i}", i >= 60, {}) for i in range(100)]
    found = find(stored(make_suite, make_attempt, write_run, said))
    assert ["worse"] * 60 + ["better"] * 40 == [flip.direction for flip in found]
    shown = [flip.direction for flip in found if flip.baseline_answer is not None]
    assert (MOST_ANSWERS, MOST_ANSWERS // 2) == (len(shown), shown.count("worse"))
    assert all(msgspec.json.encode(flip) for flip in found)


Marks = dict[str, tuple[str, str]]
"""Prompt → its answers, baseline's and candidate's: `+` passed, `-` did not, `!` a failed request, `?` unscored."""


@pytest.fixture
def compare(make_columns: Callable[..., Columns]) -> Callable[[Marks], list[tuple[str, str]]]:
    """What is listed of such outcomes: (prompt, `2/3 → 1/2`), in order."""

    def side(said: Mapping[str, str]) -> Columns:
        prompts = np.array([prompt for prompt, marks in said.items() for _ in marks], dtype=object)
        marks = "".join(said.values())
        passed = np.array([{"+": 1.0, "?": np.nan}.get(mark, 0.0) for mark in marks])
        ok = np.array([mark != "!" for mark in marks])
        return make_columns(n=len(marks), prompt_id=prompts, group_id=prompts, passed=passed, ok=ok)

    def told(side: Outcomes) -> str:
        return f"{side.passed}/{side.scored}" + f" ({side.unscored} unscored)" * bool(side.unscored)

    def listed(said: Marks) -> list[tuple[str, str]]:
        sides = [side({prompt: marks[at] for prompt, marks in said.items()}) for at in (0, 1)]
        flips = find_flips(pair(*sides), {})
        return [(flip.prompt_id, f"{told(flip.baseline)} → {told(flip.candidate)}") for flip in flips]

    return listed


@pytest.mark.parametrize(
    ("baseline", "candidate", "told"),
    [
        ("++", "+-", "2/2 → 1/2"),
        ("+-", "++", "1/2 → 2/2"),
        ("++-", "+-", "2/3 → 1/2"),
        ("++", "+!", "2/2 → 1/2"),
        ("!!", "++", "0/2 → 2/2"),
        ("++?", "+-?", "2/2 (1 unscored) → 1/2 (1 unscored)"),
        ("+" * 10, "+" * 9 + "-", "10/10 → 9/10"),
    ],
)
def test_a_prompt_of_which_another_share_passed_is_listed(
    compare: Callable[[Marks], list[tuple[str, str]]], baseline: str, candidate: str, told: str
) -> None:
    assert [("p", told)] == compare({"p": (baseline, candidate)})


@pytest.mark.parametrize(
    ("baseline", "candidate"), [("+-", "-+"), ("+-", "++--"), ("+", "++"), ("??", "++"), ("+", "?")]
)
def test_a_prompt_of_which_the_same_share_passed_or_nothing_is_known_is_not(
    compare: Callable[[Marks], list[tuple[str, str]]], baseline: str, candidate: str
) -> None:
    assert [] == compare({"p": (baseline, candidate)})


def test_the_worst_comes_first_and_what_changed_alike_in_the_order_of_its_names(
    compare: Callable[[Marks], list[tuple[str, str]]],
) -> None:
    said = {
        "e": ("--", "++"), "d": ("+-", "++"), "b": ("++", "+-"), "a": ("+++", "++-"), "c": ("++", "--"),
        "b2": ("++-+", "+--"), "a2": ("++-", "+--"), "same": ("+-", "+-"),
    }  # fmt: skip
    assert ["c", "b", "b2", "a", "a2", "d", "e"] == [prompt for prompt, _ in compare(said)]


def test_repeats_say_how_many_prompts_an_unchanged_model_changes(make_suite, make_attempt, write_run) -> None:
    """`a` was asked twice, and one of its four prompts disagrees with itself: E[p(1 − p)] = 1/8.

    A share of two answers differs from one of a single answer with probability 3·E[p(1 − p)].
    """
    twice = [("a", f"p{i}", passed, {}) for i in range(4) for passed in (True, i > 0)]
    once = [("b", f"p{i}", True, {}) for i in range(4)]
    columns = load_run(stored(make_suite, make_attempt, write_run, [*twice, *once])).columns
    changes, source = expected_from_repeats(pair(columns["b"], columns["a"])) or (None, "")
    assert ("2 repeats", 1.5) == (source, pytest.approx(changes, rel=1e-4))
    assert expected_from_repeats(pair(columns["b"], columns["b"])) is None
