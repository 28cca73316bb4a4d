"""What the client `wire` sends for a request, signature apart: address, headers, the body encoded and digested once."""

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
    """A URL taken apart. `path` begins with a slash and is percent-encoded."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the `Host` header says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def find_address(connection: Connection, request: WireRequest) -> Address:
    """Where `request` goes: bedrock-mantle for the api `mantle`, bedrock-runtime for all others.

    Below a URL the paths are the same, except for `openai` (see `openai_path`).
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
    """Where chat completions are asked below a URL with this path: as other clients of such servers have it.

    `http://host:8000` → `/v1/chat/completions`; `http://host:8000/v1` and `…/openai/v1` → `…/chat/completions`; a host
    of AWS's, such as a VPC endpoint, → `/openai/v1/chat/completions`.
    """
    if prefix.endswith("/v1"):
        return f"{prefix}/chat/completions"
    if host == AWS_DOMAIN or host.endswith(f".{AWS_DOMAIN}"):
        return prefix + OPENAI_PATH
    return f"{prefix}/v1/chat/completions"


ANTHROPIC_VERSION = "2023-06-01"
"""The version header of the Messages API that every Claude model accepts."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """What a request is on the wire, but for its signature."""

    request: WireRequest
    address: Address
    url: str
    signed: dict[str, str]
    """Headers that are signed."""
    body: bytes
    payload: str
    """SHA-256 of the body, hex."""
    start: str
    """Request line and the headers that are not signed."""


def prepare(connection: Connection, request: WireRequest) -> Prepared:
    """Encode `request`: raw bytes in its body become base64, the model goes where the api wants it."""
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
    return Prepared(
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
