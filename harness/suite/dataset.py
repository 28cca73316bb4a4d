"""Prompts out of a CSV or JSONL file: id, prompt, expect, check, tags, group."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.suite.file import PromptEntry
from harness.suite.mistakes import Mistake
from harness.suite.structure import check_entry_mistakes, describe, prompt_entry_mistakes, unknown_key
from harness.suite.text_file import MAX_DATASET_BYTES, FileMistake, read_text

COLUMNS = ("id", "prompt", "expect", "check", "tags", "group")
REQUIRED = ("id", "prompt")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a dataset: a prompt, or what is wrong with it."""

    line: int
    entry: PromptEntry | None = None
    mistakes: tuple[Mistake, ...] = ()


def read_dataset(path: Path) -> list[Row]:
    """Every row, blank lines left out. Raises FileMistake when the file cannot be used as a whole."""
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileMistake(f"a dataset is a .csv or .jsonl file, not {path.suffix or 'one without a suffix'!r}")
    rows = [_checked(line, cells) for line, cells in reader(read_text(path, max_bytes=MAX_DATASET_BYTES))]
    if not rows:
        raise FileMistake("holds no prompts")
    return rows


def _csv_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | Mistake]]:
    """(line, cells by column), empty cells left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FileMistake(f"not CSV: {error}", line=line) from error
        if cells is None:
            return
        if not cells:
            continue
        if header is None:
            header = _checked_header(cells, line)
        elif len(cells) != len(header):
            yield line, Mistake((), f"has {len(cells)} cells where the header names {len(header)} columns")
        else:
            yield line, {name: cell for name, cell in zip(header, cells, strict=True) if cell}


def _checked_header(cells: list[str], line: int) -> list[str]:
    header = [cell.strip() for cell in cells]
    wrong = [unknown_key(name, list(COLUMNS)).replace("key", "column", 1) for name in header if name not in COLUMNS]
    wrong += [f"missing column {name!r}" for name in REQUIRED if name not in header and not wrong]
    wrong += [f"column {name!r} is given twice" for name in dict.fromkeys(header) if header.count(name) > 1]
    if wrong:
        raise FileMistake("; ".join(wrong), line=line)
    return header


def _jsonl_rows(text: str) -> Iterator[tuple[int, dict[str, Any] | Mistake]]:
    """(line, object); numbers keep the digits that they are written with where they become an answer's text."""
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            raw = msgspec.json.decode(written, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            yield line, Mistake((), f"not a JSON object: {error}")
            continue
        yield line, {key: _plain(key, value) for key, value in raw.items()}


def _plain(key: str, raw: msgspec.Raw) -> Any:
    value = msgspec.json.decode(raw)
    return bytes(raw).decode() if key == "expect" and isinstance(value, int | float) else value


def _checked(line: int, cells: dict[str, Any] | Mistake) -> Row:
    """A row as the prompt that it stands for."""
    if isinstance(cells, Mistake):
        return Row(line=line, mistakes=(cells,))
    mistakes = [Mistake((key,), unknown_key(key, list(COLUMNS))) for key in cells if key not in COLUMNS]
    mistakes += [Mistake((), f"{key!r} is missing or empty") for key in REQUIRED if cells.get(key) in (None, "")]
    entry = {key: value for key, value in cells.items() if key not in ("check", "tags")}
    try:
        if "tags" in cells:
            entry["tags"] = _tags(cells["tags"])
        if "check" in cells:
            entry["checks"] = [_check(cells["check"])]
    except _CellError as error:
        mistakes += error.mistakes
    if mistakes:
        return Row(line=line, mistakes=tuple(mistakes))
    try:
        return Row(line=line, entry=msgspec.convert(entry, PromptEntry))
    except msgspec.ValidationError as error:
        return Row(line=line, mistakes=tuple(prompt_entry_mistakes(entry)) or (Mistake((), str(error)),))


class _CellError(Exception):
    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__()
        self.mistakes = mistakes


def _tags(written: Any) -> list[Any]:
    """`a; b` or a list."""
    if isinstance(written, list):
        return written
    if isinstance(written, str):
        return [tag.strip() for tag in written.split(";") if tag.strip()]
    raise _CellError([Mistake(("tags",), f"expected text such as 'a;b', got {describe(written)}")])


def _check(written: Any) -> dict[str, Any]:
    """A check's type alone, `numeric`, or an object with its parameters, `{"type": "numeric", "tolerance": 0.1}`."""
    check = written
    if isinstance(written, str) and not written.lstrip().startswith("{"):
        check = {"type": written.strip()}
    elif isinstance(written, str):
        try:
            check = msgspec.json.decode(written)
        except msgspec.DecodeError as error:
            raise _CellError([Mistake(("check",), f"not a JSON object: {error}")]) from error
    mistakes = [Mistake(("check", *each.path), each.message) for each in check_entry_mistakes(check)]
    if mistakes:
        raise _CellError(mistakes)
    return dict(check)
