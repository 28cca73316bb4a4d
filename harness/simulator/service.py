"""Turns a request into a scheduled reply: an answer or an error."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, unquote_to_bytes
from uuid import uuid4

import msgspec

from harness.catalog.limits import burndown
from harness.simulator.aws import control_plane, services
from harness.simulator.aws.signature import Keys, Scope, check_signature, read_scope
from harness.simulator.dialects import DIALECTS
from harness.simulator.dialects.base import Reply, bedrock_error
from harness.simulator.faults import (
    MODEL_ID_INVALID,
    MODEL_NOT_FOUND,
    NO_ACCESS,
    THROTTLED,
    UNKNOWN_OPERATION,
    Fault,
    ServiceError,
    Stall,
    validation,
)
from harness.simulator.http.connection import MAX_BODY, HttpRequest, encode_head
from harness.simulator.http.pump import ScheduledReply
from harness.simulator.injection.plan import FaultPlan, play, refuse
from harness.simulator.injection.response import Script, make_response
from harness.simulator.invocation_log import Call, InvocationLog
from harness.simulator.model.capacity import Capacity, Limits, TokenQuota
from harness.simulator.model.profiles import ModelName, Profile, Timing, find_profile, read_model_id
from harness.simulator.model.prompt_cache import PromptCache
from harness.simulator.operations import (
    MESSAGES_PATH,
    OPENAI_PATHS,
    count_bedrock,
    count_messages,
    count_path,
    find_operation,
)
from harness.simulator.performance import AnswerGenerator, Operation, delay
from harness.simulator.streams import encode_stream
from harness.simulator.truth import ServedRequest, Truth


class Service:
    """Answers every request. `under_way` counts the replies in progress."""

    def __init__(
        self,
        generator: AnswerGenerator,
        truth: Truth,
        under_way: Callable[[], int],
        *,
        account: control_plane.Account,
        keys: Keys,
        log: InvocationLog | None,
        limits: Limits,
        stall: Stall | None,
        faults: FaultPlan,
    ) -> None:
        self._generator = generator
        self._truth = truth
        self._under_way = under_way
        self._account = account
        self._keys = keys
        self._log = log
        self._cache = PromptCache()
        self._capacity = Capacity(limits.streams)
        self._quota = TokenQuota(limits.tokens_per_minute)
        self._stall = stall
        self._faults = faults
        self._first_request_ns: int | None = None

    def respond(self, request: HttpRequest) -> ScheduledReply:
        """The reply to a request, which may be an error. Only model calls are recorded in the truth."""
        page = self._own_page(request)
        if page is not None:
            return _reply_now(request, 200, page, {})
        scope = read_scope(request)
        if services.handles(request):
            answer = services.answer(request, scope.region, self._signature_fault(request, scope))
            return _reply_now(request, answer.status, answer.body, {"Content-Type": answer.content_type})
        return self._without_model(request, scope) or self._call_model(request, scope)

    def _own_page(self, request: HttpRequest) -> bytes | None:
        """The body of one of the simulator's own pages. None for any other path."""
        path, _, query = request.target.partition(b"?")
        if request.method != b"GET" or not path.startswith(b"/_simulator/"):
            return None
        if path == b"/_simulator/health":
            return msgspec.json.encode({"status": "ok", "under_way": self._under_way()})
        if path != b"/_simulator/truth":
            return None
        body = self._truth.to_json()
        if query == b"reset":
            self._truth.clear()
        return body

    def _without_model(self, request: HttpRequest, scope: Scope) -> ScheduledReply | None:
        """The reply to a request of the control plane or to count tokens. None for any other request."""
        try:
            answer = self._control_plane(request, scope) or self._count(request, scope)
        except ServiceError as error:
            request_id = str(uuid4())
            body, headers = _error_format(request)(error.fault, request_id)
            return _reply_now(request, error.fault.status, body, headers, request_id=request_id)
        return None if answer is None else _reply_now(request, 200, answer, {})

    def _control_plane(self, request: HttpRequest, scope: Scope) -> bytes | None:
        path, _, query = request.target.partition(b"?")
        collection, _, name = path.decode("latin-1").lstrip("/").partition("/")
        if request.method != b"GET" or (collection, bool(name)) not in control_plane.PAGES:
            return None
        check_signature(request, scope, self._keys)
        parsed = control_plane.Query(
            name=unquote_to_bytes(name).decode("utf-8", "replace"),
            params=dict(parse_qsl(query.decode("latin-1"))),
            region=scope.region,
            account=self._account,
        )
        return msgspec.json.encode(control_plane.answer(collection, parsed))

    def _count(self, request: HttpRequest, scope: Scope) -> bytes | None:
        kind = count_path(request)
        if kind is None:
            return None
        check_signature(request, scope, self._keys)
        if kind == "messages":
            return msgspec.json.encode({"input_tokens": count_messages(request.body)})
        return msgspec.json.encode({"inputTokens": count_bedrock(request.body)})

    def _signature_fault(self, request: HttpRequest, scope: Scope) -> Fault | None:
        try:
            check_signature(request, scope, self._keys)
        except ServiceError as error:
            return error.fault
        return None

    def _call_model(self, request: HttpRequest, scope: Scope) -> ScheduledReply:
        operation = find_operation(request)
        served = ServedRequest(
            request_id=str(uuid4()),
            model_id=operation.model_id if operation else "",
            api=operation.api if operation else "",
            stream=operation.stream if operation else False,
            status=200,
            received_ns=request.received_ns,
        )
        try:
            if operation is None or request.method != b"POST":
                raise ServiceError(UNKNOWN_OPERATION)
            check_signature(request, scope, self._keys)
            call = Call(operation=operation, served=served, region=scope.region, body=request.body)
            return self._answer(request, call)
        except ServiceError as error:
            served.status = error.fault.status
            body, headers = _error_format(request)(error.fault, served.request_id)
            if error.fault.retry_after is not None:
                headers = headers | {"Retry-After": error.fault.retry_after}
            return _reply_now(request, served.status, body, headers, served=served)

    def _answer(self, request: HttpRequest, call: Call) -> ScheduledReply:
        try:
            return self._make_reply(request, call)
        except ServiceError as error:
            if self._log is not None:
                self._log.add_fault(call, error.fault)
            raise

    def _make_reply(self, request: HttpRequest, call: Call) -> ScheduledReply:
        operation, served = call.operation, call.served
        if self._first_request_ns is None:
            self._first_request_ns = request.received_ns
        if request.too_large:
            raise validation(f"Malformed input request: the body is longer than {MAX_BODY} bytes.")
        model, profile = self._find_model(operation.model_id)
        dialect = DIALECTS[operation.api]
        question = dialect.read(request.body, request.headers, model)
        fault = self._faults.find(operation, question.prompt)
        refuse(fault)
        place = f"{operation.model_id}/{call.region}"
        usage = self._cache.charge(place, question.segments, request.received_ns)
        reserved = usage.total + question.max_tokens
        routing = operation.model_id.partition(".anthropic.")[0] if ".anthropic." in operation.model_id else "in-region"
        if not self._quota.admit(place, routing, request.received_ns, reserved):
            raise ServiceError(THROTTLED)
        timed = self._generator.draw(
            operation, question, model=model, profile=profile, uncached_tokens=usage.total - usage.read
        )
        service_ns = timed.timing.end_ns
        timed = delay(timed, self._capacity.begin(place, routing, request.received_ns, service_ns))
        timing = timed.timing
        self._quota.settle(
            place,
            request.received_ns + timing.end_ns,
            reserved=reserved,
            charged=usage.total - usage.read + timed.answer.output_tokens * burndown(model.base_id),
        )
        ready_ns = request.received_ns + timing.first_ns
        self._cache.store(place, question.segments, now_ns=request.received_ns, ready_ns=ready_ns)
        served.output_tokens = timed.answer.output_tokens
        reply = Reply(
            request_id=served.request_id,
            model=model,
            question=question,
            usage=usage,
            answer=timed.answer,
            first_byte_ms=timing.first_ns // 1_000_000,
            latency_ms=timing.end_ns // 1_000_000,
        )
        if self._log is not None:
            self._log.add_reply(call, reply, timed)
        if fault is not None:
            return self._play(play(fault, make_response(dialect, reply, timed, served)), timing, served)
        if not operation.stream:
            body = dialect.body(reply)
            head = _json_head(200, reply.request_id, body, dialect.headers(reply))
            return ScheduledReply(
                [head + body], [self._send_time(request.received_ns + timing.end_ns)], chunks=1, served=served
            )
        pieces = encode_stream(operation.api, reply, timed)
        pieces[0] = encode_head(200, _stream_headers(operation, reply)) + pieces[0]
        content = len(pieces) - 1
        offsets_ns = (timing.chunks_ns or (timing.end_ns,))[:content]
        end_ns = offsets_ns[-1] if timed.interrupted else timing.end_ns
        dues_ns = [self._send_time(served.received_ns + offset_ns) for offset_ns in (*offsets_ns, end_ns)]
        return ScheduledReply(pieces, dues_ns, chunks=min(content, len(timing.chunks_ns)), served=served)

    def _play(self, script: Script, timing: Timing, served: ServedRequest) -> ScheduledReply:
        """The pieces of a fault: from the first chunk's time to the end of the answer, if the fault has no pace."""
        count = len(script.pieces)
        gap_ns = (timing.end_ns - timing.first_ns) // count if script.gap_ns is None else script.gap_ns
        first_ns = served.received_ns + timing.first_ns
        dues_ns = [self._send_time(first_ns + at * gap_ns) for at in range(count)]
        return ScheduledReply(script.pieces, dues_ns, served=served, ending=script.ending)

    def _send_time(self, due_ns: int) -> int:
        """When a piece that is due at `due_ns` is sent, after a stall if there is one."""
        if self._stall is None or self._first_request_ns is None:
            return due_ns
        return self._stall.delay(due_ns, self._first_request_ns)

    def _find_model(self, model_id: str) -> tuple[ModelName, Profile]:
        model = read_model_id(model_id)
        if model is None:
            raise ServiceError(MODEL_ID_INVALID)
        profile = find_profile(model)
        if profile is None:
            raise ServiceError(MODEL_NOT_FOUND)
        if model.base_id in self._account.denied:
            raise ServiceError(NO_ACCESS)
        return model, profile


def _stream_headers(operation: Operation, reply: Reply) -> dict[str, str]:
    headers = {"x-amzn-RequestId": reply.request_id} | DIALECTS[operation.api].stream_headers
    return headers | {"request-id": reply.request_id} if operation.api == "messages" else headers


def _error_format(request: HttpRequest) -> Callable[[Fault, str], tuple[bytes, dict[str, str]]]:
    """How the api of this path formats an error."""
    if request.target.startswith(OPENAI_PATHS):
        return DIALECTS["openai"].error_response
    return DIALECTS["messages"].error_response if request.target.startswith(MESSAGES_PATH) else bedrock_error


def _reply_now(
    request: HttpRequest,
    status: int,
    body: bytes,
    headers: dict[str, str],
    *,
    request_id: str | None = None,
    served: ServedRequest | None = None,
) -> ScheduledReply:
    """A complete reply that is due immediately."""
    head = _json_head(status, request_id or (served.request_id if served else str(uuid4())), body, headers)
    return ScheduledReply([head if request.method == b"HEAD" else head + body], [request.received_ns], served=served)


def _json_head(status: int, request_id: str, body: bytes, more: dict[str, str]) -> bytes:
    length = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return encode_head(status, {"x-amzn-RequestId": request_id} | length | more)
