"""A prompt browser's data inside a page: JSON that no answer can end early, and without invisible characters."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from markupsafe import Markup

from harness.analysis.answers.book import AnswerBook
from harness.characters import visible

_MARKUP = re.compile("[<>&\u2028\u2029]")
"""What could end a script element, begin a comment in it, or break a line of a script."""


def embed_book(book: AnswerBook) -> Markup:
    """The book as JSON for a `<script type="application/json">`. Dangerous characters are replaced by U+FFFD."""
    text = msgspec.json.encode(_visible(msgspec.to_builtins(book))).decode()
    return Markup(_MARKUP.sub(lambda m: f"\\u{ord(m[0]):04x}", text))


def _visible(value: Any) -> Any:
    """The value with every string in it made visible."""
    match value:
        case str():
            return visible(value)
        case list() | tuple():
            return [_visible(each) for each in value]
        case dict():
            return {key: _visible(each) for key, each in value.items()}
    return value
