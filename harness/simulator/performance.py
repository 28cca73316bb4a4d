"""Decides what one request gets: a fault, or an answer in chunks with a due time for each. All of it is seeded."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec

from harness.simulator.answers import CHARS_PER_TOKEN, Answer, AnswerBook, cut, prompt_digest
from harness.simulator.dialects.base import FRAMES_AROUND, Question, draw_padding
from harness.simulator.faults import FaultRates, Refused
from harness.simulator.profiles import ModelName, Profile, Timing, draw_timing

_FIXED_TEXT = "tic "


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks to be done: `api` `invoke` or `converse`, streamed or not."""

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


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, its text in chunks, when each is due, and the paddings of the frames."""

    answer: Answer
    texts: tuple[str, ...]
    timing: Timing
    paddings: tuple[int, ...]
    frame_paddings: tuple[int, ...]
    """Of the frames before and after the content."""


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

    def perform(self, operation: Operation, question: Question, model: ModelName, profile: Profile) -> Performance:
        """What this request gets. Raises Refused when a fault is drawn."""
        behaviour = self._behaviour
        digest = prompt_digest(question.prompt)
        self._asked[operation, digest] += 1
        occasion = f"{digest}/{self._asked[operation, digest]}"
        place = f"{behaviour.seed}/{operation.model_id}/{operation.api}/{operation.stream}/{occasion}"
        fault = behaviour.rates.draw(Random(f"{place}/fault"))
        if fault is not None:
            raise Refused(fault)
        if self._fixed is not None:
            return self._fixed
        said = self._book.say(digest, skill=profile.skill, rng=Random(f"{behaviour.seed}/{model.base_id}/{occasion}"))
        answer = cut(said, max_tokens=question.max_tokens, stop_sequences=question.stop_sequences)
        rng = Random(place)
        timing = draw_timing(
            profile,
            rng,
            input_tokens=question.input_tokens,
            output_tokens=answer.output_tokens,
            speed=behaviour.speed,
        )
        return _compose(answer, timing, rng)


def _compose(answer: Answer, timing: Timing, rng: Random) -> Performance:
    texts = []
    at = 0
    for size in timing.sizes:
        end = at + size * CHARS_PER_TOKEN
        texts.append(answer.text[at:end])
        at = end
    return Performance(
        answer=answer,
        texts=tuple(texts),
        timing=timing,
        paddings=tuple(draw_padding(rng) for _ in texts),
        frame_paddings=tuple(draw_padding(rng) for _ in range(FRAMES_AROUND)),
    )


def _fixed_performance(timing: Timing) -> Performance:
    chunks = len(timing.chunks_ns)
    answer = Answer(text=_FIXED_TEXT * chunks, output_tokens=chunks, stop_reason="end_turn")
    return _compose(answer, timing, Random("fixed"))
