"""The load of a sweep: every target's search runs its own steps, all targets at the same time."""

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
"""Warm-up requests of a step, as a share of its measured requests, so that the endpoint settles first."""
STEP_MISSED = Reason(what="the step can no longer meet its objective", remedy="")


class Climb(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep looks for, and on which ladder."""

    by: By
    ladder: Ladder
    objective: Objective
    arrival: ArrivalName = "poisson"
    """The open arrival process of every step, by rate."""
    burstiness: float | None = None
    """For arrival `gamma`."""
    step_s: float = 10.0
    """Shortest duration of a step, by rate, so that the queue of an overloaded endpoint has time to grow."""

    def objective_at(self, level: float) -> Objective:
        """The objective of one step, with more requests at high levels so that the step lasts long enough."""
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
    """Sends the steps of every target. Every attempt must be passed to `record`, to be counted for its step."""

    def __init__(
        self,
        suite: Suite,
        climb: Climb,
        *,
        channels: Mapping[str, Channel],
        seed: int,
        stop: Stop,
    ) -> None:
        """`channels`: by target."""
        self._suite = suite
        self._climb = climb
        self._channels = channels
        self._seed = seed
        self._stop = stop
        self._trials: dict[str, tuple[Trial, Stop]] = {}
        self.outcomes: list[StepOutcome] = []
        self.searches = {target.name: Search(climb.ladder) for target in suite.targets}

    def record(self, attempt: Attempt) -> None:
        """Count an attempt for its target's current step, and end a step that can no longer meet the objective."""
        trial, step_stop = self._trials[attempt.target]
        trial.record(attempt)
        if trial.has_missed:
            step_stop.request(STEP_MISSED)

    async def run(self, send: Send, on_step: Callable[[StepOutcome], object]) -> None:
        """Search until every target's knee is known or cannot be found, or a stop is requested.

        `on_step` gets each completed step.
        """
        async with asyncio.TaskGroup() as tasks:
            for index, target in enumerate(self._suite.targets):
                tasks.create_task(self._climb_target(index, target, send, on_step))

    async def _climb_target(
        self, index: int, target: Target, send: Send, on_step: Callable[[StepOutcome], object]
    ) -> None:
        search, admission, step = self.searches[target.name], self._channels[target.name].admission, 0
        while not self._stop.requested and (level := search.next_level()) is not None:
            await admission.wait_until_full()  # tokens of the previous step must not count against this one
            trial, step_stop = self._trials[target.name] = Trial(self._climb.objective_at(level)), Stop()
            await self._send_step(index, target, step, level, send, step_stop)
            quota_per_s = admission.sustained_below(trial.requested_per_s(level, self._climb.by))
            outcome = trial.outcome(target=target.name, step=step, level=level, quota_per_s=quota_per_s)
            if self._stop.requested and not outcome.ended_early:
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
                targets=[target.name],
                stop=step_stop,
            )
            ending.cancel()

    async def _pass_on(self, step_stop: Stop) -> None:
        await self._stop.wait()
        assert self._stop.reason is not None
        step_stop.request(self._stop.reason)


def _numbered(each: Round, target: int, step: int) -> Round:
    """The round with request ids that are unique in the sweep, and the step as `repeat`."""
    [planned] = each.requests
    request_id = f"{step:02d}.{each.index:06d}-{target:02d}"
    return msgspec.structs.replace(
        each, requests=(msgspec.structs.replace(planned, request_id=request_id, repeat=step),)
    )
