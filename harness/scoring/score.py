"""Scores a run: reads the stored answers, runs their prompts' checks, writes `scores.parquet`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import IO, cast

import msgspec

from harness.endpoints.reply import Citation
from harness.errors import StoreError, first_leaf
from harness.scoring.checks import make_scorer
from harness.scoring.judging.aids import open_aids
from harness.scoring.judging.calibration import calibrate
from harness.scoring.judging.judges import Judges, NoJudges
from harness.scoring.judging.pairs import score_pairs
from harness.scoring.scorer import (
    NO_AIDS,
    Aids,
    Answer,
    AnswerScorer,
    AnyScorer,
    Outcome,
    Scorer,
    Unscored,
    takes_answers,
    waits,
)
from harness.secrets import redact
from harness.store.files import open_new, temporary_name
from harness.store.records import LAST_MEASURED, PAIRWISE, Score, is_sampled
from harness.store.run_folder import RunFolder
from harness.suite.suite import CheckFile, Prompt, Suite

TIMEOUT_S = 60.0
"""For one check of one answer. It interrupts a scorer only at an `await`.

The built-in scorers bound their own time. A plug-in that computes forever blocks the scoring.
"""
BATCH = 64
"""Answers that are scored concurrently and held in memory."""
MAX_REASON_CHARS = 300

# Requests that the user cancelled and answers that were not stored (load.store_text) are not scored.
_ANSWERS = f"""
SELECT request_id, prompt_id, ok, text, error_kind, citations, stop_reason
FROM ({LAST_MEASURED}) WHERE error_kind IS DISTINCT FROM 'cancelled' AND (text IS NOT NULL OR NOT ok)
"""


class RequestResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a measured request."""

    prompt_id: str
    ok: bool
    error_kind: str | None
    answer: Answer


class PromptScorers(msgspec.Struct, frozen=True):
    """A prompt and its scorers, each with the name of its check."""

    prompt: Prompt
    scorers: tuple[tuple[str, AnyScorer], ...]
    waits: bool
    """Whether any of them does."""


@dataclass(slots=True)
class Grading:
    """How far the scoring of a run is."""

    done: int = 0
    answers: int | None = None
    """All answers. None: not counted yet."""


async def score_run(
    run: RunFolder,
    suite: Suite,
    judges: Judges | None = None,
    check_files: Sequence[CheckFile] = (),
    grading: Grading | None = None,
) -> int:
    """Score every measured request of a finished run and replace earlier scores. Returns the number of rows written.

    `suite` is the run's own and untrusted: the run may come from somebody else. Only `check_files`, from the suite file
    that the user gave, are run, and only if `suite` lists them with the same name and digest.

    There is one row per check. A failed request fails its checks (`request failed: throttled`). If the scorer raises or
    times out, the row has no value and no verdict, and the reason says why (`scorer failed: …`). Prompts without checks
    and cancelled requests have no rows. If only a share of the answers is stored (`load.store_text`), the same share of
    the failures is graded; otherwise failures would dominate the pass rate. Memory does not grow with the number of
    answers, except for the judgements of judges and check functions. `grading` is kept up to date.
    """
    from harness.store.parquet import write_parquet

    prompts = {prompt.id: _make_scorers(prompt) for prompt in suite.prompts}
    lines = temporary_name(run.scores_path.with_suffix(".jsonl"))
    try:
        with open_new(lines) as file:
            async with open_aids(run, suite, judges or NoJudges(suite), check_files) as aids:
                await _score_all(run, prompts, aids, file, suite.load.store_text, grading or Grading())
                file.write(msgspec.json.Encoder().encode_lines(await score_pairs(run, suite, aids)))
                await calibrate(suite, aids)
        return write_parquet(Score, [lines], run.scores_path)
    except ExceptionGroup as group:
        raise first_leaf(group) from group
    except OSError as error:
        raise StoreError(f"{run.scores_path}: cannot be written: {error.strerror}") from error
    finally:
        lines.unlink(missing_ok=True)


async def grade(scorer: AnyScorer, prompt: Prompt, answer: Answer, aids: Aids = NO_AIDS) -> Outcome:
    """The outcome of a scorer, whichever of the two protocols it implements."""
    if takes_answers(type(scorer)):
        return await cast(AnswerScorer, scorer).score_answer(prompt, answer, aids)
    scorer = cast(Scorer, scorer)
    if not waits(scorer):
        return await scorer.score(prompt, answer.text)
    try:
        async with asyncio.timeout(TIMEOUT_S) as deadline:
            return await scorer.score(prompt, answer.text)
    except TimeoutError as error:
        raise TimeoutError(f"took more than {TIMEOUT_S:g} s") if deadline.expired() else error from None


