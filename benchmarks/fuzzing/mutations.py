"""Strategies that damage what is whole: JSON documents, lines and bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

NESTED = 2_000
MOST_CHANGES = 3
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**12, 10**30, -(10**30), 10**400,
    0.5, -0.0, 1e-320, 1e308, -1e308, float("nan"), float("inf"), "", " ", "x", "0", "../../x", "/etc/passwd", "..",
    ".", "a/b", "\x00", "\x1b[31mx", "\r\n", "\u2028", "\u202e", "\ud800", "\ufffd", "'; DROP TABLE --", "{{7*7}}",
    "<script>alert(1)</script>", "%s%n", "$ref", "a" * 5_000, "é" * 300, [], {}, [[]], [None], {"": None}, {"a": {}},
    ["x"] * 1_000,
)  # fmt: skip
CHUNKS = (
    b"\x00", b"\xff", b"\n", b"\r", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\",
    b"\\u0000", b"\\ud800", b"1e400", b"-", b"NaN", b"null", b"PAR1", b"[" * NESTED, b'{"a":' * NESTED, b"9" * 5_000,
)  # fmt: skip


def changed_json(document: Any) -> SearchStrategy[bytes]:
    """A JSON document with one to three values replaced, removed, renamed or put in twice."""
    return st.builds(_encode, changed_value(document))


@st.composite
def changed_value(draw: DrawFn, document: Any) -> Any:
    """The same, before it is encoded."""
    document = deepcopy(document)
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        places = list(_places(document))
        if not places:
            return draw(st.sampled_from(VALUES))
        draw(st.sampled_from(_CHANGES))(draw, document, places)
    return document


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Each container and key under which a value is."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in list(items):
        yield document, key
        yield from _places(value)


Change = Callable[[DrawFn, Any, list[tuple[Any, Any]]], None]


def _replace(draw: DrawFn, document: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = draw(st.sampled_from(places))
    container[key] = deepcopy(draw(st.sampled_from(VALUES)))


def _swap(draw: DrawFn, document: Any, places: list[tuple[Any, Any]]) -> None:
    (to, key), (source, other) = draw(st.sampled_from(places)), draw(st.sampled_from(places))
    to[key] = deepcopy(source[other])


def _remove(draw: DrawFn, document: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = draw(st.sampled_from(places))
    del container[key]


def _double(draw: DrawFn, document: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = draw(st.sampled_from(places))
    if isinstance(container, list):
        container.append(deepcopy(container[key]))
    else:
        container[draw(st.sampled_from(["x", "", "\x1b", "__class__", key * 2]))] = deepcopy(container[key])


def _nest(draw: DrawFn, document: Any, places: list[tuple[Any, Any]]) -> None:
    container, key = draw(st.sampled_from(places))
    container[key] = [container[key]] if draw(st.booleans()) else {"a": container[key]}


_CHANGES: tuple[Change, ...] = (_replace, _replace, _replace, _swap, _remove, _double, _nest)


def _encode(document: Any) -> bytes:
    """JSON, with NaN and with lone surrogates, which stand as escapes."""
    return json.dumps(document).encode()


@st.composite
def changed_bytes(draw: DrawFn, content: bytes) -> bytes:
    """Bytes with one to three pieces cut, flipped, doubled, put in or cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        start = draw(st.integers(0, len(changed)))
        end = min(len(changed), start + draw(st.integers(0, 64)))
        match draw(st.integers(0, 4)):
            case 0:
                changed[start:end] = draw(st.sampled_from(CHUNKS))
            case 1:
                changed[start:end] = bytes(byte ^ draw(st.integers(0, 255)) for byte in changed[start : start + 4])
            case 2:
                changed[end:end] = changed[start:end]
            case 3:
                del changed[start:end]
            case _:
                del changed[start:]
    return bytes(changed)


@st.composite
def changed_lines(draw: DrawFn, lines: list[Any]) -> bytes:
    """JSON lines of which some are changed, doubled, out of order, damaged or missing."""
    written = [json.dumps(line).encode() for line in lines]
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 4)):
            case 0 | 1:
                written[at] = draw(changed_json(lines[at]))
            case 2:
                written[at] = draw(changed_bytes(written[at]))
            case 3:
                written.append(written[at])
            case _:
                written[at] = draw(st.sampled_from(CHUNKS))
    return b"\n".join(written) + draw(st.sampled_from([b"\n", b"", b"\n\n", b"\r\n"]))
