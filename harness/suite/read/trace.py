"""Reads a trace of recorded traffic (time, prompt or size of each call), and plans its replay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from harness.suite.generate import sized_prompt, too_much_text
from harness.suite.grammar.mistakes import Line, Mistake, Mistakes, Source
from harness.suite.grammar.structure import describe, unknown_key
from harness.suite.read.text_file import MAX_DATASET_BYTES, FileMistake, csv_lines, find_beside, json_lines, read_text
from harness.suite.suite import Load, Prompt, Replay, TracedCall

MOST_CALLS = 1_000_000
MOST_MISTAKES = 20
"""Reported for one trace, as a wrong column is wrong in every line."""
OTHER_NAMES = {"TIMESTAMP": "timestamp", "ContextTokens": "input_tokens", "GeneratedTokens": "output_tokens"}
"""Columns of Azure's public LLM inference traces → ours."""
Tokens = Annotated[int, Meta(ge=0, le=1_000_000)]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line as written. `harness import` writes all columns but `timestamp`."""

    offset_s: Annotated[float, Meta(ge=0)] | None = None
    timestamp: datetime | None = None
    """In place of `offset_s`."""
    prompt_id: str | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    stand_in: bool = False
    """True if the call's own prompt is not in the suite, and `prompt_id` is one of similar size."""


EXPECTED = {
    "offset_s": "a number of seconds, 0 or more",
    "timestamp": "an ISO 8601 time, such as 2026-05-01T12:00:00Z",
    "prompt_id": "text",
    "input_tokens": "a number of tokens, at most 1,000,000",
    "output_tokens": "a number of tokens, at most 1,000,000",
    "stand_in": "true or false",
}
"""Column → description of its values."""


class TraceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a trace."""

    line: int
    at_s: float
    """Since the first call."""
    row: Row


def read_trace(path: Path) -> tuple[list[TraceLine], list[FileMistake]]:
    """Every call in the order of the file, and the mistakes. Raises FileMistake: not a trace at all."""
    readers = {".csv": _csv_rows, ".jsonl": _jsonl_rows}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FileMistake(
            f"a trace must be a .jsonl or .csv file, not {path.suffix or 'one without a suffix'!r}", line=None
        )
    lines: list[TraceLine] = []
    mistakes: list[FileMistake] = []
    first_s: float | None = None
    for line, cells in reader(read_text(path, max_bytes=MAX_DATASET_BYTES)):
        try:
            row = _row(cells, line)
            time_s = _time_s(row, line)
            first_s = time_s if first_s is None else first_s
            lines.append(_check_order(lines, TraceLine(line=line, at_s=round(time_s - first_s, 6), row=row)))
        except FileMistake as error:
            mistakes.append(error)
        if len(mistakes) == MOST_MISTAKES:
            return lines, [*mistakes, FileMistake("only the first mistakes are shown", line=line)]
        if len(lines) > MOST_CALLS:
            raise FileMistake(f"has more than {MOST_CALLS:,} calls; split it", line=line)
    if not lines and not mistakes:
        raise FileMistake("contains no calls")
    return lines, mistakes


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """(line, cells by column without empty ones, or what is wrong)."""
    header: list[str] | None = None
    for line, cells in csv_lines(text):
        if header is None:
            header = [cell.strip() for cell in cells]
            unknown = [name for name in header if name not in _COLUMNS]
            if unknown:
                raise FileMistake(unknown_key(unknown[0], list(_COLUMNS)).replace("key", "column", 1), line=line)
        elif len(cells) != len(header):
            yield line, f"has {len(cells)} cells, but the header has {len(header)} columns"
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
    except msgspec.ValidationError:
        raise FileMistake(_invalid_cell(named), line=line) from None


def _invalid_cell(named: Mapping[str, Any]) -> str:
    """A message about the first invalid cell."""
    for name, value in named.items():
        try:
            msgspec.convert({name: value}, Row, strict=False)
        except msgspec.ValidationError:
            return f"{name}: {describe(value)} is not {EXPECTED[name]}"
    raise AssertionError("every cell is valid on its own")


def _time_s(row: Row, line: int) -> float:
    """When the call arrived, in s, with the same zero for all lines of a trace."""
    if (row.offset_s is None) == (row.timestamp is None):
        raise FileMistake("needs the time of the call: either offset_s (seconds) or timestamp (ISO 8601)", line=line)
    at_s = row.offset_s if row.timestamp is None else _utc(row.timestamp).timestamp()
    if at_s is None or not isfinite(at_s) or at_s > 1e11:
        raise FileMistake(f"offset_s: {at_s} is not a number of seconds", line=line)
    return at_s


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _check_order(before: list[TraceLine], each: TraceLine) -> TraceLine:
    last = before[-1] if before else each
    if (last.row.offset_s is None) != (each.row.offset_s is None):
        raise FileMistake("has another time column than the line before; use one of them throughout", line=each.line)
    if each.at_s < last.at_s:
        message = f"comes {last.at_s - each.at_s:g} s before the call of line {last.line}; sort the trace by time"
        raise FileMistake(message, line=each.line)
    return each


class ReplayedTrace(msgspec.Struct, kw_only=True):
    """The calls of a trace, and the prompts generated for it."""

    calls: tuple[TracedCall, ...] | None = None
    prompts: dict[str, tuple[Prompt, Source]] = {}
    """Id → a generated prompt, one for each size, and the line that uses it first."""


def replay_trace(
    folder: Path, document: Source, load: Load | None, known: AbstractSet[str], mistakes: Mistakes
) -> ReplayedTrace:
    """Read the trace of a load and plan its replay. `known`: ids of the suite's prompts. Mistakes are added."""
    replayed = ReplayedTrace()
    if load is None or load.arrival != "trace" or load.trace is None:
        return replayed
    path = folder / load.trace
    try:
        lines, wrong = read_trace(find_beside(folder, load.trace))
    except FileMistake as error:
        error.add_to(mistakes, path, document, ("load", "trace"))
        return replayed
    for each in wrong:
        each.add_to(mistakes, path, document, ("load", "trace"))
    if not wrong:
        _replay_lines(replayed, str(path), lines, load.replay, known, mistakes)
        tokens = sum(len(prompt.messages[0].content) for prompt, _ in replayed.prompts.values()) / 4
        mistakes.add(document, too_much_text(tokens, ("load", "trace")))
    return replayed


