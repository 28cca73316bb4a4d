"""Pairwise scoring: both orders, ties where they disagree, rows without a pass rate. Calibration with labels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from harness.analysis.loader import load_run
from harness.analysis.summary.judges import add_judging, summarise_pairs
from harness.analysis.summary.summarise import summarise
from harness.analysis.summary.summary import JudgeSummary
from harness.catalog.target import Target
from harness.cli.running.endpoint import write_answer_key
from harness.errors import StoreError
from harness.report.markdown import render_markdown
from harness.report.run.sections import run_report
from harness.scoring.judgements import Judgement, Judgements, read_judgements
from harness.scoring.judging.aids import CachingAids
from harness.scoring.judging.calibration import calibrate
from harness.scoring.judging.judges import open_judges
from harness.scoring.judging.pairs import PairResult, score_pairs
from harness.scoring.python.processes import Workers
from harness.scoring.score import score_run
from harness.scoring.scorer import Answer, Question, Unscored, Verdict
from harness.scoring.scorers.judge import RubricJudge, ask_panel
from harness.store.query import connect
from harness.store.records import Score
from harness.store.run_folder import RunFolder
from harness.suite.suite import Check, Label, Suite

PAIR = Check(type="pairwise", params={"judge": "strict"})
EXACT = Check(type="exact")
JUDGE = Check(type="judge", params={"judge": "strict", "rubric": "Right.", "pass_at": 0.5})
SCORER = RubricJudge(judge="strict", rubric="Right.")


class Judge:
    """A judge that answers by a rule: a function of the question's text."""

    asks = True

    def __init__(self, rule: Callable[[str], Any]) -> None:
        self.rule = rule
        self.asked = 0

    def target(self, judge: str) -> Target:
        return Target(
            name=judge, model="m", base_model="b", model_id="b", routing="global", api="converse", client="aioboto3",
            region="us-east-1",
        )  # fmt: skip

    async def ask(self, judge: str, question: Question, key: str) -> Verdict:
        self.asked += 1
        result = self.rule(question.text)
        if isinstance(result, Exception):
            raise result
        if isinstance(result, Verdict):
            return result
        return Verdict(given={"better": result, "score": result, "reason": "because"}, cost_usd=0.01)


def part(text: str, name: str) -> str:
    """The text between a part's tags."""
    opening = next(line for line in text.splitlines() if line.startswith(f"<{name}-"))
    return text.partition(f"{opening}\n")[2].partition(f"\n</{opening[1:]}")[0]


def honest(text: str) -> str:
    """Prefers the answer that contains Paris."""
    first, second = ("Paris" in part(text, f"answer-{which}") for which in "ab")
    return "tie" if first == second else "A" if first else "B"


async def compare(run: RunFolder, suite: Suite, judge: Judge) -> list[Score]:
    judgements = Judgements(run.judgements_path)
    try:
        return await score_pairs(run, suite, CachingAids(judgements, {}, Workers([]), judge))  # type: ignore[arg-type]
    finally:
        judgements.close()


def pairs_of(run: RunFolder) -> list[PairResult]:
    return [
        msgspec.convert(each.given, PairResult) for each in read_judgements(run.judgements_path) if each.kind == "pair"
    ]


@pytest.mark.parametrize(
    ("candidate", "baseline", "value", "word", "asked"),
    [
        ("Paris", "Lyon", 1.0, "win: because", 2),
        ("Lyon", "Paris", 0.0, "loss: because", 2),
        ("Lyon", "Nice", 0.5, "tie: because", 2),
        ("Paris", " Paris\n", 0.5, "tie: the same answer", 0),
        (None, "Paris", 0.0, "loss: the request failed", 0),
        ("Paris", None, 1.0, "win: the baseline's request failed", 0),
        (None, None, 0.5, "tie: both requests failed", 0),
    ],
)
async def test_a_pair_is_won_lost_or_tied(
    make_suite: Any,
    write_run: Any,
    candidate: str | None,
    baseline: str | None,
    value: float,
    word: str,
    asked: int,
) -> None:
    suite, judge = make_suite([PAIR], judges=["strict"]), Judge(honest)
    run = write_run(suite, ("cand", candidate), ("base", baseline))
    [row] = await compare(run, suite, judge)
    assert (row.request_id, row.scorer, row.value, row.passed, row.reason) == (
        "000000-00",
        "pairwise",
        value,
        None,
        word,
    )
    assert judge.asked == asked
    assert row.cost_usd == (0.02 if asked else None)