async def _score_all(
    run: RunFolder,
    prompts: Mapping[str, PromptScorers],
    aids: Aids,
    file: IO[bytes],
    share: float | None,
    grading: Grading,
) -> None:
    def count(_: object) -> None:
        grading.done += 1

    encoder = msgspec.json.Encoder()
    grading.answers = _count_results(run)
    for batch in _read_results(run):
        sampled = [result for result in batch if is_sampled(result.answer.request_id, share)]
        pairs = [(_scorers_for(prompts, result, run), result) for result in sampled]
        rows: list[list[Score] | asyncio.Task[list[Score]]] = []
        async with asyncio.TaskGroup() as tasks:
            for prompt, result in pairs:
                scoring = _score_request(prompt, result, aids)
                rows.append(tasks.create_task(scoring) if prompt.waits else await scoring)
                if isinstance(task := rows[-1], asyncio.Task):
                    task.add_done_callback(count)
            await asyncio.sleep(0)  # Ctrl-C cancels here, also where no scorer waits
        file.write(encoder.encode_lines([row for each in rows for row in _finished(each)]))
        grading.done += len(batch) - sum(isinstance(each, asyncio.Task) for each in rows)


def _finished(rows: list[Score] | asyncio.Task[list[Score]]) -> list[Score]:
    return rows.result() if isinstance(rows, asyncio.Task) else rows


async def _score_request(prompt: PromptScorers, result: RequestResult, aids: Aids) -> list[Score]:
    """The rows of one request."""
    if result.ok:
        return [await _score(name, scorer, prompt.prompt, result.answer, aids) for name, scorer in prompt.scorers]
    reason, request_id = f"request failed: {result.error_kind}", result.answer.request_id
    return [
        Score(request_id=request_id, scorer=name, value=0.0, passed=False, reason=reason) for name, _ in prompt.scorers
    ]


async def _score(name: str, scorer: AnyScorer, prompt: Prompt, answer: Answer, aids: Aids) -> Score:
    try:
        outcome = await grade(scorer, prompt, answer, aids)
    except Unscored as unscored:
        return _unscored(name, answer, str(unscored), unscored.cost_usd)
    except Exception as error:  # a plug-in may raise anything; it must not end the scoring
        cause = _first_cause(error)
        return _unscored(name, answer, f"scorer failed: {type(cause).__name__}: {cause}")
    return Score(
        request_id=answer.request_id,
        scorer=name,
        value=outcome.value,
        passed=outcome.passed,
        reason=_clean(outcome.reason),
        cost_usd=outcome.cost_usd,
    )


def _first_cause(error: Exception) -> Exception:
    """The error itself, or the first one inside a (nested) group."""
    return _first_cause(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error


def _unscored(name: str, answer: Answer, reason: str, cost_usd: float | None = None) -> Score:
    return Score(
        request_id=answer.request_id, scorer=name, value=None, passed=None, reason=_clean(reason), cost_usd=cost_usd
    )


def _count_results(run: RunFolder) -> int:
    from harness.store.query import connect

    with closing(connect([run])) as connection:
        ((count,),) = connection.execute(f"SELECT count(*) FROM ({_ANSWERS})").fetchall()
    return int(count)


def _read_results(run: RunFolder) -> Iterator[Sequence[RequestResult]]:
    from harness.store.query import connect

    with closing(connect([run])) as connection:
        found = connection.execute(_ANSWERS)
        while rows := found.fetchmany(BATCH):
            yield [_to_result(*row) for row in rows]


def _to_result(
    request_id: str,
    prompt_id: str,
    ok: bool,
    text: str | None,
    error_kind: str | None,
    citations: str | None,
    stop_reason: str | None,
) -> RequestResult:
    answer = Answer(
        request_id=request_id, text=text or "", citations=_read_citations(citations), stop_reason=stop_reason
    )
    return RequestResult(prompt_id=prompt_id, ok=ok, error_kind=error_kind, answer=answer)


_citations = msgspec.json.Decoder(tuple[Citation, ...])


def _read_citations(written: str | None) -> tuple[Citation, ...]:
    """Empty if the column does not hold citations: the run may come from somebody else."""
    if written is None:
        return ()
    try:
        return _citations.decode(written)
    except (msgspec.DecodeError, RecursionError):
        return ()


def _make_scorers(prompt: Prompt) -> PromptScorers:
    """All but the pairwise checks, which need every answer (`pairs.py`)."""
    checks = [check for check in prompt.checks if check.type != PAIRWISE]
    scorers = tuple((check.type, make_scorer(check, prompt)) for check in checks)
    return PromptScorers(prompt, scorers, any(waits(scorer) for _, scorer in scorers))


def _scorers_for(prompts: Mapping[str, PromptScorers], result: RequestResult, run: RunFolder) -> PromptScorers:
    if result.prompt_id not in prompts:
        raise StoreError(f"{run.path}: an attempt answers prompt {result.prompt_id!r}, which is not in the run's suite")
    return prompts[result.prompt_id]


def _clean(reason: str) -> str:
    """Redact secrets, shorten, and replace what UTF-8 cannot encode."""
    return redact(reason)[:MAX_REASON_CHARS].encode(errors="replace").decode()
