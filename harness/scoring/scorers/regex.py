"""regex: a pattern matches somewhere in the answer, within a time limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import msgspec
import regex
from msgspec import Meta

from harness.scoring.scorer import PASS, Outcome, fail
from harness.scoring.text.normalise import blank_mistake
from harness.suite.grammar.patterns import compile_pattern
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt, Suite

LIMIT_S = 1.0
"""A search that takes longer leaves the answer unscored: the pattern backtracks too much on it."""
FLAGS = {"i": regex.IGNORECASE, "m": regex.MULTILINE, "s": regex.DOTALL, "x": regex.VERBOSE}


class Regex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A search, in Python's syntax; anchor it with `^` and `$` to match the whole answer."""

    waits: ClassVar[bool] = False

    pattern: Annotated[str, Meta(min_length=1, description="The pattern to search for.", examples=[r"\bParis\b"])]
    flags: Annotated[
        str,
        Meta(
            pattern="^[imsx]*$",
            description="Letters: i ignores case, m anchors at lines, s lets . match newlines, x allows comments.",
            examples=["i"],
        ),
    ] = ""

    def __post_init__(self) -> None:
        self._compiled()

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        yield from blank_mistake("pattern", self.pattern)

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        """Raises TimeoutError if the search takes longer than LIMIT_S."""
        try:
            found = self._compiled().search(answer, timeout=LIMIT_S)
        except TimeoutError:
            raise TimeoutError(f"the pattern took more than {LIMIT_S:g} s; make it backtrack less") from None
        return PASS if found else fail(f"no match for {describe(self.pattern)} in {describe(answer.strip())}")

    def _compiled(self) -> regex.Pattern[str]:
        flags = 0
        for letter in self.flags:
            flags |= FLAGS[letter]
        return compile_pattern(self.pattern, flags)
