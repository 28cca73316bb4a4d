"""All prompts of a suite, from the file itself and its dataset, each with the place where it was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import msgspec

from harness.suite.dataset import read_dataset
from harness.suite.documents import read_document, read_image
from harness.suite.file import AttachmentEntry, PromptEntry
from harness.suite.mistakes import KeyPath, Line, Located, Mistake, Source, locate
from harness.suite.positions import Document
from harness.suite.prompts import make_prompt, prompt_mistakes
from harness.suite.schema import Attachment, Prompt
from harness.suite.text_file import FileMistake, find_beside


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt and where it was written."""

    prompt: Prompt
    source: Source
    path: KeyPath


def inline_prompts(
    folder: Path, document: Document, entries: Sequence[tuple[int, PromptEntry]]
) -> tuple[list[Asked], list[Located]]:
    """Prompts written in the suite itself; a file in `folder` that several of them name is read once."""
    readers = {"documents": cache(partial(read_document, folder)), "images": cache(partial(read_image, folder))}
    asked: list[Asked] = []
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
        asked.append(Asked(prompt=make_prompt(entry, expect=expect, **attached), source=document, path=path))
    return asked, found


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


def dataset_prompts(folder: Path, document: Document, dataset: str | None) -> tuple[list[Asked], list[Located]]:
    """Prompts out of the dataset."""
    if dataset is None:
        return [], []
    asked: list[Asked] = []
    found: list[Located] = []
    try:
        path = find_beside(folder, dataset)
    except FileMistake as error:
        return [], locate(document, [Mistake(("dataset",), error.message)])
    try:
        rows = read_dataset(path)
    except FileMistake as error:
        return [], locate(Line(str(path), error.line), [Mistake((), error.message)])
    for row in rows:
        source = Line(str(path), row.line)
        found += locate(source, row.mistakes)
        if row.entry is not None:
            found += locate(source, prompt_mistakes(row.entry))
            asked.append(Asked(prompt=make_prompt(row.entry), source=source, path=()))
    return asked, found


def same_ids(asked: Sequence[Asked]) -> list[Located]:
    """Prompts whose id is taken by an earlier one."""
    first: dict[str, Asked] = {}
    found: list[Located] = []
    for each in asked:
        earlier = first.setdefault(each.prompt.id, each)
        if earlier is not each:
            where = f"{earlier.source.name}:{earlier.source.line_of((*earlier.path, 'id'))}"
            told = f"prompt {each.prompt.id!r} appears twice (first: {where}); rename one"
            found += locate(each.source, [Mistake((*each.path, "id"), told)])
    return found
