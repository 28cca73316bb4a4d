"""Text for people: replaces characters that must not reach a terminal or a page, and writes counts and values."""

from __future__ import annotations

import re
from collections.abc import Callable

_FLAG = "\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f"
"""The flag of a part of a country: the only valid use of tag characters."""
_DANGEROUS = (
    "[\\x00-\x09\x0b-\x1f\x7f-\x9f"  # control characters and escapes, except the line feed
    "\u202a-\u202e\u2066-\u206f"  # direction overrides, which make a text read differently from what it is
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # characters that hide text
    "\ud800-\udfff\ufffe\uffff]"  # surrogates and noncharacters
)
_PATTERN = re.compile(f"{_FLAG}|({_DANGEROUS})")


def replace_dangerous(text: str, replace: Callable[[str], str]) -> str:
    """The text with every dangerous character replaced. All others stay, visible or not: spaces, joiners."""
    return text if text.isprintable() else _PATTERN.sub(lambda m: replace(m[0]) if m[1] else m[0], text)


def visible(text: str) -> str:
    """The text with U+FFFD in place of dangerous characters; line breaks and indents stay."""
    if text.isprintable():
        return text
    lines = re.sub("\r\n?|[\u2028\u2029]", "\n", text.expandtabs(4))
    return replace_dangerous(lines, lambda _: "\ufffd")


def printable(text: str) -> str:
    """The text on one line: white space collapsed, dangerous characters replaced."""
    return visible(" ".join(text.split()))


def counted(n: int, noun: str) -> str:
    """`1 request`, `1,024 requests`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def rounded(value: float, digits: int) -> str:
    """`7,200`, `0.0167`: at most so many significant digits, and no exponent for large values."""
    return f"{float(f'{value:.{digits}g}'):,.12g}"
