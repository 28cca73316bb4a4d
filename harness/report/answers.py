"""Sample answers made fit for a page: bounded in length, because a model wrote them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from harness.analysis.samples import Answer
from harness.report.wording import printable, visible

MOST_CHARACTERS = 600


def bound(answers: Iterable[Answer]) -> list[Answer]:
    """The answers, each cut to length and without control characters; still to be escaped."""
    return [_bound(answer) for answer in answers]


def _bound(answer: Answer) -> Answer:
    text = answer.answer
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS]}… ({len(text):,} characters)"
    return msgspec.structs.replace(answer, answer=visible(text), reason=printable(answer.reason)[:MOST_CHARACTERS])
