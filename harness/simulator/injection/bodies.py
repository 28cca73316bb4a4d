"""Faults of the body: encodings, lengths, types and JSON that are not what they should be."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

from harness.simulator.dialects.base import Event
from harness.simulator.http.connection import encode_chunk, encode_head
from harness.simulator.injection.response import Response, Script

_PAGE = b"<!doctype html>\n<title>Sign in</title>\n<p>Sign in to use this network.</p>\n"


def _compressed(response: Response) -> Script:
    body = gzip.compress(b"".join(response.frames()), mtime=0)
    return Script(pieces=[response.head(len(body), encoding="gzip") + body])


def _too_short(response: Response) -> Script:
    """The connection ends before the promised length."""
    body = b"".join(response.frames())
    return Script(pieces=[response.head(len(body) + 100) + body[: len(body) // 2]], ending="close")


def _too_long(response: Response) -> Script:
    """The body goes on after the promised length."""
    body = b"".join(response.frames())
    return Script(pieces=[response.head(len(body) // 2) + body])


def _bad_chunk_size(response: Response) -> Script:
    body = b"".join(response.frames())
    half = len(body) // 2
    return Script(pieces=[response.head(), encode_chunk(body[:half]), b"zz\r\n" + body[half:]], ending="close")


def _second_answer(response: Response) -> Script:
    """Another answer, which nobody asked for, follows on the connection."""
    smuggled = encode_head(200, {"Content-Type": "application/json", "Content-Length": "8"}) + b'{"a": 1}'
    *pieces, last = response.whole()
    return Script(pieces=[*pieces, last + smuggled])


def _empty(response: Response) -> Script:
    return Script(pieces=[response.head(0)])


def _html_page(response: Response) -> Script:
    return Script(pieces=[response.head(len(_PAGE), content_type="text/html") + _PAGE])


def _gateway_page(response: Response) -> Script:
    page = {"Content-Type": "text/html", "Content-Length": str(len(_PAGE))}
    return Script(pieces=[encode_head(502, page) + _PAGE])


def _wrong_type(response: Response) -> Script:
    return Script(pieces=response.whole(content_type="application/octet-stream"))


def _invalid_json(response: Response) -> Script:
    """Half way, the JSON of an event is cut off; of a whole answer, its own."""
    half = len(response.content) // 2
    spoilt = response.content[half]
    before = response.frames([*response.before, *response.content[:half]])
    cut = response.frame_raw(Event(spoilt.name, spoilt.data[: len(spoilt.data) // 2]))
    after = response.frames([*response.content[half + 1 :], *response.after])
    return Script(pieces=response.whole([*before, cut, *after]))


def _null_text(response: Response) -> Script:
    return Script(pieces=response.changed(_nullify))


def _nullify(value: Any) -> Any:
    """The JSON value with null for every text."""
    if isinstance(value, list):
        return list(map(_nullify, value))
    if not isinstance(value, dict):
        return value
    texts = {"text", "content"}
    return {name: None if name in texts and isinstance(each, str) else _nullify(each) for name, each in value.items()}


def _no_tokens(response: Response) -> Script:
    """A complete answer without any text."""
    if response.stream:
        return Script(pieces=response.whole(response.frames([*response.before, *response.after])))
    return Script(pieces=response.changed(_without_text))


def _without_text(value: Any) -> Any:
    """The JSON of a whole answer with nothing in its content."""
    if isinstance(value, list):
        return list(map(_without_text, value))
    if not isinstance(value, dict):
        return value
    return {name: type(each)() if name == "content" else _without_text(each) for name, each in value.items()}


def _no_usage(response: Response) -> Script:
    return Script(pieces=response.changed(_without_usage))


_COUNTS = ("usage", "amazon-bedrock-invocationMetrics")


def _without_usage(value: Any) -> Any:
    """The JSON value without any token counts."""
    if isinstance(value, list):
        return list(map(_without_usage, value))
    if not isinstance(value, dict):
        return value
    return {name: _without_usage(each) for name, each in value.items() if name not in _COUNTS}


BODIES: dict[str, Callable[[Response], Script]] = {
    "compressed": _compressed,
    "too_short": _too_short,
    "too_long": _too_long,
    "bad_chunk_size": _bad_chunk_size,
    "second_answer": _second_answer,
    "empty": _empty,
    "html_page": _html_page,
    "gateway_page": _gateway_page,
    "wrong_type": _wrong_type,
    "invalid_json": _invalid_json,
    "null_text": _null_text,
    "no_tokens": _no_tokens,
    "no_usage": _no_usage,
}
