"""Text made comparable: what a reader would call the same becomes the same string."""

from __future__ import annotations

import unicodedata

QUOTES = {ord(curly): "'" for curly in "‘’‚‛′ʼ"} | {ord(curly): '"' for curly in "“”„‟″«»"}
DASHES = {ord(dash): "-" for dash in "‐‑‒–—−"}
WRAPPING = "\"'`*_~ "
"""Quotes and Markdown's emphasis and code marks, as they are left by `fold`."""
ENDING = ".,;:!?…。！？、"


def fold(text: str, *, case_sensitive: bool = False) -> str:
    """One form for what looks alike: quotes and dashes made plain, NFKC, case folded, white space collapsed."""
    plain = unicodedata.normalize("NFKC", text.translate(QUOTES | DASHES))
    if not case_sensitive:
        plain = unicodedata.normalize("NFKC", plain.casefold())
    return " ".join(plain.split())


def bare(folded: str) -> str:
    """Folded text without the quotes and Markdown marks around it and the punctuation that ends it.

    Text of nothing but marks stays as it is, so that `?` equals `?` and not an empty answer.
    """
    return folded.lstrip(WRAPPING).rstrip(WRAPPING + ENDING) or folded
