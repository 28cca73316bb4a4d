"""Scores a run: reads the stored answers, runs the checks of their prompts, writes `scores.parquet`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import IO

import msgspec

from harness.errors import StoreError
from harness.scoring.checks import make_scorer
from harness.scoring.scorer import Scorer
from harness.store.run_folder import RunFolder
from harness.store.score import Score
from harness.suite.schema import Prompt, Suite

TIMEOUT_S = 60.0
"""For one check of one answer, but only where its scorer awaits: nothing can cut a check that computes all the time.

Every scorer here computes, so each bounds its own time. One from another package that does not holds up the scoring.
"""
BATCH = 64
"""Answers scored at the same time, and held in memory."""
LONGEST_REASON = 300

# The last attempt decides. What the user cancelled is no answer; what was not stored (load.store_text) has no score.
_ANSWERS = """
SELECT request_id, prompt_id, ok, text, error_kind
FROM attempts
JOIN (SELECT request_id, max(try_no) AS try_no FROM attempts WHERE phase = 'measure' GROUP BY request_id)
USING (request_id, try_no)
WHERE error_kind IS DISTINCT FROM 'cancelled' AND (text IS NOT NULL OR NOT ok)
"""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How a measured request ended."""

    request_id: str
    prompt_id: str
    ok: bool
    text: str
    error_kind: str | None


class Checked(msgspec.Struct, frozen=True):
    """A prompt with its scorers, each under the name of its check."""

    prompt: Prompt
    scorers: tuple[tuple[str, Scorer], ...]


async def score_run(run: RunFolder, suite: Suite) -> int:
    """Score every measured request of a run that has ended; returns the rows written. Replaces earlier scores.

    One row for each check: of a failed request it is not passed (`request failed: throttled`); where the scorer raised
    or took too long it has neither value nor verdict (`scorer broke: …`). Prompts without checks and requests that the
    user cancelled have no rows. The number of answers does not matter to memory.
    """
    from harness.store.parquet import write_parquet

    prompts = {prompt.id: _checked(prompt) for prompt in suite.prompts}
    lines = run.path / "scores.jsonl"
    try:
        with lines.open("wb") as file:
            await _score_all(run, prompts, file)
        return write_parquet(Score, [lines], run.scores_path)
    except OSError as error:
        raise StoreError(f"{lines}: cannot be written: {error.strerror}") from error
    finally:
        lines.unlink(missing_ok=True)


async def score_answer(checked: Checked, answer: Answer) -> list[Score]:
    """The rows of one request."""
    if not answer.ok:
        reason = f"request failed: {answer.error_kind}"
        return [
            Score(request_id=answer.request_id, scorer=name, value=0.0, passed=False, reason=reason)
            for name, _ in checked.scorers
        ]
    return [await _score(name, scorer, checked.prompt, answer) for name, scorer in checked.scorers]


async def _score_all(run: RunFolder, prompts: Mapping[str, Checked], file: IO[bytes]) -> None:
    encoder = msgspec.json.Encoder()
    for batch in _answers(run):
        known = [(_find(prompts, answer, run), answer) for answer in batch]
        async with asyncio.TaskGroup() as tasks:
            scored = [tasks.create_task(score_answer(*each)) for each in known if each[0].scorers]
        file.write(encoder.encode_lines([row for task in scored for row in task.result()]))


async def _score(name: str, scorer: Scorer, prompt: Prompt, answer: Answer) -> Score:
    try:
        async with asyncio.timeout(TIMEOUT_S) as deadline:
            outcome = await scorer.score(prompt, answer.text)
    except Exception as error:  # a scorer may come from another package: whatever it raises is data
        said = f"took more than {TIMEOUT_S:g} s" if deadline.expired() else str(error)
        reason = _clean(f"scorer broke: {type(error).__name__}: {said}")
        return Score(request_id=answer.request_id, scorer=name, value=None, passed=None, reason=reason)
    return Score(
        request_id=answer.request_id,
        scorer=name,
        value=outcome.value,
        passed=outcome.passed,
        reason=_clean(outcome.reason),
        cost_usd=outcome.cost_usd,
    )


def _answers(run: RunFolder) -> Iterator[Sequence[Answer]]:
    from harness.store.query import connect

    with closing(connect([run])) as connection:
        found = connection.execute(_ANSWERS)
        while rows := found.fetchmany(BATCH):
            yield [
                Answer(request_id=request_id, prompt_id=prompt_id, ok=ok, text=text or "", error_kind=error_kind)
                for request_id, prompt_id, ok, text, error_kind in rows
            ]


def _checked(prompt: Prompt) -> Checked:
    return Checked(prompt, tuple((check.type, make_scorer(check, prompt)) for check in prompt.checks))


def _find(prompts: Mapping[str, Checked], answer: Answer, run: RunFolder) -> Checked:
    if answer.prompt_id not in prompts:
        raise StoreError(f"{run.path}: an attempt answers prompt {answer.prompt_id!r}, which its suite has not")
    return prompts[answer.prompt_id]


def _clean(reason: str) -> str:
    """Short, and text that UTF-8 can carry."""
    return reason[:LONGEST_REASON].encode(errors="replace").decode()
