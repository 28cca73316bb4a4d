"""The client-side cap on tokens per minute, kept as Bedrock keeps its own: reserved first, settled at the end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf

import msgspec

from harness.clock import Clock
from harness.endpoints.reply import Reply
from harness.load.stop import Stop
from harness.suite.suite import Prompt

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
