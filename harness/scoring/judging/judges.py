"""Asks judges: one exchange for each question, with the suite's retries, time limits, cap and budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec

from harness.catalog.target import Options, Target
from harness.clock import MonotonicClock
from harness.load.exchange import Exchange, Lane
from harness.load.plan import Planned
from harness.load.progress import Progress, Tally
from harness.load.session import open_lanes
from harness.load.stop import Stop
from harness.scoring.judge_prompt import TOOL
from harness.scoring.scorer import Answer, Question, Unscored, Verdict
from harness.scoring.scorers.tool_call import read_calls
from harness.scoring.text.json_values import find_json
from harness.store.records import Attempt
from harness.suite.suite import Message, Prompt, Suite

DEFAULT_CONCURRENCY = 8
"""Judgements under way at once under an open load; a closed one has as many as it has slots."""


class NoJudges:
    """Judges that are not to be asked: what they have said counts, what they have not stays open."""

    asks = False

    def __init__(self, suite: Suite) -> None:
        self._suite = suite

    def target(self, judge: str) -> Target:
        return find_judge(self._suite, judge)

    async def ask(self, judge: str, question: Question, key: str) -> Verdict:
        raise Unscored(f"not judged yet: judge {judge!r} was not asked; `harness report RUN --judge` asks")


class Judges:
    """The judges of a suite with what it takes to ask them."""

    asks = True

    def __init__(self, suite: Suite, lanes: Mapping[str, Lane], *, spent_usd: float) -> None:
        self._suite = suite
        self._lanes = lanes
        self._spent_usd = spent_usd
        slots = suite.load.concurrency if suite.load.arrival == "closed" else DEFAULT_CONCURRENCY
        self._slots = asyncio.Semaphore(slots)

    def target(self, judge: str) -> Target:
        return find_judge(self._suite, judge)

    async def ask(self, judge: str, question: Question, key: str) -> Verdict:
        """What a judge says; a failure is part of the verdict. Unscored: the budget is spent, so it was not asked."""
        async with self._slots:
            budget = self._suite.budget_usd
            if budget is not None and self._spent_usd >= budget:
                raise Unscored(f"not judged: the budget of ${budget:g} is spent")
            attempts = await self._exchange(judge, question, key)
        known = [each.cost_usd for each in attempts if each.cost_usd is not None]
        self._spent_usd += sum(known)
        return read_verdict(attempts[-1], cost_usd=sum(known) if known else None)

    async def _exchange(self, judge: str, question: Question, key: str) -> list[Attempt]:
        """Every attempt that it took, the last one last."""
        suite, lane = self._suite, self._lanes[judge]
        prompt = _as_prompt(question, lane.target)
        attempts: list[Attempt] = []
        exchange = Exchange(
            run_id="judging",
            origin_ns=0,
            lanes={judge: lane},
            prompts={prompt.id: prompt},
            retries=suite.retries,
            timeouts=suite.timeouts,
            clock=MonotonicClock(),
            rng=Random(key),
            record=attempts.append,
            progress=Progress(planned=None, tallies={judge: Tally()}),
            stop=Stop(),
        )
        planned = Planned(request_id=key, target=judge, prompt_id=prompt.id, repeat=0, phase="judge")
        await exchange.perform(planned, MonotonicClock().now_ns())
        return attempts


@asynccontextmanager
async def open_judges(suite: Suite, url: str, *, spent_usd: float) -> AsyncIterator[Judges]:
    """Judges with their clients. `url`: `aws` or an endpoint's. EndpointError: no credentials, no such address."""
    targets = tuple(judge.target for judge in suite.graders.judges)
    asking = msgspec.structs.replace(suite, targets=targets, prompts=())
    async with open_lanes(asking, url, Stop()) as lanes:
        yield Judges(suite, lanes, spent_usd=spent_usd)


def find_judge(suite: Suite, name: str) -> Target:
    """The judge's target; the suite was checked to have it."""
    return next(judge.target for judge in suite.graders.judges if judge.name == name)


def read_verdict(attempt: Attempt, *, cost_usd: float | None) -> Verdict:
    """The tool's input, or the JSON that was written instead of a call."""
    if not attempt.ok:
        return Verdict(error=f"request failed: {attempt.error_kind}", cost_usd=cost_usd)
    answer = Answer(text=attempt.text or "", stop_reason=attempt.stop_reason)
    calls = read_calls(answer)
    given = next((call.input for call in calls if call.tool == TOOL), None) if calls else _written(answer.text)
    if not isinstance(given, dict):
        why = "its answer was cut off at max_tokens" if attempt.stop_reason == "max_tokens" else "it gave no verdict"
        return Verdict(error=why, cost_usd=cost_usd)
    return Verdict(given=given, cost_usd=cost_usd)


def _written(text: str) -> Any:
    """The verdict that was written down instead of called. None: there is none, or none that can be kept."""
    try:
        found = msgspec.json.decode(msgspec.json.encode(find_json(text)))
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None  # half a surrogate pair, a number without end, brackets without end
    return found["input"] if isinstance(found, dict) and found.keys() == {"tool", "input"} else found


def _as_prompt(question: Question, target: Target) -> Prompt:
    """The question; a model that thinks may not be made to call a tool, so it is only offered one."""
    choice = TOOL if target.options.thinking is None else "auto"
    options = Options(system=question.system, tools=[question.tool], tool_choice=choice)
    return Prompt(id="judge", messages=(Message(role="user", content=question.text),), options=options)
