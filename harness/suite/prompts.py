"""Prompts as loaded, from entries in the suite and from rows of its dataset."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.suite.generate import SEPARATOR, make_filler
from harness.suite.grammar.file import FillerEntry, MessageEntry, PromptEntry
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Attachment, Check, Filler, Message, Prompt
from harness.suite.targets import merged_options

DEFAULT_CHECK = Check(type="exact")
"""What grades a prompt that says what it expects and not how to check it."""


def make_prompt(
    entry: PromptEntry,
    *,
    expect: str | None = None,
    documents: tuple[Attachment, ...] = (),
    images: tuple[Attachment, ...] = (),
) -> Prompt:
    """The loaded prompt. `expect`: the reference answer as written, where that is no text in `entry`."""
    filler = None if entry.filler is None else _make_filler(entry.filler)
    expected = expect if expect is not None else _as_text(entry.expect)
    checks = tuple(_make_check(written) for written in entry.checks or ())
    if not checks and expected is not None:
        checks = (DEFAULT_CHECK,)
    return Prompt(
        id=entry.id,
        messages=tuple(_make_messages(entry, filler)),
        filler=filler,
        documents=documents,
        images=images,
        expect=expected,
        checks=checks,
        tags=tuple(dict.fromkeys(entry.tags or ())),
        group=entry.group,
        options=merged_options(entry),
    )


def prompt_mistakes(entry: PromptEntry) -> list[Mistake]:
    """What is wrong with an entry beyond its structure."""
    if entry.messages is None and entry.prompt is None:
        return [Mistake((), f"prompt {entry.id!r} asks nothing; give `prompt` or `messages`")]
    if entry.messages is not None and entry.prompt is not None:
        return [Mistake(("messages",), "give either `prompt` or `messages`, not both")]
    if entry.messages is not None and entry.filler is not None:
        return [Mistake(("filler",), "stands before a single question; give it with `prompt`, not with `messages`")]
    mistakes = [
        Mistake((key,), "must not be blank")
        for key, text in (("prompt", entry.prompt), ("id", entry.id))
        if text is not None and not text.strip()
    ]
    return mistakes + _turn_mistakes(entry.messages or [])


def only_default_check(prompt: Prompt) -> bool:
    """Whether the prompt is graded by the default check alone."""
    return prompt.expect is not None and prompt.checks == (DEFAULT_CHECK,)


def _turn_mistakes(messages: list[MessageEntry]) -> list[Mistake]:
    mistakes = []
    for index, message in enumerate(messages):
        due = "user" if index % 2 == 0 else "assistant"
        if message.role != due:
            told = f"expected {due!r}, got {message.role!r}: turns alternate and the user begins"
            mistakes.append(Mistake(("messages", index, "role"), told))
        if not message.content.strip():
            mistakes.append(Mistake(("messages", index, "content"), "must not be blank"))
    if messages and messages[-1].role != "user" and not mistakes:
        mistakes.append(Mistake(("messages", len(messages) - 1, "role"), "the last message must be the user's"))
    return mistakes


def _make_messages(entry: PromptEntry, filler: Filler | None) -> list[Message]:
    if entry.messages is not None:
        return [Message(role=message.role, content=message.content) for message in entry.messages]
    question = entry.prompt or ""
    return [Message(role="user", content=make_filler(filler) + SEPARATOR + question if filler else question)]


def _make_filler(entry: FillerEntry) -> Filler:
    given = {name: value for name, value in msgspec.structs.asdict(entry).items() if value is not None}
    return Filler(**given)


def _make_check(written: dict[str, Any]) -> Check:
    return Check(type=written["type"], params={key: value for key, value in written.items() if key != "type"})


def _as_text(value: str | int | float | bool | None) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()
