"""Which tool a simulated model calls, and with what."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from harness.simulator.model.answers import ContentBlock, KeyEntry, spoil_json

_SIMPLE = {"string": "something", "number": 1.5, "integer": 1, "boolean": True, "array": [], "null": None}


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that a request offers, in every dialect."""

    name: str
    schema: dict[str, Any] = {}
    """JSON Schema of its input."""


class Toolbox(msgspec.Struct, frozen=True, kw_only=True):
    """The tools of a request. `choice`: `auto`, `any`, `none`, or `tool` with the name that must be called."""

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    name: str | None = None


class _Call(msgspec.Struct, frozen=True):
    """An answer of the key that is a call."""

    tool: str
    input: dict[str, Any]


def draw_call(entry: KeyEntry | None, toolbox: Toolbox, *, skill: float, rng: Random) -> ContentBlock | None:
    """The call that a prompt gets. None: it is answered in words.

    The key's own call is made as often as `skill` has it, else one with a wrong input. A request that insists on a call
    for which the key has none gets one whose input the tool's schema suggests.
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
    """A plain value for each property."""
    properties = schema.get("properties")
    return {name: _value(each) for name, each in properties.items()} if isinstance(properties, dict) else {}


def _value(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return None
    if isinstance(options := schema.get("enum"), list) and options:
        return options[0]
    kind = schema.get("type")
    return _suggest(schema) if kind == "object" else _SIMPLE.get(kind) if isinstance(kind, str) else None
