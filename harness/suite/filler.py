"""Text of a given length for long prompts: readable, about nothing, the same for the same seed on every machine."""

from __future__ import annotations

from random import Random

from harness.suite.check.size import CHARS_PER_TOKEN
from harness.suite.suite import Filler

SEPARATOR = "\n\n"
"""Between the text and the question."""

_PARAGRAPH = 8
"""Sentences."""
_WHEN = (
    "In the early spring",
    "On a quiet morning",
    "Towards the end of the harvest",
    "After the long winter",
    "Late in the afternoon",
    "During the week of the fair",
    "Before the first snow",
    "When the river was low",
    "At the turn of the season",
    "On the day of the market",
)
_WHO = (
    "the keeper of the lighthouse",
    "a clerk from the land office",
    "the schoolteacher",
    "an old carpenter",
    "the ferryman",
    "a travelling surveyor",
    "the widow from the mill",
    "the stationmaster",
    "two apprentices",
    "the council's gardener",
    "a printer from the next valley",
    "the harbour pilot",
)
_DID = (
    "mended",
    "measured",
    "described",
    "carried away",
    "painted",
    "counted",
    "looked after",
    "sold",
    "wrote a letter about",
    "argued over",
    "rebuilt",
    "forgot",
)
_HOW = ("worn", "narrow", "painted", "half-finished", "borrowed", "heavy", "well-kept", "crooked", "plain", "famous")
_WHAT = (
    "boats beside the pier",
    "ledgers of the mill",
    "fences along the lane",
    "stones of the old bridge",
    "maps of the lower fields",
    "windows of the town hall",
    "benches in the orchard",
    "clocks in the station",
    "barrels in the cellar",
    "lamps on the quay",
    "beams of the chapel",
    "carts behind the inn",
)
_WHY = (
    "because nobody else had the patience for it",
    "and said little about it afterwards",
    "while the others waited for the rain to pass",
    "as had been agreed the year before",
    "although the work was hardly paid",
    "and the whole village came to watch",
    "so that it would last another generation",
    "without asking anyone for leave",
    "and then walked home along the shore",
    "for reasons that the chronicle does not give",
)


def make_filler(filler: Filler) -> str:
    """The text, its needle at `depth`; at most one sentence longer than `tokens` × 4 characters."""
    random = Random(filler.seed)
    needle = filler.needle or ""
    left = filler.tokens * CHARS_PER_TOKEN - len(needle)
    sentences: list[str] = []
    while left > 0 or not sentences:
        sentences.append(_sentence(random))
        left -= len(sentences[-1]) + (1 if len(sentences) % _PARAGRAPH else len(SEPARATOR))
    if needle:
        sentences.insert(round(filler.depth * len(sentences)), needle)
    return SEPARATOR.join(" ".join(sentences[at : at + _PARAGRAPH]) for at in range(0, len(sentences), _PARAGRAPH))


def _sentence(random: Random) -> str:
    when, who, did, how, what, why = (_pick(random, words) for words in (_WHEN, _WHO, _DID, _HOW, _WHAT, _WHY))
    return f"{when}, {who} {did} the {how} {what}, {why}."


def _pick(random: Random, words: tuple[str, ...]) -> str:
    """One of them. `random()` alone is the same in every version of Python; `choice` is not."""
    return words[int(random.random() * len(words))]
