"""Text on its way to people: characters that must not reach a terminal or a page as they are, and counts with nouns."""

from __future__ import annotations

import re
from collections.abc import Callable

_FLAG = "\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f"
"""The flag of a part of a country, the only use that tag characters have."""
_DANGEROUS = (
    "[\\x00-\x09\x0b-\x1f\x7f-\x9f"  # controls and escapes, but for the line feed
    "\u202a-\u202e\u2066-\u206f"  # what turns the direction of a text, so that it reads otherwise than it is
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # what hides a text
    "\ud800-\udfff\ufffe\uffff]"  # no characters
)
_FOUND = re.compile(f"{_FLAG}|({_DANGEROUS})")


def replace_dangerous(text: str, replace: Callable[[str], str]) -> str:
    """The text with every such character replaced; all others stay, whether or not they leave ink: spaces, joiners."""
    return text if text.isprintable() else _FOUND.sub(lambda found: replace(found[0]) if found[1] else found[0], text)


def visible(text: str) -> str:
    """`text` with U+FFFD in their place; lines and indents are kept."""
    lines = re.sub("\r\n?|[\u2028\u2029]", "\n", text.expandtabs(4))
    return replace_dangerous(lines, lambda _: "\ufffd")


def printable(text: str) -> str:
    """`text` on one line, its white space collapsed, dangerous characters replaced."""
    return visible(" ".join(text.split()))


def counted(n: int, noun: str) -> str:
    """`1 request`, `1,024 requests`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
