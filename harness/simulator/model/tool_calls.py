"""The tool calls of simulated models; a simulated judge calls `verdict`."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import msgspec

from harness.simulator.model.answers import AnswerBook, ContentBlock, KeyEntry, prompt_digest, spoil_json

_SIMPLE = {"string": "something", "number": 1.5, "integer": 1, "boolean": True, "array": [], "null": None}


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that a request offers, in every dialect."""

    name: str
    schema: dict[str, Any] = {}
    """JSON Schema of its input."""


class Toolbox(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of a request. `choice` is `auto`, `any`, `none`, or `tool` with the `name` that must be called."""

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    name: str | None = None


class _Call(msgspec.Struct, frozen=True):
    """An answer in the key that is a tool call."""

    tool: str
    input: dict[str, Any]


def draw_call(entry: KeyEntry | None, toolbox: Toolbox, *, skill: float, rng: Random) -> ContentBlock | None:
    """The tool call that answers a prompt. None if it is answered with text.

    With probability `skill` it is the key's call, otherwise one with a wrong input. If the request requires a call but
    the key has none, the input is made up from the tool's schema.
    """
    offered = {tool.name: tool for tool in toolbox.tools}
    if not offered or toolbox.choice == "none":
        return None
    right = _read_call(entry)
    if right is not None and right.tool in offered and toolbox.name in (None, right.tool):
        given = _encode(right.input) if rng.random() < skill else spoil_json(right.input, rng)
        return ContentBlock(kind="tool", tool=right.tool, text=given)
    if toolbox.choice == "auto":
        return None
    tool = offered.get(toolbox.name or "", toolbox.tools[0])
    return ContentBlock(kind="tool", tool=tool.name, text=_encode(_suggest(tool.schema)))


def _read_call(entry: KeyEntry | None) -> _Call | None:
    try:
        return msgspec.json.decode(entry.answer, type=_Call) if entry is not None else None
    except msgspec.DecodeError:
        return None


def _encode(given: dict[str, Any]) -> str:
    return msgspec.json.encode(given).decode()


def _suggest(schema: dict[str, Any]) -> dict[str, Any]:
    """A simple value for each property of a schema."""
    properties = schema.get("properties")
    return {name: _value(each) for name, each in properties.items()} if isinstance(properties, dict) else {}


def _value(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return None
    if isinstance(options := schema.get("enum"), list) and options:
        return options[0]
    kind = schema.get("type")
    return _suggest(schema) if kind == "object" else _SIMPLE.get(kind) if isinstance(kind, str) else None


TOOL = "verdict"
_PART = re.compile(r"<(?P<name>[a-z-]+)-(?P<digest>[0-9a-f]{12})>\n(?P<text>.*?)\n</(?P=name)-(?P=digest)>", re.DOTALL)
_GOOD, _BAD = (0.75, 1.0), (0.0, 0.35)
"""Ranges of the scores for answers judged right and wrong."""


def draw_verdict(prompt: str, toolbox: Toolbox, book: AnswerBook, *, skill: float, rng: Random) -> ContentBlock | None:
    """A judge's call of `verdict`. None if the request does not ask for one.

    An answer that contains the key's is right. The judge errs with probability 1 − `skill`; of two answers it then
    prefers the first.
    """
    if TOOL not in [tool.name for tool in toolbox.tools]:
        return None
    parts = {part["name"]: part["text"] for part in _PART.finditer(prompt)}
    entry = book.find(prompt_digest(parts.get("question", "")))
    right = entry.answer if entry is not None else parts.get("reference")
    errs = rng.random() >= skill
    if "answer" in parts:
        accepted = _is_right(parts["answer"], right, rng) is not errs
        score = round(rng.uniform(*(_GOOD if accepted else _BAD)), 2)
        verdict = "it agrees with the answer key" if accepted else "it does not agree with the answer key"
        return _call({"reason": f"SIMULATED: {verdict}.", "score": score})
    if {"answer-a", "answer-b"} <= parts.keys():
        first, second = (_is_right(parts[name], right, rng) for name in ("answer-a", "answer-b"))
        better = "A" if errs or first > second else "B" if second > first else "tie"
        return _call({"reason": f"SIMULATED: {'the first one' if errs else 'by the answer key'}.", "better": better})
    return None


def _is_right(answer: str, right: str | None, rng: Random) -> bool:
    if right is None:
        return rng.random() < 0.5
    return " ".join(right.casefold().split()) in " ".join(answer.casefold().split())


def _call(given: dict[str, object]) -> ContentBlock:
    return ContentBlock(kind="tool", tool=TOOL, text=msgspec.json.encode(given).decode())
