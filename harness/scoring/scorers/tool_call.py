"""tool_call: the model calls the right tool with the right arguments, or rightly calls none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from harness.catalog.target import merge_options
from harness.scoring.scorer import PASS, Aids, Answer, Outcome, fail
from harness.scoring.scorers.json_schema import TOO_DEEP, differences
from harness.scoring.text.json_values import MAX_CHARS, check_schema, first_mistake
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt, Suite

TEXT_STOP_REASONS = ("end_turn", "stop_sequence")
"""Stop reasons of an answer without calls. Anything that looks like a call in such an answer is just text."""
MAX_CALLS = 100
Text = Annotated[str, Meta(min_length=1)]


class Call(msgspec.Struct, frozen=True):
    """A tool call in an answer. If `input` is text, the JSON was incomplete or malformed."""

    tool: str
    input: Any


_call = msgspec.json.Decoder(Call)


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `tool`, the expected call is the prompt's `expect`, as JSON: `{"tool": "get_weather", "input": {…}}`."""

    waits: ClassVar[bool] = False

    tool: Annotated[Text | None, Meta(description="Name of the tool to call.")] = None
    arguments: Annotated[dict[str, Any] | None, Meta(description="Values that its input must have.")] = None
    match: Annotated[Literal["subset", "equal"], Meta(description="subset: the input may have other keys as well.")] = (
        "subset"
    )
    schema: Annotated[dict[str, Any] | None, Meta(description="JSON Schema of the input.")] = None
    calls: Annotated[
        Literal["one", "any", "none"],
        Meta(description="one: this call and no other. any: this one among several. none: no tool may be called."),
    ] = "one"

    def __post_init__(self) -> None:
        if self.schema is not None:
            check_schema(self.schema)
        if self.calls == "none" and (self.tool or self.arguments is not None or self.schema is not None):
            raise ValueError("calls 'none' expects no call; drop tool, arguments and schema")
        if self.tool is None and (self.arguments is not None or self.schema is not None):
            raise ValueError("arguments and schema belong to a tool; name it with 'tool'")

    def find_mistakes(self, suite: Suite, prompt: Prompt) -> Iterator[str]:
        if self.calls == "none":
            return
        wanted = self._wanted(prompt)
        if wanted is None:
            call = '{"tool": …, "input": {…}}'
            yield f"check 'tool_call' needs 'tool', or the call as the prompt's `expect`: {call}"
            return
        for target in suite.targets:
            tools = merge_options(target.options, prompt.options).tools or []
            if wanted.tool not in [tool.name for tool in tools]:
                yield f"tool {wanted.tool!r} is not among the tools that {target.name} is offered; add it to `tools`"
                return

    async def score_answer(self, prompt: Prompt, answer: Answer, aids: Aids) -> Outcome:
        made, wanted = read_calls(answer), self._wanted(prompt)
        if self.calls == "none":
            return PASS if not made else fail(f"called {_names(made)}; expected no call")
        if wanted is None:
            raise ValueError("the check names no tool")
        if not made:
            return fail(f"called no tool; expected {wanted.tool!r}: {describe(answer.text.strip())}")
        if self.calls == "one" and len(made) > 1:
            return fail(f"made {len(made)} calls ({_names(made)}); expected one call, of {wanted.tool!r}")
        mistakes = [self._mistake(call, wanted) for call in made]
        return PASS if None in mistakes else fail(str(mistakes[0]))

    def _wanted(self, prompt: Prompt) -> Call | None:
        if self.tool is not None:
            return Call(self.tool, {} if self.arguments is None else self.arguments)
        try:
            return _call.decode(prompt.expect or "")
        except msgspec.DecodeError:
            return None

    def _mistake(self, call: Call, wanted: Call) -> str | None:
        """Why a call is not the expected one. None if it is."""
        if call.tool != wanted.tool:
            return f"expected a call of {wanted.tool!r}, got {call.tool!r}"
        if not isinstance(call.input, dict):
            return f"the input of {call.tool!r} is not valid JSON: {describe(call.input)}"
        try:
            mistake = None if self.schema is None else first_mistake(self.schema, call.input)
            mistake = mistake or next(differences(wanted.input, call.input), None)
            if mistake is None and self.match == "equal" and any(differences(call.input, wanted.input)):
                mistake = "has unexpected keys"
        except RecursionError:
            mistake = TOO_DEEP
        return None if mistake is None else f"{call.tool}: {mistake}"


def read_calls(answer: Answer) -> list[Call]:
    """The calls at the end of an answer, in order; none if the model ended its turn with text."""
    if answer.stop_reason in TEXT_STOP_REASONS:
        return []
    calls: list[Call] = []
    for line in reversed(answer.text[-MAX_CHARS:].removesuffix("\n").split("\n")):
        try:
            calls.append(_call.decode(line))
        except (msgspec.DecodeError, RecursionError):
            break
        if len(calls) == MAX_CALLS:
            break
    return calls[::-1]


def _names(calls: list[Call]) -> str:
    return ", ".join(describe(call.tool) for call in calls[:5])
