"""What every scorer shares: the outcome it gives and the protocol it follows."""

from __future__ import annotations

from typing import Protocol

import msgspec

from harness.suite.schema import Prompt


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a scorer says of one answer. The room makes the row of `scores.parquet` of it."""

    value: float
    """0 … 1."""
    passed: bool
    reason: str = ""
    """Why not, for a person; may quote the answer, so it is hostile like the answer."""
    cost_usd: float | None = None


PASS = Outcome(value=1.0, passed=True)


def fail(reason: str) -> Outcome:
    """Not passed, value 0."""
    return Outcome(value=0.0, passed=False, reason=reason)


class Scorer(Protocol):
    """One check with its parameters. Whatever `score` raises leaves the answer unscored and is told as the reason.

    The answer is hostile input: time and memory must be bounded whatever it holds.
    """

    async def score(self, prompt: Prompt, answer: str) -> Outcome: ...
