"""Scores a run: reads the stored answers, runs the checks of their prompts, writes `scores.parquet`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import IO

import msgspec

from harness.endpoints.reply import Citation
from harness.errors import StoreError
from harness.scoring.checks import make_scorer
from harness.scoring.judging.aids import open_aids
from harness.scoring.judging.calibration import calibrate
from harness.scoring.judging.judges import Judges, NoJudges
from harness.scoring.judging.pairs import score_pairs
from harness.scoring.scorer import NO_AIDS, Aids, Answer, AnswerScorer, AnyScorer, Outcome, Unscored
from harness.secrets import redact
from harness.store.files import open_new, temporary_name
from harness.store.records import LAST_MEASURED, PAIRWISE, Score, is_sampled
from harness.store.run_folder import RunFolder
from harness.suite.suite import CheckFile, Prompt, Suite

TIMEOUT_S = 60.0
"""For one check of one answer, but only where its scorer awaits: nothing can cut a check that computes all the time.

Every scorer here bounds its own time. One from another package that computes without end holds up the scoring.
"""
BATCH = 64
"""Answers scored at the same time, and held in memory."""
LONGEST_REASON = 300

# What the user cancelled is no answer; what was not stored (load.store_text) has no score.
_ANSWERS = f"""
SELECT request_id, prompt_id, ok, text, error_kind, citations, stop_reason
FROM ({LAST_MEASURED}) WHERE error_kind IS DISTINCT FROM 'cancelled' AND (text IS NOT NULL OR NOT ok)
"""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a measured request ended."""

    prompt_id: str
    ok: bool
    error_kind: str | None
    answer: Answer


class Checked(msgspec.Struct, frozen=True):
    """A prompt with its scorers, each under the name of its check."""

    prompt: Prompt
    scorers: tuple[tuple[str, AnyScorer], ...]


async def score_run(
    run: RunFolder, suite: Suite, judges: Judges | None = None, check_files: Sequence[CheckFile] = ()
) -> int:
    """Score every measured request of a run that has ended; returns the rows written. Replaces earlier scores.

    `suite` is the run's own, which may be somebody else's and names no code. `check_files`: of the suite file that the
    user gave. They alone are run, and only where `suite` has them by name and digest.

    One row for each check: of a failed request it is not passed (`request failed: throttled`); where the scorer raised
    or took too long it has neither value nor verdict (`scorer broke: …`, or why there is none). Prompts without checks
    and requests that the user cancelled have no rows. Where answers are stored in part (`load.store_text`), failures
    are graded in that part too: all of them beside a tenth of the answers would be no pass rate. The number of answers
    does not matter to memory, but for what judges and check functions say of them.
    """
    from harness.store.parquet import write_parquet

    prompts = {prompt.id: _checked(prompt) for prompt in suite.prompts}
    lines = temporary_name(run.scores_path.with_suffix(".jsonl"))
    try:
        with open_new(lines) as file:
            async with open_aids(run, suite, judges or NoJudges(suite), check_files) as aids:
                await _score_all(run, prompts, aids, file, share=suite.load.store_text)
                file.write(msgspec.json.Encoder().encode_lines(await score_pairs(run, suite, aids)))
                await calibrate(suite, aids)
        return write_parquet(Score, [lines], run.scores_path)
    except OSError as error:
        raise StoreError(f"{run.scores_path}: cannot be written: {error.strerror}") from error
    finally:
        lines.unlink(missing_ok=True)


async def grade(scorer: AnyScorer, prompt: Prompt, answer: Answer, aids: Aids = NO_AIDS) -> Outcome:
    """What a scorer says, whichever of the two protocols it follows."""
    if isinstance(scorer, AnswerScorer):
        return await scorer.score_answer(prompt, answer, aids)
    try:
        async with asyncio.timeout(TIMEOUT_S) as deadline:
            return await scorer.score(prompt, answer.text)
    except TimeoutError as error:
        raise TimeoutError(f"took more than {TIMEOUT_S:g} s") if deadline.expired() else error from None


