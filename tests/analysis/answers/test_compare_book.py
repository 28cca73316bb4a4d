"""The book of a comparison: the arms of one run or of two, and what changed first, as the comparison counts it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from harness.analysis.answers.book import BookArm, Cell
from harness.analysis.answers.load import compare_book, load_book
from harness.analysis.compare.compare import compare_targets, load_finished_run
from harness.analysis.compare.pairing import FinishedRun
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

Marks = dict[str, dict[str, str]]
"""Target → prompt → its answers: `+` passed, `-` did not, `!` a failed request, `?` unscored."""
MakeRun = Callable[..., FinishedRun]


@pytest.fixture
def make_run(
    make_suite: Callable[..., Suite], make_attempt: Callable[..., Attempt], write_run: Callable[..., RunFolder]
) -> MakeRun:
    """A stored run of these outcomes; its suite has the prompts `p0` to `p9`."""

    def make(marks: Marks, **changes: Any) -> FinishedRun:
        said = [(t, p, at, mark) for t, by in marks.items() for p, all_ in by.items() for at, mark in enumerate(all_)]
        attempts, scores = [], []
        for index, (target, prompt, repeat, mark) in enumerate(said):
            request, failed = f"{index:06d}-00", {"ok": False, "error_kind": "throttled"} if mark == "!" else {}
            attempts.append(
                make_attempt(request, target=target, prompt_id=prompt, repeat=repeat, text=f"{target} {mark}", **failed)
            )
            passed = {"+": True, "?": None}.get(mark, False)
            value = None if passed is None else float(passed)
            scores.append(Score(request_id=request, scorer="exact", value=value, passed=passed))
        return load_finished_run(write_run(make_suite(list(marks), **changes), attempts, scores))

    return make


CHANGED: Marks = {
    "a": {"p0": "++", "p1": "--", "p2": "++", "p3": "++", "p4": "+?", "p5": "?+", "p6": "++"},
    "b": {"p0": "++", "p1": "++", "p2": "+-", "p3": "--", "p4": "+!", "p5": "-?", "p6": "+?"},
    "c": {"p0": "-+", "p1": "-+", "p2": "++", "p3": "++", "p4": "++", "p5": "+?", "p6": "++"},
}


def folder(run: FinishedRun) -> RunFolder:
    assert run.folder is not None
    return run.folder


def test_changed_prompts_come_first_the_worst_of_all_then_gains(make_run: MakeRun) -> None:
    run = make_run(CHANGED, baseline="a")
    book = compare_book(compare_targets(run), run.suite, folder(run))
    changed = [(each.id, each.flip) for each in book.prompts if each.flip]
    assert [("p3", "worse"), ("p5", "worse"), ("p0", "worse"), ("p2", "worse"), ("p4", "worse"), ("p1", "better")] == (
        changed
    )
    assert ["p6", "p7", "p8", "p9"] == [each.id for each in book.prompts[6:]]
    assert sorted(range(7)) == sorted({each.prompt for each in book.answers})
    assert ["a +", "a +", "b -", "b -", "c +", "c +"] == [each.text for each in book.answers if each.prompt == 0]
    assert Cell(prompt=4, arm=1, answers=2, passed=1, scored=2, failed=1) == book.cells[13]


def test_changes_are_those_of_the_comparison(make_run: MakeRun) -> None:
    run = make_run({name: CHANGED[name] for name in "ab"}, baseline="a")
    report = compare_targets(run)
    book = compare_book(report, run.suite, folder(run))
    told = [(flip.prompt_id, flip.direction) for flip in report.comparisons[0].flips]
    assert told == [(each.id, each.flip) for each in book.prompts if each.flip]


def test_only_what_is_compared_is_in_the_book(make_run: MakeRun) -> None:
    run = make_run(CHANGED)
    report = compare_targets(run, baseline_target="c", candidate_targets=["b"])
    book = compare_book(report, run.suite, folder(run))
    assert (BookArm(target="c", baseline=True), BookArm(target="b", against=0)) == book.arms
    assert 28 == book.total


def test_two_runs_stand_side_by_side(make_run: MakeRun) -> None:
    earlier = make_run({"a": {"p0": "+", "p1": "+"}, "b": {"p0": "-", "p1": "+"}})
    later = make_run({"a": {"p0": "+", "p1": "-"}, "b": {"p0": "+", "p1": "+"}})
    report = compare_targets(earlier, later)
    book = compare_book(report, later.suite, folder(earlier), folder(later))
    first, second = earlier.manifest.run_id, later.manifest.run_id
    assert (
        BookArm(target="a", run_id=first, baseline=True),
        BookArm(target="a", run_id=second, against=0),
        BookArm(target="b", run_id=first, baseline=True),
        BookArm(target="b", run_id=second, against=2),
    ) == book.arms
    assert [("p1", "worse"), ("p0", "better")] == [(each.id, each.flip) for each in book.prompts if each.flip]
    shown = [(each.prompt, each.arm, each.text) for each in book.answers]
    assert [
        (0, 0, "a +"), (0, 1, "a -"), (0, 2, "b +"), (0, 3, "b +"),
        (1, 0, "a +"), (1, 1, "a +"), (1, 2, "b -"), (1, 3, "b +"),
    ] == shown  # fmt: skip
    assert book.query.count("--run ") == 2


def test_prompts_of_one_side_are_left_out(make_run: MakeRun) -> None:
    earlier = make_run({"a": {"p0": "+", "p1": "+"}}, prompts=2)
    later = make_run({"a": {"p0": "+", "p2": "-"}}, prompts=3)
    report = compare_targets(earlier, later)
    book = compare_book(report, later.suite, folder(earlier), folder(later))
    assert (["p0", "p1"], 3) == ([each.id for each in book.prompts], book.total)


def test_a_sample_of_a_comparison_shows_both_sides_of_changes(make_run: MakeRun) -> None:
    marks = {name: {f"p{i}": all_ for i in range(10)} for name, all_ in (("a", "-++++++++"), ("b", "-" * 9))}
    run = make_run(marks, baseline="a")
    book = compare_book(compare_targets(run), run.suite, folder(run), most=40)
    passed = {(each.prompt, each.repeat, each.arm): each.passed for each in book.answers}
    changed = {prompt for prompt, repeat, arm in passed if passed[prompt, repeat, 0] and not passed[prompt, repeat, 1]}
    assert (40, set(range(10))) == (len(passed), changed)


def test_no_question_is_cut_in_two(make_run: MakeRun) -> None:
    run = make_run({name: {f"p{i}": "+-" * 5 for i in range(10)} for name in "abc"}, baseline="a")
    book = compare_book(compare_targets(run), run.suite, folder(run), most=40)
    arms = Counter((each.prompt, each.repeat) for each in book.answers)
    assert (39, {3}) == (len(book.answers), set(arms.values()))


def test_a_runs_own_book_marks_the_same_changes(make_run: MakeRun) -> None:
    run = make_run(CHANGED, baseline="a")
    compared = compare_book(compare_targets(run), run.suite, folder(run))
    own = load_book(folder(run), run.suite)
    assert {each.id: each.flip for each in compared.prompts} == {each.id: each.flip for each in own.prompts}
    assert [f"p{at}" for at in range(10)] == [each.id for each in own.prompts]
