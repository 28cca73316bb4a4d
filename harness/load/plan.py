"""The plan: which requests a run makes, in which order. Deterministic: same suite, same seed, same plan."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, takewhile
from random import Random

import msgspec

from harness.load.arrivals import make_arrival
from harness.suite.schema import Load, Prompt, Suite

WARMUP = "warmup"
MEASURE = "measure"


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the plan."""

    request_id: str
    """`<round>-<target>`, both counted from 0: unique in the run, the same for the same suite and seed."""
    target: str
    prompt_id: str
    repeat: int
    phase: str


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that share a moment: one (prompt, repeat) for every target, in shuffled order."""

    index: int
    phase: str
    offset_s: float | None
    """Due, seconds after the run's start; None: when a slot frees."""
    requests: tuple[Planned, ...]


def make_plan(suite: Suite, *, seed: int) -> Iterator[Round]:
    """Rounds in the order in which they are handed out: warm-up first, then each repeat in an order of its own.

    Without end for a closed load that only a duration bounds; the runner stops handing out when the time is over.
    """
    order, mixing = Random(f"{seed}/order"), Random(f"{seed}/targets")
    offsets = _offsets(suite.load, seed=seed)
    names = [target.name for target in suite.targets]
    measured_from: float | None = None
    for index, ((phase, prompt, repeat), offset_s) in enumerate(zip(_cases(suite, order), offsets, strict=False)):
        if phase == MEASURE and offset_s is not None and suite.load.duration_s is not None:
            measured_from = offset_s if measured_from is None else measured_from
            if offset_s - measured_from >= suite.load.duration_s:
                return
        shuffled = mixing.sample(range(len(names)), len(names))
        yield Round(
            index=index,
            phase=phase,
            offset_s=offset_s,
            requests=tuple(
                Planned(
                    request_id=f"{index:06d}-{at:02d}",
                    target=names[at],
                    prompt_id=prompt.id,
                    repeat=repeat,
                    phase=phase,
                )
                for at in shuffled
            ),
        )


def _cases(suite: Suite, order: Random) -> Iterator[tuple[str, Prompt, int]]:
    """(phase, prompt, repeat): warm-up cycles through the prompts, then every repeat asks each prompt once."""
    prompts = suite.prompts
    for at in range(suite.load.warmup):
        yield WARMUP, prompts[at % len(prompts)], 0
    for repeat in islice(count(), planned_repeats(suite)):
        for prompt in order.sample(prompts, len(prompts)):
            yield MEASURE, prompt, repeat


def planned_repeats(suite: Suite) -> int | None:
    """How often each prompt is asked; None: until the duration is over."""
    if suite.load.repeats is not None:
        return suite.load.repeats
    return None if suite.load.duration_s is not None else 1


def count_requests(suite: Suite, *, seed: int) -> dict[str, int] | None:
    """Requests of the plan by phase; None where only the answers decide how many fit into the duration."""
    load, repeats = suite.load, planned_repeats(suite)
    rounds = None if repeats is None else repeats * len(suite.prompts)
    if load.duration_s is not None and load.arrival != "closed":
        fitting = _rounds_within(load, load.duration_s, seed=seed)
        rounds = fitting if rounds is None else min(rounds, fitting)
    if rounds is None:
        return None
    return {WARMUP: load.warmup * len(suite.targets), MEASURE: rounds * len(suite.targets)}


def _rounds_within(load: Load, duration_s: float, *, seed: int) -> int:
    """Measured rounds of an open arrival process that are due before the duration is over."""
    offsets = islice(_offsets(load, seed=seed), load.warmup, None)
    first_s = next(offsets)
    assert first_s is not None, "open arrivals have due times"
    return 1 + sum(1 for _ in takewhile(lambda at_s: at_s is not None and at_s - first_s < duration_s, offsets))


def _offsets(load: Load, *, seed: int) -> Iterator[float | None]:
    return make_arrival(load).offsets(Random(f"{seed}/arrivals"))
