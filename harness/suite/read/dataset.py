"""Reads prompts from a CSV or JSONL file: id, prompt, expect, check, tags, group.

Tags in one cell are separated by semicolons (`refund; urgent`), as a comma separates cells and may be part of a tag.
JSONL also accepts a list of `tags`, and a list `checks` in place of `check`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from harness.suite.grammar.file import PromptEntry
from harness.suite.grammar.mistakes import Mistake
from harness.suite.grammar.structure import check_entry_mistakes, describe, prompt_entry_mistakes, unknown_key
from harness.suite.read.text_file import MAX_DATASET_BYTES, FileMistake, csv_lines, json_lines, read_json, read_text

COLUMNS = ("id", "prompt", "expect", "check", "tags", "group")
JSONL_KEYS = ("id", "prompt", "expect", "check", "checks", "tags", "group")
REQUIRED = ("id", "prompt")
MOST_PROMPTS = 200_000
MOST_COLUMNS = 5
"""The most unknown columns to report."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a dataset: a prompt, or its mistakes."""

    line: int
    id: str | None = None
    """As written, even if the line has mistakes."""
    entry: PromptEntry | None = None
    one_check: bool = False
    """True if its check is written as `check`, not in a list."""
    comma_tag: bool = False
    """True if its only tag contains a comma, so that several tags may be meant."""
    mistakes: tuple[Mistake, ...] = ()


def read_dataset(path: Path, *, most: int = MOST_PROMPTS) -> list[Row]:
    """Every row; blank lines are skipped. FileMistake: more than `most` rows, or the file cannot be used as a whole."""
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileMistake(
            f"a dataset must be a .csv or .jsonl file, not {path.suffix or 'one without a suffix'!r}", line=None
        )
    rows: list[Row] = []
    for line, cells in reader(read_text(path, max_bytes=MAX_DATASET_BYTES)):
        if len(rows) == most:
            raise FileMistake(f"has more than {most:,} prompts; take a sample, or split it", line=line)
        rows.append(_checked(line, cells))
    if not rows:
        raise FileMistake("contains no prompts")
    return rows


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | Mistake]]:
    """(line, cells by column), without empty cells."""
    header: list[str] | None = None
    for line, cells in csv_lines(text):
        if header is None:
            header = _checked_header(cells, line)
        elif len(cells) != len(header):
            yield line, Mistake((), f"has {len(cells)} cells, but the header has {len(header)} columns")
        else:
            yield line, {name: cell for name, cell in zip(header, cells, strict=True) if cell}


def _checked_header(cells: list[str], line: int) -> list[str]:
    header = [cell.strip() for cell in cells]
    unknown = [name for name in header if name not in COLUMNS]
    wrong = [unknown_key(name, list(COLUMNS)).replace("key", "column", 1) for name in unknown[:MOST_COLUMNS]]
    wrong += [f"missing column {name!r}" for name in REQUIRED if name not in header and not wrong]
    wrong += [f"column {name!r} appears twice" for name in dict.fromkeys(header) if header.count(name) > 1]
    if wrong:
        raise FileMistake("; ".join(wrong), line=line)
    return header


def _jsonl_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | Mistake]]:
    """(line, object). Numbers in `expect` keep the digits with which they are written."""
    text_lines = text.split("\n")
    for line, raw in json_lines(text, dict[str, msgspec.Raw]):
        if isinstance(raw, FileMistake):
            yield line, Mistake((), raw.message)
            continue
        row: dict[str, Any] = {}
        if (twice := _repeated_key(text_lines[line - 1])) is not None:
            yield line, Mistake((), f"key {twice[:80]!r} appears twice; drop one")
            continue
        try:
            for key, value in raw.items():
                row[key] = _plain(key, value)
        except FileMistake as error:
            yield line, Mistake((key,), error.message)
        else:
            yield line, row


