"""The client `aioboto3`: InvokeModel and Converse with the unmodified SDK, without retries, recorded on tapes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import msgspec
from aiobotocore.awsrequest import AioAWSResponse

from harness.endpoints.aiohttp_session import TapedSession
from harness.endpoints.aws import make_client, open_session
from harness.endpoints.base import CURRENT_TAPE, KEEP_ALIVE_S, READ_TIMEOUT_S, Connection, Tape, WireRequest
from harness.endpoints.credentials import NOT_FOUND
from harness.endpoints.dialects.eventstream import encode_event
from harness.endpoints.dialects.invoke import LATENCY_HEADER, TIER_HEADER
from harness.endpoints.failures import clean
from harness.errors import EndpointError


class Aioboto3Client:
    """Client for the apis `invoke` and `converse`, streaming or not."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stack = AsyncExitStack()
        self._sdk: Any = None

    async def __aenter__(self) -> Self:
        try:
            self._sdk = await self._stack.enter_async_context(await _open_sdk(self._connection))
            await self._rehearse()
        except NOT_FOUND as error:
            await self._stack.aclose()
            raise EndpointError(
                f"client aioboto3: {clean(str(error))} (`harness doctor` shows what was found)"
            ) from error
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def send(self, request: WireRequest, tape: Tape) -> None:
        token = CURRENT_TAPE.set(tape)
        try:
            await self._call(request)
        finally:
            CURRENT_TAPE.reset(token)
            tape.mark_done()

    async def _call(self, request: WireRequest) -> None:
        match request.api, request.stream:
            case "invoke", True:
                answer = await self._sdk.invoke_model_with_response_stream(**_invoke_arguments(request))
                await _drain(answer["body"])
            case "invoke", False:
                answer = await self._sdk.invoke_model(**_invoke_arguments(request))
                async with answer["body"] as body:
                    await body.read()
            case "converse", True:
                answer = await self._sdk.converse_stream(modelId=request.model_id, **request.body)
                await _drain(answer["stream"])
            case _:
                await self._sdk.converse(modelId=request.model_id, **request.body)

    async def _rehearse(self) -> None:
        """Make each call once with a canned answer, to load credentials, endpoint rules, signer and parsers.

        The answer is returned before sending, so nothing leaves the process.
        """
        events = self._sdk.meta.events
        events.register("before-send.bedrock-runtime", _canned_answer)
        try:
            for request in _REHEARSAL:
                await self._call(request)
        finally:
            events.unregister("before-send.bedrock-runtime", _canned_answer)


_MODELS = Path(__file__).with_name("botocore_models")
"""Service models for botocore 1.40, which does not know service tiers and the TTL of cache points yet."""

_ARGUMENTS = {TIER_HEADER: "serviceTier", LATENCY_HEADER: "performanceConfigLatency"}
"""The SDK's names for the headers of InvokeModel."""


async def _open_sdk(connection: Connection) -> Any:
    return await make_client(
        open_session(connection, models=_MODELS),
        "bedrock-runtime",
        connection,
        retries={"total_max_attempts": 1, "mode": "standard"},
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=connection.pool_size,
        connector_args={"keepalive_timeout": KEEP_ALIVE_S},
        http_session_cls=TapedSession,
    )


def _invoke_arguments(request: WireRequest) -> dict[str, Any]:
    return {
        "modelId": request.model_id,
        "body": msgspec.json.encode(request.body),
        "contentType": "application/json",
        "accept": "application/json",
        **{_ARGUMENTS[name]: value for name, value in request.headers.items()},
    }


async def _drain(events: Any) -> None:
    """Let the SDK decode every event, as for a user, and release the connection."""
    try:
        async for _ in events:
            pass
    finally:
        events.close()


_CANNED_STREAM = encode_event("chunk", b'{"bytes":""}') + encode_event("messageStop", b'{"stopReason":"end_turn"}')
_TURN = {"messages": [{"role": "user", "content": [{"text": "hello"}]}]}
_REHEARSAL = [
    WireRequest(api="invoke", model_id="rehearsal", stream=True, body={}),
    WireRequest(api="invoke", model_id="rehearsal", stream=False, body={}),
    WireRequest(api="converse", model_id="rehearsal", stream=True, body=_TURN),
    WireRequest(api="converse", model_id="rehearsal", stream=False, body=_TURN),
]


def _canned_answer(request: Any, **_: object) -> AioAWSResponse:
    body = _CannedBody(_CANNED_STREAM if request.url.endswith("stream") else b"{}")
    return AioAWSResponse(request.url, 200, {"content-type": "application/json"}, body)


class _CannedBody:
    """The part of an aiohttp response that the SDK uses."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.content = self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass

    async def read(self, size: int = -1) -> bytes:
        return self._data

    async def iter_chunks(self) -> AsyncIterator[tuple[bytes, bool]]:
        yield self._data, True

    def close(self) -> None:
        pass
