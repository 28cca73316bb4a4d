"""All prompts of a suite, from the file itself and its dataset, each with the place where it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path

import msgspec

from harness.suite.grammar.file import AttachmentEntry, PromptEntry
from harness.suite.grammar.mistakes import KeyPath, Line, Located, Mistake, Source, locate
from harness.suite.prompts import make_prompt, prompt_mistakes
from harness.suite.read.dataset import read_dataset
from harness.suite.read.documents import read_document, read_image
from harness.suite.read.text_file import FileMistake, find_beside
from harness.suite.read.yaml_lines import Document
from harness.suite.suite import Attachment, Prompt, TracedCall


class GatheredPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt and where it was written."""

    prompt: Prompt
    source: Source
    path: KeyPath
    one_check: bool = False
    """Written as `check`, not in a list."""
    generated: bool = False
    """For a load test: nobody means to grade it."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An id that is written for a prompt, also for one that is wrong."""

    id: str
    source: Source
    path: KeyPath = ()


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite or a file holds of prompts."""

    asked: list[GatheredPrompt] = []
    claims: list[Claim] = []
    found: list[Located] = []
    """What is wrong with them."""
    comma_tags: list[str] = []
    """Ids of those whose tags are one, with a comma in it."""
    calls: tuple[TracedCall, ...] | None = None
    """When they are asked, where a trace says so."""


def inline_prompts(folder: Path | None, document: Document, entries: Sequence[tuple[int, PromptEntry]]) -> Prompts:
    """Prompts written in the suite itself; a file in `folder` that several of them name is read once."""
    readers = {"documents": cache(partial(read_document, folder)), "images": cache(partial(read_image, folder))}
    asked: list[GatheredPrompt] = []
    found: list[Located] = []
    for index, entry in entries:
        path: KeyPath = ("prompts", index)
        wrong = prompt_mistakes(entry)
        attached = {}
        for key, read in readers.items():
            attached[key], unread = _attachments(key, getattr(entry, key) or (), read)
            wrong += unread
        found += locate(document, [Mistake((*path, *each.path), each.message) for each in wrong])
        expect = None if entry.expect is None else document.written((*path, "expect"))
        asked.append(GatheredPrompt(prompt=make_prompt(entry, expect=expect, **attached), source=document, path=path))
    return Prompts(asked=asked, claims=_inline_claims(document), found=found)


def _inline_claims(document: Document) -> list[Claim]:
    written = document.root.value.get("prompts")
    return [
        Claim(id=entry["id"], source=document, path=("prompts", at))
        for at, entry in enumerate(written if isinstance(written, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]


def _attachments(
    key: str, written: Sequence[str | AttachmentEntry], read: Callable[[str], Attachment]
) -> tuple[tuple[Attachment, ...], list[Mistake]]:
    """The files that a prompt names under `key`, and what is wrong with them."""
    attached: list[Attachment] = []
    mistakes: list[Mistake] = []
    for at, each in enumerate(written):
        if each in written[:at]:
            mistakes.append(Mistake((key, at), "is given twice; drop one"))
        elif isinstance(each, AttachmentEntry):
            attached.append(Attachment(**msgspec.structs.asdict(each)))
        else:
            try:
                attached.append(read(each))
            except FileMistake as error:
                mistakes.append(Mistake((key, at), error.message))
    return tuple(attached), mistakes


def dataset_prompts(folder: Path | None, document: Document, dataset: str | None) -> Prompts:
    """Prompts out of the dataset."""
    if dataset is None:
        return Prompts()
    try:
        path = find_beside(folder, dataset)
    except FileMistake as error:
        return Prompts(found=locate(document, [Mistake(("dataset",), error.message)]))
    try:
        rows = read_dataset(path)
    except FileMistake as error:
        if error.line is None:
            return Prompts(found=locate(document, [Mistake(("dataset",), f"{dataset}: {error.message}")]))
        return Prompts(found=locate(Line(str(path), error.line), [Mistake((), error.message)]))
    prompts = Prompts(comma_tags=[row.id for row in rows if row.comma_tag and row.id])
    for row in rows:
        source = Line(str(path), row.line)
        prompts.found.extend(locate(source, row.mistakes))
        if row.id:
            prompts.claims.append(Claim(id=row.id, source=source))
        if row.entry is not None:
            prompts.found.extend(locate(source, prompt_mistakes(row.entry)))
            prompts.asked.append(
                GatheredPrompt(prompt=make_prompt(row.entry), source=source, path=(), one_check=row.one_check)
            )
    return prompts


def generated_prompts(document: Document, prompts: Iterable[Prompt]) -> Prompts:
    """Prompts that the suite's `synthetic` describes."""
    path: KeyPath = ("synthetic",)
    asked = [GatheredPrompt(prompt=prompt, source=document, path=path, generated=True) for prompt in prompts]
    return Prompts(asked=asked, claims=[Claim(id=each.prompt.id, source=document, path=path) for each in asked])


def same_ids(claims: Sequence[Claim]) -> list[Located]:
    """Ids that an earlier prompt has."""
    first: dict[str, Claim] = {}
    found: list[Located] = []
    for each in claims:
        earlier = first.setdefault(each.id, each)
        if earlier is not each:
            where = f"{earlier.source.name}:{earlier.source.line_of((*earlier.path, 'id'))}"
            told = f"prompt {each.id!r} appears twice (first: {where}); rename one"
            found += locate(each.source, [Mistake((*each.path, "id"), told)])
    return found
