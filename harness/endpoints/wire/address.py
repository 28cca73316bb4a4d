"""Where each api is asked: host and path, at AWS or below an endpoint's URL."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import msgspec

from harness.endpoints.address import AWS_DOMAIN, PORTS, mantle_url, runtime_url
from harness.endpoints.base import Connection, WireRequest

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