def _replay_lines(
    replayed: ReplayedTrace,
    name: str,
    lines: list[TraceLine],
    replay: Replay | None,
    known: AbstractSet[str],
    mistakes: Mistakes,
) -> None:
    """Fill in the calls and the generated prompts."""
    calls, refused = [], 0
    for each in lines:
        message = _why_not_replayable(each, replay, known)
        if message is None:
            calls.append(TracedCall(each.at_s, _prompt_id(replayed, name, each, replay)))
            continue
        mistakes.add(Line(name, each.line), [Mistake((), message)])
        refused += 1
        if refused == MOST_MISTAKES:
            break
    replayed.calls = tuple(calls) or None


def _why_not_replayable(each: TraceLine, replay: Replay | None, known: AbstractSet[str]) -> str | None:
    """Why a line cannot be replayed. None: it can."""
    row = each.row
    if replay == "prompts" and row.prompt_id is None:
        return "has no prompt_id; leave out `replay: prompts`"
    if replay == "sizes" and not row.input_tokens:
        return "has no input_tokens; write replay: times"
    if replay in (None, "prompts") and row.prompt_id is not None and row.prompt_id not in known:
        return f"the suite has no prompt {row.prompt_id[:80]!r}; write replay: sizes, or replay: times"
    return None


def _prompt_id(replayed: ReplayedTrace, name: str, each: TraceLine, replay: Replay | None) -> str | None:
    row = each.row
    if replay == "times":
        return None
    if row.prompt_id is not None and replay != "sizes":
        return row.prompt_id
    if not row.input_tokens:
        return None
    made = f"size-{row.input_tokens}" + (f"-{row.output_tokens}" if row.output_tokens else "")
    if made not in replayed.prompts:
        prompt = sized_prompt(made, row.input_tokens, row.output_tokens or None, seed=len(replayed.prompts) + 1)
        replayed.prompts[made] = (prompt, Line(name, each.line))
    return made
