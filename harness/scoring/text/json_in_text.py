"""JSON out of a model's prose: the whole text, a fenced block, or the first {…} or […] in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

LONGEST = 200_000
"""Characters; a longer text is not looked at, which bounds the work whatever a model writes."""
STARTS = 20
"""Brackets from which a value is tried to be read."""


def find_json(text: str) -> Any:
    """The JSON value in a text. ValueError: there is none. RecursionError: it is nested too deeply."""
    if len(text) > LONGEST:
        raise ValueError(f"the answer has more than {LONGEST:,} characters")
    for candidate in (text, *_fenced(text)):
        try:
            return parse_json(candidate)
        except ValueError:
            continue
    return _first_value(text)


def parse_json(text: str) -> Any:
    """Strict JSON: no NaN, no Infinity."""
    return _DECODER.decode(text.strip())


def _fenced(text: str) -> Iterator[str]:
    """What stands between lines of three backticks, without the language's name."""
    for block in text.split("```")[1::2]:
        _, _, body = block.partition("\n")
        yield body


def _first_value(text: str) -> Any:
    for number, bracket in enumerate(re.finditer(r"[{\[]", text)):
        if number == STARTS:
            break
        try:
            return _DECODER.raw_decode(text, bracket.start())[0]
        except ValueError:
            continue
    raise ValueError("the answer holds no JSON")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