@pytest.mark.parametrize("first", ["A", "B"])
async def test_a_judge_that_follows_the_order_gives_ties_that_count_as_flipped(
    make_suite: Any, write_run: Any, first: str
) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    run = write_run(suite, ("cand", "Paris"), ("base", "Lyon"))
    [row] = await compare(run, suite, Judge(lambda text: first))
    assert (row.value, row.reason) == (0.5, "tie: the judge's two orders disagree")
    assert [pair.flipped for pair in pairs_of(run)] == [True]


async def test_a_tie_in_one_order_is_a_tie_but_not_a_flip(make_suite: Any, write_run: Any) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    run = write_run(suite, ("cand", "Paris"), ("base", "Lyon"))
    [row] = await compare(run, suite, Judge(lambda text: "A" if "Paris" in part(text, "answer-a") else "tie"))
    assert row.value == 0.5
    assert [pair.flipped for pair in pairs_of(run)] == [False]


@pytest.mark.parametrize("result", ["first", Verdict(error="request failed: throttled"), Unscored("budget")])
async def test_a_pair_without_a_verdict_is_unjudged(make_suite: Any, write_run: Any, result: Any) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    run = write_run(suite, ("cand", "Paris"), ("base", "Lyon"))
    [row] = await compare(run, suite, Judge(lambda text: result))
    assert (row.value, row.passed) == (None, None)
    assert row.reason
    preference = summarise_pairs(pairs_of(run), ["p"])
    assert preference is not None
    assert (preference.pairs, preference.unjudged, preference.win_rate) == (1, 1, None)


async def test_answers_are_paired_by_prompt_and_repeat(make_suite: Any, write_run: Any) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    run = write_run(suite, ("cand", "Paris"), ("cand", "Lyon"), ("base", "Lyon"), ("base", "Paris"), ("base", "Nice"))
    rows = await compare(run, suite, Judge(honest))
    assert [(row.request_id, row.value) for row in rows] == [("000000-00", 1.0), ("000001-00", 0.0)]


async def test_a_made_up_run_that_repeats_a_question_without_end_has_one_pair_for_each_answer(
    make_suite: Any, write_run: Any
) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    run = write_run(suite, *[("base", "Paris"), ("cand", "Paris")] * 9)
    whole = run.attempts_path.rename(run.path / "whole")
    duckdb.execute(
        f"COPY (SELECT * REPLACE (0::BIGINT AS repeat) FROM read_parquet('{whole}')) TO '{run.attempts_path}'"
    )
    assert 9 == len(await compare(run, suite, Judge(honest)))


async def test_judgements_that_cannot_be_written_are_one_error(make_suite: Any, write_run: Any) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    run = write_run(suite, ("cand", "Paris"), ("base", "Lyon"))
    run.judgements_path.symlink_to("elsewhere")
    with pytest.raises(StoreError, match="it is a symbolic link"):
        await score_run(run, suite, Judge(honest))  # type: ignore[arg-type]


async def test_pairs_do_not_count_towards_the_pass_rate(make_suite: Any, write_run: Any) -> None:
    suite = make_suite([EXACT, PAIR], judges=["strict"])
    run = write_run(suite, ("cand", "Paris"), ("base", "Lyon"), ("cand", "Lyon"), ("base", "Lyon"))
    await score_run(run, suite)
    verdicts = "SELECT target, passed FROM requests ORDER BY request_id"
    with closing(connect([run])) as connection:
        assert connection.execute(verdicts).fetchall() == [
            ("cand", True), ("base", False), ("cand", False), ("base", False)
        ]  # fmt: skip
        assert connection.execute("SELECT count(*) FROM scores WHERE scorer = 'pairwise'").fetchall() == [(2,)]
    assert load_run(run).columns["cand"].passed.tolist() == [1.0, 0.0]


async def test_a_run_with_pairs_only_has_no_pass_rate(make_suite: Any, write_run: Any) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    run = write_run(suite, ("cand", "Paris"), ("base", "Lyon"))
    await score_run(run, suite)
    summary = summarise(run.read_manifest(), suite, load_run(run))
    assert [target.pass_rate for target in summary.targets] == [None, None]


