"""Bedrock's model invocation log as a file: one JSON record per line, in the documented format."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from harness.catalog.models import find_model
from harness.clock import read_origin, utc_from_ns
from harness.errors import CatalogError, EndpointError
from harness.files import PRIVATE_FOLDER, create_private
from harness.simulator.aws.account import ACCOUNT, CALLER_ARN, find_application_profile
from harness.simulator.dialects import DIALECTS
from harness.simulator.dialects.base import Reply
from harness.simulator.faults import Fault
from harness.simulator.performance import Operation, TimedAnswer
from harness.simulator.streams import all_events
from harness.simulator.truth import ServedRequest

MAX_BODY = 100_000
"""Most bytes of a body inside a record; a longer one is stored beside the log, under `data/`."""
_FLUSH_AFTER_S = 1.0
_OPERATIONS = {
    ("invoke", False): "InvokeModel",
    ("invoke", True): "InvokeModelWithResponseStream",
    ("converse", False): "Converse",
    ("converse", True): "ConverseStream",
    ("messages", False): "InvokeModel",
    ("messages", True): "InvokeModelWithResponseStream",
    ("openai", False): "InvokeModel",
    ("openai", True): "InvokeModelWithResponseStream",
}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """The request behind a log record."""

    operation: Operation
    served: ServedRequest
    region: str
    body: bytes


class InvocationLog:
    """Appends records and flushes them within a second, and on `close`. Needs a running event loop."""

    def __init__(self, path: Path, seed: int) -> None:
        """Raises EndpointError if the file cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", opener=create_private)  # noqa: SIM115  closed by `close`
        except OSError as error:
            raise EndpointError(f"{path}: the invocation log cannot be written: {error.strerror}") from error
        self._folder = path.parent
        self._rng = Random(seed)
        self._origin = read_origin()
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Flush and close the file."""
        if self._timer is not None:
            self._timer.cancel()
        self._file.close()

    def add_reply(self, call: Call, reply: Reply, timed: TimedAnswer) -> None:
        """Log a request with an answer."""
        dialect = DIALECTS[call.operation.api]
        if call.operation.stream:
            events = all_events(call.operation.api, reply, timed)
            body = b"[%b]" % b",".join(map(dialect.logged, events))
        else:
            body = dialect.body(reply)
        usage = reply.usage
        counted = {
            "inputTokenCount": usage.uncached,
            "cacheReadInputTokenCount": usage.read,
            "cacheWriteInputTokenCount": usage.write,
        }
        output = {**self._body(call, "output", body), "outputTokenCount": reply.answer.output_tokens}
        self._add(call, counted, {"output": output}, reply.question.metadata)

    def add_fault(self, call: Call, fault: Fault) -> None:
        """Log a request with an error."""
        self._add(call, {}, {"errorCode": fault.code}, None)

    def _add(
        self, call: Call, counted: dict[str, int], outcome: dict[str, Any], metadata: dict[str, str] | None
    ) -> None:
        operation = call.operation
        record: dict[str, Any] = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": self._timestamp(call.served.received_ns),
            "accountId": ACCOUNT,
            "identity": {"arn": CALLER_ARN},
            "region": call.region,
            "requestId": call.served.request_id,
            "operation": _OPERATIONS[operation.api, operation.stream],
            "modelId": operation.model_id,
            "input": {**self._body(call, "input", call.body), **counted},
            **outcome,
        }
        if served_by := self._draw_region(operation.model_id, call.region):
            record["inferenceRegion"] = served_by
        if metadata:
            record["requestMetadata"] = metadata
        self._file.write(msgspec.json.encode(record) + b"\n")
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_AFTER_S, self._flush)

    def _body(self, call: Call, side: str, body: bytes) -> dict[str, Any]:
        """`inputBodyJson`, or the path of a long body. A body that is not JSON is left out."""
        logged: dict[str, Any] = {f"{side}ContentType": "application/json"}
        if len(body) > MAX_BODY:
            name = f"data/{call.served.request_id}_{side}.json"
            (self._folder / "data").mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            with open(self._folder / name, "wb", opener=create_private) as file:
                file.write(body)
            return {**logged, f"{side}BodyS3Path": f"s3://simulated/{name}"}
        try:
            return {**logged, f"{side}BodyJson": msgspec.json.decode(body)}
        except (msgspec.DecodeError, UnicodeDecodeError):
            return logged

    def _draw_region(self, model_id: str, region: str) -> str | None:
        """The Region that served a request through a profile. None if it is the calling one."""
        profile = find_application_profile(model_id)
        routing, _, base_id = (profile.copied_from if profile else model_id.rpartition("/")[2]).partition(".")
        try:
            carried = find_model(base_id).routings.get(routing)
        except CatalogError:  # a bare id, or an unknown model
            return None
        chosen = self._rng.choice(carried.value) if carried and carried.value else region
        return chosen if chosen != region else None

    def _timestamp(self, at_ns: int) -> str:
        at = utc_from_ns(self._origin.utc_ns + at_ns - self._origin.monotonic_ns)
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _flush(self) -> None:
        self._timer = None
        self._file.flush()
