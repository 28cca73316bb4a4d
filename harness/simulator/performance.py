"""Draws the outcome of a request from a seed: a fault, or an answer in chunks with a due time for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random

import msgspec

from harness.simulator.dialects.base import Question
from harness.simulator.faults import FaultRates, ServiceError
from harness.simulator.model.answers import (
    CHARS_PER_TOKEN,
    Answer,
    AnswerBook,
    Citation,
    ContentBlock,
    count_tokens,
    draw_filler,
    lengthen,
    prompt_digest,
    truncate,
)
from harness.simulator.model.profiles import ModelName, Profile, ProfileOverride, Timing, apply_overrides, draw_timing
from harness.simulator.model.tool_calls import draw_call, draw_verdict

_FIXED_TEXT = "tic "
_THINKING_TOKENS = (16, 48)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """The operation of a request. `api` is `invoke`, `converse`, `messages` or `openai`."""

    model_id: str
    api: str
    stream: bool


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How the service behaves. `speed` divides every drawn time."""

    seed: int
    speed: float
    rates: FaultRates
    fixed: Timing | None
    """If set, every answer has this timing and is filler text in as many chunks."""
    overrides: Mapping[str, ProfileOverride] = {}
    """The user's overrides, by base id or profile id."""


class TimedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, the chunks of each content block, and when each chunk is due."""

    answer: Answer
    texts: tuple[tuple[str, ...], ...]
    timing: Timing
    interrupted: bool = False
    """Whether the stream ends in an error half way."""


class AnswerGenerator:
    """Draws timed answers.

    Each is seeded with (seed, model id, api, whether streamed, prompt, how often it was asked before), so the order in
    which different requests arrive does not matter. The text is seeded with the base model and without the api: a model
    answers alike through every routing and api.
    """

    def __init__(self, behaviour: Behaviour, book: AnswerBook) -> None:
        self._behaviour = behaviour
        self._book = book
        self._count: Counter[tuple[Operation, str]] = Counter()
        self._fixed = None if behaviour.fixed is None else _fixed_answer(behaviour.fixed)

    def draw(
        self, operation: Operation, question: Question, *, model: ModelName, profile: Profile, uncached_tokens: int
    ) -> TimedAnswer:
        """Draw the answer to a request. Raises ServiceError if a fault is drawn."""
        behaviour = self._behaviour
        digest = prompt_digest(question.prompt)
        self._count[operation, digest] += 1
        occasion = f"{digest}/{self._count[operation, digest]}"
        place = f"{behaviour.seed}/{operation.model_id}/{operation.api}/{operation.stream}/{occasion}"
        fault_rng = Random(f"{place}/fault")
        fault = behaviour.rates.draw(fault_rng)
        if fault is not None:
            raise ServiceError(fault)
        interrupted = operation.stream and behaviour.rates.draw_interruption(fault_rng)
        if self._fixed is not None:
            return msgspec.structs.replace(self._fixed, interrupted=interrupted) if interrupted else self._fixed
        profile = apply_overrides(profile, behaviour.overrides, model_id=operation.model_id, model=model)
        blocks = self._draw_blocks(question, digest, profile, Random(f"{behaviour.seed}/{model.base_id}/{occasion}"))
        answer = truncate(blocks, max_tokens=question.max_tokens, stop_sequences=question.stop_sequences)
        timing = draw_timing(
            profile,
            Random(place),
            input_tokens=uncached_tokens,
            output_tokens=[count_tokens(block.text) for block in answer.blocks],
            speed=behaviour.speed,
        )
        return _compose(answer, timing, interrupted=interrupted)

    def _draw_blocks(self, question: Question, digest: str, profile: Profile, rng: Random) -> list[ContentBlock]:
        """A thinking block if requested, then a tool call or text."""
        entry = self._book.find(digest)
        blind = entry is not None and entry.visual and not question.sees
        skill = 0.0 if blind else profile.skill
        block = draw_verdict(question.prompt, question.toolbox, self._book, skill=profile.skill, rng=rng)
        block = block or draw_call(entry, question.toolbox, skill=skill, rng=rng)
        if block is None:
            text = lengthen(self._book.draw_text(entry, skill=skill, rng=rng), profile.verbosity, rng)
            block = ContentBlock(kind="text", text=text, citations=tuple(_cite(question)))
        if not question.thinks:
            return [block]
        return [ContentBlock(kind="thinking", text=draw_filler(rng, *_THINKING_TOKENS)), block]


def delay(answer: TimedAnswer, wait_ns: int) -> TimedAnswer:
    """The answer with every chunk `wait_ns` later."""
    if not wait_ns:
        return answer
    timing = answer.timing
    later = Timing(
        chunks_ns=tuple(at_ns + wait_ns for at_ns in timing.chunks_ns),
        sizes=timing.sizes,
        end_ns=timing.end_ns + wait_ns,
    )
    return msgspec.structs.replace(answer, timing=later)


def _cite(question: Question) -> Iterator[Citation]:
    """A citation of the beginning of the first document with citations."""
    for index, document in enumerate(question.cited):
        if document is not None:
            yield Citation(index=index, title=document.title, text=document.excerpt, pages=bool(document.pages))
            return


def _compose(answer: Answer, timing: Timing, *, interrupted: bool = False) -> TimedAnswer:
    texts = (tuple(_slice(block.text, sizes)) for block, sizes in zip(answer.blocks, timing.sizes, strict=True))
    return TimedAnswer(answer=answer, texts=tuple(texts), timing=timing, interrupted=interrupted)


def _slice(text: str, sizes: tuple[int, ...]) -> Iterator[str]:
    at = 0
    for size in sizes:
        end = at + size * CHARS_PER_TOKEN
        yield text[at:end]
        at = end


def _fixed_answer(timing: Timing) -> TimedAnswer:
    chunks = len(timing.chunks_ns)
    block = ContentBlock(kind="text", text=_FIXED_TEXT * chunks)
    return _compose(Answer(blocks=(block,), output_tokens=chunks, stop_reason="end_turn"), timing)
