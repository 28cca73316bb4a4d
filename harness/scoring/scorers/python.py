"""python: the user's own function grades the answer, in a separate process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from harness.scoring.scorer import Aids, Answer, Call, Outcome, Unscored
from harness.suite.fields import DurationText, UnitError, parse_duration
from harness.suite.grammar.structure import unknown_word
from harness.suite.suite import Prompt, Suite

Text = Annotated[str, Meta(min_length=1)]


class Python(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`def grade(case): …` gets a dict: prompt, messages, expect, tags, answer, citations, stop_reason.

    It returns a bool, a number from 0 to 1, or a tuple of one of these and a reason. It runs as the current user.
    """

    file: Annotated[Text, Meta(description="A .py file beside the suite.", examples=["checks.py"])]
    function: Annotated[Text, Meta(description="A function at the top level of the file.")] = "grade"
    pass_at: Annotated[float, Meta(ge=0, le=1, description="The lowest number that passes.")] = 0.5
    timeout: Annotated[DurationText, Meta(description="For one answer; then the process is killed.")] = "5s"

    def __post_init__(self) -> None:
        try:
            parse_duration(self.timeout)
        except UnitError as error:
            raise ValueError(f"timeout: {error}") from None

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        file = next((each for each in suite.graders.check_files if each.name == self.file), None)
        if file is None:
            return  # the missing file is already reported
        if not file.functions:
            yield f"{self.file!r} has no function at its top level"
        elif self.function not in file.functions:
            yield f"{self.file!r} has no such function: {unknown_word(self.function, list(file.functions))}"

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome:
        call = Call(
            file=self.file,
            function=self.function,
            case=describe_case(prompt, answer),
            timeout_s=parse_duration(self.timeout),
            request_id=answer.request_id,
        )
        result = await aids.run_python(call)
        if result.value is None:
            raise Unscored(f"scorer failed: {self.function}: {result.error}")
        return Outcome(value=result.value, passed=result.value >= self.pass_at, reason=result.reason)


def describe_case(prompt: Prompt, answer: Answer) -> dict[str, Any]:
    """The argument of a check function."""
    return {
        "prompt": prompt.id,
        "messages": msgspec.to_builtins(prompt.messages),
        "expect": prompt.expect,
        "tags": list(prompt.tags),
        "answer": answer.text,
        "citations": msgspec.to_builtins(answer.citations),
        "stop_reason": answer.stop_reason,
    }
