"""numeric: the last number in the answer is the expected one, within a tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from harness.scoring.scorer import PASS, Outcome, fail
from harness.scoring.text.numbers import find_ambiguity, last_number, read_number
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt, Suite

Margin = Annotated[float, Meta(ge=0)]


class Numeric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """|number − expect| ≤ max(tolerance, relative · |expect|) in exact decimals, for the last number of the answer."""

    waits: ClassVar[bool] = False

    expect: Annotated[
        int | float | str, Meta(description="The right number. Default: the prompt's `expect`.", examples=[118.4])
    ]
    tolerance: Annotated[Margin, Meta(description="Allowed difference, absolute.", examples=[0.01])] = 0.0
    relative: Annotated[Margin, Meta(description="Allowed difference as a share of `expect`.", examples=[0.01])] = 0.0

    def __post_init__(self) -> None:
        if not self._expected().is_finite():
            raise ValueError(f"expect {self.expect!r} is not a finite number")

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        ambiguity = find_ambiguity(self.expect) if isinstance(self.expect, str) else None
        if ambiguity is not None:
            yield ambiguity

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        number, expected = last_number(answer), self._expected()
        if number is None:
            return fail(f"no number in {describe(answer.strip())}")
        margin = max(Decimal(str(self.tolerance)), Decimal(str(self.relative)) * abs(expected))
        return PASS if abs(number - expected) <= margin else fail(f"expected {expected}, got {number:.12g}")

    def _expected(self) -> Decimal:
        return read_number(self.expect) if isinstance(self.expect, str) else Decimal(str(self.expect))
