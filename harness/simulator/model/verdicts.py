"""What a simulated model says as a judge: it knows the answer key, and errs as often as its skill has it."""

from __future__ import annotations

import re
from random import Random

import msgspec

from harness.simulator.model.answers import AnswerBook, ContentBlock, prompt_digest
from harness.simulator.model.tool_calls import Toolbox

TOOL = "verdict"
_PART = re.compile(r"<(?P<name>[a-z-]+)-(?P<digest>[0-9a-f]{12})>\n(?P<text>.*?)\n</(?P=name)-(?P=digest)>", re.DOTALL)
_GOOD, _BAD = (0.75, 1.0), (0.0, 0.35)
"""Scores of answers that are taken for right and for wrong."""


def draw_verdict(prompt: str, toolbox: Toolbox, book: AnswerBook, *, skill: float, rng: Random) -> ContentBlock | None:
    """The call of `verdict` with which a judge answers. None: the prompt asks for none.

    An answer that holds the key's is right. The judge is wrong about one as often as it is in answering; of two
    answers it then prefers the first.
    """
    if TOOL not in [tool.name for tool in toolbox.tools]:
        return None
    parts = {part["name"]: part["text"] for part in _PART.finditer(prompt)}
    entry = book.find(prompt_digest(parts.get("question", "")))
    right = entry.answer if entry is not None else parts.get("reference")
    errs = rng.random() >= skill
    if "answer" in parts:
        holds = _holds(parts["answer"], right, rng)
        taken = holds is not errs
        score = round(rng.uniform(*(_GOOD if taken else _BAD)), 2)
        told = "it agrees with the answer key" if taken else "it does not agree with the answer key"
        return _call({"reason": f"SIMULATED: {told}.", "score": score})
    if {"answer-a", "answer-b"} <= parts.keys():
        first, second = (_holds(parts[name], right, rng) for name in ("answer-a", "answer-b"))
        better = "A" if errs or first > second else "B" if second > first else "tie"
        return _call({"reason": f"SIMULATED: {'the first one' if errs else 'by the answer key'}.", "better": better})
    return None


def _holds(answer: str, right: str | None, rng: Random) -> bool:
    if right is None:
        return rng.random() < 0.5
    return " ".join(right.casefold().split()) in " ".join(answer.casefold().split())


def _call(given: dict[str, object]) -> ContentBlock:
    return ContentBlock(kind="tool", tool=TOOL, text=msgspec.json.encode(given).decode())
