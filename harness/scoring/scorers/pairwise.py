"""pairwise: a judge says whether the candidate's or the baseline's answer is better, in both orders."""

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


class PairVerdict(msgspec.Struct, frozen=True):
    """A judge's verdict on two answers."""

    better: Literal["A", "B", "tie"]
    reason: str = ""


class Pairwise(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Compares each candidate's answer with the baseline's for the same prompt and repeat. It has no pass rate.

    The judge is asked twice, with either answer first; unless it names the same answer both times, it is a tie.
    """

    judge: Annotated[Text, Meta(description="One of the suite's `judges`.")]
    rubric: Annotated[Text, Meta(description="What makes one answer better, in plain words.")] = RUBRIC

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from unknown_judges([self.judge], suite)
        if suite.baseline is None:
            yield "there is nothing to compare with; name the `baseline`"
        elif len(suite.targets) < 2:
            yield "there is only the baseline; give another target"

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome:
        """Always raises Unscored: one answer is not a pair. `pairs.py` compares them once all are stored."""
        raise Unscored("compared with the baseline's answer in a run only")
