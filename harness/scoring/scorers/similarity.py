"""similarity: the answer is like the expected text, by a ratio of edits or of words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness.scoring.scorer import Outcome
from harness.scoring.text.normalise import bare, blank_mistake, fold
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt, Suite

LONGEST = 20_000
"""Characters of the answer that are compared, which bounds the work: edits take time in the product of both lengths."""
RATIOS = {
    "ratio": "ratio",
    "partial": "partial_ratio",
    "token_sort": "token_sort_ratio",
    "token_set": "token_set_ratio",
}
"""Word of the suite → function of `rapidfuzz.fuzz`."""


class Similarity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ratio of 0 … 1 of at least `threshold`, with case, white space, quotes and dashes normalised.

    `ratio`: 1 − (inserted + deleted characters) / all characters. `partial`: of the best matching part of the longer
    one. `token_sort`: words in any order. `token_set`: words that both have, whatever else one of them says.
    """

    expect: Annotated[
        Annotated[str, Meta(min_length=1, max_length=LONGEST)], Meta(description="Default: the prompt's `expect`.")
    ]
    threshold: Annotated[float, Meta(ge=0, le=1, description="The least ratio that passes.")] = 0.8
    ratio: Annotated[
        Literal["ratio", "partial", "token_sort", "token_set"], Meta(description="How likeness is counted.")
    ] = "ratio"
    case_sensitive: Annotated[bool, Meta(description="Whether `Paris` differs from `paris`.")] = False

    def misfits(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from blank_mistake("expect", self.expect)

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        from rapidfuzz import fuzz

        given, wanted = (
            bare(fold(text, case_sensitive=self.case_sensitive)) for text in (answer[:LONGEST], self.expect)
        )
        value = getattr(fuzz, RATIOS[self.ratio])(given, wanted) / 100
        passed = bool(value >= self.threshold)
        reason = f"{self.ratio} {value:.2f} is below {self.threshold:g}: {describe(answer.strip())}"
        return Outcome(value=value, passed=passed, reason="" if passed else reason)
