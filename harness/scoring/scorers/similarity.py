"""similarity: the answer resembles the expected text, by a ratio of edits or of words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from harness.scoring.scorer import Outcome
from harness.scoring.text.normalise import bare, blank_mistake, fold
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt, Suite

MAX_CHARS = 20_000
"""Most characters of the answer that are compared: the time grows with the product of both lengths."""
RATIOS = {
    "ratio": "ratio",
    "partial": "partial_ratio",
    "token_sort": "token_sort_ratio",
    "token_set": "token_set_ratio",
}
"""Value of `ratio` in a suite → function of `rapidfuzz.fuzz`."""


class Similarity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ratio from 0 to 1 of at least `threshold`, after normalising case, white space, quotes and dashes.

    `ratio`: 1 − (inserted + deleted characters) / all characters. `partial`: the same for the best matching part of the
    longer text. `token_sort`: the words in any order. `token_set`: the words in common, ignoring the others.
    """

    waits: ClassVar[bool] = False

    expect: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_CHARS)], Meta(description="Default: the prompt's `expect`.")
    ]
    threshold: Annotated[float, Meta(ge=0, le=1, description="The lowest ratio that passes.")] = 0.8
    ratio: Annotated[
        Literal["ratio", "partial", "token_sort", "token_set"], Meta(description="How similarity is measured.")
    ] = "ratio"
    case_sensitive: Annotated[bool, Meta(description="Whether `Paris` differs from `paris`.")] = False

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from blank_mistake("expect", self.expect)

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        from rapidfuzz import fuzz

        given, wanted = (
            bare(fold(text, case_sensitive=self.case_sensitive)) for text in (answer[:MAX_CHARS], self.expect)
        )
        value = getattr(fuzz, RATIOS[self.ratio])(given, wanted) / 100
        passed = bool(value >= self.threshold)
        reason = f"{self.ratio} {value:.2f} is below {self.threshold:g}: {describe(answer.strip())}"
        return Outcome(value=value, passed=passed, reason="" if passed else reason)
