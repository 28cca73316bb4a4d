"""json_schema: the answer contains JSON that matches a schema and, optionally, has the expected values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from harness.scoring.scorer import PASS, Outcome, fail
from harness.scoring.text.json_values import check_schema, find_json, first_mistake, parse_json
from harness.suite.grammar.structure import describe
from harness.suite.suite import Prompt

TOO_DEEP = "the JSON is nested too deeply"


class JsonSchema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes the whole answer as JSON, else its first fenced block that parses, else its first {…} or […].

    Without `expect` here, the prompt's own is compared if it is a JSON object or list.
    """

    waits: ClassVar[bool] = False

    schema: Annotated[dict[str, Any], Meta(description="JSON Schema, Draft 2020-12 unless `$schema` says otherwise.")]
    expect: Annotated[
        dict[str, Any] | list[Any] | None,
        Meta(description="Values that must be there; other keys may be there as well. Lists must match item by item."),
    ] = None

    def __post_init__(self) -> None:
        check_schema(self.schema)

    async def score(self, prompt: Prompt, answer: str) -> Outcome:
        try:
            value = find_json(answer)
            mistake = first_mistake(self.schema, value) or next(differences(self._wanted(prompt), value), None)
        except ValueError as error:
            return fail(str(error))
        except RecursionError:
            return fail(TOO_DEEP)
        return PASS if mistake is None else fail(mistake)

    def _wanted(self, prompt: Prompt) -> Any:
        if self.expect is not None or prompt.expect is None:
            return self.expect
        try:
            wanted = parse_json(prompt.expect)
        except ValueError:
            return None
        return wanted if isinstance(wanted, dict | list) else None


def differences(wanted: Any, value: Any, where: str = "$") -> Iterator[str]:
    """A message for each value of `wanted` that `value` lacks; none if `wanted` as a whole is None."""
    if where == "$" and wanted is None:
        return
    if isinstance(wanted, dict) and isinstance(value, dict):
        for key, each in wanted.items():
            if key in value:
                yield from differences(each, value[key], f"{where}.{key}")
            else:
                yield f"{where}.{key} is missing"
    elif isinstance(wanted, list) and isinstance(value, list) and len(wanted) == len(value):
        for index, (each, given) in enumerate(zip(wanted, value, strict=True)):
            yield from differences(each, given, f"{where}[{index}]")
    elif not _same(wanted, value):
        yield f"{where}: expected {_describe(wanted)}, got {_describe(value)}"


def _same(wanted: Any, value: Any) -> bool:
    """JSON's equality: 1 equals 1.0, but not true."""
    return isinstance(wanted, bool) == isinstance(value, bool) and bool(wanted == value)


def _describe(value: Any) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else describe(value)
