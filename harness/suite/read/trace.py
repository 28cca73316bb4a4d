"""A trace of recorded traffic: when each call came, and which prompt it asked or how large it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from harness.suite.grammar.structure import unknown_key
from harness.suite.read.text_file import MAX_DATASET_BYTES, FileMistake, csv_lines, json_lines, read_text
from harness.suite.suite import TracedCall

MOST_CALLS = 1_000_000
MOST_MISTAKES = 20
"""That are told of one trace: a wrong column is wrong in every line."""
OTHER_NAMES = {"TIMESTAMP": "timestamp", "ContextTokens": "input_tokens", "GeneratedTokens": "output_tokens"}
"""Columns of Azure's public LLM inference traces."""
Tokens = Annotated[int, Meta(ge=0, le=1_000_000)]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line as it is written; `harness import` writes all of these but `timestamp`."""

    offset_s: Annotated[float, Meta(ge=0)] | None = None
    timestamp: datetime | None = None
    """In place of `offset_s`."""
    prompt_id: str | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    stand_in: bool = False
    """The call's own prompt was not kept; `prompt_id` is one of its size."""


class TraceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a trace."""

    line: int
    at_s: float
    """Since the first call."""
    row: Row


def read_trace(path: Path) -> tuple[list[TraceLine], list[FileMistake]]:
    """Every call in the order of the file, and the mistakes with their lines. FileMistake: no trace at all."""
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileMistake(f"a trace is a .jsonl or .csv file, not {path.suffix or 'one without a suffix'!r}", line=None)
    lines: list[TraceLine] = []
    mistakes: list[FileMistake] = []
    first_s: float | None = None
    for line, cells in reader(read_text(path, max_bytes=MAX_DATASET_BYTES)):
        try:
            row = _row(cells, line)
            moment_s = _moment_s(row, line)
            first_s = moment_s if first_s is None else first_s
            lines.append(_in_order(lines, TraceLine(line=line, at_s=round(moment_s - first_s, 6), row=row)))
        except FileMistake as error:
            mistakes.append(error)
        if len(mistakes) == MOST_MISTAKES:
            return lines, [*mistakes, FileMistake("and so on: only the first mistakes are told", line=line)]
        if len(lines) > MOST_CALLS:
            raise FileMistake(f"has more than {MOST_CALLS:,} calls; split it", line=line)
    if not lines and not mistakes:
        raise FileMistake("holds no calls")
    return lines, mistakes


def format_calls(calls: tuple[TracedCall, ...]) -> str:
    """A line for each call, `0.25 prompt-id`: what a frozen suite holds of a trace."""
    return "\n".join(f"{call.at_s!r} {call.prompt_id}" if call.prompt_id else repr(call.at_s) for call in calls)


def parse_calls(text: str) -> tuple[TracedCall, ...]:
    """What `format_calls` made. FileMistake: not that."""
    calls = []
    try:
        for written in text.split("\n"):
            at_s, _, prompt_id = written.partition(" ")
            calls.append(TracedCall(float(at_s), prompt_id or None))
    except ValueError:
        raise FileMistake("is written by a run, a line for each call; name a file with `trace` instead") from None
    late = any(later.at_s < call.at_s for call, later in pairwise(calls))
    if late or not all(isfinite(call.at_s) and call.at_s >= 0 for call in calls):
        raise FileMistake("is out of order; name a file with `trace` instead")
    return tuple(calls)


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """(line, cells by column, or what is wrong), empty cells left out."""
    header: list[str] | None = None
    for line, cells in csv_lines(text):
        if header is None:
            header = [cell.strip() for cell in cells]
            strange = [name for name in header if name not in _COLUMNS]
            if strange:
                raise FileMistake(unknown_key(strange[0], list(_COLUMNS)).replace("key", "column", 1), line=line)
        elif len(cells) != len(header):
            yield line, f"has {len(cells)} cells where the header names {len(header)} columns"
        else:
            yield line, {name: cell.strip() for name, cell in zip(header, cells, strict=True) if cell.strip()}


def _jsonl_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for line, row in json_lines(text, dict[str, Any]):
        yield line, row.message if isinstance(row, FileMistake) else row


_COLUMNS = (*Row.__struct_fields__, *OTHER_NAMES)


def _row(cells: Mapping[str, Any] | str, line: int) -> Row:
    if isinstance(cells, str):
        raise FileMistake(cells, line=line)
    for name in cells:
        if name not in _COLUMNS:
            raise FileMistake(unknown_key(name, list(_COLUMNS)), line=line)
    try:
        named = {OTHER_NAMES.get(name, name): value for name, value in cells.items()}
        return msgspec.convert(named, Row, strict=False)
    except msgspec.ValidationError as error:
        told, _, place = str(error).rpartition(" - at ")
        where = place.strip("`$.")
        told = told.replace(" | null", "").replace("`", "")
        raise FileMistake(f"{where}: {told}" if told else str(error), line=line) from error


def _moment_s(row: Row, line: int) -> float:
    """When the call came, s since some zero that all lines of a trace share."""
    if (row.offset_s is None) == (row.timestamp is None):
        raise FileMistake("give when the call came: either offset_s (seconds) or timestamp (ISO 8601)", line=line)
    at_s = row.offset_s if row.timestamp is None else _utc(row.timestamp).timestamp()
    if at_s is None or not isfinite(at_s) or at_s > 1e11:
        raise FileMistake(f"offset_s: {at_s} is not a number of seconds", line=line)
    return at_s


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _in_order(before: list[TraceLine], each: TraceLine) -> TraceLine:
    last = before[-1] if before else each
    if (last.row.offset_s is None) != (each.row.offset_s is None):
        raise FileMistake("gives the time otherwise than the lines before; use offset_s or timestamp", line=each.line)
    if each.at_s < last.at_s:
        told = f"comes {last.at_s - each.at_s:g} s before the call of line {last.line}; sort the trace by time"
        raise FileMistake(told, line=each.line)
    return each
