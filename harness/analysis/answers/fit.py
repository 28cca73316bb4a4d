"""Cuts texts so that all of them together fit into a page: the longest first, and none more than another."""

from __future__ import annotations

from collections.abc import Sequence

ESCAPED_BYTES = 6
"""Of a control character or an angle bracket in a page's JSON: `\\u003c`."""


def fit(texts: Sequence[str], most_bytes: int) -> list[str]:
    """The texts, cut to one length in bytes at which all of them together take at most `most_bytes`.

    What UTF-8 cannot encode is replaced, so that the texts can be written as JSON.
    """
    encoded = [text.encode(errors="replace") for text in texts]
    sizes = [len(text) + (ESCAPED_BYTES - 1) * _escaped(text) for text in encoded]
    level = _level(sizes, most_bytes)
    return [
        (text if size <= level else _cut(text, level)).decode(errors="ignore")
        for text, size in zip(encoded, sizes, strict=True)
    ]


def _escaped(text: bytes) -> int:
    """How many bytes of the text are escaped in JSON, at most."""
    return len(text) - len(text.translate(None, _ESCAPED))


_ESCAPED = bytes([*range(0x20), *b'"&<>\\', 0x7F])


def _cut(text: bytes, level: int) -> bytes:
    """The longest beginning, to within a half, that takes at most `level` bytes in JSON."""
    kept = text[:level]
    while len(kept) + (ESCAPED_BYTES - 1) * _escaped(kept) > level:
        kept = kept[: len(kept) * level // (len(kept) + (ESCAPED_BYTES - 1) * _escaped(kept))]
    return kept


def _level(sizes: Sequence[int], most: int) -> int:
    """The size to which the larger ones are cut: the largest at which all together are at most `most`."""
    left = most
    for done, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - done)
        if size > share:
            return share
        left -= size
    return max(sizes, default=0)
