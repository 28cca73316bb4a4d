"""Text made comparable: what a reader would call the same becomes the same string."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

QUOTES = {ord(curly): "'" for curly in "‘’‚‛′ʼ"} | {ord(curly): '"' for curly in "“”„‟″«»"}
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""Soft hyphen, zero-width space, word joiner, byte-order mark: they say where a line may break, and nothing else."""
DASHES = {ord(dash): "-" for dash in "‐‑‒–—−"}
PLAIN = QUOTES | DASHES | INVISIBLE
WRAPPING = "\"'`*_~ "
"""Quotes and Markdown's emphasis and code marks, as they are left by `fold`."""
ENDING = ".,;:!?…。！？、"


def fold(text: str, *, case_sensitive: bool = False) -> str:
    """One form for what looks alike: quotes and dashes made plain, NFKC, case folded, white space of every kind
    (no-break, ideographic, line ends) collapsed."""
    plain = unicodedata.normalize("NFKC", text.translate(PLAIN))
    if not case_sensitive:
        plain = unicodedata.normalize("NFKC", plain.casefold())
    return " ".join(plain.split())


def bare(folded: str) -> str:
    """Folded text without the quotes and Markdown marks around it and the punctuation that ends it.

    Text of nothing but marks stays as it is, so that `?` equals `?` and not an empty answer.
    """
    return folded.lstrip(WRAPPING).rstrip(WRAPPING + ENDING) or folded


def blank_mistake(key: str, *texts: str) -> Iterator[str]:
    """What is wrong with a check's texts of which one is nothing but white space: every answer holds that."""
    blank = next((text for text in texts if not fold(text)), None)
    if blank is not None:
        yield f"`{key}` is blank: nothing is left of {blank!r} without white space"
