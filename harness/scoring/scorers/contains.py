"""contains: the answer contains the expected text, or all or any of several."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from harness.scoring.scorer import PASS, Outcome, fail
from harness.scoring.text.normalise import blank_mistake, fold
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt, Suite

Text = Annotated[str, Meta(min_length=1)]


class Contains(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Matches anywhere, even inside a longer word, after normalising white space, quotes and dashes."""

    waits: ClassVar[bool] = False

    expect: Annotated[
        Text | Annotated[list[Text], Meta(min_length=1)],
        Meta(description="What must occur. Default: the prompt's `expect`."),
    ]
    mode: Annotated[Literal["all", "any"], Meta(description="Of several texts: all of them, or any one.")] = "all"
    case_sensitive: Annotated[bool, Meta(description="Whether `Paris` differs from `paris`.")] = False

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from blank_mistake("expect", *self._wanted())

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        wanted = self._wanted()
        text = fold(answer, case_sensitive=self.case_sensitive)
        missing = [each for each in wanted if fold(each, case_sensitive=self.case_sensitive) not in text]
        if not missing or (self.mode == "any" and len(missing) < len(wanted)):
            return PASS
        return fail(f"does not contain {', '.join(describe(each) for each in missing)}")

    def _wanted(self) -> list[str]:
        return [self.expect] if isinstance(self.expect, str) else self.expect