def _repeated_key(written: str) -> str | None:
    """A key that an object holds twice, of which decoders keep the last one only."""
    repeated: list[str] = []

    def take(pairs: list[tuple[str, Any]]) -> None:
        repeated.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)

    with suppress(RecursionError):  # too deep, which is told elsewhere
        json.loads(written, object_pairs_hook=take, parse_int=str, parse_float=str)
    return next(iter(repeated), None)


def _plain(key: str, raw: msgspec.Raw) -> Any:
    value = read_json(raw, object)
    return bytes(raw).decode() if key == "expect" and isinstance(value, int | float) else value


def _checked(line: int, cells: dict[str, Any] | Mistake) -> Row:
    """Decode a row."""
    if isinstance(cells, Mistake):
        return Row(line=line, mistakes=(cells,))
    mistakes = [Mistake((key,), unknown_key(key, list(JSONL_KEYS))) for key in cells if key not in JSONL_KEYS]
    mistakes += [Mistake((), f"{key!r} is missing or empty") for key in REQUIRED if cells.get(key) in (None, "")]
    entry = {key: value for key, value in cells.items() if key not in ("check", "tags")}
    for key, read in (("tags", _read_tags), ("check", _read_check), ("checks", _read_checks)):
        try:
            entry |= read(cells[key]) if key in cells else {}
        except _CellError as error:
            mistakes += error.mistakes
    if "check" in cells and "checks" in cells:
        mistakes.append(Mistake(("checks",), "use either `check` or `checks`, not both"))
    named = cells["id"] if isinstance(cells.get("id"), str) else None
    if mistakes:
        return Row(line=line, id=named, mistakes=tuple(mistakes))
    try:
        read_entry = msgspec.convert(entry, PromptEntry)
    except msgspec.ValidationError as error:
        return Row(line=line, id=named, mistakes=tuple(prompt_entry_mistakes(entry)) or (Mistake((), str(error)),))
    comma_tag = _is_comma_tag(cells.get("tags"))
    return Row(line=line, id=named, entry=read_entry, one_check="check" in cells, comma_tag=comma_tag)


class _CellError(Exception):
    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__()
        self.mistakes = mistakes


def _read_tags(value: Any) -> dict[str, Any]:
    """Tags from `a; b` or a list."""
    if isinstance(value, list):
        return {"tags": value}
    if isinstance(value, str):
        return {"tags": [tag.strip() for tag in value.split(";") if tag.strip()]}
    raise _CellError([Mistake(("tags",), f"expected text such as 'a; b' or a list, got {describe(value)}")])


def _is_comma_tag(value: Any) -> bool:
    return isinstance(value, str) and "," in value and ";" not in value


def _read_check(value: Any) -> dict[str, Any]:
    """A check from its type, `numeric`, or an object, `{"type": "numeric", "tolerance": 0.1}`."""
    check = value
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        check = {"type": value.strip()}
    elif isinstance(value, str):
        try:
            check = read_json(value, object)
        except FileMistake as error:
            raise _CellError([Mistake(("check",), error.message)]) from error
    if not isinstance(check, dict):
        right = 'text such as numeric, a mapping such as {"type": "numeric"}, or in JSONL `checks` with a list of these'
        raise _CellError([Mistake(("check",), f"expected {right}; got {describe(check)}")])
    _refuse([Mistake(("check", *each.path), each.message) for each in check_entry_mistakes(check)])
    return {"checks": [check]}


def _read_checks(value: Any) -> dict[str, Any]:
    """Checks from a list of mappings, as in the suite file."""
    if not isinstance(value, list):
        right = "a list of mappings, each with a `type`; a single one may be written as `check`"
        raise _CellError([Mistake(("checks",), f"expected {right}; got {describe(value)}")])
    _refuse(
        [
            Mistake(("checks", at, *wrong.path), wrong.message)
            for at, each in enumerate(value)
            for wrong in check_entry_mistakes(each)
        ]
    )
    return {"checks": value}


def _refuse(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise _CellError(mistakes)
