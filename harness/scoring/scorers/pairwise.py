"""pairwise: a judge prefers the candidate's answer to the baseline's, or the other way round, in both orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.scoring.scorer import Aids, Answer, Outcome, Unscored
from harness.scoring.scorers.judge import unknown_judges
from harness.suite.suite import Prompt, Suite

Text = Annotated[str, Meta(min_length=1)]
RUBRIC = "The better answer is the more correct one; of two correct answers, the more helpful and the clearer one."


class Preferred(msgspec.Struct, frozen=True):
    """A judge's verdict on two answers."""

    better: Literal["A", "B", "tie"]
    reason: str = ""


class Pairwise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each candidate's answer against the baseline's to the same prompt and repeat. It decides no pass rate.

    Asked twice, either answer first; where the judge does not name the same answer both times, it is a tie.
    """

    judge: Annotated[Text, Meta(description="One of the suite's `judges`.")]
    rubric: Annotated[Text, Meta(description="What makes one answer better, in plain words.")] = RUBRIC

    def misfits(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from unknown_judges([self.judge], suite)
        if suite.baseline is None:
            yield "there is nothing to compare with; name the `baseline`"
        elif len(suite.targets) < 2:
            yield "there is only the baseline; give another target"

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome:
        """An answer alone says nothing; `pairs.py` compares it when all are there."""
        raise Unscored("compared with the baseline's answer only in a run")
