"""Turns the body of a logged call, in either dialect, back into messages and options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from harness.catalog.target import Api, Options
from harness.suite.read.text_file import is_too_deep
from harness.suite.suite import Message

OPERATIONS: dict[str, tuple[Api, bool]] = {
    "InvokeModel": ("invoke", False),
    "InvokeModelWithResponseStream": ("invoke", True),
    "Converse": ("converse", False),
    "ConverseStream": ("converse", True),
}
"""Operation → (api, whether it streams)."""

_SILENT = {"thinking", "redacted_thinking", "reasoningContent", "cachePoint"}
_ATTACHED = {"image": "images", "document": "documents", "video": "videos", "audio": "audio"}
_TOOL_TURNS = {"tool_use", "tool_result", "toolUse", "toolResult"}


class UnusableCall(Exception):
    """A call that cannot become a prompt of a suite. The text is the reason, the same for all such calls."""


class LoggedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation and the options of a logged call."""

    messages: tuple[Message, ...]
    options: Options


def read_prompt(api: Api, body: bytes) -> LoggedPrompt:
    """The prompt in the JSON body of InvokeModel (`invoke`) or Converse. Raises UnusableCall."""
    try:
        body_json: Any = msgspec.json.decode(body)
        if is_too_deep(body_json):
            raise UnusableCall("a body nested deeper than a suite can hold")
        options = _invoke_options(body_json) if api == "invoke" else _converse_options(body_json)
        return LoggedPrompt(messages=_turns(body_json["messages"]), options=msgspec.convert(options, Options))
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise UnusableCall("a body that is not a chat request") from error


def _turns(written: list[dict[str, Any]]) -> tuple[Message, ...]:
    """Alternating turns that start and end with the user's. Like the service, joins neighbours of the same role."""
    turns: list[Message] = []
    for each in written:
        role, text = each["role"], _text(each["content"])
        if turns and turns[-1].role == role:
            turns[-1] = Message(role=role, content=f"{turns[-1].content}\n\n{text}")
        else:
            turns.append(Message(role=role, content=text))
    if not turns or any(not turn.content.strip() for turn in turns):
        raise UnusableCall("a turn without text")
    if turns[0].role != "user" or any(turn.role not in ("user", "assistant") for turn in turns):
        raise UnusableCall("turns that do not start with the user's")
    if turns[-1].role != "user":
        raise UnusableCall("an answer started by the caller (prefill)")
    return tuple(turns)


def _text(content: str | list[Any]) -> str:
    """The text of a turn or a system prompt."""
    if isinstance(content, str):
        return content
    return "\n\n".join(text for block in content for text in _texts(block))


def _texts(block: Any) -> Iterator[str]:
    if isinstance(block, str):
        yield block
        return
    kind = block.get("type") or next(iter(block), None)
    if kind == "text":
        yield block["text"]
    elif kind in _ATTACHED:
        raise UnusableCall(_ATTACHED[kind])
    elif kind in _TOOL_TURNS:
        raise UnusableCall("tool calls and results in the conversation")
    elif kind not in _SILENT:
        raise UnusableCall("content of another kind than text")


def _invoke_options(body: dict[str, Any]) -> dict[str, Any]:
    choice = body.get("tool_choice")
    return _given(
        {name: body.get(name) for name in ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences")}
        | {
            "system": _text(body.get("system") or []),
            "thinking": _thinking(body.get("thinking")),
            "tools": [_invoke_tool(tool) for tool in body.get("tools") or []],
            "tool_choice": choice and (choice["name"] if choice["type"] == "tool" else choice["type"]),
            "cache": _cache(body),
            "beta": body.get("anthropic_beta"),
        }
    )


def _converse_options(body: dict[str, Any]) -> dict[str, Any]:
    inference = body.get("inferenceConfig") or {}
    more = body.get("additionalModelRequestFields") or {}
    tools = body.get("toolConfig") or {}
    choice = tools.get("toolChoice")
    return _given(
        {
            "max_tokens": inference.get("maxTokens"),
            "temperature": inference.get("temperature"),
            "top_p": inference.get("topP"),
            "top_k": more.get("top_k"),
            "stop_sequences": inference.get("stopSequences"),
            "system": _text(body.get("system") or []),
            "thinking": _thinking(more.get("thinking")),
            "tools": [_converse_tool(tool) for tool in tools.get("tools") or [] if "cachePoint" not in tool],
            "tool_choice": choice and (choice["tool"]["name"] if "tool" in choice else next(iter(choice))),
            "cache": _cache(body),
            "beta": more.get("anthropic_beta"),
            "service_tier": (body.get("serviceTier") or {}).get("type"),
            "latency": (body.get("performanceConfig") or {}).get("latency"),
        }
    )


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value not in (None, "", [])}


def _thinking(written: dict[str, Any] | None) -> int | str | None:
    match written:
        case {"type": "enabled", "budget_tokens": int(budget)}:
            return budget
        case {"type": "adaptive"}:
            return "adaptive"
        case _:
            return None


def _invoke_tool(tool: dict[str, Any]) -> dict[str, Any]:
    if "input_schema" not in tool:
        raise UnusableCall("tools that the service itself runs")
    return _given({name: tool.get(name) for name in ("name", "description", "input_schema")})


def _converse_tool(tool: dict[str, Any]) -> dict[str, Any]:
    if "toolSpec" not in tool:
        raise UnusableCall("tools that the service itself runs")
    spec = tool["toolSpec"]
    schema = spec["inputSchema"]["json"]
    return _given({"name": spec["name"], "description": spec.get("description"), "input_schema": schema})


def _cache(value: Any) -> str | None:
    """The TTL of the first cache point or `cache_control`. None: there is none."""
    parts = [value.get("system"), value.get("tools"), (value.get("toolConfig") or {}).get("tools")]
    parts += [turn.get("content") for turn in value.get("messages") or []]
    blocks = [block for part in parts if isinstance(part, list) for block in part if isinstance(block, dict)]
    points = [block.get("cache_control") or block.get("cachePoint") for block in blocks]
    return next((point.get("ttl") or "5m" for point in points if isinstance(point, dict)), None)
