"""Generates prompts: readable, meaningless text of a given length, reproducible from a seed on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from random import Random

from harness.catalog.target import Options
from harness.suite.check.size import CHARS_PER_TOKEN
from harness.suite.grammar.file import Length, LengthEntry, SyntheticEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.suite import Filler, Message, Prompt

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
    """The generated text, with its needle at `depth`; at most one sentence longer than `tokens` × 4 characters."""
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


def with_filler(message: Message, filler: Filler | None) -> Message:
    """The message with the generated text before the question."""
    if filler is None:
        return message
    return Message(role=message.role, content=make_filler(filler) + SEPARATOR + message.content)


def without_filler(message: Message, filler: Filler | None) -> Message:
    """The message without the generated text."""
    if filler is None:
        return message
    return Message(role=message.role, content=message.content.removeprefix(make_filler(filler) + SEPARATOR))


def _sentence(random: Random) -> str:
    when, who, did, how, what, why = (_pick(random, words) for words in (_WHEN, _WHO, _DID, _HOW, _WHAT, _WHY))
    return f"{when}, {who} {did} the {how} {what}, {why}."


def _pick(random: Random, words: tuple[str, ...]) -> str:
    """A random word. Only `random()` is guaranteed to give the same result in every version of Python."""
    return words[int(random.random() * len(words))]


LONGEST = 1_000_000
"""Tokens of one prompt."""
MOST_CHARS = 400_000_000
"""Of all generated prompts together, which stay in memory during the load."""
_LAST_TOKENS = 120
"""Tokens of the last part of a long prompt, which is trimmed to make the length exact."""
_FALLBACK = "Continue this text."


def synthetic_prompts(entry: SyntheticEntry | None) -> Iterator[Prompt]:
    """The prompts of an entry. Input and output lengths have separate random streams."""
    if entry is None:
        return
    seed = 1 if entry.seed is None else entry.seed
    input_rng, output_rng = Random(f"{seed}/input"), Random(f"{seed}/output")
    for at in range(entry.prompts):
        input_tokens = draw_length(entry.input_tokens, input_rng)
        output_tokens = None if entry.output_tokens is None else draw_length(entry.output_tokens, output_rng)
        yield sized_prompt(f"synthetic-{at + 1:04d}", input_tokens, output_tokens, seed=seed * 1_000_003 + at)


def synthetic_mistakes(entry: SyntheticEntry | None) -> Iterator[Mistake]:
    """Impossible lengths, and more text than fits in memory."""
    if entry is None:
        return
    for key in ("input_tokens", "output_tokens"):
        length = getattr(entry, key)
        if isinstance(length, LengthEntry) and length.min and length.max and length.min > length.max:
            yield Mistake(("synthetic", key), f"min ({length.min}) is more than max ({length.max})")
    longest = entry.input_tokens
    mean = longest if isinstance(longest, int) else max(longest.min or 1, min(longest.mean, longest.max or LONGEST))
    yield from too_much_text(entry.prompts * mean, ("synthetic", "prompts"))


def too_much_text(tokens: float, path: KeyPath) -> Iterator[Mistake]:
    """A mistake if so many tokens of generated text do not fit in memory."""
    if tokens * CHARS_PER_TOKEN > MOST_CHARS:
        size, limit = tokens * CHARS_PER_TOKEN / 1e6, MOST_CHARS / 1e6
        message = f"about {size:,.0f} MB of generated text is more than the {limit:,.0f} MB allowed"
        yield Mistake(path, f"{message}; use fewer or shorter prompts, and repeat them")


def draw_length(length: Length, rng: Random) -> int:
    """A length in tokens: log-normal with mean exp(μ + σ²/2), clipped to min … max."""
    if isinstance(length, int):
        return length
    sigma = length.sigma or 0.0
    tokens = rng.lognormvariate(log(length.mean) - sigma**2 / 2, sigma)
    return int(max(length.min or 1, min(round(tokens), length.max or LONGEST)))


def sized_prompt(name: str, input_tokens: int, output_tokens: int | None, *, seed: int) -> Prompt:
    """A prompt of exactly `input_tokens` × 4 characters that asks for more than `output_tokens` (its max_tokens)."""
    chars = input_tokens * CHARS_PER_TOKEN
    question = _FALLBACK if output_tokens is None else f"Continue this text in {2 * output_tokens:,} words or more."
    filler = None
    if input_tokens > _LAST_TOKENS:
        filler = Filler(tokens=input_tokens - _LAST_TOKENS, seed=seed)
    before = "" if filler is None else make_filler(filler) + SEPARATOR
    last = make_filler(Filler(tokens=_LAST_TOKENS + len(question), seed=seed + 1))
    room = chars - len(before) - len(question) - 1
    text = f"{last[:room].strip():.<{room}} {question}" if room > 0 else question[:chars]
    return Prompt(
        id=name,
        messages=(Message(role="user", content=before + text),),
        filler=filler,
        options=Options(max_tokens=output_tokens),
    )
