"""judge: a model that is not itself under test grades the answer by a rubric, alone or on a panel."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from statistics import median
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.scoring.judge_prompt import ask_for_score
from harness.scoring.scorer import Aids, Answer, Outcome, Unscored
from harness.scoring.text.normalise import blank_mistake
from harness.suite.grammar.structure import unknown_word
from harness.suite.suite import Prompt, Suite

Text = Annotated[str, Meta(min_length=1)]


class RubricVerdict(msgspec.Struct, frozen=True):
    """A judge's verdict on one answer."""

    score: Annotated[float, Meta(ge=0, le=1)]
    reason: str = ""


class Ballot(msgspec.Struct, frozen=True, kw_only=True):
    """One panel member's verdict, or why there is none."""

    judge: str
    verdict: RubricVerdict | None
    reason: str
    cost_usd: float | None


class RubricJudge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value is the median of the judges' scores, 0 … 1, or with `majority` the share of judges who pass it.

    More than half of a panel must give a verdict; otherwise the answer is unscored.
    """

    rubric: Annotated[Text, Meta(description="What makes an answer good, in plain words.")]
    judge: Annotated[
        Text | Annotated[list[Text], Meta(min_length=1)], Meta(description="One of the suite's `judges`, or a panel.")
    ]
    pass_at: Annotated[float, Meta(gt=0, le=1, description="The lowest score that passes.")] = 0.5
    panel: Annotated[
        Literal["median", "majority"], Meta(description="How the scores of several judges become one.")
    ] = "median"

    @property
    def judges(self) -> list[str]:
        return [self.judge] if isinstance(self.judge, str) else self.judge

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from blank_mistake("rubric", self.rubric)
        yield from unknown_judges(self.judges, suite)

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome:
        ballots = await ask_panel(self, prompt, answer, aids)
        costs = [ballot.cost_usd for ballot in ballots if ballot.cost_usd is not None]
        cost_usd = sum(costs) if costs else None
        scores = [ballot.verdict.score for ballot in ballots if ballot.verdict is not None]
        reason = "; ".join(ballot.reason for ballot in ballots)
        if 2 * len(scores) <= len(ballots):
            raise Unscored(reason, cost_usd=cost_usd)
        if self.panel == "median":
            value = median(scores)
            passed = value >= self.pass_at
        else:
            value = sum(score >= self.pass_at for score in scores) / len(scores)
            passed = value > 0.5
        return Outcome(value=value, passed=passed, reason=reason, cost_usd=cost_usd)


def unknown_judges(names: list[str], suite: Suite) -> Iterator[str]:
    """Messages for unknown and repeated judges of a check."""
    known = [judge.name for judge in suite.graders.judges]
    for name in dict.fromkeys(names):
        if suite.graders.unread and name not in known:
            continue
        if not known:
            yield f"there is no judge {name!r}; name a model under `judges`"
        elif name not in known:
            yield f"judge {unknown_word(name, known)}"
        elif names.count(name) > 1:
            yield f"judge {name!r} is named twice; drop one"


async def ask_panel(check: RubricJudge, prompt: Prompt, answer: Answer, aids: Aids) -> list[Ballot]:
    """Ask every judge of the check about an answer."""
    question = ask_for_score(prompt, answer.text, check.rubric)

    async def ask(judge: str) -> Ballot:
        try:
            reply = await aids.ask_judge(judge, question, answer.request_id)
        except Unscored as unscored:
            return Ballot(judge=judge, verdict=None, reason=str(unscored), cost_usd=unscored.cost_usd)
        verdict, error = None, reply.error
        if error is None:
            try:
                verdict = msgspec.convert(reply.given, RubricVerdict, strict=False)
            except msgspec.ValidationError as malformed:
                error = f"its verdict is malformed: {malformed}"
        reason = f"judge {judge} failed: {error}" if verdict is None else f"{judge} {verdict.score:g}: {verdict.reason}"
        return Ballot(judge=judge, verdict=verdict, reason=reason, cost_usd=reply.cost_usd)

    async with asyncio.TaskGroup() as tasks:
        ballots = [tasks.create_task(ask(judge)) for judge in check.judges]
    return [task.result() for task in ballots]
