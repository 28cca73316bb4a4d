"""The clients by name. Each is imported when it is used, as an SDK takes a second to load."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import cast, get_args

from harness.catalog.target import Api, Options, Target
from harness.endpoints.base import Client, Connection
from harness.errors import EndpointError

GROUP = "harness.clients"
"""The entry point group for clients from other packages: `name = "module:Class"`, called with a Connection."""

CLIENTS: dict[str, str] = {
    "wire": "harness.endpoints.wire.client:WireClient",
    "aioboto3": "harness.endpoints.sdk.aioboto3_client:Aioboto3Client",
    "anthropic": "harness.endpoints.sdk.anthropic_client:AnthropicClient",
}

APIS: dict[str, tuple[str, ...]] = {
    "wire": ("invoke", "converse", "messages", "mantle", "openai"),
    "aioboto3": ("invoke", "converse"),
    "anthropic": ("invoke", "mantle"),
}
"""Client → the apis that it supports."""

ABSENT: dict[str, tuple[str, ...]] = {
    "messages": ("service_tier", "latency"),
    "mantle": ("service_tier", "latency"),
    "openai": ("top_k", "thinking", "cache", "citations", "beta", "service_tier", "latency"),
}
"""Api → options that it does not support."""


def client_names() -> list[str]:
    """The names of all clients, built-in ones first."""
    return [*CLIENTS, *sorted({point.name for point in entry_points(group=GROUP)} - CLIENTS.keys())]


def supports(name: str, api: str) -> bool:
    """Whether a client supports an api. Clients from other packages are assumed to support all; unknown ones, none."""
    return api in APIS[name] if name in APIS else name in client_names()


def unsupported(target: Target, options: Options) -> str | None:
    """Why `options` cannot be sent to `target`, and what to use instead. None: they can.

    `options`: of one request, the prompt's merged over the target's.
    """
    api = target.api
    if not supports(target.client, api):
        able = " or ".join(name for name in client_names() if supports(name, api))
        return f"client '{target.client}' does not support api '{api}'; use client {able}"
    absent = [name for name in ABSENT.get(api, ()) if getattr(options, name) is not None]
    if absent:
        others = " or ".join(other for other in get_args(Api) if absent[0] not in ABSENT.get(other, ()))
        return f"api '{api}' has no '{absent[0]}'; use api {others}, or leave it out"
    return _unsupported_choice(api, options)


def _unsupported_choice(api: Api, options: Options) -> str | None:
    choice, names = options.tool_choice, [tool.name for tool in options.tools or ()]
    if choice is None:
        return None
    if not names:
        return f"tool_choice '{choice}' needs tools; add `tools`, or leave it out"
    if choice == "none" and api == "converse":
        return "api 'converse' has no tool_choice 'none'; use api invoke or messages, or leave the tools out"
    if choice not in ("auto", "any", "none", *names):
        return f"tool_choice '{choice}' is not a tool of the target; use auto, any, none or one of: {', '.join(names)}"
    return None


def make_client(name: str, connection: Connection) -> Client:
    """The client called `name`, not entered yet. EndpointError: unknown, or it cannot be imported."""
    outside = {point.name: point for point in entry_points(group=GROUP)}
    point = EntryPoint(name, CLIENTS[name], GROUP) if name in CLIENTS else outside.get(name)
    if point is None:
        raise EndpointError(f"unknown client {name!r}; known: {', '.join(client_names())}")
    try:
        return cast(Client, point.load()(connection))
    except (ImportError, AttributeError) as error:
        raise EndpointError(f"client {name!r} ({point.value}) cannot be loaded: {error}") from error