async def _score_all(
    run: RunFolder, prompts: Mapping[str, Checked], aids: Aids, file: IO[bytes], *, share: float | None
) -> None:
    encoder = msgspec.json.Encoder()
    for batch in _ended(run):
        sampled = [ended for ended in batch if is_sampled(ended.answer.request_id, share)]
        known = [(_find(prompts, ended, run), ended) for ended in sampled]
        async with asyncio.TaskGroup() as tasks:
            scored = [tasks.create_task(_score_request(*each, aids)) for each in known if each[0].scorers]
        file.write(encoder.encode_lines([row for task in scored for row in task.result()]))


async def _score_request(checked: Checked, ended: Ended, aids: Aids) -> list[Score]:
    """The rows of one request."""
    if ended.ok:
        return [await _score(name, scorer, checked.prompt, ended.answer, aids) for name, scorer in checked.scorers]
    reason, request_id = f"request failed: {ended.error_kind}", ended.answer.request_id
    return [
        Score(request_id=request_id, scorer=name, value=0.0, passed=False, reason=reason) for name, _ in checked.scorers
    ]


async def _score(name: str, scorer: AnyScorer, prompt: Prompt, answer: Answer, aids: Aids) -> Score:
    try:
        outcome = await grade(scorer, prompt, answer, aids)
    except Unscored as none:
        return _unscored(name, answer, str(none), none.cost_usd)
    except Exception as error:  # a scorer may come from another package: whatever it raises is data
        cause = _first_cause(error)
        return _unscored(name, answer, f"scorer broke: {type(cause).__name__}: {cause}")
    return Score(
        request_id=answer.request_id,
        scorer=name,
        value=outcome.value,
        passed=outcome.passed,
        reason=_clean(outcome.reason),
        cost_usd=outcome.cost_usd,
    )


def _first_cause(error: Exception) -> Exception:
    """What went wrong in the first of the tasks that a group speaks for."""
    return _first_cause(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _unscored(name: str, answer: Answer, reason: str, cost_usd: float | None = None) -> Score:
    return Score(
        request_id=answer.request_id, scorer=name, value=None, passed=None, reason=_clean(reason), cost_usd=cost_usd
    )


def _ended(run: RunFolder) -> Iterator[Sequence[Ended]]:
    from harness.store.query import connect

    with closing(connect([run])) as connection:
        found = connection.execute(_ANSWERS)
        while rows := found.fetchmany(BATCH):
            yield [_read(*row) for row in rows]


def _read(
    request_id: str,
    prompt_id: str,
    ok: bool,
    text: str | None,
    error_kind: str | None,
    citations: str | None,
    stop_reason: str | None,
) -> Ended:
    answer = Answer(
        request_id=request_id, text=text or "", citations=_read_citations(citations), stop_reason=stop_reason
    )
    return Ended(prompt_id=prompt_id, ok=ok, error_kind=error_kind, answer=answer)


def _read_citations(written: str | None) -> tuple[Citation, ...]:
    """None where the column holds something else, as that of somebody else's run may."""
    try:
        return msgspec.json.decode(written or "[]", type=tuple[Citation, ...])
    except (msgspec.DecodeError, RecursionError):
        return ()


def _checked(prompt: Prompt) -> Checked:
    """Without what compares answers: that takes all of them (`pairs.py`)."""
    alone = [check for check in prompt.checks if check.type != PAIRWISE]
    return Checked(prompt, tuple((check.type, make_scorer(check, prompt)) for check in alone))


def _find(prompts: Mapping[str, Checked], ended: Ended, run: RunFolder) -> Checked:
    if ended.prompt_id not in prompts:
        raise StoreError(f"{run.path}: an attempt answers prompt {ended.prompt_id!r}, which its suite has not")
    return prompts[ended.prompt_id]


def _clean(reason: str) -> str:
    """Short, without a secret of this process, and text that UTF-8 can carry."""
    return redact(reason)[:LONGEST_REASON].encode(errors="replace").decode()
