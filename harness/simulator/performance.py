"""Decides what one request gets: a fault, or an answer in chunks with a due time for each. All of it is seeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random

import msgspec

from harness.simulator.dialects.base import Question
from harness.simulator.faults import FaultRates, Refused
from harness.simulator.model.answers import (
    CHARS_PER_TOKEN,
    Answer,
    AnswerBook,
    Citation,
    ContentBlock,
    count_tokens,
    cut,
    draw_filler,
    lengthen,
    prompt_digest,
)
from harness.simulator.model.profiles import ModelName, OwnProfile, Profile, Timing, adapt, draw_timing
from harness.simulator.model.tool_calls import draw_call, draw_verdict

_FIXED_TEXT = "tic "
_THINKING_TOKENS = (16, 48)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks to be done: `api` `invoke`, `converse`, `messages` or `openai`, streamed or not."""

    model_id: str
    api: str
    stream: bool


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How the service behaves. `speed` divides every drawn time."""

    seed: int
    speed: float
    rates: FaultRates
    fixed: Timing | None
    """Not None: every answer has this timing and is filler text in as many chunks, whatever was asked."""
    own: Mapping[str, OwnProfile] = {}
    """Models that behave otherwise than their profile says."""


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, its text in chunks, passage by passage, and when each is due."""

    answer: Answer
    texts: tuple[tuple[str, ...], ...]
    timing: Timing
    interrupted: bool = False
    """Whether a stream ends in an error half way."""


class Performer:
    """Draws performances.

    The seed of one is (seed, model id, api, streamed or not, prompt, how often that was asked before), so the order in
    which different requests arrive changes nothing. What is said hangs on the base model instead of the model id and
    not on the api: the same model answers alike through every routing and api.
    """

    def __init__(self, behaviour: Behaviour, book: AnswerBook) -> None:
        self._behaviour = behaviour
        self._book = book
        self._asked: Counter[tuple[Operation, str]] = Counter()
        self._fixed = None if behaviour.fixed is None else _fixed_performance(behaviour.fixed)

    def draw(
        self, operation: Operation, question: Question, *, model: ModelName, profile: Profile, uncached_tokens: int
    ) -> Performance:
        """What this request gets. Raises Refused when a fault is drawn."""
        behaviour = self._behaviour
        digest = prompt_digest(question.prompt)
        self._asked[operation, digest] += 1
        occasion = f"{digest}/{self._asked[operation, digest]}"
        place = f"{behaviour.seed}/{operation.model_id}/{operation.api}/{operation.stream}/{occasion}"
        luck = Random(f"{place}/fault")
        fault = behaviour.rates.draw(luck)
        if fault is not None:
            raise Refused(fault)
        interrupted = operation.stream and behaviour.rates.draw_interruption(luck)
        if self._fixed is not None:
            return msgspec.structs.replace(self._fixed, interrupted=interrupted) if interrupted else self._fixed
        profile = adapt(profile, behaviour.own, model_id=operation.model_id, model=model)
        said = self._answer(question, digest, profile, Random(f"{behaviour.seed}/{model.base_id}/{occasion}"))
        answer = cut(said, max_tokens=question.max_tokens, stop_sequences=question.stop_sequences)
        timing = draw_timing(
            profile,
            Random(place),
            input_tokens=uncached_tokens,
            output_tokens=[count_tokens(passage.text) for passage in answer.passages],
            speed=behaviour.speed,
        )
        return _compose(answer, timing, interrupted=interrupted)

    def _answer(self, question: Question, digest: str, profile: Profile, rng: Random) -> list[ContentBlock]:
        """A thought, where one was asked for, and a call or words."""
        entry = self._book.find(digest)
        blind = entry is not None and entry.visual and not question.sees
        skill = 0.0 if blind else profile.skill
        said = draw_verdict(question.prompt, question.toolbox, self._book, skill=profile.skill, rng=rng)
        said = said or draw_call(entry, question.toolbox, skill=skill, rng=rng)
        if said is None:
            text = lengthen(self._book.say(entry, skill=skill, rng=rng), profile.verbosity, rng)
            said = ContentBlock(kind="text", text=text, citations=tuple(_cite(question)))
        if not question.thinks:
            return [said]
        return [ContentBlock(kind="thinking", text=draw_filler(rng, *_THINKING_TOKENS)), said]


def delayed(performance: Performance, wait_ns: int) -> Performance:
    """The same, all of it later."""
    if not wait_ns:
        return performance
    timing = performance.timing
    later = Timing(
        chunks_ns=tuple(at_ns + wait_ns for at_ns in timing.chunks_ns),
        sizes=timing.sizes,
        end_ns=timing.end_ns + wait_ns,
    )
    return msgspec.structs.replace(performance, timing=later)


def _cite(question: Question) -> Iterator[Citation]:
    """The beginning of the first document that is to be cited."""
    for index, document in enumerate(question.cited):
        if document is not None:
            yield Citation(index=index, title=document.title, text=document.excerpt, pages=bool(document.pages))
            return


def _compose(answer: Answer, timing: Timing, *, interrupted: bool = False) -> Performance:
    texts = (tuple(_slice(passage.text, sizes)) for passage, sizes in zip(answer.passages, timing.sizes, strict=True))
    return Performance(answer=answer, texts=tuple(texts), timing=timing, interrupted=interrupted)


def _slice(text: str, sizes: tuple[int, ...]) -> Iterator[str]:
    at = 0
    for size in sizes:
        end = at + size * CHARS_PER_TOKEN
        yield text[at:end]
        at = end


def _fixed_performance(timing: Timing) -> Performance:
    chunks = len(timing.chunks_ns)
    passage = ContentBlock(kind="text", text=_FIXED_TEXT * chunks)
    return _compose(Answer(passages=(passage,), output_tokens=chunks, stop_reason="end_turn"), timing)
