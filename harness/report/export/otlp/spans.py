"""One trace for each request: a span from when it was due to its end, and one below it for each attempt of a retry.

Names and attributes follow OpenTelemetry's conventions for generative AI and for Amazon Bedrock; what these lack begins
with `harness.`. Ids come from the run's and the request's, so that a second export is the same trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from harness import __version__
from harness.characters import printable
from harness.report.export.otlp.rows import Row
from harness.store.manifest import Manifest

SCOPE = InstrumentationScope("harness", __version__)
Attributes = dict[str, AttributeValue]


def request_spans(attempts: Sequence[Row], manifest: Manifest, resource: Resource) -> Iterator[ReadableSpan]:
    """The spans of one request. `attempts`: in order, at least one."""
    first, last = attempts[0], attempts[-1]
    trace_id, root_id = _ids(manifest.run_id, first.request_id)
    root = SpanContext(trace_id, root_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    yield _span(
        f"chat {printable(last.model_id)}",
        root,
        None,
        (first.due_ns, last.end_ns, last),
        {**operation(last), **_usage(last), **_details(attempts)},
        (manifest, resource),
    )
    for row in attempts if len(attempts) > 1 else ():
        _, span_id = _ids(manifest.run_id, row.request_id, row.try_no)
        context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=root.trace_flags)
        found = {"harness.try_no": row.try_no, **_outcome(row)}
        yield _span(f"attempt {row.try_no}", context, root, (row.due_ns, row.end_ns, row), found, (manifest, resource))


def operation(row: Row) -> Attributes:
    """What was asked of whom: the attributes that spans and metrics share."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": printable(row.model_id),
        "harness.target": printable(row.target),
    }


def _usage(row: Row) -> Attributes:
    """Tokens. Those from a cache count as input, as the conventions have it and Bedrock does not."""
    cached = (row.cache_read_tokens or 0) + (row.cache_write_tokens or 0)
    return _known(
        {
            "gen_ai.usage.input_tokens": None if row.input_tokens is None else row.input_tokens + cached,
            "gen_ai.usage.output_tokens": row.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": row.cache_read_tokens,
            "gen_ai.usage.cache_creation.input_tokens": row.cache_write_tokens,
        }
    )


def _details(attempts: Sequence[Row]) -> Attributes:
    """The rest of what is known of a request."""
    row = attempts[-1]
    costs = [each.cost_usd for each in attempts if each.cost_usd is not None]
    first_chunk_s = None
    if row.stream and row.first_ns is not None and row.sent_ns is not None:
        first_chunk_s = (row.first_ns - row.sent_ns) / 1e9
    return _known(
        {
            **_outcome(row),
            "gen_ai.request.stream": True if row.stream else None,
            "gen_ai.response.time_to_first_chunk": first_chunk_s,
            "gen_ai.response.finish_reasons": None if row.stop_reason is None else (printable(row.stop_reason),),
            "cloud.region": printable(row.region),
            "harness.api": printable(row.api),
            "harness.request_id": printable(row.request_id),
            "harness.prompt_id": printable(row.prompt_id),
            "harness.repeat": row.repeat,
            "harness.phase": printable(row.phase),
            "harness.attempts": len(attempts),
            "harness.cost_usd": sum(costs) if costs else None,
        }
    )


def _outcome(row: Row) -> Attributes:
    return _known(
        {
            "error.type": None if row.ok else printable(row.error_kind or "_OTHER"),
            "http.response.status_code": row.http_status,
            "aws.request_id": None if row.aws_request_id is None else printable(row.aws_request_id),
        }
    )


def _span(
    name: str,
    context: SpanContext,
    parent: SpanContext | None,
    span: tuple[int, int, Row],
    attributes: Attributes,
    run: tuple[Manifest, Resource],
) -> ReadableSpan:
    start_ns, end_ns, row = span
    manifest, resource = run
    stamps = {"harness.sent": row.sent_ns, "harness.first_content": row.first_ns, "harness.last_content": row.last_ns}
    return ReadableSpan(
        name=name,
        context=context,
        parent=parent,
        resource=resource,
        attributes=attributes,
        events=[Event(each, timestamp=manifest.utc_ns(at)) for each, at in stamps.items() if at is not None],
        kind=SpanKind.CLIENT,
        instrumentation_scope=SCOPE,
        status=Status(StatusCode.UNSET if row.ok else StatusCode.ERROR),
        start_time=manifest.utc_ns(start_ns),
        end_time=manifest.utc_ns(end_ns),
    )


def _known(values: Mapping[str, AttributeValue | None]) -> Attributes:
    return {name: value for name, value in values.items() if value is not None}


def _ids(*parts: str | int) -> tuple[int, int]:
    """A trace id and a span id, neither of them 0. The trace id is of the first two parts alone."""
    trace = blake2b("\0".join(map(str, parts[:2])).encode(errors="replace"), digest_size=16).digest()
    span = blake2b("\0".join(map(str, parts)).encode(errors="replace"), digest_size=8, person=b"span").digest()
    return int.from_bytes(trace, "big") or 1, int.from_bytes(span, "big") or 1
