"""Encodes a streamed reply: the bytes that are sent with each content chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import repeat

from harness.simulator.dialects import DIALECTS
from harness.simulator.dialects.base import Dialect, Event, Reply
from harness.simulator.faults import INTERRUPTED
from harness.simulator.http.connection import LAST_CHUNK, encode_chunk
from harness.simulator.performance import TimedAnswer


def encode_stream(api: str, reply: Reply, timed: TimedAnswer) -> list[bytes]:
    """One piece of the body per content chunk, but at least one, and the ending.

    Events that precede a chunk (the opening, the start of a block) are sent together with it. An interrupted stream has
    the first half of the chunks and ends in an error.
    """
    dialect = DIALECTS[api]
    pieces: list[bytes] = []
    before = _join(dialect, dialect.opening(reply))
    for index, (block, texts) in enumerate(zip(timed.answer.blocks, timed.texts, strict=True)):
        before += _join(dialect, dialect.start(block, index))
        first = len(pieces)
        pieces += map(_encode_delta, repeat(api), repeat(block.kind), repeat(index), texts)
        if texts:
            pieces[first] = encode_chunk(before) + pieces[first]
            before = b""
        before += _join(dialect, dialect.stop(block, index))
    if not pieces:
        pieces.append(encode_chunk(before))
        before = b""
    if timed.interrupted:
        half = (len(pieces) + 1) // 2
        return [*pieces[:half], encode_chunk(dialect.interruption(INTERRUPTED)) + LAST_CHUNK]
    pieces.append(encode_chunk(before + _join(dialect, dialect.ending(reply))) + LAST_CHUNK)
    return pieces


def all_events(api: str, reply: Reply, timed: TimedAnswer) -> Iterator[Event]:
    """Every event of the stream, in order."""
    dialect = DIALECTS[api]
    yield from dialect.opening(reply)
    for index, (block, texts) in enumerate(zip(timed.answer.blocks, timed.texts, strict=True)):
        yield from dialect.start(block, index)
        yield from (dialect.delta(block.kind, index, text) for text in texts)
        yield from dialect.stop(block, index)
    yield from dialect.ending(reply)


def _join(dialect: Dialect, events: Iterable[Event]) -> bytes:
    return b"".join(map(dialect.frame, events))


@lru_cache(maxsize=8192)
def _encode_delta(api: str, kind: str, index: int, text: str) -> bytes:
    dialect = DIALECTS[api]
    return encode_chunk(dialect.frame(dialect.delta(kind, index, text)))
