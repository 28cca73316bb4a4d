"""What the client `wire` sends for a request, signature apart: address, headers, the body encoded and digested once."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from harness.endpoints.base import Connection, WireRequest
from harness.endpoints.wire.address import Address, find_address
from harness.endpoints.wire.watch import SSE_APIS

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
