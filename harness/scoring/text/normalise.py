"""Normalises text, so that what a reader would call the same becomes the same string."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

QUOTES = {ord(curly): "'" for curly in "‘’‚‛′ʼ"} | {ord(curly): '"' for curly in "“”„‟″«»"}
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""Soft hyphen, zero-width space, word joiner, byte-order mark: they affect line breaks only."""
DASHES = {ord(dash): "-" for dash in "‐‑‒–—−"}
PLAIN = QUOTES | DASHES | INVISIBLE
WRAPPING = "\"'`*_~ "
"""Quotes and Markdown's emphasis and code marks, after `fold`."""
ENDING = ".,;:!?…。！？、"


def fold(text: str, *, case_sensitive: bool = False) -> str:
    """Plain quotes and dashes, NFKC, folded case, and white space of every kind collapsed to single spaces."""
    plain = unicodedata.normalize("NFKC", text.translate(PLAIN))
    if not case_sensitive:
        plain = unicodedata.normalize("NFKC", plain.casefold())
    return " ".join(plain.split())


def bare(folded: str) -> str:
    """Folded text without surrounding quotes and Markdown marks and without final punctuation.

    Text that consists of marks only is unchanged, so that `?` equals `?` but not an empty answer.
    """
    return folded.lstrip(WRAPPING).rstrip(WRAPPING + ENDING) or folded


def blank_mistake(key: str, *texts: str) -> Iterator[str]:
    """A message if one of a check's texts is only white space, which every answer would match."""
    blank = next((text for text in texts if not fold(text)), None)
    if blank is not None:
        yield f"`{key}` is blank: {blank!r} is only white space"
