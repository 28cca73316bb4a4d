"""The client `anthropic`: unmodified AsyncAnthropicBedrock and AsyncAnthropicBedrockMantle, taped, without retries."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Self

import anyio.lowlevel
import botocore.session
import httpx2
import msgspec
from anthropic import AnthropicError, AsyncAnthropicBedrock, AsyncAnthropicBedrockMantle, DefaultAsyncHttpxClient

from harness.catalog.target import Api
from harness.endpoints.address import mantle_url, runtime_url
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
from harness.endpoints.credentials import NOT_FOUND, guard_credentials
from harness.endpoints.dialects.eventstream import encode_event
from harness.endpoints.failures import clean
from harness.endpoints.sdk.httpx2_network import reject_other_protocols
from harness.endpoints.sdk.httpx2_tape import TAPE_HOOKS
from harness.errors import EndpointError
from harness.secrets import remember


class AnthropicClient:
    """Client for the apis `invoke` and `mantle`, streamed or not. Both SDK clients share one HTTP client."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._http_client: httpx2.AsyncClient | None = None
        self._sdks: dict[Api, Any] = {}

    async def __aenter__(self) -> Self:
        http_client = self._http_client = _make_http_client(self._connection)
        try:
            self._sdks = _make_sdks(self._connection, http_client)
            await self._warm_up()
        except (AnthropicError, *NOT_FOUND, ValueError) as error:
            await http_client.aclose()
            raise EndpointError(
                f"client anthropic: {clean(str(error))} (`harness doctor` shows what was found)"
            ) from error
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._http_client is not None:
            await self._http_client.aclose()

    async def send(self, request: WireRequest, tape: Tape) -> None:
        token = CURRENT_TAPE.set(tape)
        try:
            await _call(self._sdks[request.api], request)
        finally:
            CURRENT_TAPE.reset(token)
            tape.mark_done()

    async def _warm_up(self) -> None:
        """Make each call once with a canned answer, which loads credentials, signer, decoders and pydantic models.

        The URL is mounted on a transport without a socket, so nothing leaves the process.
        """
        await anyio.lowlevel.checkpoint()  # loads the HTTP client's backend: 20 ms
        addresses = {api: sdk.base_url for api, sdk in self._sdks.items()}
        for sdk in self._sdks.values():
            sdk.base_url = WARM_UP_URL
        for request in WARM_UP:
            await self.send(request, Tape())
        for api, sdk in self._sdks.items():
            sdk.base_url = addresses[api]


_SIGNATURE = frozenset({"max_tokens", "messages", "system", "stop_sequences"})
"""Parameters of `messages.create`. The rest of a body is passed as `extra_body`, which overrides the SDK's own."""


async def _call(sdk: Any, request: WireRequest) -> None:
    named = {name: value for name, value in request.body.items() if name in _SIGNATURE}
    extra = {name: value for name, value in request.body.items() if name not in _SIGNATURE}
    answer = await sdk.messages.create(
        model=request.model_id,
        stream=request.stream,
        extra_body=extra,
        extra_headers=request.headers or None,
        **named,
    )
    if request.stream:
        async with answer as events:
            async for _ in events:
                pass


def _make_sdks(connection: Connection, http_client: httpx2.AsyncClient) -> dict[Api, Any]:
    runtime = connection.url or runtime_url(connection.region)
    mantle = connection.url or mantle_url(connection.region)
    settings: dict[str, Any] = {
        "aws_region": connection.region,
        "timeout": http_client.timeout,
        "max_retries": 0,
        "open_telemetry": False,
        "http_client": http_client,
    }
    keys: dict[str, Any] = {}
    if connection.made_up_credentials:
        keys = {"aws_access_key": MADE_UP_KEY_ID, "aws_secret_key": MADE_UP_SECRET}
    else:
        guard_credentials(botocore.session.get_session())
    # With an api_key the constructor ignores AWS_BEARER_TOKEN_BEDROCK; with AWS keys it would reject it.
    invoke = AsyncAnthropicBedrock(api_key="unused" if keys else None, base_url=runtime, **settings)
    if keys:
        invoke.api_key = None
        invoke.aws_access_key, invoke.aws_secret_key = MADE_UP_KEY_ID, MADE_UP_SECRET
    sdks: dict[Api, Any] = {
        "invoke": invoke,
        "mantle": AsyncAnthropicBedrockMantle(base_url=f"{mantle}/anthropic", **keys, **settings),
    }
    if connection.made_up_credentials:
        for sdk in sdks.values():
            sdk._custom_headers = {}  # from ANTHROPIC_CUSTOM_HEADERS, which may contain a gateway's key
    return sdks


def _make_http_client(connection: Connection) -> httpx2.AsyncClient:
    """The SDK's own HTTP client with the connection's pool size; with made-up credentials it bypasses all proxies."""
    size = connection.pool_size
    mounts: dict[str, httpx2.AsyncBaseTransport | None] = {WARM_UP_URL: CANNED_TRANSPORT}
    if connection.made_up_credentials:
        mounts |= dict.fromkeys(("all://", "http://", "https://"))
    client = DefaultAsyncHttpxClient(
        limits=httpx2.Limits(max_connections=size, max_keepalive_connections=size, keepalive_expiry=KEEP_ALIVE_S),
        timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=connection.connect_timeout_s, pool=None),
        event_hooks={**TAPE_HOOKS, "request": [_remember_token, *TAPE_HOOKS["request"]]},
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        mounts=mounts,
    )
    reject_other_protocols(client)
    return client


async def _remember_token(request: httpx2.Request) -> None:
    """Remember each session token that the SDK finds, to redact it: a server may quote it."""
    remember(request.headers.get("x-amz-security-token"))


WARM_UP_URL = "http://warm-up.invalid"
"""Mounted on `CANNED_TRANSPORT`, which has no socket."""

_BODY = {"max_tokens": 1, "messages": [{"role": "user", "content": "hello"}]}
_APIS: tuple[Api, ...] = ("invoke", "mantle")
WARM_UP = [
    WireRequest(api=api, model_id="warm-up", stream=stream, body=_BODY) for api in _APIS for stream in (True, False)
]
"""One request for each kind of call."""

_USAGE = {"input_tokens": 1, "output_tokens": 1}
_MESSAGE = {
    "id": "msg_warm_up",
    "type": "message",
    "role": "assistant",
    "model": "warm-up",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _USAGE,
}
_EVENTS: list[dict[str, object]] = [
    {"type": "message_start", "message": _MESSAGE | {"content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _USAGE},
    {"type": "message_stop"},
]


def _canned_answer(request: httpx2.Request) -> httpx2.Response:
    if request.url.path.endswith("stream"):
        return httpx2.Response(200, content=b"".join(map(_to_frame, _EVENTS)))
    if b'"stream":true' in request.content.replace(b" ", b""):
        return httpx2.Response(200, content=b"".join(map(_to_sse, _EVENTS)))
    return httpx2.Response(200, json=_MESSAGE)


def _to_frame(event: dict[str, object]) -> bytes:
    return encode_event("chunk", msgspec.json.encode({"bytes": b64encode(msgspec.json.encode(event)).decode()}))


def _to_sse(event: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))


CANNED_TRANSPORT = httpx2.MockTransport(_canned_answer)
