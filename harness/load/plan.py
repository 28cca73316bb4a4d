"""The plan: which requests a run makes, in which order. Deterministic: same suite, same seed, same plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain, count, islice, takewhile
from random import Random

import msgspec

from harness.load.arrivals import make_arrival
from harness.suite.suite import Load, Prompt, Suite

WARMUP = "warmup"
MEASURE = "measure"

ENDING = ("ramp", "steps", "trace")
"""Arrival processes whose schedule has an end of its own."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the plan."""

    request_id: str
    """`<round>-<target>`, both counted from 0: unique in the run, the same for the same suite and seed."""
    target: str
    prompt_id: str
    repeat: int
    phase: str


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The requests that share a moment: one (prompt, repeat) for every target, in shuffled order.

    Targets with a rate of their own have rounds of their own, which ask the same in the same order.
    """

    index: int
    """In the order in which these targets are asked."""
    phase: str
    offset_s: float | None
    """Due, seconds after the run's start; None: when a slot frees."""
    requests: tuple[Planned, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one process sends of a plan: the rounds whose index leaves `index` when divided by `of`."""

    suite: Suite
    """With this part's slots and quotas. Its plan is still the whole one: `rounds` selects the part."""
    index: int = 0
    of: int = 1

    def rounds(self, *, seed: int) -> Iterator[Round]:
        """The rounds of this part, in their order. The parts of a plan are disjoint, and their union is the plan."""
        return (each for each in make_plan(self.suite, seed=seed) if each.index % self.of == self.index)

    def share(self, whole: int) -> int:
        """How many of the first `whole` rounds, or of `whole` slots, are this part's."""
        return len(range(self.index, whole, self.of))


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Targets that share due times, by their place in the suite, and their load."""

    load: Load
    targets: tuple[int, ...]


def make_plan(suite: Suite, *, seed: int) -> Iterator[Round]:
    """Rounds in the order in which they are handed out: warm-up first, then each repeat in an order of its own.

    Without end for a closed load that only a duration bounds; the runner stops handing out when the time is over.
    """
    plans = [_rounds(suite, schedule, seed=seed) for schedule in make_schedules(suite)]
    return plans[0] if len(plans) == 1 else merge(*plans, key=lambda each: each.offset_s or 0.0)


def make_schedules(suite: Suite) -> list[Schedule]:
    """The suite's load; one for each rate where targets have rates of their own."""
    by_rate: dict[float | None, list[int]] = {}
    own = suite.load.rates_per_s or {}
    for at, target in enumerate(suite.targets):
        by_rate.setdefault(own.get(target.name, suite.load.rate_per_s), []).append(at)
    return [
        Schedule(load=msgspec.structs.replace(suite.load, rate_per_s=rate, rates_per_s=None), targets=tuple(targets))
        for rate, targets in by_rate.items()
    ]


def _rounds(suite: Suite, schedule: Schedule, *, seed: int) -> Iterator[Round]:
    order, mixing = Random(f"{seed}/order"), Random(f"{seed}/targets")
    cases, offsets = _cases(suite, order), _offsets(schedule.load, seed=seed)
    for index, ((phase, prompt_id, repeat), offset_s) in enumerate(zip(cases, offsets, strict=False)):
        shuffled = mixing.sample(schedule.targets, len(schedule.targets))
        yield Round(
            index=index,
            phase=phase,
            offset_s=offset_s,
            requests=tuple(
                Planned(
                    request_id=f"{index:06d}-{at:02d}",
                    target=suite.targets[at].name,
                    prompt_id=prompt_id,
                    repeat=repeat,
                    phase=phase,
                )
                for at in shuffled
            ),
        )


def _cases(suite: Suite, order: Random) -> Iterator[tuple[str, str, int]]:
    """(phase, prompt id, repeat): warm-up cycles through the prompts, then what is measured."""
    for at in range(suite.load.warmup):
        yield WARMUP, suite.prompts[at % len(suite.prompts)].id, 0
    for prompt_id, repeat in islice(_asked(suite, order), measured_rounds(suite)):
        yield MEASURE, prompt_id, repeat


def _asked(suite: Suite, order: Random) -> Iterator[tuple[str, int]]:
    """(prompt id, repeat): every repeat asks each prompt once, without end; a trace may name who is asked when."""
    cycle = _cycle(suite.prompts, order)
    if not any(call.prompt_id for call in suite.load.calls or ()):
        yield from cycle
    times: Counter[str] = Counter()
    for call in suite.load.calls or ():
        prompt_id = call.prompt_id or next(cycle)[0]
        yield prompt_id, times[prompt_id]
        times[prompt_id] += 1


def _cycle(prompts: Sequence[Prompt], order: Random) -> Iterator[tuple[str, int]]:
    for repeat in count():
        for prompt in order.sample(prompts, len(prompts)):
            yield prompt.id, repeat


def measured_rounds(suite: Suite) -> int | None:
    """How many times each target is asked at most; None: until the duration or the schedule is over."""
    load = suite.load
    repeats = None if load.repeats is None else load.repeats * len(suite.prompts)
    bounds = [each for each in (load.requests, repeats) if each is not None]
    if bounds or load.duration_s is not None or load.arrival in ENDING:
        return min(bounds, default=None)
    return len(suite.prompts)


def count_requests(suite: Suite, *, seed: int) -> dict[str, int] | None:
    """Requests of the plan by phase; None where only the answers decide how many fit into the duration."""
    most, measured = measured_rounds(suite), 0
    endless = suite.load.arrival == "closed" or (suite.load.duration_s is None and suite.load.arrival not in ENDING)
    if suite.load.arrival == "closed" and most is None:
        return None
    for schedule in make_schedules(suite):
        due = islice(_measured_offsets(schedule.load, seed=seed), most)
        rounds = most if endless and most is not None else sum(1 for _ in due)
        measured += len(schedule.targets) * rounds
    return {WARMUP: suite.load.warmup * len(suite.targets), MEASURE: measured}


def due_times(suite: Suite, schedule: Schedule, *, seed: int) -> Iterator[float]:
    """When the rounds of an open load's schedule are due, warm-up included, s after the start."""
    most = measured_rounds(suite)
    offsets = islice(_offsets(schedule.load, seed=seed), None if most is None else suite.load.warmup + most)
    return (at for at in offsets if at is not None)


def _offsets(load: Load, *, seed: int) -> Iterator[float | None]:
    """Warm-up, at the rate with which the load begins, then what is measured."""
    opening_per_s, measured = make_arrival(load).opening_per_s, _measured_offsets(load, seed=seed)
    if opening_per_s is None:
        return measured
    lead_s = load.warmup / opening_per_s
    return chain((at / opening_per_s for at in range(load.warmup)), (lead_s + (at or 0.0) for at in measured))


def _measured_offsets(load: Load, *, seed: int) -> Iterator[float | None]:
    """Since the first request could be measured. A closed load's duration is the runner's to keep."""
    offsets, most_s = make_arrival(load).offsets(Random(f"{seed}/arrivals")), load.duration_s
    if most_s is None or load.arrival == "closed":
        return offsets
    return takewhile(lambda at_s: (at_s or 0.0) < most_s, offsets)
