"""The book of one run: every answer as it was recorded, or a sample of them, out of runs that the store wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from harness.analysis.answers.book import AnswerBook, BookArm, Cell, CheckResult, ReadAnswer, Vote
from harness.analysis.answers.load import load_book
from harness.analysis.answers.read import MOST_BYTES, MOST_CHARACTERS, MOST_LISTED
from harness.catalog.target import Options
from harness.errors import StoreError
from harness.scoring.judgements import Judgement
from harness.store.records import Attempt, Score
from harness.store.run_folder import RunFolder
from harness.suite.suite import Graders, Judge, Load, Suite

MakeSuite = Callable[..., Suite]
MakeAttempt = Callable[..., Attempt]
WriteRun = Callable[..., RunFolder]
LoadOne = Callable[..., ReadAnswer]


def score(request_id: str, passed: bool | None, reason: str = "", scorer: str = "exact", **changes: Any) -> Score:
    value = None if passed is None else float(passed)
    return msgspec.structs.replace(
        Score(request_id=request_id, scorer=scorer, value=value, passed=passed, reason=reason), **changes
    )


@pytest.fixture
def load_one(make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun) -> LoadOne:
    """The answer of a run with one attempt, made with these changes."""

    def load(**changes: Any) -> ReadAnswer:
        suite = make_suite()
        (answer,) = load_book(write_run(suite, [make_attempt("000000-00", **changes)]), suite).answers
        return answer

    return load


def test_arms_are_the_targets_and_each_prompt_has_an_answer_of_both(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite(["b", "a"], prompts=2, baseline="a")
    asked = [("a", "p1", True), ("b", "p1", False), ("a", "p0", True), ("b", "p0", True)]
    attempts = [make_attempt(f"{at:06d}-00", target=t, prompt_id=p, text=t + p) for at, (t, p, _) in enumerate(asked)]
    scores = [score(f"{at:06d}-00", passed) for at, (*_, passed) in enumerate(asked)]
    book = load_book(write_run(suite, attempts, scores), suite)
    assert (BookArm(target="b", against=1), BookArm(target="a", baseline=True)) == book.arms
    assert [("p0", None), ("p1", "worse")] == [(each.id, each.flip) for each in book.prompts]
    shown = [(each.prompt, each.arm, each.text, each.passed) for each in book.answers]
    assert [(0, 0, "bp0", True), (0, 1, "ap0", True), (1, 0, "bp1", False), (1, 1, "ap1", True)] == shown
    assert (4, 2, "", ()) == (book.total, book.total_prompts, book.sampled, book.notes)


def test_an_answer_has_its_whole_record(make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun) -> None:
    tries = [
        make_attempt("000000-00", ok=False, error_kind="throttled", sent_ns=1_100_000_000, done_ns=1_200_000_000),
        make_attempt(
            "000000-00", try_no=2, due_ns=3_000_000_000, sent_ns=3_500_000_000, first_ns=4_000_000_000,
            done_ns=6_000_000_000, text="Paris", stop_reason="end_turn", cost_usd=0.02, repeat=0,
            citations='[{"document": "a.pdf", "start_page": 3, "end_page": 3, "text": "In Paris"}, {"text": "It is"},'
            ' {"document": "b", "start_page": 1, "end_page": 2, "text": "so"}]',
        ),
    ]  # fmt: skip
    scores = [
        score("000000-00", True),
        score("000000-00", False, "too short", "regex"),
        score("000000-00", None, "win: shorter", "pairwise", value=1.0),
    ]
    suite = make_suite()
    expected = ReadAnswer(
        prompt=0, arm=0, request_id="000000-00", passed=False, text="Paris",
        citations=("a.pdf p. 3: In Paris", "document: It is", "b pp. 1–2: so"),
        checks=(
            CheckResult(scorer="exact", passed=True, value=1.0),
            CheckResult(scorer="pairwise", value=1.0, reason="win: shorter"),
            CheckResult(scorer="regex", passed=False, value=0.0, reason="too short"),
        ),
        stop_reason="end_turn", input_tokens=20, output_tokens=11, cache_read_tokens=0, cache_write_tokens=0,
        cost_usd=0.03, attempts=2, queue_s=2.5, ttft_s=0.5, stream_s=2.0,
    )  # fmt: skip
    assert (expected,) == load_book(write_run(suite, tries, scores), suite).answers


def test_a_failed_request_has_its_error(load_one: LoadOne) -> None:
    answer = load_one(ok=False, error_kind="throttled", error_message="wait", first_ns=None, done_ns=1_300_000_000)
    assert ("throttled", "wait", "", None) == (answer.error_kind, answer.error_message, answer.text, answer.ttft_s)
    assert (0.1, 0.2) == (answer.queue_s, answer.stream_s)


def test_an_answer_that_came_whole_has_no_first_chunk(load_one: LoadOne) -> None:
    answer = load_one(stream=False)
    assert (None, 1.5) == (answer.ttft_s, answer.stream_s)


def test_tool_calls_are_told_from_the_text(load_one: LoadOne) -> None:
    calls = ('{"tool":"look","input":{"at":"a\u2028b"}}', '{"tool":"go","input":{}}')
    answer = load_one(text="I'll look.\nNow.\n" + "\n".join(calls), stop_reason="tool_use")
    assert ("I'll look.\nNow.", calls) == (answer.text, answer.tools)
    assert 0 == answer.characters


def test_text_that_looks_like_a_call_stays_text(load_one: LoadOne) -> None:
    said = '{"tool":"look","input":{}}'
    answer = load_one(text=said, stop_reason="end_turn")
    assert (said, ()) == (answer.text, answer.tools)


def test_a_long_text_is_cut_and_its_calls_are_kept(load_one: LoadOne) -> None:
    call = '{"tool":"go","input":{}}'
    text = f"{'x' * 1_000_000}\n{call}"
    answer = load_one(text=text, stop_reason="tool_use")
    assert (MOST_CHARACTERS, len(text), (call,)) == (len(answer.text), answer.characters, answer.tools)


def test_votes_of_a_panel_are_read_from_the_judgements(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    judge = Judge(name="opus", target=msgspec.structs.replace(suite.targets[0], name="opus"))
    suite = msgspec.structs.replace(suite, graders=Graders(judges=(judge,)))
    run = write_run(suite, [make_attempt("000000-00", text="x")], [score("000000-00", True, scorer="judge")])
    said: list[dict[str, Any]] = [
        {"by": "opus", "given": {"score": 1, "reason": "fluent"}},
        {"by": "nova", "error": "it gave no verdict"},
        {"by": "opus", "given": {"better": "A", "reason": "a preference"}},
        {"by": "opus", "given": {"score": 0}, "request_id": "000009-00"},
        {"by": "opus", "given": {"score": 10**400}},
        {"by": "opus", "given": {"score": "1"}},
        {"by": "checks.py:grade", "kind": "python", "given": {"value": 1}},
    ]
    lines = [
        Judgement(**{"key": str(at), "kind": "judge", "request_id": "000000-00", **each})
        for at, each in enumerate(said)
    ]
    run.judgements_path.write_bytes(msgspec.json.Encoder().encode_lines(lines))
    (answer,) = load_book(run, suite).answers
    assert (
        Vote(judge="opus", score=1.0, reason="fluent"),
        Vote(judge="nova", reason="it gave no verdict"),
    ) == answer.votes


def test_of_many_checks_the_first_by_name_are_shown(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite, names = make_suite(), [f"check-{at:02d}" for at in range(MOST_LISTED + 10)]
    scores = [score("000000-00", True, scorer=name) for name in reversed(names)]
    (answer,) = load_book(write_run(suite, [make_attempt("000000-00", text="x")], scores), suite).answers
    assert names[:MOST_LISTED] == [check.scorer for check in answer.checks]


def test_system_prompts_that_differ_are_told_of_each_target_and_long_ones_are_cut(
    make_suite: MakeSuite, write_run: WriteRun
) -> None:
    suite = make_suite(["a", "b"])
    system = "Be brief. " * 10_000
    first = msgspec.structs.replace(suite.targets[0], options=Options(system=system))
    suite = msgspec.structs.replace(suite, targets=(first, suite.targets[1]))
    shown = f"{system[:20_000]}… (100,000 characters)"
    assert [shown, None] == [arm.system for arm in load_book(write_run(suite, []), suite).arms]


def test_warmup_and_cancelled_requests_are_no_answers(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    cancelled = make_attempt("000001-00", ok=False, error_kind="cancelled")
    suite = make_suite()
    book = load_book(write_run(suite, [make_attempt("000000-00", phase="warmup"), cancelled]), suite)
    assert (0, (), ()) == (book.total, book.answers, book.cells)
    assert 10 == len(book.prompts)


# --- samples ---

KINDS = ("throttled", "server_error", "connection")


@pytest.fixture
def many(make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun) -> tuple[RunFolder, Suite]:
    """Two targets, 100 prompts, 4 repeats: 800 answers.

    Target b loses p0 to p3 once each, and of p50 to p99 it fails all first repeats, mostly throttled; both do not pass
    p20 to p29. The slowest answer is a's to p40.
    """
    suite = make_suite(["a", "b"], prompts=100, baseline="a")
    attempts, scores = [], []
    for at in range(400):
        prompt, repeat = at % 100, at // 100
        for arm, target in enumerate("ab"):
            request = f"{at:06d}-{arm:02d}"
            fails = target == "b" and prompt >= 50 and repeat == 0
            kind = (KINDS[prompt - 50] if prompt < 53 else "throttled") if fails else None
            loses = target == "b" and prompt < 4 and repeat == 2
            slow = {"done_ns": 60_000_000_000} if (target, prompt, repeat) == ("a", 40, 3) else {}
            attempts.append(
                make_attempt(
                    request,
                    target=target,
                    prompt_id=f"p{prompt}",
                    repeat=repeat,
                    text="x",
                    ok=not fails,
                    error_kind=kind,
                    **slow,
                )
            )
            scores.append(score(request, not fails and not loses and not 20 <= prompt < 30))
    return write_run(suite, attempts, scores), suite


def test_a_sample_shows_what_matters_and_both_sides(many: tuple[RunFolder, Suite]) -> None:
    run, suite = many
    book = load_book(run, suite, most=80)
    shown = {(book.prompts[each.prompt].id, each.repeat, each.arm): each for each in book.answers}
    assert 80 == len(book.answers) == len(shown)
    assert all((prompt, repeat, 1 - arm) in shown for prompt, repeat, arm in shown)
    flips = [prompt for prompt, repeat, arm in shown if arm == 1 and repeat == 2 and prompt in ("p0", "p1", "p2", "p3")]
    assert 4 == len(flips)
    assert set(KINDS) <= {each.error_kind for each in book.answers}
    assert any(each.passed is False and each.error_kind is None for key, each in shown.items() if key[1] != 2)
    assert ("p40", 3, 0) in shown


def test_a_rare_error_is_not_lost_among_many(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite(prompts=1)
    kinds = ["throttled"] * 300 + ["refused", "connection"]
    failed = [
        make_attempt(f"{at:06d}-00", repeat=at, ok=False, error_kind=kind, text=None) for at, kind in enumerate(kinds)
    ]
    shown = Counter(each.error_kind for each in load_book(write_run(suite, failed), suite, most=10).answers)
    assert {"throttled": 8, "refused": 1, "connection": 1} == shown


def test_a_sample_is_the_same_every_time(many: tuple[RunFolder, Suite]) -> None:
    run, suite = many
    assert load_book(run, suite, most=80) == load_book(run, suite, most=80)


def test_counts_are_of_all_answers_even_in_a_sample(many: tuple[RunFolder, Suite]) -> None:
    run, suite = many
    sample, whole = load_book(run, suite, most=80), load_book(run, suite)
    assert whole.cells == sample.cells
    assert 200 == len(sample.cells)
    assert Cell(prompt=0, arm=1, answers=4, passed=3, scored=4, failed=0) == sample.cells[1]
    assert Cell(prompt=60, arm=1, answers=4, passed=3, scored=4, failed=1) == sample.cells[121]


def test_a_sample_says_how_it_was_drawn(many: tuple[RunFolder, Suite]) -> None:
    run, suite = many
    book = load_book(run, suite, most=80)
    assert (
        "80 of 800 answers are shown, every target's to each of 40 questions: 20 in which an answer changed against the"
        " baseline's, 12 with errors or failed checks, spread over kinds and targets, 4 of the slowest, 4 at random."
    ) == book.sampled
    assert (800, 100) == (book.total, book.total_prompts)


def test_the_query_lists_all_answers(many: tuple[RunFolder, Suite]) -> None:
    run, suite = many
    moved = RunFolder(run.path.rename(run.path.parent / "it's $HOME; a run"))
    query = load_book(moved, suite, most=80).query
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(query, shell=True, capture_output=True, text=True, env={**os.environ, "PATH": path})
    assert (0, "") == (result.returncode, result.stderr)
    lines = result.stdout.splitlines()
    assert ("run_id,prompt_id,repeat,target,passed,error_kind,text", 801) == (lines[0], len(lines))


def test_of_too_many_prompts_those_with_answers_are_listed(many: tuple[RunFolder, Suite]) -> None:
    run, suite = many
    book = load_book(run, suite, most=80, most_cells=150)
    assert {each.prompt for each in book.answers} == set(range(len(book.prompts)))
    assert len(book.prompts) < 100 == book.total_prompts
    assert 2 * len(book.prompts) == len(book.cells)
    assert [each.id for each in book.prompts] == sorted(
        (each.id for each in book.prompts), key=lambda id_: int(id_[1:])
    )


def test_long_answers_share_the_page(make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun) -> None:
    suite = make_suite(prompts=1)
    attempts = [make_attempt(f"{at:06d}-00", repeat=at, text="<" * 30_000) for at in range(100)]
    attempts.append(make_attempt("000100-00", repeat=100, text="short"))
    book = load_book(write_run(suite, attempts), suite)
    assert 0.9 * MOST_BYTES < 6 * sum(len(each.text) for each in book.answers) <= MOST_BYTES
    assert Counter({30_000: 100, 0: 1}) == Counter(each.characters for each in book.answers)
    assert "short" == book.answers[-1].text


# --- what is missing, wrong or hostile ---


def test_a_run_without_scores_says_so(make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun) -> None:
    suite = make_suite()
    run = write_run(suite, [make_attempt("000000-00", text="x")])
    book = load_book(run, suite)
    assert (f"No answer is scored; `harness report {run.path}` grades the answers.",) == book.notes
    assert (None, (Cell(prompt=0, arm=0, answers=1, passed=0, scored=0, failed=0),)) == (
        book.answers[0].passed,
        book.cells,
    )


def test_a_load_test_without_texts_says_so(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite(prompts=0, load=Load(store_text=0.5))
    run = write_run(suite, [make_attempt("000000-00", text="x"), make_attempt("000001-00", repeat=1)])
    assert (
        "The texts of 1 of 2 answers were not stored: `store_text` is 0.5.",
        "No answer is scored: no prompt has a check.",
        "The suite lacks 1 prompt of the run, listed by id alone.",
    ) == load_book(run, suite).notes


def test_what_the_suite_lacks_is_told(make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun) -> None:
    ran, suite = make_suite(["a", "z"]), make_suite(["a"], prompts=2)
    attempts = [
        make_attempt("000000-00", prompt_id="p9", text="x"),
        make_attempt("000001-00", target="z", text="y"),
        make_attempt("000002-00", prompt_id="p8", text="z"),
    ]
    scores = [score("000000-00", True), score("999999-00", False)]
    book = load_book(write_run(ran, attempts, scores), suite)
    assert ["p0", "p1", "p8", "p9"] == [each.id for each in book.prompts]
    assert [("p8", "z"), ("p9", "x")] == [(book.prompts[each.prompt].id, each.text) for each in book.answers]
    assert (
        "The suite lacks 2 prompts of the run, listed by id alone.",
        "Left out: 1 request to targets that the suite does not have.",
        "Left out: the scores of 1 request of which the run has no measured attempt.",
    ) == book.notes


def test_hostile_values_are_data(load_one: LoadOne) -> None:
    text = "\x00\x1b[31m</script>\u202e\u2028𝕏" + "y" * 1000
    answer = load_one(
        text=text, output_tokens=10**12, input_tokens=0, error_message="<b>", citations="{not json", stop_reason="?"
    )
    assert (text, 10**12, 0, ()) == (answer.text, answer.output_tokens, answer.input_tokens, answer.citations)
    assert answer == msgspec.json.decode(msgspec.json.encode(answer), type=ReadAnswer)


def rewrite(path: Path, changes: str) -> None:
    """Replace columns of a Parquet file, as somebody else might."""
    with duckdb.connect() as con:
        con.execute(f"create table t as from read_parquet('{path}')")
        con.execute(f"copy (select * replace ({changes}) from t) to '{path}' (format parquet)")


def test_a_cost_that_is_no_number_is_unknown(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite()
    run = write_run(suite, [make_attempt("000000-00", text="x")], [score("000000-00", True)])
    rewrite(run.attempts_path, "'nan'::double as cost_usd")
    rewrite(run.scores_path, "'inf'::double as value")
    (answer,) = load_book(run, suite).answers
    assert (None, None, True) == (answer.cost_usd, answer.checks[0].value, answer.checks[0].passed)


def test_rows_without_the_usual_values_are_shown(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite(prompts=2)
    attempts = [make_attempt(f"{at:06d}-00", prompt_id=f"p{at % 2}", text="x") for at in range(20)]
    run = write_run(suite, attempts, [score("000000-00", True)])
    rewrite(
        run.attempts_path,
        f"null::bigint as repeat, null::bool as ok, {-(2**63)} as due_ns, {2**63 - 1} as done_ns",
    )
    rewrite(run.scores_path, "null::varchar as reason")
    assert 2 == len({each.prompt for each in load_book(run, suite).answers})
    assert 10 == len(load_book(run, suite, most=12).answers)


def test_many_answers_to_one_question_are_still_a_sample(
    make_suite: MakeSuite, make_attempt: MakeAttempt, write_run: WriteRun
) -> None:
    suite = make_suite(prompts=1)
    run = write_run(suite, [make_attempt(f"{at:06d}-00", text="x") for at in range(50)])
    book = load_book(run, suite, most=10)
    assert (10, 50) == (len(book.answers), book.total)


def test_a_file_that_cannot_be_read_is_named(make_suite: MakeSuite, write_run: WriteRun) -> None:
    suite = make_suite()
    run = write_run(suite, [])
    run.attempts_path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(StoreError, match=str(run.path)):
        load_book(run, suite)


def test_a_book_of_nothing_is_empty(make_suite: MakeSuite, write_run: WriteRun) -> None:
    suite = make_suite(prompts=0)
    book = load_book(write_run(suite, []), suite)
    empty = AnswerBook(
        arms=(BookArm(target="a"),), prompts=(), answers=(), cells=(), total=0, total_prompts=0, query=book.query
    )
    assert empty == book
