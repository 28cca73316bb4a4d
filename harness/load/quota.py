"""The client-side caps: how many attempts a target may be sent each minute, and how many tokens they may take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from harness.catalog.target import Target
from harness.clock import Clock
from harness.load.reservation import output_burndown, reserved_tokens
from harness.load.stop import Stop
from harness.load.token_budget import TokenBudget
from harness.suite.grammar.mistakes import Mistake
from harness.suite.suite import Prompt, Quota, Suite

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
