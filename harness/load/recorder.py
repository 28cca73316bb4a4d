"""Records attempts: writes their rows and counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.catalog.prices import Price, Terms, cost_usd, price_for, terms_of
from harness.catalog.target import CacheTtl, Target, merge_options
from harness.endpoints.base import Tape
from harness.endpoints.reply import Reply
from harness.load.plan import PlannedRequest
from harness.load.progress import Progress
from harness.store.records import Attempt, is_sampled
from harness.suite.private_texts import NOT_STORED, pattern_redactor, redact_answer, redact_json, stores_no_text
from harness.suite.suite import Suite


def reply_cost_usd(reply: Reply, price: Price | None, cache_ttl: CacheTtl | None) -> float | None:
    """The cost of an attempt. None: the price is unknown, or the answer has no usage."""
    if price is None or reply.input_tokens is None or reply.output_tokens is None:
        return None
    return cost_usd(
        price,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        cache_read_tokens=reply.cache_read_tokens or 0,
        cache_write_tokens=reply.cache_write_tokens or 0,
        cache_ttl=cache_ttl,
    )


class Recorder:
    """Turns every attempt into a row, counts it and writes it."""

    def __init__(
        self,
        suite: Suite,
        *,
        run_id: str,
        origin_ns: int,
        write: Callable[[Attempt], object],
        progress: Progress,
    ) -> None:
        """`origin_ns`: the run's zero on CLOCK_MONOTONIC. `write` gets every row."""
        self._run_id = run_id
        self._origin_ns = origin_ns
        self._write = write
        self._progress = progress
        self._store_text = suite.load.store_text
        self._stores_no_text = stores_no_text(suite.load)
        self._redact = pattern_redactor(suite.load.redact) if suite.load.redact else None
        self._prompts = {prompt.id: prompt for prompt in suite.prompts}
        self._targets = {target.name: target for target in suite.targets}
        self._prices = {
            (target.name, prompt.id): each
            for target in suite.targets
            for prompt, each in zip(suite.prompts, _prices_of(target, suite), strict=True)
        }

    def record(
        self, planned: PlannedRequest, first_due_ns: int, try_no: int, due_ns: int, tape: Tape, reply: Reply
    ) -> float | None:
        """Record attempt `try_no`, due at `due_ns`, of a request due at `first_due_ns`; both on CLOCK_MONOTONIC.

        Returns its cost in USD, if known. What may not be stored is left out of `reply`.
        """
        self._leave_out_private_texts(reply, is_sampled(planned.request_id, self._store_text))
        attempt = self._row(planned, try_no, due_ns, tape, reply)
        self._progress.count(attempt, first_due_ns - self._origin_ns)
        self._write(attempt)
        return attempt.cost_usd

    def _leave_out_private_texts(self, reply: Reply, sampled: bool) -> None:
        """Leave in the reply only what may be stored, as its errors may also become the reason why the run ended."""
        if not sampled:
            reply.text = reply.citations = None
        if self._stores_no_text and reply.http_status is not None and reply.error_message:
            reply.error_message = NOT_STORED
        if self._redact is None:
            return
        if reply.text:
            reply.text = redact_answer(reply.text, self._redact)
        for name in ("error_code", "error_message", "stop_reason"):
            if text := getattr(reply, name):
                setattr(reply, name, self._redact(text))
        if reply.citations:
            reply.citations = redact_json(reply.citations, self._redact)

    def _row(self, planned: PlannedRequest, try_no: int, due_ns: int, tape: Tape, reply: Reply) -> Attempt:
        target, prompt, origin_ns = self._targets[planned.target], self._prompts[planned.prompt_id], self._origin_ns
        sent_ns, (price, cache_ttl) = tape.sent_ns, self._prices[planned.target, planned.prompt_id]
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
            text=reply.text,
            citations=reply.citations,
            ok=reply.ok,
            error_kind=reply.error_kind,
            error_code=reply.error_code,
            error_message=reply.error_message,
            http_status=tape.status,
            aws_request_id=reply.aws_request_id,
            server_latency_ms=reply.server_latency_ms,
            server_first_byte_ms=reply.server_first_byte_ms,
            cost_usd=reply_cost_usd(reply, price, cache_ttl),
        )


def _prices_of(target: Target, suite: Suite) -> Iterator[tuple[Price | None, CacheTtl | None]]:
    """(price, cache lifetime) for each prompt of the suite."""
    prices: dict[Terms, Price | None] = {}
    for prompt in suite.prompts:
        options = merge_options(target.options, prompt.options)
        terms = terms_of(options)
        if terms not in prices:
            prices[terms] = price_for(target.base_model, target.routing, suite.prices, terms)
        yield prices[terms], options.cache


def _since(stamp_ns: int | None, origin_ns: int) -> int | None:
    return None if stamp_ns is None else stamp_ns - origin_ns
