"""The budget: an attempt reserves the most that it can cost before it is sent, and is charged once it is over."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from harness import clock
from harness.catalog.prices import PriceOverride, cost_usd, price_for, terms_of
from harness.catalog.target import Api, Options, Target
from harness.endpoints.base import Tape, WireRequest
from harness.endpoints.request import DEFAULT_MAX_TOKENS, sent_options
from harness.load.stop import Reason, Stop
from harness.store.client_health import HeldBack
from harness.suite.check.size import prompt_tokens
from harness.suite.suite import Prompt, Suite

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INPUT_MARGIN = 2
"""Times the estimate of a prompt's tokens. Newer tokenizers make 30 % more than the estimate, code and digits more."""
TURN_TOKENS = 16
"""What a service adds to every message."""
TOOL_TOKENS = 1024
"""What a service adds to a request with tools."""


NANO = 1_000_000_000
"""Amounts are whole nanodollars, rounded up: sums are exact, and no comparison fails by a rounding error."""


_CHARGED = """
SELECT target, prompt_id, coalesce(sum(cost_usd), 0)::DOUBLE, count(*) FILTER (
    cost_usd IS NULL AND (http_status BETWEEN 200 AND 299 OR (http_status IS NULL AND sent_ns IS NOT NULL)))
FROM attempts GROUP BY target, prompt_id
"""


