"""Gathers the prompts of a suite: from its file and its dataset, generated, and of the sizes in its trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

from harness.suite.generate import synthetic_mistakes, synthetic_prompts, with_filler
from harness.suite.grammar.decode import ParsedSuite
from harness.suite.grammar.file import PromptEntry, SuiteFile
from harness.suite.grammar.mistakes import KeyPath, Line, Mistake, Mistakes, Source
from harness.suite.read.dataset import read_dataset
from harness.suite.read.documents import read_document, read_image
from harness.suite.read.text_file import FileMistake, find_beside
from harness.suite.read.trace import replay_trace
from harness.suite.suite import Attachment, Check, Message, Prompt, TracedCall
from harness.suite.targets import merged_options


class LocatedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt and its place in the files."""

    prompt: Prompt
    source: Source
    path: KeyPath = ()
    one_check: bool = False
    """True if its only check is written as `check`, not in a list."""
    generated: bool = False
    """True for a prompt of a load test, which nothing grades."""


class GatheredPrompts(msgspec.Struct, kw_only=True):
    """All prompts of a suite, and a trace's calls."""

    prompts: list[LocatedPrompt] = []
    calls: tuple[TracedCall, ...] | None = None
    comma_tags: list[str] = []
    """Ids of prompts whose only tag contains a comma."""
    ids: list[tuple[str, Source, KeyPath]] = []
    """The ids of all prompts, including invalid ones, with their places."""
    sound: bool = True
    """Whether no prompt has a mistake."""


def gather_prompts(folder: Path, suite: ParsedSuite, mistakes: Mistakes) -> GatheredPrompts:
    """All prompts of the suite, with files from `folder`. Their mistakes are added to `mistakes`."""
    before = len(mistakes)
    gathered = GatheredPrompts()
    _add_inline(gathered, folder, suite, mistakes)
    _add_dataset(gathered, folder, suite, mistakes)
    _add_synthetic(gathered, suite, mistakes)
    _add_duplicate_ids(gathered, mistakes)
    _add_traced(gathered, folder, suite, mistakes)
    if not gathered.prompts and len(mistakes) == before and _has_no_prompts(suite):
        message = "the suite has no prompts; add `prompts`, `dataset` or `synthetic`"
        mistakes.add(suite.document, [Mistake((), message)])
    gathered.sound = len(mistakes) == before
    return gathered


def _add_inline(gathered: GatheredPrompts, folder: Path, suite: ParsedSuite, mistakes: Mistakes) -> None:
    """Add the prompts in the suite file. An attachment of several prompts is read once, be it right or wrong."""
    readers = {
        "documents": cache(partial(_read_attachment, read_document, folder)),
        "images": cache(partial(_read_attachment, read_image, folder)),
    }
    document = suite.document
    for index, entry in suite.prompts:
        path: KeyPath = ("prompts", index)
        wrong = prompt_mistakes(entry)
        attached = {key: _attachments(key, getattr(entry, key) or (), read, wrong) for key, read in readers.items()}
        mistakes.add(document, [Mistake((*path, *each.path), each.message) for each in wrong])
        expect = None if entry.expect is None else document.written((*path, "expect"))
        gathered.prompts.append(
            LocatedPrompt(prompt=make_prompt(entry, expect=expect, **attached), source=document, path=path)
        )
    written = document.root.value.get("prompts")
    for at, each in enumerate(written if isinstance(written, list) else ()):
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            gathered.ids.append((each["id"], document, ("prompts", at)))


def _read_attachment(read: Callable[[Path, str], Attachment], folder: Path, name: str) -> Attachment | FileMistake:
    try:
        return read(folder, name)
    except FileMistake as mistake:
        return mistake


def _attachments(
    key: str, names: Sequence[str], read: Callable[[str], Attachment | FileMistake], wrong: list[Mistake]
) -> tuple[Attachment, ...]:
    """The files that a prompt names under `key`. Mistakes are added to `wrong`."""
    attached: list[Attachment] = []
    for at, name in enumerate(names):
        if name in names[:at]:
            wrong.append(Mistake((key, at), "is listed twice; drop one"))
            continue
        found = read(name)
        if isinstance(found, FileMistake):
            wrong.append(Mistake((key, at), found.message))
        else:
            attached.append(found)
    return tuple(attached)


def _add_dataset(gathered: GatheredPrompts, folder: Path, suite: ParsedSuite, mistakes: Mistakes) -> None:
    name = suite.file.dataset
    if name is None:
        return
    path = folder / name
    try:
        rows = read_dataset(find_beside(folder, name))
    except FileMistake as error:
        error.add_to(mistakes, path, suite.document, ("dataset",))
        return
    for row in rows:
        source = Line(str(path), row.line)
        mistakes.add(source, row.mistakes)
        if row.id:
            gathered.ids.append((row.id, source, ()))
        if row.id and row.comma_tag:
            gathered.comma_tags.append(row.id)
        if row.entry is not None:
            mistakes.add(source, prompt_mistakes(row.entry))
            gathered.prompts.append(
                LocatedPrompt(prompt=make_prompt(row.entry), source=source, one_check=row.one_check)
            )


