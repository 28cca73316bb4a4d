"""Asks judges: one request per question, under the suite's retries, timeouts, quotas and budget."""

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
from harness.endpoints.base import Tape
from harness.endpoints.reply import Reply
from harness.endpoints.request import build_request
from harness.load.limits.budget import budget_of, with_reservation
from harness.load.limits.errors import credentials_failed
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
"""Concurrent questions under an open load; a closed load has its own concurrency."""


class NoJudges:
    """Judges that are not asked: stored verdicts count, and the other answers stay unscored."""

    asks = False

    def __init__(self, suite: Suite) -> None:
        self._suite = suite

    def target(self, judge: str) -> Target:
        return find_judge(self._suite, judge)

    async def ask(self, judge: str, question: Question, key: str) -> Verdict:
        raise Unscored(f"not judged yet: judge {judge!r} was not asked; use `harness report RUN --judge` to ask it")


class Judges:
    """The judges of a suite, with open channels to their models."""

    asks = True

    def __init__(self, suite: Suite, channels: Mapping[str, Channel], *, spent_usd: float) -> None:
        """`spent_usd`: of the suite's budget, by the run and by earlier judgements."""
        self._suite = suite
        self._channels = channels
        self._budget = budget_of(suite, spent_usd=spent_usd)
        self._refused: str | None = None
        slots = suite.load.concurrency if suite.load.arrival == "closed" else DEFAULT_CONCURRENCY
        self._slots = asyncio.Semaphore(slots)

    def target(self, judge: str) -> Target:
        return find_judge(self._suite, judge)

    async def ask(self, judge: str, question: Question, key: str) -> Verdict:
        """Ask a judge; a failed request is a verdict with an `error`.

        Raises Unscored if the budget does not pay for asking, or if the credentials have failed.
        """
        async with self._slots:
            if self._refused is not None:
                raise Unscored(f"not judged: {self._refused}")
            reply, costs = await self._send(judge, question, key)
        if reply is None:
            assert self._suite.budget_usd is not None
            raise Unscored(f"not judged: the budget of ${self._suite.budget_usd:g} is spent")
        if reply.error_kind == "credentials":
            target = self.target(judge)
            self._refused = credentials_failed(target.name, target.region, reply).what
        return read_verdict(reply, cost_usd=sum(costs) if costs else None)

    async def _send(self, judge: str, question: Question, key: str) -> tuple[Reply | None, list[float]]:
        """The reply to the last attempt, and the known costs of all. None: the budget did not pay the first one."""
        suite, channel, costs = self._suite, self._channels[judge], list[float]()
        target, prompt = channel.target, _as_prompt(question, channel.target)
        price = price_for(target.base_model, target.routing, suite.prices, terms_of(target.options))

        def record(_try_no: int, _due_ns: int, _tape: Tape, reply: Reply) -> float | None:
            cost_usd = reply_cost_usd(reply, price, target.options.cache)
            if cost_usd is not None:
                costs.append(cost_usd)
            return cost_usd

        sender = Sender(
            retries=suite.retries, timeouts=suite.timeouts, rng=Random(key), stop=Stop(), budget=self._budget
        )
        async with channel.in_flight_limit:
            request = build_request(target, prompt)
            if self._budget is not None:
                request = with_reservation(request, target, prompt, suite.prices)
            reply = await sender.send(channel, request, clock.now_ns(), record)
        return reply, costs


@asynccontextmanager
async def open_judges(suite: Suite, url: str, *, spent_usd: float) -> AsyncIterator[Judges]:
    """Open the judges' clients. `url` is `aws` or an endpoint's URL. Raises EndpointError, as for a run."""
    targets = tuple(judge.target for judge in suite.graders.judges)
    judging = msgspec.structs.replace(suite, targets=targets, prompts=())
    async with open_channels(judging, url, Stop()) as channels:
        yield Judges(suite, channels, spent_usd=spent_usd)


def find_judge(suite: Suite, name: str) -> Target:
    """The judge's target. The suite has been validated, so the judge exists."""
    return next(judge.target for judge in suite.graders.judges if judge.name == name)


def read_verdict(reply: Reply, *, cost_usd: float | None) -> Verdict:
    """The input of the judge's tool call, or JSON in its text if it called no tool."""
    if not reply.ok:
        return Verdict(error=f"request failed: {reply.error_kind}", cost_usd=cost_usd)
    answer = Answer(text=reply.text or "", stop_reason=reply.stop_reason)
    calls = read_calls(answer)
    given = next((call.input for call in calls if call.tool == TOOL), None) if calls else _verdict_in_text(answer.text)
    if not isinstance(given, dict):
        why = "its answer was cut off at max_tokens" if reply.stop_reason == "max_tokens" else "it gave no verdict"
        return Verdict(error=why, cost_usd=cost_usd)
    return Verdict(given=given, cost_usd=cost_usd)


def _verdict_in_text(text: str) -> Any:
    """The verdict in the text of an answer without a tool call. None if there is none that can be stored."""
    try:
        found = msgspec.json.decode(msgspec.json.encode(find_json(text)))
    except (ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None  # a lone surrogate, a huge number, endless nesting
    return found["input"] if isinstance(found, dict) and found.keys() == {"tool", "input"} else found


def _as_prompt(question: Question, target: Target) -> Prompt:
    """The question as a prompt. A thinking model cannot be forced to call a tool, so it is only offered one."""
    choice = TOOL if target.options.thinking is None else "auto"
    options = Options(system=question.system, tools=[question.tool], tool_choice=choice)
    return Prompt(id="judge", messages=(Message(role="user", content=question.text),), options=options)