async def test_a_preference_counts_ties_as_halves_and_reports_flips_and_lengths() -> None:
    def pair(value: float | None, **more: Any) -> PairResult:
        return PairResult(target="cand", prompt_id="p", value=value, **more)

    pairs = [pair(1, longer=1), pair(1, longer=1), pair(0, longer=1), pair(0.5, flipped=True), pair(None)]
    preference = summarise_pairs([*pairs, pair(1, judged=False, longer=1)], ["a", "b", "c", "d", "e", "f"])
    assert preference is not None
    assert (preference.wins, preference.ties, preference.losses, preference.unjudged) == (3, 1, 1, 1)
    assert preference.win_rate is not None
    assert preference.win_rate.value == pytest.approx(0.7)
    assert preference.flip_rate is not None
    assert preference.flip_rate.value == pytest.approx(0.25)
    assert preference.longer_wins is not None
    assert preference.longer_wins.value == pytest.approx(2 / 3)
    assert summarise_pairs([], []) is None


async def test_flips_and_length_bias_of_few_groups_are_less_certain() -> None:
    """In two of eight groups of ten pairs the order decides throughout; in two others the longer answer always wins."""
    pairs = [
        PairResult(
            target="cand", prompt_id="p", value=0.5 if group < 2 else 1, flipped=group < 2, longer=float(group < 4)
        )
        for group in range(8)
        for _ in range(10)
    ]
    alone = summarise_pairs(pairs, [str(at) for at in range(80)])
    together = summarise_pairs(pairs, [str(at // 10) for at in range(80)])
    assert alone is not None
    assert together is not None
    for one, other in ((alone.flip_rate, together.flip_rate), (alone.longer_wins, together.longer_wins)):
        assert one is not None
        assert other is not None
        assert one.value == other.value
        assert (other.high or 0.0) - (other.low or 0.0) > 2 * ((one.high or 0.0) - (one.low or 0.0))


def judges_of(run: RunFolder, suite: Suite) -> list[JudgeSummary]:
    data = load_run(run)
    kept = read_judgements(run.judgements_path)
    return add_judging(summarise(run.read_manifest(), suite, data), suite, kept, data.columns).judges


async def test_a_judge_is_compared_with_the_people_who_labelled_answers(make_suite: Any, write_run: Any) -> None:
    labels = [Label(prompt_id="p", answer=answer, passed=passed) for answer, passed in LABELS]
    suite = make_suite([JUDGE], judges=["strict"], labels=labels)
    run = write_run(suite, ("cand", "Paris"))
    judgements = Judgements(run.judgements_path)
    judge = Judge(lambda text: 0.9 if "Paris" in part(text, "answer") else 0.1)
    await calibrate(suite, CachingAids(judgements, {}, Workers([]), judge))  # type: ignore[arg-type]
    await calibrate(suite, CachingAids(judgements, {}, Workers([]), judge))  # type: ignore[arg-type]
    judgements.close()
    assert judge.asked == 50
    [found] = judges_of(run, suite)
    assert (found.asked, found.failed, found.cost_usd, found.labels) == (50, 0, pytest.approx(0.5), 50)
    assert found.agreement is not None
    assert found.agreement.value == pytest.approx(0.7)
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(0.4)


LABELS = [("Paris", True)] * 20 + [("Lyon", True)] * 5 + [("Paris, Texas", False)] * 10 + [("Lyon", False)] * 15
"""The textbook example of Cohen's kappa: 20, 5, 10, 15."""


async def test_what_a_judge_passed_stands_beside_what_people_would_have_passed(make_suite: Any, write_run: Any) -> None:
    """Of 20 answers the judge passes 12. By its labels it passes 20 of 25 good ones and fails 15 of 25 bad ones."""
    labels = [Label(prompt_id="p", answer=answer, passed=passed) for answer, passed in LABELS]
    suite = make_suite([JUDGE, EXACT], judges=["strict"], labels=labels)
    run = write_run(suite, *[("cand", "Paris")] * 12, *[("cand", "Lyon")] * 8, ("base", "Lyon"))
    judge = Judge(lambda text: 0.9 if "Paris" in part(text, "answer") else 0.1)
    kept = Judgements(run.judgements_path)
    aids = CachingAids(kept, {}, Workers([]), judge)  # type: ignore[arg-type]
    await calibrate(suite, aids)
    for number in range(21):
        text = "Paris" if number < 12 else "Lyon"
        await ask_panel(SCORER, suite.prompts[0], Answer(text=text, request_id=f"{number:06d}-00"), aids)
    kept.close()
    data = load_run(run)
    judgements = list(read_judgements(run.judgements_path))
    summary = add_judging(summarise(run.read_manifest(), suite, data), suite, judgements, data.columns)
    (told,) = summary.judges
    assert told.sensitivity is not None
    assert told.specificity is not None
    assert (0.8, 0.6) == (told.sensitivity.value, told.specificity.value)
    (cand,) = next(target for target in summary.targets if target.target == "cand").judged
    assert ("strict", 20, 1, 0.6) == (cand.judge, cand.answers, cand.prompts, pytest.approx(cand.rate.value))
    assert cand.corrected is not None
    assert pytest.approx((0.6 + 0.6 - 1) / (0.8 + 0.6 - 1)) == cand.corrected.value
    assert cand.corrected.low is not None
    assert cand.corrected.high is not None
    assert cand.corrected.low < 0.5 < cand.corrected.high
    text = render_markdown(run_report(summary))
    assert "What people would have passed" in text
    assert "corrected pass rate" in text


async def test_a_panel_and_two_checks_of_one_judge_have_no_judged_rate(make_suite: Any, write_run: Any) -> None:
    panel = Check(type="judge", params={"judge": ["strict", "kind"], "rubric": "Right."})
    for checks in ([panel], [JUDGE, Check(type="judge", params={"judge": "strict", "rubric": "Polite."})]):
        suite = make_suite(checks, judges=["strict", "kind"])
        run = write_run(suite, ("cand", "Paris"))
        given = {"score": 1.0, "reason": "so"}
        judgements = [Judgement(key="1", kind="judge", by="strict", request_id="000000-00", given=given)]
        data = load_run(run)
        summary = add_judging(summarise(run.read_manifest(), suite, data), suite, judgements, data.columns)
        assert [] == summary.targets[0].judged


async def test_labels_that_the_judge_did_not_grade_do_not_count(make_suite: Any, write_run: Any) -> None:
    suite = make_suite([JUDGE], judges=["strict"], labels=[Label(prompt_id="p", answer="Paris", passed=True)])
    run = write_run(suite, ("cand", "Paris"))
    await score_run(run, suite)
    [found] = judges_of(run, suite)
    assert (found.asked, found.labels, found.kappa) == (0, 0, None)


async def test_the_summary_reports_the_cost_of_judging_separately(make_suite: Any, write_run: Any) -> None:
    suite = make_suite([EXACT], judges=["strict", "kind"])
    run = write_run(suite, ("cand", "Paris"), ("base", "Paris"))
    await score_run(run, suite)
    judgements = [
        Judgement(key="1", kind="judge", by="strict", request_id="0", cost_usd=0.5),
        Judgement(key="1", kind="judge", by="strict", request_id="0", cost_usd=0.75),
        Judgement(key="2", kind="judge", by="strict", request_id="0", error="it gave no verdict"),
        Judgement(key="3", kind="python", by="checks.py:grade", request_id="0"),
    ]
    data = load_run(run)
    summary = add_judging(summarise(run.read_manifest(), suite, data), suite, judgements, data.columns)
    assert (summary.total_cost_usd, summary.judging_cost_usd) == (pytest.approx(0.02), 0.75)
    assert [(each.judge, each.asked, each.failed) for each in summary.judges] == [("strict", 2, 1), ("kind", 0, 0)]


async def test_a_simulated_judge_prefers_the_right_answer(
    simulator: Callable[..., Awaitable[str]], make_suite: Any, write_run: Any, tmp_path: Path, read_scores: Any
) -> None:
    suite = make_suite([PAIR], judges=["strict"])
    url = await simulator(answer_key=write_answer_key(suite, tmp_path / "key.json"), speed=1000.0)
    run = write_run(suite, *[("cand", "Paris"), ("base", "Lyon")] * 25)
    async with open_judges(suite, url, spent_usd=0) as judges:
        await score_run(run, suite, judges)
    values = [row.value for row in read_scores(run)]
    assert set(values) <= {0.5, 1.0}
    assert values.count(1.0) >= 18


async def test_an_answer_that_was_not_stored_is_not_compared(make_suite: Any, write_run: Any) -> None:
    suite, judge = make_suite([PAIR], judges=["strict"]), Judge(honest)
    run = write_run(suite, ("cand", None), ("base", "Paris"))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE stored AS SELECT * FROM '{run.attempts_path}'")
        connection.execute("UPDATE stored SET ok = true, error_kind = NULL")
        connection.execute(f"COPY stored TO '{run.attempts_path}' (FORMAT parquet)")
    assert [] == await compare(run, suite, judge)
    assert 0 == judge.asked