class Budget:
    """What may be spent: what was charged, and what is reserved for attempts in flight, stay within the limit.

    First come, first served: an attempt that does not fit waits until others have ended and left enough.
    """

    def __init__(self, limit: int, *, spent: int = 0, shared: bool = False) -> None:
        """Nanodollars. `spent`: already. `shared`: the limit is a share, which may grow, so it never counts as spent.

        An attempt that cost more than it had reserved makes a share larger, and leaves less of the budget for others.
        """
        self.limit = limit
        self.spent = spent
        self.reserved = 0
        self.wanted = 0
        """By the attempt at the head of the queue. 0: none waits."""
        self.waits = HeldBack()
        self._shared = shared
        self._head = asyncio.Semaphore(1)  # unlike a lock, it is locked until nobody waits
        self._changed = asyncio.Event()

    @property
    def free(self) -> int:
        """Neither spent nor reserved. Less than 0: attempts cost more than they had reserved."""
        return self.limit - self.spent - self.reserved

    def try_reserve(self, amount: int) -> bool:
        """Reserve at once. False: it does not fit, or others were first."""
        if self._head.locked() or self.spent + self.reserved + amount > self.limit:
            return False
        self.reserved += amount
        return True

    async def reserve(self, amount: int, stop: Stop) -> bool:
        """Reserve as soon as it fits. False: a stop was requested, or what is left can never pay it."""
        since_ns = clock.now_ns()
        async with self._head:
            try:
                while not stop.requested:
                    if amount <= self.free:
                        self.reserved += amount
                        self.waits.requests += 1
                        self.waits.longest_ns = max(self.waits.longest_ns, clock.now_ns() - since_ns)
                        return True
                    if not self._shared and self.spent + amount > self.limit:
                        return False
                    self.wanted = amount
                    self._changed.clear()
                    await stop.wait_for(self._changed.wait())
            finally:
                self.wanted = 0
        return False

    def settle(self, reserved: int, charged: int) -> None:
        """Charge an attempt that is over, and release what it had reserved."""
        self.reserved -= reserved
        self.spent += charged
        if self._shared:
            self.limit = max(self.limit, self.spent + self.reserved)
        self._changed.set()

    def grant(self, amount: int) -> None:
        """Raise a share."""
        self.limit += amount
        self._changed.set()

    def give_back(self, needed: int) -> None:
        """Lower a share by half of what is free, or by `needed` if that is more.

        What the attempt that waits can have now is not free: a share that was raised for it must not be lowered again
        before it has taken its part.
        """
        free = self.free - self.wanted if self.wanted <= self.free else self.free
        self.limit -= min(free, max(free // 2, needed))


def to_nano(usd: float) -> int:
    """Nanodollars, rounded up."""
    return math.ceil(usd * NANO)


def budget_of(suite: Suite, *, spent_usd: float = 0.0) -> Budget | None:
    """The budget of a suite, of which so much is spent already. None: it has none."""
    return None if suite.budget_usd is None else Budget(int(suite.budget_usd * NANO), spent=to_nano(spent_usd))


def budget_spent(limit: int, spent: int, wanted: int) -> Reason:
    """Why a run ends whose budget does not pay the next attempt. Nanodollars."""
    left = f"${max(0, limit - spent) / NANO:.4g} is left, and it may cost ${wanted / NANO:.4g}"
    return Reason(
        what=f"the budget of ${limit / NANO:g} does not pay for the next request: {left}",
        remedy="raise it with `harness run --resume RUN --budget USD`",
    )


def charge(tape: Tape, cost_usd: float | None, reserved: int) -> int:
    """What an attempt that is over counts in the budget, nanodollars.

    Its cost, if the service counted its tokens. Nothing if it never left or was refused. Otherwise, as when an answer
    broke off, the service may charge for it, so it stays at its reservation.
    """
    if cost_usd is not None:
        return to_nano(cost_usd)
    refused = tape.status is not None and not 200 <= tape.status < 300
    never_left = tape.sent_ns is None and tape.status is None
    return 0 if refused or never_left else reserved


def charged_usd(connection: DuckDBPyConnection, suite: Suite) -> float:
    """What the recorded attempts (the view `attempts`) count in the budget, by the rule of `charge`."""
    targets = {each.name: each for each in suite.targets}
    prompts = {each.id: each for each in suite.prompts}
    known_usd, unknown = 0.0, 0
    for target, prompt_id, counted_usd, uncounted in connection.execute(_CHARGED).fetchall():
        known_usd += counted_usd
        if uncounted and target in targets and prompt_id in prompts:
            unknown += uncounted * reservation(targets[target], prompts[prompt_id], suite.prices)
    return known_usd + unknown / NANO


def with_reservation(
    request: WireRequest, target: Target, prompt: Prompt, prices: Sequence[PriceOverride]
) -> WireRequest:
    """The request that sends `prompt` to `target`, with what an attempt at it reserves."""
    return msgspec.structs.replace(request, reserved_nanodollars=reservation(target, prompt, prices))


def reservation(target: Target, prompt: Prompt, prices: Sequence[PriceOverride]) -> int:
    """What one attempt reserves, nanodollars: a cautious estimate of its input, and max_tokens of output.

    With prompt caching, all of the input counts as written. 0: the price is unknown.
    """
    options = sent_options(target, prompt)
    price = price_for(target.base_model, target.routing, prices, terms_of(options))
    if price is None:
        return 0
    input_tokens = input_tokens_at_most(prompt, options, target.api)
    written = input_tokens if options.cache else 0
    usd = cost_usd(
        price,
        input_tokens=input_tokens - written,
        output_tokens=options.max_tokens or DEFAULT_MAX_TOKENS,
        cache_read_tokens=0,
        cache_write_tokens=written,
        cache_ttl=options.cache,
    )
    return to_nano(usd)


def input_tokens_at_most(prompt: Prompt, options: Options, api: Api) -> int:
    """A cautious estimate: twice the usual one, a token for each byte beyond ASCII, and what the service adds."""
    texts = [message.content for message in prompt.messages] + [options.system or ""]
    beyond_ascii = sum(len(text.encode(errors="replace")) for text in texts if not text.isascii())
    added = TURN_TOKENS * len(texts) + (TOOL_TOKENS if options.tools else 0)
    return INPUT_MARGIN * prompt_tokens(prompt, options, api) + beyond_ascii + added
