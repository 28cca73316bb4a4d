"""The scorer protocols, and the types that go in and out of a scorer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol, runtime_checkable

import msgspec

from harness.catalog.target import Tool
from harness.endpoints.reply import Citation
from harness.suite.suite import Prompt, Suite


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A model's answer. All of it is untrusted input."""

    text: str
    """The text, then each tool call as a line of JSON, `{"tool": NAME, "input": {…}}`."""
    citations: tuple[Citation, ...] = ()
    stop_reason: str | None = None
    request_id: str = ""
    """The request that it answers; empty if there was none."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A scorer's result for one answer; it becomes a row of `scores.parquet`."""

    value: float
    """0 … 1."""
    passed: bool
    reason: str = ""
    """Why the answer failed, for people. It may quote the answer, so it is untrusted too."""
    cost_usd: float | None = None


PASS = Outcome(value=1.0, passed=True)


def fail(reason: str) -> Outcome:
    """A failed outcome, with value 0."""
    return Outcome(value=0.0, passed=False, reason=reason)


class Unscored(Exception):
    """There is no verdict on an answer, though nothing failed. The message says why; `cost_usd` was spent anyway."""

    def __init__(self, reason: str, *, cost_usd: float | None = None) -> None:
        super().__init__(reason)
        self.cost_usd = cost_usd


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a function in one of the suite's check files, with the case to grade."""

    file: str
    function: str
    case: dict[str, Any]
    timeout_s: float
    request_id: str


class FunctionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a check function returned for one answer; `error` says why there is no usable value."""

    value: float | None = None
    """0 … 1."""
    reason: str = ""
    error: str | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question for a judge, and the tool that it must answer with."""

    about: str
    """Digest of prompt, rubric and answers; independent of the wording around them."""
    system: str
    text: str
    tool: Tool


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A judge's answer: the tool's input, untrusted like all model output; `error` says why there is none."""

    given: dict[str, Any] = {}
    error: str | None = None
    cost_usd: float | None = None


class Aids(Protocol):
    """What a scorer may use besides the answer. Both methods raise Unscored if they are not available."""

    async def run_python(self, call: Call) -> FunctionResult:
        """Call one of the user's check functions."""
        ...

    async def ask_judge(self, judge: str, question: Question, request_id: str) -> Verdict:
        """Ask a judge."""
        ...


class NoAids:
    """No functions and no judges: checks that need them stay unscored."""

    async def run_python(self, call: Call) -> FunctionResult:
        raise Unscored(f"not run: {call.file} is not available here")

    async def ask_judge(self, judge: str, question: Question, request_id: str) -> Verdict:
        raise Unscored(f"not judged: judge {judge!r} is not available here")


NO_AIDS = NoAids()


class Scorer(Protocol):
    """One check with its parameters. If `score` raises, the answer stays unscored and the error becomes the reason.

    The answer is untrusted input: bound time and memory whatever it holds. A scorer that only computes says so with
    `waits: ClassVar[bool] = False`; it is then called without a task and a timeout, which cost more than most checks.
    """

    async def score(self, prompt: Prompt, answer: str) -> Outcome: ...


@runtime_checkable
class AnswerScorer(Protocol):
    """A scorer that needs more than the answer's text, or aids. It must bound its own time: it has no timeout."""

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome: ...


AnyScorer = Scorer | AnswerScorer


def waits(scorer: AnyScorer) -> bool:
    """Whether a scorer may await something. A plug-in that does not say may."""
    return bool(getattr(scorer, "waits", True))


@cache
def takes_answers(kind: type[AnyScorer]) -> bool:
    """Whether scorers of this class are `AnswerScorer`s. Cached: asking a protocol takes longer than most checks."""
    return issubclass(kind, AnswerScorer)


@runtime_checkable
class SuiteAwareScorer(Protocol):
    """A scorer that checks whether its suite and its prompt have what it needs."""

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterable[str]:
        """One message per mistake."""
        ...
