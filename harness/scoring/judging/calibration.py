"""Calibration: a judge grades answers that people have labelled, to measure how often they agree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice

import msgspec

from harness.scoring.checks import make_scorer
from harness.scoring.judgements import Judgement, digest_of
from harness.scoring.judging.aids import CachingAids
from harness.scoring.scorer import Answer
from harness.scoring.scorers.judge import RubricJudge, ask_panel
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Judge, Label, Prompt, Suite

BATCH = 64
JUDGE = "judge"


class LabelResult(msgspec.Struct, frozen=True, kw_only=True):
    """A person's and a judge's verdict on one answer: the `given` of a judgement of kind `label`."""

    prompt_id: str
    person: bool
    judge: bool | None
    """None if the judge gave no verdict."""


def calibration_mistakes(suite: Suite) -> Iterator[Mistake]:
    """A validator for `load_suite`: labels of prompts for which the judge has no rubric."""
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    for judge in suite.graders.judges:
        for prompt_id in dict.fromkeys(label.prompt_id for label in judge.labels):
            if _find_check(judge, prompts[prompt_id]) is None:
                message = (
                    f"prompt {prompt_id!r} has no check of type judge that names {judge.name!r}, so there is no rubric"
                )
                yield Mistake(("judges", judge.name, "calibration"), message)


async def calibrate(suite: Suite, aids: CachingAids) -> None:
    """Have every judge grade its labelled answers, and store the results with the judgements."""
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    for judge in suite.graders.judges:
        numbered = enumerate(judge.labels)
        while batch := list(islice(numbered, BATCH)):
            async with asyncio.TaskGroup() as tasks:
                for number, label in batch:
                    tasks.create_task(_grade(judge, number, label, prompts[label.prompt_id], aids))


async def _grade(judge: Judge, number: int, label: Label, prompt: Prompt, aids: CachingAids) -> None:
    check = _scorer(judge, prompt)
    if check is None:
        return
    request_id = f"label-{judge.name}-{number}"
    alone = msgspec.structs.replace(check, judge=judge.name)
    (ballot,) = await ask_panel(alone, prompt, Answer(text=label.answer, request_id=request_id), aids)
    verdict = None if ballot.verdict is None else ballot.verdict.score >= check.pass_at
    result = LabelResult(prompt_id=prompt.id, person=label.passed, judge=verdict)
    key = digest_of("label", judge.name, check.rubric, request_id, label.answer)
    given = msgspec.structs.asdict(result)
    aids.judgements.add(Judgement(key=key, kind="label", by=judge.name, request_id=request_id, given=given))


def _find_check(judge: Judge, prompt: Prompt) -> int | None:
    """Index of the prompt's first check that asks this judge for a score."""
    for at, check in enumerate(prompt.checks):
        named = check.params.get("judge")
        if check.type == JUDGE and (named == judge.name or (isinstance(named, list) and judge.name in named)):
            return at
    return None


def _scorer(judge: Judge, prompt: Prompt) -> RubricJudge | None:
    at = _find_check(judge, prompt)
    scorer = None if at is None else make_scorer(prompt.checks[at], prompt)
    return scorer if isinstance(scorer, RubricJudge) else None
