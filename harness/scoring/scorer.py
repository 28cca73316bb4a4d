"""What every scorer shares: the answer it sees, the outcome it gives and the protocol it follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import msgspec

from harness.catalog.target import Tool
from harness.endpoints.reply import Citation
from harness.suite.suite import Prompt, Suite


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model gave. All of it is hostile input."""

    text: str
    """What it said; each tool call follows as one line of JSON, `{"tool": NAME, "input": {…}}`."""
    citations: tuple[Citation, ...] = ()
    stop_reason: str | None = None
    request_id: str = ""
    """Of the request that it answers; empty where there was none."""


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


class Unscored(Exception):
    """An answer that could not be scored, in words: nothing broke, but there is no verdict. `cost_usd` was spent."""

    def __init__(self, reason: str, *, cost_usd: float | None = None) -> None:
        super().__init__(reason)
        self.cost_usd = cost_usd


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A function of a check file of the suite's, and the case that it is to grade."""

    file: str
    function: str
    case: dict[str, Any]
    timeout_s: float
    request_id: str


class FunctionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a function of the user's returned for one answer. `error`: it returned nothing that can be used."""

    value: float | None = None
    """0 … 1."""
    reason: str = ""
    error: str | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge is asked, and the tool with which it is to answer."""

    about: str
    """Digest of prompt, rubric and answers: the same whatever words they are wrapped in."""
    system: str
    text: str
    tool: Tool


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge answered: the input of the tool, hostile like every model's output. `error`: it gave none."""

    given: dict[str, Any] = {}
    error: str | None = None
    cost_usd: float | None = None


class Aids(Protocol):
    """What a scorer may call upon beside the answer. Both raise Unscored where they are not to be asked."""

    async def run_python(self, call: Call) -> FunctionResult:
        """What a function of the user's says."""
        ...

    async def ask_judge(self, judge: str, question: Question, request_id: str) -> Verdict:
        """What a judge says."""
        ...


class NoAids:
    """Nothing to call upon: what needs help stays unscored."""

    async def run_python(self, call: Call) -> FunctionResult:
        raise Unscored(f"not run: {call.file} is not to be run here")

    async def ask_judge(self, judge: str, question: Question, request_id: str) -> Verdict:
        raise Unscored(f"not judged: judge {judge!r} is not to be asked here")


NO_AIDS = NoAids()


class Scorer(Protocol):
    """One check with its parameters. Whatever `score` raises leaves the answer unscored and becomes the reason.

    The answer is hostile input: time and memory must be bounded whatever it holds.
    """

    async def score(self, prompt: Prompt, answer: str) -> Outcome: ...


@runtime_checkable
class AnswerScorer(Protocol):
    """A scorer that needs more of the answer than its text, or help. One that bounds its own time is not cut short."""

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome: ...


AnyScorer = Scorer | AnswerScorer


@runtime_checkable
class Fitted(Protocol):
    """A scorer that knows what its prompt and its suite must have."""

    def misfits(self, suite: Suite, prompt: Prompt) -> Iterable[str]:
        """What is missing, in words; nothing where it fits."""
        ...
