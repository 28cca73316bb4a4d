"""What holds a load back: requests in flight, connections, and caps on requests and tokens a minute."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cache
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from harness.catalog.target import Target
from harness.clock import Clock
from harness.endpoints.read_tape import Reply
from harness.load.reservation import output_burndown, reserved_tokens
from harness.load.stop import Stop
from harness.store.client_health import HeldBack
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Prompt, Quota, Suite


class InFlightLimit:
    """InFlightLimit for so many requests at once, retries and their backoff included. First come, first served.

    The wait shows as queue delay. After a stop, who gets in sends nothing and makes room at once.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self.held = HeldBack()
        self._slots = asyncio.Semaphore(limit)
        self._clock = clock

    async def enter(self) -> None:
        """Return when there is room; every call needs its `leave`."""
        if not self._slots.locked():
            await self._slots.acquire()
            return
        self.held.requests += 1
        since_ns = self._clock.now_ns()
        try:
            await self._slots.acquire()
        finally:
            self.held.longest_ns = max(self.held.longest_ns, self._clock.now_ns() - since_ns)

    def leave(self) -> None:
        self._slots.release()


class Connections:
    """Entered around each exchange of one client; counts in nanoseconds, so it may stand on the hot path."""

    __slots__ = ("busy", "most", "size", "waits")

    def __init__(self, size: int) -> None:
        self.size = size
        """The width of the client's pool."""
        self.busy = 0
        self.most = 0
        self.waits = 0
        """Exchanges that began while every connection was taken."""

    def __enter__(self) -> None:
        self.busy += 1
        if self.busy > self.most:
            self.most = self.busy
        if self.busy > self.size:
            self.waits += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.busy -= 1


WINDOW_NS = 60_000_000_000
NEVER_SENT = frozenset({"connection", "connect_timeout", "credentials"})
"""Errors of attempts that, without an answer, reached nobody."""


class Taken(msgspec.Struct, kw_only=True):
    """Tokens that are taken from the budget of one minute."""

    since_ns: int
    tokens: float


