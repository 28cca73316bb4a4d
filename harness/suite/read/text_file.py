"""Reads a suite's files safely: regular files of bounded size inside its folder, as UTF-8 text, CSV or JSON lines."""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.files import read_bounded
from harness.suite.grammar.mistakes import KeyPath, Line, Mistake, Mistakes, Source
from harness.suite.grammar.yaml_lines import MAX_DEPTH

MAX_SUITE_BYTES = 10_000_000
MAX_DATASET_BYTES = 200_000_000
MAX_JSON_DEPTH = MAX_DEPTH - 10
"""For values from other files, which are nested deeper once they are inside a suite."""
csv.field_size_limit(MAX_DATASET_BYTES)  # a cell may hold a long prompt
T = TypeVar("T")


class FileMistake(Exception):
    """A file that cannot be used. `line`: the line to blame; None: the file has no lines."""

    def __init__(self, message: str, *, line: int | None = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line

    def add_to(self, mistakes: Mistakes, path: Path, source: Source, key: KeyPath) -> None:
        """Add this mistake at its line in `path`, or without a line, at the `key` in `source` that names the file."""
        if self.line is not None:
            mistakes.add(Line(str(path), self.line), [Mistake((), self.message)])
        else:
            mistakes.add(source, [Mistake(key, f"{path.name}: {self.message}")])


def read_text(path: Path, *, max_bytes: int) -> str:
    """A file's text without a byte-order mark. Raises FileMistake."""
    raw = read_bytes(path, max_bytes=max_bytes, remedy="move prompts to a dataset, or split it")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileMistake(f"is not UTF-8 (byte 0x{raw[error.start]:02x}); save it as UTF-8", line=line) from error


def read_bytes(path: Path | str, *, max_bytes: int, remedy: str, follow: bool = True) -> bytes:
    """A file's content. `remedy`: what to do about a file that is too large. Raises FileMistake."""
    try:
        return read_bounded(path, max_bytes=max_bytes, follow=follow)
    except (OSError, ValueError) as error:
        raise _mistake(error, max_bytes, remedy) from error


def _mistake(error: OSError | ValueError, max_bytes: int, remedy: str) -> FileMistake:
    match getattr(error, "errno", None):
        case errno.EFBIG:
            return FileMistake(f"is larger than {max_bytes / 1e6:g} MB; {remedy}")
        case errno.ENOENT | errno.ENOTDIR:
            return FileMistake("there is no such file", line=None)
        case errno.EINVAL | errno.EISDIR | errno.ENXIO:
            return FileMistake("is not a file", line=None)
    return FileMistake(f"cannot be read: {getattr(error, 'strerror', None) or error}", line=None)


def find_beside(folder: Path, name: str) -> Path:
    """The path of the file `name` in or below `folder`. Raises FileMistake: it is outside, links followed."""
    _real_path(folder, name)
    return folder / name


def read_beside(folder: Path, name: str, *, max_bytes: int, remedy: str) -> bytes:
    """The content of the file `name` in or below `folder`, even if a link changes meanwhile. Raises FileMistake."""
    return read_bytes(_real_path(folder, name), max_bytes=max_bytes, remedy=remedy, follow=False)


def _real_path(folder: Path, name: str) -> str:
    if "\0" in name:
        raise FileMistake("a file name must not contain a NUL character", line=None)
    home = os.path.realpath(folder)
    real = os.path.realpath(folder / name)
    if os.path.isabs(name) or os.path.commonpath([home, real]) != home:
        raise FileMistake("is outside the suite's folder; copy the file there", line=None)
    return real


def csv_lines(text: str, *, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """(line, cells) for each row; blank lines are skipped. Raises FileMistake: not CSV."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FileMistake(f"not CSV: {error}", line=line) from error
        if cells is None:
            return
        if cells:
            yield line, cells


def json_lines(text: str, kind: type[T]) -> Iterator[tuple[int, T | FileMistake]]:
    """(line, value or mistake) for each line that is not blank."""
    for line, written in enumerate(text.split("\n"), start=1):
        if written.strip():
            try:
                yield line, read_json(written, kind)
            except FileMistake as error:
                yield line, error


def read_json(written: str | msgspec.Raw, kind: type[T]) -> T:
    """Decode JSON as a type. Raises FileMistake: not JSON, not of this type, too large a number, too deep."""
    try:
        value = msgspec.json.decode(written, type=kind)
        too_deep = is_too_deep(value)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        wanted = "a JSON object" if isinstance(written, str) else "JSON"
        raise FileMistake(f"not {wanted}: {error}") from error
    except RecursionError:
        too_deep = True
    if too_deep:
        raise FileMistake(f"nested more than {MAX_JSON_DEPTH} deep")
    return value


def is_too_deep(value: object, limit: int = MAX_JSON_DEPTH) -> bool:
    """Whether lists and mappings are nested deeper than `limit`."""
    level = [value]
    for _ in range(limit):
        inside = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, list | dict))
        level = [each for values in inside for each in values if isinstance(each, list | dict)]
        if not level:
            return False
    return True
