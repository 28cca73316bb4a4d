"""Asks judges: one request for each question, with the suite's retries, time limits, quotas and budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import msgspec

from harness import clock
from harness.catalog.prices import price_for, terms_of
from harness.catalog.target import Options, Target
from harness.endpoints.reply import Reply
from harness.endpoints.request import build_request
from harness.load.recorder import reply_cost_usd
from harness.load.sender import Channel, Sender
from harness.load.session import open_channels
from harness.load.stop import Stop
from harness.scoring.judge_prompt import TOOL
from harness.scoring.scorer import Answer, Question, Unscored, Verdict
from harness.scoring.scorers.tool_call import read_calls
from harness.scoring.text.json_values import find_json
from harness.suite.suite import Message, Prompt, Suite

DEFAULT_CONCURRENCY = 8
"""Judgements under way at once under an open load; a closed one has as many as it has slots."""


class NoJudges:
    """Judges that are not to be asked: the verdicts that were kept count, the others stay open."""

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

    def __init__(self, suite: Suite, channels: Mapping[str, Channel], *, spent_usd: float) -> None:
        self._suite = suite
        self._channels = channels
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
            replies = await self._send(judge, question, key)
        target = self.target(judge)
        price = price_for(target.base_model, target.routing, self._suite.prices, terms_of(target.options))
        costs = [reply_cost_usd(reply, price, target.options.cache) for reply in replies]
        known = [each for each in costs if each is not None]
        self._spent_usd += sum(known)
        return read_verdict(replies[-1], cost_usd=sum(known) if known else None)

    async def _send(self, judge: str, question: Question, key: str) -> list[Reply]:
        """What came of every attempt that it took, the last one last."""
        suite, channel, replies = self._suite, self._channels[judge], list[Reply]()
        request = build_request(channel.target, _as_prompt(question, channel.target))
        sender = Sender(retries=suite.retries, timeouts=suite.timeouts, rng=Random(key), stop=Stop())
        async with channel.in_flight_limit:
            await sender.send(channel, request, clock.now_ns(), lambda *attempt: replies.append(attempt[-1]))
        return replies


@asynccontextmanager
async def open_judges(suite: Suite, url: str, *, spent_usd: float) -> AsyncIterator[Judges]:
    """Judges with their clients. `url`: `aws` or an endpoint's. EndpointError: no credentials, no such address."""
    targets = tuple(judge.target for judge in suite.graders.judges)
    asking = msgspec.structs.replace(suite, targets=targets, prompts=())
    async with open_channels(asking, url, Stop()) as channels:
        yield Judges(suite, channels, spent_usd=spent_usd)


def find_judge(suite: Suite, name: str) -> Target:
    """The judge's target; the suite was checked to have it."""
    return next(judge.target for judge in suite.graders.judges if judge.name == name)


def read_verdict(reply: Reply, *, cost_usd: float | None) -> Verdict:
    """The tool's input, or the JSON that was written instead of a call."""
    if not reply.ok:
        return Verdict(error=f"request failed: {reply.error_kind}", cost_usd=cost_usd)
    answer = Answer(text=reply.text or "", stop_reason=reply.stop_reason)
    calls = read_calls(answer)
    given = next((call.input for call in calls if call.tool == TOOL), None) if calls else _written(answer.text)
    if not isinstance(given, dict):
        why = "its answer was cut off at max_tokens" if reply.stop_reason == "max_tokens" else "it gave no verdict"
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
