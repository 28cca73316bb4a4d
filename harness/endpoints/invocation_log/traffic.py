"""Turns the records of an invocation log into traffic from which a suite can be made."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec import structs

from harness.catalog.models import find_model
from harness.catalog.names import read_reference
from harness.catalog.target import Tool
from harness.endpoints.invocation_log.prompts import OPERATIONS, LoggedPrompt, UnusableCall, read_prompt
from harness.endpoints.invocation_log.records import InvocationLog, LogRecord
from harness.errors import CatalogError
from harness.suite.from_log.redact import Redactor
from harness.suite.from_log.traffic import Call, Traffic
from harness.suite.suite import Message

NOT_LOGGED = "no body: the log has no texts, or the body is in a bucket that was not copied"


class SkippedCalls(msgspec.Struct, frozen=True):
    """Counts of the calls that cannot be sent again."""

    left_out: Counter[str]
    """Reason → calls that cannot become prompts, and count as load only."""
    failed: int
    """Calls that ended in an error."""
    other_models: Counter[str]
    """Model id → calls of models that are not in the catalog."""


async def gather(log: InvocationLog, traffic: Traffic, redactor: Redactor) -> SkippedCalls:
    """Read the whole log into `traffic`, redacting every text first."""
    left_out: Counter[str] = Counter()
    other_models: Counter[str] = Counter()
    failed = 0
    async for record in log.records():
        if not _is_known(record.model_id):
            other_models[record.model_id] += 1
        elif record.error_code is not None:
            failed += 1
        elif record.operation not in OPERATIONS:
            left_out[f"operation {record.operation}"] += 1
        else:
            reason = await _take(log, record, traffic, redactor)
            if reason is not None:
                left_out[reason] += 1
    return SkippedCalls(left_out, failed, other_models)


async def _take(log: InvocationLog, record: LogRecord, traffic: Traffic, redactor: Redactor) -> str | None:
    """Add one call; returns why its prompt was left out."""
    call = _call(record)
    body = await log.input_body(record)
    try:
        if body is None:
            raise UnusableCall(NOT_LOGGED)
        found = _redacted(read_prompt(call.api, body), redactor)
    except UnusableCall as error:
        traffic.add_size(call)
        return str(error)
    traffic.add(call, found.messages, found.options)
    return None


def _call(record: LogRecord) -> Call:
    api, stream = OPERATIONS[record.operation]
    cached = (record.cache_read_tokens or 0) + (record.cache_write_tokens or 0)
    return Call(
        at=record.timestamp,
        model_id=record.model_id,
        region=record.region,
        api=api,
        stream=stream,
        input_tokens=None if record.input_tokens is None else record.input_tokens + cached,
        output_tokens=record.output_tokens,
    )


def _redacted(found: LoggedPrompt, redactor: Redactor) -> LoggedPrompt:
    options = found.options
    return LoggedPrompt(
        messages=tuple(Message(role=turn.role, content=redactor.redact(turn.content)) for turn in found.messages),
        options=structs.replace(
            options,
            system=None if options.system is None else redactor.redact(options.system),
            stop_sequences=options.stop_sequences and [redactor.redact(each) for each in options.stop_sequences],
            tools=options.tools and [_redacted_tool(tool, redactor) for tool in options.tools],
        ),
    )


def _redacted_tool(tool: Tool, redactor: Redactor) -> Tool:
    schema = _redacted_value(tool.input_schema, redactor)
    return structs.replace(tool, description=redactor.redact(tool.description), input_schema=schema)


def _redacted_value(value: Any, redactor: Redactor) -> Any:
    """The JSON value with every text redacted, except keys."""
    match value:
        case str():
            return redactor.redact(value)
        case list():
            return [_redacted_value(each, redactor) for each in value]
        case dict():
            return {key: _redacted_value(each, redactor) for key, each in value.items()}
        case _:
            return value


def _is_known(model_id: str) -> bool:
    try:
        find_model(read_reference(model_id).model or model_id)
    except CatalogError:
        return False
    return True
