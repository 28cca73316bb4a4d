"""What a trace means for a suite: the calls that a plan follows, and prompts of the trace's sizes."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from harness.suite.generate import sized_prompt, too_much_text
from harness.suite.grammar.load import LoadEntry, Replay
from harness.suite.grammar.mistakes import Line, Located, Mistake, Source, locate
from harness.suite.read.text_file import FileMistake, find_beside
from harness.suite.read.trace import MOST_MISTAKES, TraceLine, parse_calls, read_trace
from harness.suite.read.yaml_lines import Document
from harness.suite.suite import Prompt, TracedCall


class Replayed(msgspec.Struct, kw_only=True):
    """What became of a trace."""

    calls: tuple[TracedCall, ...] | None = None
    prompts: dict[str, tuple[Prompt, Source]] = {}
    """Generated ones, one for each size, by id: with the line that asks it first."""
    found: list[Located] = []
    """What is wrong."""


def replay_trace(folder: Path | None, document: Document, load: LoadEntry | None, known: AbstractSet[str]) -> Replayed:
    """The trace of a load, read. `known`: ids of the suite's own prompts."""
    if load is None or load.arrival != "trace":
        return Replayed()
    if load.calls is not None:
        return _frozen(document, load.calls, known)
    if load.trace is None:
        return Replayed()
    try:
        path = find_beside(folder, load.trace)
    except FileMistake as error:
        return _wrong(document, "trace", f"{load.trace}: {error.message}")
    try:
        lines, mistakes = read_trace(path)
    except FileMistake as error:
        if error.line is None:
            return _wrong(document, "trace", f"{load.trace}: {error.message}")
        return Replayed(found=locate(Line(str(path), error.line), [Mistake((), error.message)]))
    replayed = Replayed()
    for each in mistakes:
        replayed.found += locate(Line(str(path), each.line or 1), [Mistake((), each.message)])
    if not mistakes:
        _follow(replayed, str(path), lines, load.replay, known)
        tokens = sum(len(prompt.messages[0].content) for prompt, _ in replayed.prompts.values()) / 4
        replayed.found += locate(document, too_much_text(tokens, ("load", "trace")))
    return replayed


def _frozen(document: Document, calls: str, known: AbstractSet[str]) -> Replayed:
    try:
        parsed = parse_calls(calls)
    except FileMistake as error:
        return _wrong(document, "calls", error.message)
    strange = next((call.prompt_id for call in parsed if call.prompt_id and call.prompt_id not in known), None)
    if strange is not None:
        return _wrong(document, "calls", f"no prompt is called {strange!r}")
    return Replayed(calls=parsed)


def _wrong(document: Document, key: str, told: str) -> Replayed:
    return Replayed(found=locate(document, [Mistake(("load", key), told)]))


def _follow(
    replayed: Replayed, name: str, lines: list[TraceLine], replay: Replay | None, known: AbstractSet[str]
) -> None:
    """Fill in what every line asks."""
    calls = []
    for each in lines:
        told = _refusal(each, replay, known)
        if told is not None:
            replayed.found += locate(Line(name, each.line), [Mistake((), told)])
            if len(replayed.found) == MOST_MISTAKES:
                break
            continue
        calls.append(TracedCall(each.at_s, _prompt_id(replayed, name, each, replay)))
    replayed.calls = tuple(calls) or None


def _refusal(each: TraceLine, replay: Replay | None, known: AbstractSet[str]) -> str | None:
    """Why a line cannot be replayed; None: it can."""
    row = each.row
    if replay == "prompts" and row.prompt_id is None:
        return "names no prompt_id; leave out `replay: prompts`"
    if replay == "sizes" and not row.input_tokens:
        return "has no input_tokens; write replay: times"
    if replay in (None, "prompts") and row.prompt_id is not None and row.prompt_id not in known:
        return f"no prompt of the suite is called {row.prompt_id[:80]!r}; write replay: sizes, or replay: times"
    return None


def _prompt_id(replayed: Replayed, name: str, each: TraceLine, replay: Replay | None) -> str | None:
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
