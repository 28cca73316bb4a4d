"""The plan: which requests a run makes, and in which order. The same suite and seed always give the same plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain, count, islice, takewhile
from random import Random

import msgspec

from harness.load.arrivals import make_arrival
from harness.store.records import REPEATED
from harness.suite.suite import Load, Prompt, Suite

WARMUP = "warmup"
MEASURE = "measure"

ENDING = ("ramp", "steps", "trace")
"""Arrival processes with a finite schedule."""


class Tries(msgspec.Struct, frozen=True, kw_only=True):
    """The attempts at a request that a run which ended early already made."""

    made: int = 0
    repeated: int = 0
    """Those that are made again, which do not count against the retries."""


NO_TRIES = Tries()


class PlannedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the plan."""

    request_id: str
    """`<round>-<target>`, both counted from 0. Unique in the run, and reproducible."""
    target: str
    prompt_id: str
    repeat: int
    phase: str
    tries: Tries = NO_TRIES


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a run that is resumed has recorded of its plan."""

    done: Collection[str] = frozenset()
    """Ids of requests that are not sent again."""
    tries: Mapping[str, Tries] = {}
    """The attempts at other requests."""


NOTHING = Recorded()


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that are due at the same moment: one (prompt, repeat) for every target, in shuffled order.

    Targets with their own rate have their own rounds, with the same prompts in the same order.
    """

    index: int
    """Counted from 0 in sending order, separately for each schedule."""
    phase: str
    offset_s: float | None
    """When the round is due, seconds after the run's start. None: as soon as a slot is free."""
    requests: tuple[PlannedRequest, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One process's part of a plan: the rounds with `round.index % of == index`."""

    suite: Suite
    """Has this part's slots and quotas, but the whole plan: `rounds` selects the part."""
    index: int = 0
    of: int = 1
    recorded: Recorded = NOTHING

    def rounds(self, *, seed: int) -> Iterator[Round]:
        """The rounds of this part, in order. The parts of a plan are disjoint, and their union is the plan."""
        plan = make_plan(self.suite, seed=seed, recorded=self.recorded)
        return (each for each in plan if each.index % self.of == self.index)

    def share(self, whole: int) -> int:
        """How many of `whole` rounds or slots belong to this part."""
        return len(range(self.index, whole, self.of))


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A load, and the targets that share its due times."""

    load: Load
    targets: tuple[int, ...]
    """Indices into the suite's targets."""


def make_plan(suite: Suite, *, seed: int, recorded: Recorded = NOTHING) -> Iterator[Round]:
    """Rounds in sending order: the warm-up first, then every repeat with its prompts shuffled anew.

    Infinite for a closed load that only a duration bounds; the runner stops when the time is up. Without the requests
    that are already `recorded`, whose time in an open schedule is left out as well.
    """
    plans = [_rounds(suite, schedule, seed=seed) for schedule in make_schedules(suite)]
    if recorded.done or recorded.tries:
        plans = [_missing(plan, recorded) for plan in plans]
    return plans[0] if len(plans) == 1 else merge(*plans, key=lambda each: each.offset_s or 0.0)


def _missing(rounds: Iterator[Round], recorded: Recorded) -> Iterator[Round]:
    """The rounds with a request that is not done, without those that are.

    Each is due as long after the one before it as it follows its predecessor in the plan: a stretch that was sent takes
    no time, and the rate is never higher than planned.
    """
    due_s, before_s = None, 0.0
    for each in rounds:
        requests = tuple(_go_on(one, recorded) for one in each.requests if one.request_id not in recorded.done)
        if requests and each.offset_s is not None:
            due_s = 0.0 if due_s is None else due_s + each.offset_s - before_s
        if requests:
            yield msgspec.structs.replace(each, offset_s=due_s, requests=requests)
        before_s = each.offset_s or 0.0


def is_done(suite: Suite, last_try: int, repeated: int, *, ok: bool, error_kind: str) -> bool:
    """Whether a recorded request is complete: its last attempt succeeded, or failed without another one to come.

    `repeated`: how many of its attempts are made again.
    """
    if error_kind in REPEATED:
        return False
    return ok or error_kind not in suite.retries.on or last_try >= suite.retries.max_attempts + repeated


def _go_on(planned: PlannedRequest, recorded: Recorded) -> PlannedRequest:
    tries = recorded.tries.get(planned.request_id)
    return planned if tries is None else msgspec.structs.replace(planned, tries=tries)


def make_schedules(suite: Suite) -> list[Schedule]:
    """One schedule for each rate: a single one, unless targets have their own rates."""
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
                PlannedRequest(
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
    """(phase, prompt id, repeat): a warm-up that cycles through the prompts, then the measured requests."""
    for at in range(suite.load.warmup):
        yield WARMUP, suite.prompts[at % len(suite.prompts)].id, 0
    for prompt_id, repeat in islice(_measured_cases(suite, order), measured_rounds(suite)):
        yield MEASURE, prompt_id, repeat


def _measured_cases(suite: Suite, order: Random) -> Iterator[tuple[str, int]]:
    """(prompt id, repeat): every repeat has each prompt once, without end. A trace may name the prompt of each call."""
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
    """The most measured requests for each target. None: only the duration or the schedule bounds them."""
    load = suite.load
    repeats = None if load.repeats is None else load.repeats * len(suite.prompts)
    bounds = [each for each in (load.requests, repeats) if each is not None]
    if bounds or load.duration_s is not None or load.arrival in ENDING:
        return min(bounds, default=None)
    return len(suite.prompts)


def count_requests(suite: Suite, *, seed: int) -> dict[str, int] | None:
    """Requests of the plan by phase. None: the number depends on how fast the answers come."""
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
    """When the rounds of an open load are due, warm-up included, s after the start."""
    most = measured_rounds(suite)
    offsets = islice(_offsets(schedule.load, seed=seed), None if most is None else suite.load.warmup + most)
    return (at for at in offsets if at is not None)


def _offsets(load: Load, *, seed: int) -> Iterator[float | None]:
    """The warm-up, at the opening rate, then the measured schedule."""
    opening_per_s, measured = make_arrival(load).opening_per_s, _measured_offsets(load, seed=seed)
    if opening_per_s is None:
        return measured
    lead_s = load.warmup / opening_per_s
    return chain((at / opening_per_s for at in range(load.warmup)), (lead_s + (at or 0.0) for at in measured))


def _measured_offsets(load: Load, *, seed: int) -> Iterator[float | None]:
    """Seconds since the end of the warm-up. The runner enforces the duration of a closed load."""
    offsets, most_s = make_arrival(load).offsets(Random(f"{seed}/arrivals")), load.duration_s
    if most_s is None or load.arrival == "closed":
        return offsets
    return takewhile(lambda at_s: (at_s or 0.0) < most_s, offsets)
