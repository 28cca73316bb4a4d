"""The client `anthropic`: InvokeModel through the unmodified AsyncAnthropicBedrock, no retries, its bytes taped."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Self

import anyio.lowlevel
import httpx2
import msgspec
from anthropic import AnthropicError, AsyncAnthropicBedrock, DefaultAsyncHttpxClient
from botocore.exceptions import BotoCoreError

from harness.endpoints.base import (
    CURRENT_TAPE,
    KEEP_ALIVE_S,
    MADE_UP_KEY_ID,
    MADE_UP_SECRET,
    READ_TIMEOUT_S,
    Connection,
    Tape,
    WireRequest,
)
from harness.endpoints.eventstream import encode_event
from harness.endpoints.httpx2_tape import TAPE_HOOKS
from harness.errors import EndpointError


class AnthropicClient:
    """Client for the api `invoke`, streaming or not."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sdk: Any = None

    async def __aenter__(self) -> Self:
        http_client = _make_http_client(self._connection)
        try:
            self._sdk = _make_sdk(self._connection, http_client)
            await self._rehearse()
        except (AnthropicError, BotoCoreError, RuntimeError, ValueError) as error:
            await http_client.aclose()
            raise EndpointError(f"client anthropic: {error} (`harness doctor` shows what was found)") from error
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._sdk.close()

    async def send(self, request: WireRequest, tape: Tape) -> None:
        token = CURRENT_TAPE.set(tape)
        try:
            await _call(self._sdk, request)
        finally:
            CURRENT_TAPE.reset(token)
            tape.mark_done()

    async def _rehearse(self) -> None:
        """Make each call once on a canned answer: credentials, signer, decoder and pydantic's models are loaded.

        The address leads to a transport without a socket, so nothing leaves the process.
        """
        await anyio.lowlevel.checkpoint()  # the HTTP client loads its backend on first use, too: 20 ms
        self._sdk.base_url = _REHEARSAL_URL
        for request in _REHEARSAL:
            await self.send(request, Tape())
        self._sdk.base_url = _base_url(self._connection)


_SIGNATURE = frozenset({"max_tokens", "messages", "system", "stop_sequences"})
"""What `messages.create` takes by name. The rest of a body goes in as `extra_body`, which wins over the SDK's own."""


async def _call(sdk: Any, request: WireRequest) -> None:
    named = {name: value for name, value in request.body.items() if name in _SIGNATURE}
    extra = {name: value for name, value in request.body.items() if name not in _SIGNATURE}
    answer = await sdk.messages.create(model=request.model_id, stream=request.stream, extra_body=extra, **named)
    if request.stream:
        async with answer as events:
            async for _ in events:
                pass


def _make_sdk(connection: Connection, http_client: httpx2.AsyncClient) -> AsyncAnthropicBedrock:
    sdk = AsyncAnthropicBedrock(
        api_key="unused" if connection.made_up_credentials else None,
        aws_region=connection.region,
        base_url=_base_url(connection),
        timeout=http_client.timeout,
        max_retries=0,
        open_telemetry=False,
        http_client=http_client,
    )
    if connection.made_up_credentials:
        # With an api_key the constructor leaves AWS_BEARER_TOKEN_BEDROCK alone; with keys it would refuse to go on.
        sdk.api_key = None
        sdk.aws_access_key, sdk.aws_secret_key = MADE_UP_KEY_ID, MADE_UP_SECRET
        sdk._custom_headers = {}  # ANTHROPIC_CUSTOM_HEADERS, which may hold a gateway's key
    return sdk


def _base_url(connection: Connection) -> str:
    return connection.url or f"https://bedrock-runtime.{connection.region}.amazonaws.com"


def _make_http_client(connection: Connection) -> httpx2.AsyncClient:
    """The SDK's own HTTP client with a pool as wide as the connection says; over loopback, past every proxy."""
    size = connection.pool_size
    mounts: dict[str, httpx2.AsyncBaseTransport | None] = {_REHEARSAL_URL: httpx2.MockTransport(_canned_answer)}
    if connection.made_up_credentials:
        mounts |= dict.fromkeys(("all://", "http://", "https://"))
    return DefaultAsyncHttpxClient(
        limits=httpx2.Limits(max_connections=size, max_keepalive_connections=size, keepalive_expiry=KEEP_ALIVE_S),
        timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=connection.connect_timeout_s, pool=None),
        event_hooks=TAPE_HOOKS,
        follow_redirects=False,
        mounts=mounts,
    )


_REHEARSAL_URL = "http://rehearsal.invalid"
_BODY = {"max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]}
_REHEARSAL = [WireRequest(api="invoke", model_id="rehearsal", stream=stream, body=_BODY) for stream in (True, False)]
_USAGE = {"input_tokens": 1, "output_tokens": 1}
_MESSAGE = {
    "id": "msg_rehearsal",
    "type": "message",
    "role": "assistant",
    "model": "rehearsal",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _USAGE,
}
_EVENTS = [
    {"type": "message_start", "message": _MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE},
    {"type": "message_stop"},
]


def _canned_answer(request: httpx2.Request) -> httpx2.Response:
    if not request.url.path.endswith("stream"):
        return httpx2.Response(200, json=_MESSAGE)
    chunks = [{"bytes": b64encode(msgspec.json.encode(event)).decode()} for event in _EVENTS]
    return httpx2.Response(200, content=b"".join(encode_event("chunk", msgspec.json.encode(one)) for one in chunks))
