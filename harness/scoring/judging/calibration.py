"""A judge beside people: it grades the answers that they have labelled, which shows how often both agree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice

import msgspec

from harness.scoring.checks import make_scorer
from harness.scoring.judgements import Judgement, digest_of
from harness.scoring.judging.aids import KeepingAids
from harness.scoring.scorer import Answer
from harness.scoring.scorers.judge import RubricJudge, ask_panel
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Judge, Label, Prompt, Suite

BATCH = 64
JUDGE = "judge"


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """What judge and person say of one answer: the `given` of a judgement of kind `label`."""

    prompt_id: str
    person: bool
    judge: bool | None
    """None: the judge gave no verdict."""


def calibration_mistakes(suite: Suite) -> Iterator[Mistake]:
    """A validator for `load_suite`: labels of prompts that the judge grades by no rubric."""
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    for judge in suite.graders.judges:
        for prompt_id in dict.fromkeys(label.prompt_id for label in judge.labels):
            if _names(judge, prompts[prompt_id]) is None:
                message = f"prompt {prompt_id!r} has no check of type judge that names {judge.name!r}, so no rubric"
                yield Mistake(("judges", judge.name, "calibration"), message)


async def calibrate(suite: Suite, aids: KeepingAids) -> None:
    """Ask every judge for its labelled answers; what came of it is kept among the judgements."""
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    for judge in suite.graders.judges:
        numbered = enumerate(judge.labels)
        while batch := list(islice(numbered, BATCH)):
            async with asyncio.TaskGroup() as tasks:
                for number, label in batch:
                    tasks.create_task(_grade(judge, number, label, prompts[label.prompt_id], aids))


async def _grade(judge: Judge, number: int, label: Label, prompt: Prompt, aids: KeepingAids) -> None:
    check = _scorer(judge, prompt)
    if check is None:
        return
    request_id = f"label-{judge.name}-{number}"
    alone = msgspec.structs.replace(check, judge=judge.name)
    (ballot,) = await ask_panel(alone, prompt, Answer(text=label.answer, request_id=request_id), aids)
    verdict = None if ballot.graded is None else ballot.graded.score >= check.pass_at
    given = Labelled(prompt_id=prompt.id, person=label.passed, judge=verdict)
    key = digest_of("label", judge.name, check.rubric, request_id, label.answer)
    aids.kept.add(
        Judgement(key=key, kind="label", by=judge.name, request_id=request_id, given=msgspec.structs.asdict(given))
    )


def _names(judge: Judge, prompt: Prompt) -> int | None:
    """The place of the first check of a prompt that asks this judge for a score."""
    for at, check in enumerate(prompt.checks):
        named = check.params.get("judge")
        if check.type == JUDGE and (named == judge.name or (isinstance(named, list) and judge.name in named)):
            return at
    return None


def _scorer(judge: Judge, prompt: Prompt) -> RubricJudge | None:
    at = _names(judge, prompt)
    made = None if at is None else make_scorer(prompt.checks[at], prompt)
    return made if isinstance(made, RubricJudge) else None
