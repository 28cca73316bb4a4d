"""exact: the answer equals the expected text after normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from harness.scoring.scorer import PASS, Outcome, fail
from harness.scoring.text.normalise import bare, blank_mistake, fold
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt, Suite


class Exact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ignores case, white space, Unicode form, surrounding quotes and Markdown marks, and final punctuation."""

    waits: ClassVar[bool] = False

    expect: Annotated[str, Meta(min_length=1, description="The right answer. Default: the prompt's `expect`.")]
    case_sensitive: Annotated[bool, Meta(description="Whether `Paris` differs from `paris`.")] = False

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from blank_mistake("expect", self.expect)

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        given, wanted = (bare(fold(text, case_sensitive=self.case_sensitive)) for text in (answer, self.expect))
        return PASS if given == wanted else fail(f"expected {describe(self.expect)}, got {describe(answer.strip())}")
