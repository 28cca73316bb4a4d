"""Prepares a request for the client `wire`: its address, its headers, and its body, encoded and hashed once."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from harness.endpoints.address import AWS_DOMAIN, PORTS, mantle_url, runtime_url
from harness.endpoints.base import Connection, WireRequest
from harness.endpoints.wire.watch import SSE_APIS

MESSAGES_PATH = "/anthropic/v1/messages"
OPENAI_PATH = "/openai/v1/chat/completions"

_OPERATIONS = {
    ("invoke", False): "invoke",
    ("invoke", True): "invoke-with-response-stream",
    ("converse", False): "converse",
    ("converse", True): "converse-stream",
}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed URL. `path` starts with a slash and is percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the `Host` header; it has a port only if that is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def find_address(connection: Connection, request: WireRequest) -> Address:
    """The address of `request`: bedrock-mantle for the api `mantle`, bedrock-runtime for all others.

    At another endpoint URL the paths are the same, except for `openai` (see `openai_path`).
    """
    region = connection.region
    parts = urlsplit(connection.url or (mantle_url(region) if request.api == "mantle" else runtime_url(region)))
    prefix, host = parts.path.rstrip("/"), parts.hostname or ""
    if request.api == "openai":
        path = openai_path(prefix, host)
    elif request.api in ("mantle", "messages"):
        path = prefix + MESSAGES_PATH
    else:
        model, operation = quote(request.model_id, safe=""), _OPERATIONS[request.api, request.stream]
        path = f"{prefix}/model/{model}/{operation}"
    return Address(scheme=parts.scheme, host=host, port=parts.port or PORTS[parts.scheme], path=path)


def openai_path(prefix: str, host: str) -> str:
    """The path of chat completions for an endpoint URL with the path `prefix`, as in other OpenAI clients.

    `http://host:8000` → `/v1/chat/completions`; `http://host:8000/v1` and `…/openai/v1` → `…/chat/completions`; an AWS
    host, such as a VPC endpoint → `/openai/v1/chat/completions`.
    """
    if prefix.endswith("/v1"):
        return f"{prefix}/chat/completions"
    if host == AWS_DOMAIN or host.endswith(f".{AWS_DOMAIN}"):
        return prefix + OPENAI_PATH
    return f"{prefix}/v1/chat/completions"


ANTHROPIC_VERSION = "2023-06-01"
"""The version header of the Messages API that every Claude model accepts."""


class PreparedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An encoded request, without its signature."""

    request: WireRequest
    address: Address
    url: str
    signed: dict[str, str]
    """The headers to sign."""
    body: bytes
    payload: str
    """SHA-256 of the body, hex."""
    start: str
    """Request line and unsigned headers."""


def prepare(connection: Connection, request: WireRequest) -> PreparedRequest:
    """Encode `request`: raw bytes in its body become base64, and the model goes where the api expects it."""
    address = find_address(connection, request)
    body = msgspec.json.encode(_whole_body(request))
    signed = {"Host": address.authority, "Content-Type": "application/json", **request.headers}
    if request.api in ("mantle", "messages"):
        signed["anthropic-version"] = ANTHROPIC_VERSION
    accept = "text/event-stream" if request.stream and request.api in SSE_APIS else "application/json"
    lines = (
        f"POST {address.path} HTTP/1.1",
        "User-Agent: harness",
        f"Accept: {accept}",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
    )
    return PreparedRequest(
        request=request,
        address=address,
        url=f"{address.scheme}://{address.authority}{address.path}",
        signed=signed,
        body=body,
        payload=sha256(body).hexdigest(),
        start="".join(f"{line}\r\n" for line in lines),
    )


def _whole_body(request: WireRequest) -> dict[str, Any]:
    if request.api not in SSE_APIS:
        return request.body
    counted = {"stream_options": {"include_usage": True}} if request.api == "openai" and request.stream else {}
    return {"model": request.model_id, **request.body, "stream": request.stream, **counted}
