"""Sends one request to a target: admission by the quotas, attempts with deadlines, back-off between them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from harness import clock
from harness.catalog.target import Target
from harness.endpoints.base import Client, ErrorKind, Tape, WireRequest
from harness.endpoints.read_tape import read_tape
from harness.endpoints.reply import Reply
from harness.load.limits.budget import Budget, budget_spent, charge
from harness.load.limits.in_flight import Connections, InFlightLimit
from harness.load.limits.quota import Admission
from harness.load.plan import NO_TRIES, Tries
from harness.load.stop import Stop
from harness.suite.suite import Retries, Timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Everything needed to send to one target."""

    target: Target
    client: Client
    connections: Connections
    admission: Admission
    in_flight_limit: InFlightLimit
    stop: Stop
    """Of this target alone, and of the whole load."""


OnAttempt = Callable[[int, int, Tape, Reply], float | None]
"""Called after each attempt with its number (from 1), its due time on CLOCK_MONOTONIC (ns), its tape and its reply;
returns its cost in USD, if known."""


class Sender:
    """Sends requests, each with as many attempts as `retries` allow. Sends nothing more after a stop.

    Every attempt is paid from the budget, if there is one.
    """

    def __init__(
        self, *, retries: Retries, timeouts: Timeouts, rng: Random, stop: Stop, budget: Budget | None = None
    ) -> None:
        """`rng`: for the jitter of the back-off. `stop` is requested if the budget does not pay an attempt."""
        self._retries = retries
        self._timeouts = timeouts
        self._rng = rng
        self._stop = stop
        self._budget = budget

    async def send(
        self,
        channel: Channel,
        request: WireRequest,
        due_ns: int,
        on_attempt: OnAttempt,
        on_wire: asyncio.Event | None = None,
        tries: Tries = NO_TRIES,
    ) -> Reply | None:
        """Send `request`, which is due at `due_ns`. `on_attempt` gets every attempt, even a cancelled one.

        Returns the reply to the last attempt; None if a stop came before the first. `on_wire` is set once the first
        attempt was handed to the socket, or failed. `tries`: earlier attempts, of which `retries` leave fewer.
        """
        retries, stop, budget, reservation = self._retries, channel.stop, self._budget, request.reserved_nanodollars
        reply: Reply | None = None
        last_try = retries.max_attempts + tries.repeated
        for try_no in range(tries.made + 1, last_try + 1):
            taken = await channel.admission.admit(request.reserved_tokens)
            if stop.requested or not (
                budget is None or budget.try_reserve(reservation) or await self._reserve(budget, reservation, stop)
            ):
                return reply
            tape = Tape(None if on_wire is None else on_wire.set)
            error: BaseException | None = None
            reason: ErrorKind | None = None
            try:
                with channel.connections:
                    reason, error = await self._exchange(channel.client, request, tape)
            except asyncio.CancelledError:
                reason = "cancelled"
                raise
            finally:
                if on_wire is not None:
                    on_wire.set()
                reply = read_tape(request, tape, error=error, reason=reason)
                channel.admission.settle(taken, reply)
                cost_usd = on_attempt(try_no, due_ns, tape, reply)
                if budget is not None:
                    budget.settle(reservation, charge(tape, cost_usd, reservation))
            if reply.error_kind not in retries.on or try_no == last_try or stop.requested:
                break
            due_ns = clock.now_ns() + backoff_ns(retries, try_no - tries.repeated, tape.headers, self._rng)
            await stop.sleep_until(due_ns)
        return reply

    async def _reserve(self, budget: Budget, amount: int, stop: Stop) -> bool:
        """Wait until the budget pays an attempt. False: a stop was requested, or is now, as it never will."""
        if await budget.reserve(amount, stop):
            return True
        if not stop.requested:
            self._stop.request(budget_spent(budget.limit, budget.spent, amount))
        return False

    async def _exchange(
        self, client: Client, request: WireRequest, tape: Tape
    ) -> tuple[ErrorKind | None, BaseException | None]:
        """Make one HTTP exchange; returns the deadline that ended it, and the exception of the client, if any."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._timeouts.total_s) as deadline:
                first = loop.call_later(self._timeouts.first_token_s, _expire_unless_started, deadline, request, tape)
                try:
                    await client.send(request, tape)
                finally:
                    first.cancel()
        except TimeoutError as error:
            if deadline.expired():
                started = tape.stamps or not request.stream
                return ("total_timeout" if started else "first_token_timeout"), None
            return None, error
        except Exception as error:  # an SDK may raise anything; the reply records its kind
            return None, error
        return None, None


def _expire_unless_started(deadline: asyncio.Timeout, request: WireRequest, tape: Tape) -> None:
    """The first-token deadline: end a stream of which nothing has arrived. It does not apply without streaming."""
    if request.stream and not tape.stamps and not deadline.expired():
        deadline.reschedule(asyncio.get_running_loop().time())


_HINTS = (("retry-after-ms", 0.001), ("x-amz-retry-after", 0.001), ("retry-after", 1.0))
"""(lower-case header, its unit in seconds), by precedence."""
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*", re.ASCII)


def backoff_ns(retries: Retries, try_no: int, headers: Mapping[str, str], rng: Random) -> int:
    """The wait after attempt `try_no`, ns: uniform between 0 and min(cap, base · 2^(try − 1)).

    At least what `headers` ask for, but never more than the cap.
    """
    drawn_s = rng.uniform(0, min(retries.cap_s, retries.base_s * 2 ** (try_no - 1)))
    return int(min(retries.cap_s, max(drawn_s, retry_after_s(headers) or 0.0)) * 1e9)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The wait that an answer's headers ask for, s. None: they ask for none, or not as a plain number (a date)."""
    for name, unit_s in _HINTS:
        found = _NUMBER.fullmatch(headers.get(name, ""))
        if found:
            return float(found[1]) * unit_s
    return None
