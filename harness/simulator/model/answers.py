"""The models' answers: right or wrong according to skill where an answer key has the prompt, otherwise filler text.

The answer key is a JSON file `{"<prompt_digest>": {"answer": "Paris", "visual": false}}`. A token is taken to be four
characters, here and wherever tokens are counted.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal

import msgspec

from harness.errors import EndpointError

CHARS_PER_TOKEN = 4
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_EVASIONS = ("unclear", "I am not sure.", "N/A", "?")
_FILLER = (
    "the measure of a queue is how long its last guest waits while every clock in the hall keeps honest time and no "
    "ledger forgets what was owed so we count twice write once then compare both sheets before anyone calls it done"
)
_FILLER_TOKENS = (40, 320)


class KeyEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The right answer to one prompt."""

    answer: str
    visual: bool = False
    """Whether the answer needs vision: a model that gets only a document's text answers wrongly."""


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A citation of the beginning of the prompt's document at `index`."""

    index: int
    title: str | None
    text: str
    pages: bool
    """Whether the document has pages; otherwise characters are cited."""


class ContentBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A content block of an answer. `text` is its text, or a tool's input as JSON."""

    kind: Literal["thinking", "text", "tool"]
    text: str
    tool: str = ""
    citations: tuple[Citation, ...] = ()


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A model's answer to one prompt. `stop_reason` is in the terms of the Messages API."""

    blocks: tuple[ContentBlock, ...]
    output_tokens: int
    stop_reason: str
    stop_sequence: str | None = None


def prompt_digest(text: str) -> str:
    """First 16 hex digits of the SHA-256 of the last user message: a prompt's key in an answer key."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def count_tokens(text: str) -> int:
    """Tokens of a text: a quarter of its characters, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)


def load_answer_key(path: Path) -> dict[str, KeyEntry]:
    """Digest → right answer. Raises EndpointError if the file is not an answer key."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, KeyEntry])
    except OSError as error:
        raise EndpointError(f"{path}: the answer key cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise EndpointError(f'{path}: not an answer key ({error}); write {{"<digest>": {{"answer": "…"}}}}') from error


class AnswerBook:
    """Draws answers from an answer key. The same `rng` state gives the same text."""

    def __init__(self, key: dict[str, KeyEntry]) -> None:
        self._key = key
        self._by_kind: dict[str, list[str]] = {}
        for answer in sorted({entry.answer for entry in key.values()}):
            self._by_kind.setdefault(_kind(answer), []).append(answer)

    def find(self, digest: str) -> KeyEntry | None:
        """The right answer to a prompt, None if the key has none."""
        return self._key.get(digest)

    def draw_text(self, entry: KeyEntry | None, *, skill: float, rng: Random) -> str:
        """The text of an answer. `skill` is the probability that a prompt in the key is answered correctly."""
        if entry is None:
            return draw_filler(rng, *_FILLER_TOKENS)
        if rng.random() < skill:
            return _format_right(entry.answer, rng)
        return self._draw_wrong(entry.answer, rng)

    def _draw_wrong(self, right: str, rng: Random) -> str:
        kind = _kind(right)
        if kind == "json":
            return spoil_json(json.loads(right), rng)
        if kind == "number":
            return _spoil_number(right, rng)
        if kind == "date":
            return (date.fromisoformat(right) + timedelta(days=rng.choice((-31, -7, -1, 1, 7, 30)))).isoformat()
        others = [text for text in self._by_kind["text"] if right.casefold() not in text.casefold()]
        alike = [text for text in others if len(text.split()) == len(right.split())]
        evasions = [text for text in _EVASIONS if right.casefold() not in text.casefold()]
        return rng.choice(alike or others or evasions)


def truncate(blocks: Sequence[ContentBlock], *, max_tokens: int, stop_sequences: tuple[str, ...]) -> Answer:
    """The blocks up to `max_tokens`, and the text up to the first stop sequence, which is left out."""
    sent: list[ContentBlock] = []
    used = 0
    reason, stopped_by = "tool_use" if blocks[-1].kind == "tool" else "end_turn", None
    for block in blocks:
        text = block.text
        if block.kind == "text":
            text, stopped_by = _until(text, stop_sequences)
            reason = "stop_sequence" if stopped_by else reason
        left = max_tokens - used
        if count_tokens(text) > left:
            text, reason, stopped_by = text[: left * CHARS_PER_TOKEN], "max_tokens", None
        used += count_tokens(text)
        sent.append(msgspec.structs.replace(block, text=text))
        if reason == "max_tokens":
            break
    return Answer(blocks=tuple(sent), output_tokens=used, stop_reason=reason, stop_sequence=stopped_by)


def _until(text: str, stop_sequences: tuple[str, ...]) -> tuple[str, str | None]:
    found = [(text.index(sequence), sequence) for sequence in stop_sequences if sequence and sequence in text]
    if not found:
        return text, None
    at, stopped_by = min(found)
    return text[:at], stopped_by


def _kind(answer: str) -> str:
    if _NUMBER.fullmatch(answer):
        return "number"
    if _DATE.fullmatch(answer):
        return "date" if _is_date(answer) else "text"
    if answer[:1] in ("{", "["):
        return "json" if _is_json(answer) else "text"
    return "text"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _format_right(right: str, rng: Random) -> str:
    """Vary a right answer as models do: JSON in a code fence, text with a full stop, or a newline at the end."""
    roll = rng.random()
    if roll < 0.6:
        return right
    kind = _kind(right)
    if kind == "json":
        return f"```json\n{right}\n```"
    if kind == "text" and right[-1:].isalnum():
        return right + "."
    return right + "\n"


def _spoil_number(right: str, rng: Random) -> str:
    """A number with as many decimals that is off by more than a tenth and by at least one."""
    decimals = len(right.partition(".")[2])
    off = max(1.0, abs(float(right)) * rng.uniform(0.11, 0.5))
    return f"{float(right) + rng.choice((-1, 1)) * (off + 1):.{decimals}f}"


def spoil_json(value: Any, rng: Random) -> str:
    """The same JSON with one member changed or missing."""
    if isinstance(value, list):
        return json.dumps(value[:-1] if value else [None])
    if not value:
        return json.dumps({"note": "unclear"})
    name = rng.choice(sorted(value))
    spoiled = dict(value)
    member = spoiled.pop(name)
    if rng.random() < 0.5:
        spoiled[name] = _other(member, rng)
    return json.dumps(spoiled, ensure_ascii=False)


def _other(member: Any, rng: Random) -> Any:
    if isinstance(member, bool):
        return not member
    if isinstance(member, int):
        return member + rng.choice((-10, -1, 1, 10))
    if isinstance(member, float):
        return round(member * 1.1 + 1, 2)
    return "unclear" if member != "unclear" else None


def draw_filler(rng: Random, fewest: int, most: int) -> str:
    """`fewest` to `most` tokens of filler text."""
    length = rng.randint(fewest, most) * CHARS_PER_TOKEN
    text = " ".join(rng.choices(_FILLER.split(), k=length // 4))
    return text[:length].capitalize()


def lengthen(text: str, verbosity: float, rng: Random) -> str:
    """Append filler text until there are `verbosity` times as many tokens; 1 leaves the text unchanged."""
    more = round((verbosity - 1) * count_tokens(text))
    return (
        text
        if more <= 0
        else f"{text}\n{draw_filler(rng, more, more)}"[: (count_tokens(text) + more) * CHARS_PER_TOKEN]
    )