def _add_synthetic(gathered: GatheredPrompts, suite: ParsedSuite, mistakes: Mistakes) -> None:
    path: KeyPath = ("synthetic",)
    wrong = list(synthetic_mistakes(suite.file.synthetic))
    mistakes.add(suite.document, wrong)
    for prompt in () if wrong else synthetic_prompts(suite.file.synthetic):
        gathered.prompts.append(LocatedPrompt(prompt=prompt, source=suite.document, path=path, generated=True))
        gathered.ids.append((prompt.id, suite.document, path))


def _add_traced(gathered: GatheredPrompts, folder: Path, suite: ParsedSuite, mistakes: Mistakes) -> None:
    """Add the trace's calls, and prompts generated for its sizes."""
    known = {each.prompt.id for each in gathered.prompts}
    replayed = replay_trace(folder, suite.document, suite.file.load, known, mistakes)
    gathered.calls = replayed.calls
    gathered.prompts += [
        LocatedPrompt(prompt=prompt, source=source, generated=True) for prompt, source in replayed.prompts.values()
    ]


def _add_duplicate_ids(gathered: GatheredPrompts, mistakes: Mistakes) -> None:
    """Add a mistake for each id that an earlier prompt already has."""
    first: dict[str, tuple[str, Source, KeyPath]] = {}
    for each in gathered.ids:
        name, source, path = each
        earlier = first.setdefault(name, each)
        if earlier is not each:
            where = f"{earlier[1].name}:{earlier[1].line_of((*earlier[2], 'id'))}"
            message = f"prompt {name!r} appears twice (first: {where}); rename one"
            mistakes.add(source, [Mistake((*path, "id"), message)])


def _has_no_prompts(suite: ParsedSuite) -> bool:
    """Whether the prompts are really missing: no invalid key could have held them."""
    keys = {path[0] for path in suite.broken if path}
    return keys <= set(SuiteFile.__struct_fields__) - {"prompts", "dataset", "synthetic"}


DEFAULT_CHECK = Check(type="exact")
"""The check of a prompt with `expect` but without `checks`."""


def make_prompt(
    entry: PromptEntry,
    *,
    expect: str | None = None,
    documents: tuple[Attachment, ...] = (),
    images: tuple[Attachment, ...] = (),
) -> Prompt:
    """The loaded prompt. `expect`: the reference answer as written, if `entry` has a number or boolean."""
    expected = expect if expect is not None else _as_text(entry.expect)
    checks = tuple(_make_check(written) for written in entry.checks or ())
    if not checks and expected is not None:
        checks = (DEFAULT_CHECK,)
    return Prompt(
        id=entry.id,
        messages=_make_messages(entry),
        filler=entry.filler,
        documents=documents,
        images=images,
        expect=expected,
        checks=checks,
        tags=tuple(dict.fromkeys(entry.tags or ())),
        group=entry.group,
        options=merged_options(entry),
    )


def prompt_mistakes(entry: PromptEntry) -> list[Mistake]:
    """Mistakes in an entry beyond its structure."""
    if entry.messages is None and entry.prompt is None:
        return [Mistake((), f"prompt {entry.id!r} has no text; add `prompt` or `messages`")]
    if entry.messages is not None and entry.prompt is not None:
        return [Mistake(("messages",), "use either `prompt` or `messages`, not both")]
    if entry.messages is not None and entry.filler is not None:
        return [Mistake(("filler",), "works with `prompt` only, not with `messages`")]
    mistakes = [
        Mistake((key,), "must not be blank")
        for key, text in (("prompt", entry.prompt), ("id", entry.id))
        if text is not None and not text.strip()
    ]
    return mistakes + _turn_mistakes(entry.messages or [])


def has_default_check(prompt: Prompt) -> bool:
    """Whether the prompt has only the default check."""
    return prompt.expect is not None and prompt.checks == (DEFAULT_CHECK,)


def _turn_mistakes(messages: list[Message]) -> list[Mistake]:
    mistakes = []
    for index, message in enumerate(messages):
        due = "user" if index % 2 == 0 else "assistant"
        if message.role != due:
            wrong = f"expected {due!r}, got {message.role!r}; turns alternate, and the user starts"
            mistakes.append(Mistake(("messages", index, "role"), wrong))
        if not message.content.strip():
            mistakes.append(Mistake(("messages", index, "content"), "must not be blank"))
    if messages and messages[-1].role != "user" and not mistakes:
        mistakes.append(Mistake(("messages", len(messages) - 1, "role"), "the last message must be the user's"))
    return mistakes


def _make_messages(entry: PromptEntry) -> tuple[Message, ...]:
    if entry.messages is not None:
        return tuple(entry.messages)
    return (with_filler(Message(role="user", content=entry.prompt or ""), entry.filler),)


def _make_check(written: dict[str, Any]) -> Check:
    return Check(type=written["type"], params={key: value for key, value in written.items() if key != "type"})


def _as_text(value: str | int | float | bool | None) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()