class TokenBudget:
    """At no moment have the attempts of the last 60 s taken more than `per_minute`, by what is known of them then.

    An attempt takes input + cache write + max_tokens when it is admitted, and input + cache write + output × burndown
    once it is over. The rest is given back; what it took beyond its reservation is taken from then on.
    """

    def __init__(
        self, *, per_minute: float, burndown: float, reserve: Callable[[Prompt], int], clock: Clock, stop: Stop
    ) -> None:
        """`reserve`: prompt → tokens to be reserved for an attempt at it. More than `per_minute` are let in alone."""
        self.taken = 0.0
        self._per_minute = per_minute
        self._burndown = burndown
        self._reserve = reserve
        self._clock = clock
        self._stop = stop
        self._window: deque[Taken] = deque()
        self._head = asyncio.Lock()  # first come, first served: only the head of the queue looks for tokens
        self._given_back = asyncio.Event()
        self._answered = 0
        self._charged = self._reserved = 0.0
        self._held_ns = 0

    @property
    def lasting_per_s(self) -> float | None:
        """Attempts per second that the budget lets through for as long as one likes; None: none was answered yet.

        By the means of those answered: each takes what it was charged for a minute, and until it is over the rest of
        its reservation. A budget that was full at first lets more through, but not for long.
        """
        if not self._answered:
            return None
        charged, reserved = self._charged / self._answered, self._reserved / self._answered
        held_s = self._held_ns / self._answered / 1e9
        token_s = WINDOW_NS / 1e9 * charged + held_s * max(0.0, reserved - charged)
        return self._per_minute / token_s if token_s > 0 else inf

    async def wait_until_full(self) -> None:
        """Until nothing is taken any more, or a stop is asked."""
        while not self._stop.asked:
            self._forget_old()
            if not self._window:
                return
            await self._wait()

    async def admit(self, prompt: Prompt) -> Taken | None:
        """Wait until the tokens are there, and take them. None: a stop ended the wait."""
        tokens = self._reserve(prompt)
        async with self._head:
            while not self._stop.asked:
                self._forget_old()
                if self.taken + tokens <= self._per_minute or not self._window:
                    return self._take(tokens)
                await self._wait()
        return None

    def settle(self, taken: Taken, reply: Reply) -> None:
        """The attempt is over. A refusal costs nothing; of one that was cut, nobody knows, so its reservation stays."""
        if reply.input_tokens is not None and reply.output_tokens is not None:
            given = reply.input_tokens + (reply.cache_write_tokens or 0)
            charged = given + reply.output_tokens * self._burndown
            self._count(taken, charged)
        elif reply.http_status in (200, None) and reply.error_kind not in NEVER_SENT:
            return
        else:
            charged = 0.0
        self._forget_old()
        if charged > taken.tokens:
            self._take(charged - taken.tokens)
        elif self._clock.now_ns() - taken.since_ns < WINDOW_NS:
            self.taken -= taken.tokens - charged
            taken.tokens = charged
            self._given_back.set()

    def _count(self, taken: Taken, charged: float) -> None:
        self._answered += 1
        self._charged += charged
        self._reserved += taken.tokens
        self._held_ns += self._clock.now_ns() - taken.since_ns

    def _take(self, tokens: float) -> Taken:
        taken = Taken(since_ns=self._clock.now_ns(), tokens=tokens)
        self._window.append(taken)
        self.taken += tokens
        return taken

    def _forget_old(self) -> None:
        oldest_ns = self._clock.now_ns() - WINDOW_NS
        while self._window and self._window[0].since_ns <= oldest_ns:
            self.taken -= self._window.popleft().tokens
        if not self._window:
            self.taken = 0.0  # no rounding error outlives the minute

    async def _wait(self) -> None:
        """Until the oldest leaves the minute, something is given back, or a stop is asked."""
        self._given_back.clear()
        left_ns = self._window[0].since_ns + WINDOW_NS - self._clock.now_ns()
        waits = [asyncio.ensure_future(self._given_back.wait()), asyncio.ensure_future(self._stop.wait())]
        try:
            await asyncio.wait(waits, timeout=max(left_ns, 1_000_000) / 1e9, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()


if TYPE_CHECKING:
    from asyncio_throttle.throttler import Throttler


class Cap:
    """Enter it before each attempt: first come, first served. Waiting shows as queue delay; a stop ends it."""

    def __init__(self, throttler: Throttler, stop: Stop) -> None:
        self.throttler = throttler
        self._stop = stop
        self._head = asyncio.Lock()  # the throttler polls, so that only the head of the queue may ask it

    async def __aenter__(self) -> None:
        async with self._head:
            if self._stop.asked:
                return
            acquiring = asyncio.ensure_future(self.throttler.acquire())  # type: ignore[no-untyped-call]
            stopping = asyncio.ensure_future(self._stop.wait())
            try:
                await asyncio.wait((acquiring, stopping), return_when=asyncio.FIRST_COMPLETED)
            finally:
                acquiring.cancel()
                stopping.cancel()

    async def __aexit__(self, *exc_info: object) -> None:
        return None


def make_cap(quota: Quota, stop: Stop) -> AbstractAsyncContextManager[object]:
    """The cap of one target.

    It is held over windows of about a second (n attempts in n × 60 / cap seconds), so that a minute's allowance is not
    spent in one burst.
    """
    cap = quota.requests_per_minute
    if cap is None:
        return nullcontext()
    from asyncio_throttle.throttler import Throttler

    together = max(1, int(cap / 60))
    return Cap(Throttler(rate_limit=together, period=together * 60 / cap), stop)


def make_budget(suite: Suite, target: Target, clock: Clock, stop: Stop) -> TokenBudget | None:
    """The token budget of one target; None: the suite sets none."""
    if suite.quota.tokens_per_minute is None:
        return None
    known = {prompt.id: prompt for prompt in suite.prompts}

    @cache
    def of_the_suite(prompt_id: str) -> int:
        return reserved_tokens(target, known[prompt_id])

    def reserve(prompt: Prompt) -> int:  # a judge's question is no prompt of the suite, and no two are alike
        return of_the_suite(prompt.id) if prompt.id in known else reserved_tokens(target, prompt)

    return TokenBudget(
        per_minute=suite.quota.tokens_per_minute,
        burndown=output_burndown(target),
        reserve=reserve,
        clock=clock,
        stop=stop,
    )


def budget_mistakes(suite: Suite) -> Iterator[Mistake]:
    """Prompts that the token budget would never admit. None where no target can be read: that is told already."""
    most = suite.quota.tokens_per_minute
    if most is None or not suite.targets:
        return
    for at, prompt in enumerate(suite.prompts):
        needed, name = max((reserved_tokens(target, prompt), target.name) for target in suite.targets)
        if needed > most:
            told = f"input and max_tokens are about {needed:,} tokens ({name}), more than quota.tokens_per_minute"
            yield Mistake(("prompts", at), f"{told} ({most:,.0f}) ever lets through; lower max_tokens or raise it")
