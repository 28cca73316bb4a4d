"""One planned request on its way: the attempts it takes, their deadlines and back-off, and the record of each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random

from harness.catalog.prices import Price, Terms, cost_usd, terms_of
from harness.catalog.target import Target
from harness.clock import Clock
from harness.endpoints.base import Client, ErrorKind, Tape, WireRequest
from harness.endpoints.read_tape import Reply, read_tape
from harness.endpoints.request import build_request
from harness.load.limits import Connections, InFlightLimit, TokenBudget
from harness.load.plan import Planned
from harness.load.recorder import Progress
from harness.load.stop import Stop
from harness.store.records import Attempt, is_sampled
from harness.suite.suite import Prompt, Retries, Timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What it takes to send to one target."""

    target: Target
    client: Client
    prices: Mapping[Terms, Price | None]
    """For all the terms on which its prompts may be asked."""
    cap: AbstractAsyncContextManager[object]
    connections: Connections
    budget: TokenBudget | None = None
    in_flight_limit: InFlightLimit | None = None


class Exchange:
    """Sends planned requests and records every attempt."""

    def __init__(
        self,
        *,
        run_id: str,
        origin_ns: int,
        lanes: Mapping[str, Lane],
        prompts: Mapping[str, Prompt],
        retries: Retries,
        timeouts: Timeouts,
        store_text: float | None = None,
        clock: Clock,
        rng: Random,
        record: Callable[[Attempt], None],
        progress: Progress,
        stop: Stop,
    ) -> None:
        self._run_id = run_id
        self._origin_ns = origin_ns
        self._lanes = lanes
        self._prompts = prompts
        self._retries = retries
        self._timeouts = timeouts
        self._store_text = store_text
        self._clock = clock
        self._rng = rng
        self._record = record
        self._progress = progress
        self._stop = stop
        self._built: dict[tuple[str, str], WireRequest] = {}

    async def perform(self, planned: Planned, due_ns: int, on_wire: asyncio.Event | None = None) -> None:
        """Send one request; try again while the suite's `retries` allow it. Sends nothing more once a stop was asked.

        `due_ns`: on CLOCK_MONOTONIC. `on_wire` is set when the first attempt was handed to the socket, or has failed.
        """
        tally, limit = self._progress.tallies[planned.target], self._lanes[planned.target].in_flight_limit
        if limit is not None:
            await limit.enter()
        tally.in_flight += 1
        try:
            for try_no in range(1, self._retries.max_attempts + 1):
                kind, headers = await self._attempt(planned, try_no, due_ns, on_wire)
                if kind not in self._retries.on or try_no == self._retries.max_attempts or self._stop.asked:
                    break
                due_ns = self._clock.now_ns() + backoff_ns(self._retries, try_no, headers, self._rng)
                await self._stop.sleep_until(due_ns, self._clock)
                if self._stop.asked:
                    break
        finally:
            tally.in_flight -= 1
            tally.done += 1
            if limit is not None:
                limit.leave()

    def _request_for(self, target: str, prompt_id: str) -> WireRequest:
        key = (target, prompt_id)
        if key not in self._built:
            self._built[key] = build_request(self._lanes[target].target, self._prompts[prompt_id])
        return self._built[key]

    def build_attached(self) -> None:
        """Build the requests that carry documents or images now: files are read before the load, not during it."""
        for prompt in self._prompts.values():
            if prompt.documents or prompt.images:
                for name in self._lanes:
                    self._request_for(name, prompt.id)

    async def _attempt(
        self, planned: Planned, try_no: int, due_ns: int, on_wire: asyncio.Event | None
    ) -> tuple[str | None, Mapping[str, str]]:
        """One HTTP exchange under its deadlines, recorded. The error kind (None: it went well, or was not sent) and the
        answer's headers."""
        lane, tape = self._lanes[planned.target], Tape(on_wire.set if on_wire is not None else None)
        error: BaseException | None = None
        reason: ErrorKind | None = None
        request = self._request_for(planned.target, planned.prompt_id)
        async with lane.cap:
            taken = None if lane.budget is None else await lane.budget.admit(self._prompts[planned.prompt_id])
            if self._stop.asked:
                return None, {}
        try:
            with lane.connections:
                reason, error = await self._send(lane.client, request, tape)
        except asyncio.CancelledError:
            reason = "cancelled"
            raise
        finally:
            if on_wire is not None:
                on_wire.set()
            reply = read_tape(request, tape, error=error, reason=reason)
            if lane.budget is not None and taken is not None:
                lane.budget.settle(taken, reply)
            attempt = self._row(planned, try_no, due_ns, tape, reply)
            self._progress.count(attempt)
            self._record(attempt)
        return attempt.error_kind, tape.headers

    async def _send(
        self, client: Client, request: WireRequest, tape: Tape
    ) -> tuple[ErrorKind | None, BaseException | None]:
        """The exchange itself: which of the two deadlines ended it, and what the client raised."""
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
        except Exception as error:  # whatever an SDK may raise is data: the reply names its kind
            return None, error
        return None, None

    def _row(self, planned: Planned, try_no: int, due_ns: int, tape: Tape, reply: Reply) -> Attempt:
        lane, prompt, origin_ns = self._lanes[planned.target], self._prompts[planned.prompt_id], self._origin_ns
        target, sent_ns = lane.target, tape.sent_ns
        cost, price = None, lane.prices[terms_of(target.options, prompt.options)]
        if price is not None and reply.input_tokens is not None and reply.output_tokens is not None:
            cost = cost_usd(
                price,
                input_tokens=reply.input_tokens,
                output_tokens=reply.output_tokens,
                cache_read_tokens=reply.cache_read_tokens or 0,
                cache_write_tokens=reply.cache_write_tokens or 0,
                cache_ttl=prompt.options.cache or target.options.cache,
            )
        return Attempt(
            run_id=self._run_id,
            request_id=planned.request_id,
            attempt_id=f"{planned.request_id}-{try_no}",
            try_no=try_no,
            target=target.name,
            base_model=target.base_model,
            model_id=target.model_id,
            routing=target.routing,
            api=target.api,
            client=target.client,
            region=target.region,
            stream=target.stream,
            prompt_id=prompt.id,
            group_id=prompt.group,
            repeat=planned.repeat,
            phase=planned.phase,
            due_ns=due_ns - origin_ns,
            sent_ns=_since(sent_ns, origin_ns),
            headers_ns=_since(tape.headers_ns, origin_ns),
            first_ns=_since(reply.first_ns, origin_ns),
            last_ns=_since(reply.last_ns, origin_ns),
            done_ns=_since(tape.done_ns, origin_ns),
            chunk_us=[(stamp - sent_ns) // 1000 for stamp in reply.chunk_ns] if sent_ns is not None else [],
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cache_read_tokens=reply.cache_read_tokens,
            cache_write_tokens=reply.cache_write_tokens,
            stop_reason=reply.stop_reason,
            text=reply.text if is_sampled(planned.request_id, self._store_text) else None,
            citations=reply.citations,
            ok=reply.error_kind is None,
            error_kind=reply.error_kind,
            error_code=reply.error_code,
            error_message=reply.error_message,
            http_status=reply.http_status,
            aws_request_id=reply.aws_request_id,
            server_latency_ms=reply.server_latency_ms,
            server_first_byte_ms=reply.server_first_byte_ms,
            cost_usd=cost,
        )


def _expire_unless_started(deadline: asyncio.Timeout, request: WireRequest, tape: Tape) -> None:
    """The first-token deadline: a stream that has sent nothing by now is over. A whole answer may take its time."""
    if request.stream and not tape.stamps:
        deadline.reschedule(asyncio.get_running_loop().time())


def _since(stamp_ns: int | None, origin_ns: int) -> int | None:
    return None if stamp_ns is None else stamp_ns - origin_ns


_HINTS = (("retry-after-ms", 0.001), ("x-amz-retry-after", 0.001), ("retry-after", 1.0))
"""Headers, lower case, in the order in which they count, and their unit in seconds."""
_NUMBER = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*", re.ASCII)


def backoff_ns(retries: Retries, try_no: int, headers: Mapping[str, str], rng: Random) -> int:
    """The wait after attempt `try_no`, ns: uniform between 0 and min(cap, base · 2^(try − 1)), no less than `headers`
    ask for, and never more than the cap."""
    drawn_s = rng.uniform(0, min(retries.cap_s, retries.base_s * 2 ** (try_no - 1)))
    return int(min(retries.cap_s, max(drawn_s, retry_after_s(headers) or 0.0)) * 1e9)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What an answer's headers ask for, s. None: nothing, or no plain number (a date is none)."""
    for name, unit_s in _HINTS:
        found = _NUMBER.fullmatch(headers.get(name, ""))
        if found:
            return float(found[1]) * unit_s
    return None
