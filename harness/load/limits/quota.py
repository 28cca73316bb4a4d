"""The quotas of a suite: requests and tokens per minute, for each target."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

import msgspec

from harness import clock
from harness.catalog.target import Target
from harness.endpoints.reply import Reply
from harness.endpoints.request import reserved_tokens
from harness.load.reservation import output_burndown
from harness.load.stop import Stop
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Quota, Suite

if TYPE_CHECKING:
    from asyncio_throttle.throttler import Throttler


WINDOW_NS = 60_000_000_000
NEVER_SENT = frozenset({"connection", "connect_timeout", "credentials"})
"""Error kinds of attempts without an answer that never reached the service."""


class Withdrawal(msgspec.Struct, kw_only=True):
    """Tokens taken from a budget, and when."""

    since_ns: int
    tokens: float


class TokenBudget:
    """Keeps the tokens taken in the last 60 s at or below `per_minute`, as far as they are known at each moment.

    An attempt takes input + cache write + max_tokens when it is admitted, and is charged input + cache write + output ×
    burndown once it is over. The difference is returned to the budget; an excess is taken at that moment.
    """

    def __init__(self, *, per_minute: float, burndown: float) -> None:
        self.taken = 0.0
        self._per_minute = per_minute
        self._burndown = burndown
        self._window: deque[Withdrawal] = deque()
        self._given_back = asyncio.Event()
        self._answered = 0
        self._charged = self._reserved = 0.0
        self._held_ns = 0

    @property
    def lasting_per_s(self) -> float | None:
        """Attempts per second that the budget sustains. None: no attempt has been answered yet.

        Computed from the means of the answered attempts: each holds its charge for a minute, and the rest of its
        reservation until it is over. A full budget allows more, but only briefly.
        """
        if not self._answered:
            return None
        charged, reserved = self._charged / self._answered, self._reserved / self._answered
        held_s = self._held_ns / self._answered / 1e9
        token_s = WINDOW_NS / 1e9 * charged + held_s * max(0.0, reserved - charged)
        return self._per_minute / token_s if token_s > 0 else inf

    @property
    def is_full(self) -> bool:
        """Whether nothing was taken in the last 60 s."""
        self._forget_old()
        return not self._window

    def admits(self, tokens: float) -> bool:
        """Whether that many tokens are left. A larger attempt than `per_minute` needs a full budget."""
        self._forget_old()
        return self.taken + tokens <= self._per_minute or not self._window

    def take(self, tokens: float) -> Withdrawal:
        """Take tokens, even if fewer are left."""
        taken = Withdrawal(since_ns=clock.now_ns(), tokens=tokens)
        self._window.append(taken)
        self.taken += tokens
        return taken

    def settle(self, taken: Withdrawal, reply: Reply) -> None:
        """Charge an attempt that is over. A refusal costs nothing; an attempt cut off keeps its reservation."""
        if reply.input_tokens is not None and reply.output_tokens is not None:
            input_tokens = reply.input_tokens + (reply.cache_write_tokens or 0)
            charged = input_tokens + reply.output_tokens * self._burndown
            self._count(taken, charged)
        elif reply.http_status in (200, None) and reply.error_kind not in NEVER_SENT:
            return
        else:
            charged = 0.0
        self._forget_old()
        if charged > taken.tokens:
            self.take(charged - taken.tokens)
        elif clock.now_ns() - taken.since_ns < WINDOW_NS:
            self.taken -= taken.tokens - charged
            taken.tokens = charged
            self._given_back.set()

    async def wait(self, stop: Stop) -> None:
        """Wait until the oldest withdrawal expires, tokens are returned, or a stop is requested."""
        self._given_back.clear()
        left_ns = self._window[0].since_ns + WINDOW_NS - clock.now_ns()
        await stop.wait_for(self._given_back.wait(), timeout_s=max(left_ns, 1_000_000) / 1e9)

    def _count(self, taken: Withdrawal, charged: float) -> None:
        self._answered += 1
        self._charged += charged
        self._reserved += taken.tokens
        self._held_ns += clock.now_ns() - taken.since_ns

    def _forget_old(self) -> None:
        oldest_ns = clock.now_ns() - WINDOW_NS
        while self._window and self._window[0].since_ns <= oldest_ns:
            self.taken -= self._window.popleft().tokens
        if not self._window:
            self.taken = 0.0  # drop accumulated rounding errors


class Admission:
    """Admits attempts as their target's quotas allow. First come, first served; the wait counts as queue delay.

    An attempt waits for its tokens first and for a permit of `requests_per_minute` second. It holds no permit while it
    waits for tokens, so attempts leave at the permitted rate even when many tokens come free at once.
    """

    def __init__(self, *, requests_per_minute: float | None, budget: TokenBudget | None, stop: Stop) -> None:
        self.throttler = None if requests_per_minute is None else make_throttler(requests_per_minute)
        self.budget = budget
        self._requests_per_minute = requests_per_minute
        self._stop = stop
        self._head = asyncio.Lock()  # only the attempt at the head of the queue waits for tokens and permits

    async def admit(self, tokens: float) -> Withdrawal | None:
        """Wait until the attempt may be sent or a stop is requested; returns what it took, to be passed to `settle`."""
        budget, throttler, stop = self.budget, self.throttler, self._stop
        if budget is None and throttler is None:
            return None
        async with self._head:
            while not stop.requested:
                if budget is not None and not budget.admits(tokens):
                    await budget.wait(stop)
                    continue
                if throttler is not None:
                    await stop.wait_for(throttler.acquire())  # type: ignore[no-untyped-call]
                if budget is None or stop.requested:
                    return None
                if budget.admits(tokens):  # meanwhile, an answer may have cost more than its reservation
                    return budget.take(tokens)
        return None

    def settle(self, taken: Withdrawal | None, reply: Reply) -> None:
        """Settle an admitted attempt that is over."""
        if taken is not None and self.budget is not None:
            self.budget.settle(taken, reply)

    async def wait_until_full(self) -> None:
        """Wait until the budget is full again, or a stop is requested."""
        while self.budget is not None and not self.budget.is_full and not self._stop.requested:
            await self.budget.wait(self._stop)

    def sustained_below(self, requested_per_s: float | None) -> float | None:
        """The rate that the quotas sustain, requests per second, if it is below `requested_per_s`; else None."""
        by_requests = None if self._requests_per_minute is None else self._requests_per_minute / 60
        by_tokens = None if self.budget is None else self.budget.lasting_per_s
        lowest = min((each for each in (by_requests, by_tokens) if each is not None), default=None)
        return None if lowest is None or requested_per_s is None or requested_per_s <= lowest else lowest


def make_throttler(requests_per_minute: float) -> Throttler:
    """A throttler with windows of about a second, so that a minute's allowance is not spent in one burst.

    A window of n × 60 / `requests_per_minute` seconds admits n attempts.
    """
    from asyncio_throttle.throttler import Throttler

    per_window = max(1, int(requests_per_minute / 60))
    return Throttler(rate_limit=per_window, period=per_window * 60 / requests_per_minute)


def make_admission(quota: Quota, target: Target, stop: Stop) -> Admission:
    """The admission to a target under `quota`."""
    per_minute = quota.tokens_per_minute
    budget = None if per_minute is None else TokenBudget(per_minute=per_minute, burndown=output_burndown(target))
    return Admission(requests_per_minute=quota.requests_per_minute, budget=budget, stop=stop)


def budget_mistakes(suite: Suite) -> Iterator[Mistake]:
    """Prompts too large for the token budget. Without targets there are none; that mistake is reported elsewhere."""
    most = suite.quota.tokens_per_minute
    if most is None or not suite.targets:
        return
    for at, prompt in enumerate(suite.prompts):
        needed, name = max((reserved_tokens(target, prompt), target.name) for target in suite.targets)
        if needed > most:
            message = (
                f"input and max_tokens are about {needed:,} tokens ({name}), more than quota.tokens_per_minute allows"
            )
            yield Mistake(("prompts", at), f"{message} ({most:,.0f}); lower max_tokens or raise the quota")
