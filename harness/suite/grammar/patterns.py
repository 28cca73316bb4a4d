"""Compiles users' regular expressions, and rejects those that would need too much memory."""

from __future__ import annotations

import re
from math import prod

import regex

from harness.suite.grammar.structure import describe

MAX_CHARACTERS = 20_000
MAX_DEPTH = 100
"""Of nested groups."""
MAX_ITEMS = 100_000
"""The regex module expands `(a{1000}){1000}` to a million items when it compiles the pattern."""

_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]?|\(\?\#[^)]*\)?|[()]|\{(?P<times>\d+)(?:,\d*)?\}|.", re.DOTALL
)
_OTHER_SYNTAX = re.compile(r"\(\?[a-zA-Z0-9-]*(?:x|V1)")
"""Flags for comments or nested sets, in which brackets have another meaning."""


class PatternError(ValueError):
    """A pattern that cannot be used. The message quotes it and says why."""


def compile_pattern(pattern: str, flags: int = 0) -> regex.Pattern[str]:
    """Compile a pattern; the regex module caches the result. Raises PatternError."""
    too_large = _too_large(pattern, verbose=bool(flags & regex.VERBOSE))
    if too_large is not None:
        raise PatternError(f"the pattern {describe(pattern)} {too_large}")
    try:
        return regex.compile(pattern, flags | regex.VERSION0)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise PatternError(f"the pattern {describe(pattern)} is not a regular expression: {error}") from None


def _too_large(pattern: str, *, verbose: bool) -> str | None:
    if len(pattern) > MAX_CHARACTERS:
        return f"has more than {MAX_CHARACTERS:,} characters"
    if verbose or _OTHER_SYNTAX.search(pattern):
        depth, items = 0, prod(_times(each) for each in _TOKEN.finditer("".join(pattern.split())))
    else:
        depth, items = _measure(pattern)
    if depth > MAX_DEPTH:
        return f"has groups more than {MAX_DEPTH} deep"
    return f"repeats more than {MAX_ITEMS:,} items; write fewer, or * or +" if items > MAX_ITEMS else None


def _measure(pattern: str) -> tuple[int, int]:
    """(depth of nested groups, number of items with all repetitions expanded)."""
    items, last, depth = [0], 0, 0
    for token in _TOKEN.finditer(pattern):
        if token[0] == "(":
            items.append(0)
            depth = max(depth, len(items) - 1)
        elif token[0] == ")" and len(items) > 1:
            last = items.pop() + 1
            items[-1] += last
        elif token["times"]:
            items[-1] += last * (_times(token) - 1)
            last *= _times(token)
        else:
            last = 1
            items[-1] += 1
    return depth, sum(items)


def _times(token: re.Match[str]) -> int:
    written = token["times"] or "1"
    return max(int(written), 1) if len(written) < 10 else MAX_ITEMS + 1
