"""The load of a sweep: every target climbs and bisects its own ladder, all at the same time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping

import msgspec

from harness.catalog.target import Target
from harness.load.plan import Round, make_plan
from harness.load.runner import Send, run_plan
from harness.load.sender import Channel
from harness.load.stop import Reason, Stop
from harness.load.sweep.search import Ladder, Search
from harness.load.sweep.step import By, Objective, StepOutcome, Trial
from harness.store.records import Attempt
from harness.suite.suite import ArrivalName, Load, Suite

WARMUP_SHARE = 0.2
"""Of the measured requests, so many go before them in every step: the endpoint has settled when counting starts."""
LOST = Reason(what="the step is lost", remedy="")


class Climb(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep is to find, and on which ladder."""

    by: By
    ladder: Ladder
    objective: Objective
    arrival: ArrivalName = "poisson"
    """By rate: the open arrival process of every step."""
    burstiness: float | None = None
    """Of arrival `gamma`."""
    step_s: float = 10.0
    """By rate: a step lasts this long at least, or an overloaded endpoint's queue has no time to grow."""

    def objective_at(self, level: float) -> Objective:
        """The objective of one step: at a high rate it takes more requests to last long enough."""
        requests = math.ceil(level * self.step_s) if self.by == "rate" else 4 * int(level)
        return msgspec.structs.replace(self.objective, requests=max(self.objective.requests, requests))

    def load_at(self, level: float) -> Load:
        """The load of one step."""
        requests = self.objective_at(level).requests
        warmup = max(1, math.ceil(WARMUP_SHARE * requests))
        if self.by == "concurrency":
            slots = int(level)
            return Load(arrival="closed", concurrency=slots, requests=requests, warmup=max(slots, warmup))
        return Load(
            arrival=self.arrival, rate_per_s=level, burstiness=self.burstiness, requests=requests, warmup=warmup
        )


class Sweep:
    """Sends the steps of every target. Pass every attempt to `record`, so that it counts for its step."""

    def __init__(
        self,
        suite: Suite,
        climb: Climb,
        *,
        channels: Mapping[str, Channel],
        seed: int,
        stop: Stop,
    ) -> None:
        """`channels`: what is sent through, by target."""
        self._suite = suite
        self._climb = climb
        self._channels = channels
        self._seed = seed
        self._stop = stop
        self._trials: dict[str, tuple[Trial, Stop]] = {}
        self.outcomes: list[StepOutcome] = []
        self.searches = {target.name: Search(climb.ladder) for target in suite.targets}

    def record(self, attempt: Attempt) -> None:
        """Count an attempt for the step that its target is at; a step that is lost sends nothing more."""
        trial, step_stop = self._trials[attempt.target]
        trial.record(attempt)
        if trial.is_lost:
            step_stop.ask(LOST)

    async def run(self, send: Send, on_step: Callable[[StepOutcome], object]) -> None:
        """Climb until every target's knee is known or cannot be found, or a stop is requested. `on_step` gets each
        completed step."""
        async with asyncio.TaskGroup() as tasks:
            for index, target in enumerate(self._suite.targets):
                tasks.create_task(self._climb_target(index, target, send, on_step))

    async def _climb_target(
        self, index: int, target: Target, send: Send, on_step: Callable[[StepOutcome], object]
    ) -> None:
        search, admission, step = self.searches[target.name], self._channels[target.name].admission, 0
        while not self._stop.asked and (level := search.next_level()) is not None:
            await admission.wait_until_full()  # the last step's tokens do not count against this one
            trial, step_stop = self._trials[target.name] = Trial(self._climb.objective_at(level)), Stop()
            await self._send_step(index, target, step, level, send, step_stop)
            quota_per_s = admission.sustained_below(trial.requested_per_s(level, self._climb.by))
            outcome = trial.outcome(target=target.name, step=step, level=level, quota_per_s=quota_per_s)
            if self._stop.asked and not outcome.ended_early:
                return
            self.outcomes.append(outcome)
            on_step(outcome)
            if outcome.client_limited or (outcome.refused and search.met is None):
                return
            search.report(level, met=outcome.met)
            step += 1

    async def _send_step(
        self, index: int, target: Target, step: int, level: float, send: Send, step_stop: Stop
    ) -> None:
        load = self._climb.load_at(level)
        suite = msgspec.structs.replace(self._suite, targets=(target,), load=load)

        def rounds() -> Iterator[Round]:
            return (_numbered(each, index, step) for each in make_plan(suite, seed=self._seed + step))

        async with asyncio.TaskGroup() as tasks:
            ending = tasks.create_task(self._pass_on(step_stop))
            await run_plan(
                rounds,
                send,
                load,
                warmup=load.warmup,
                targets=[target.name],
                stop=step_stop,
            )
            ending.cancel()

    async def _pass_on(self, step_stop: Stop) -> None:
        await self._stop.wait()
        assert self._stop.reason is not None
        step_stop.ask(self._stop.reason)


def _numbered(each: Round, target: int, step: int) -> Round:
    """The round with ids that are unique in the sweep, and the step as its requests' `repeat`."""
    [planned] = each.requests
    request_id = f"{step:02d}.{each.index:06d}-{target:02d}"
    return msgspec.structs.replace(
        each, requests=(msgspec.structs.replace(planned, request_id=request_id, repeat=step),)
    )
