"""Sample answers made fit for a page: bounded in length, because a model wrote them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.analysis.summary.samples import Answer
from harness.characters import printable, visible

MOST_CHARACTERS = 600


def bound(answers: Iterable[Answer]) -> list[Answer]:
    """The answers, each cut to length and without control characters; still to be escaped."""
    return [_bound(answer) for answer in answers]


def cut(text: str, most: int = MOST_CHARACTERS) -> str:
    """The text's first `most` characters, and how many it has where there are more; invisible ones made visible."""
    return visible(text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)")


def _bound(answer: Answer) -> Answer:
    return msgspec.structs.replace(answer, answer=cut(answer.answer), reason=printable(answer.reason)[:MOST_CHARACTERS])
