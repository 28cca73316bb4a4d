"""The clients by name; each is imported only when it is asked for, since an SDK takes a second to load."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import cast

from harness.endpoints.base import Client, Connection
from harness.errors import EndpointError

GROUP = "harness.clients"
"""The entry point group in which other packages offer clients: `name = "module:Class"`, called with a Connection."""

CLIENTS: dict[str, str] = {
    "aioboto3": "harness.endpoints.aioboto3_client:Aioboto3Client",
    "anthropic": "harness.endpoints.anthropic_client:AnthropicClient",
}

APIS: dict[str, tuple[str, ...]] = {"aioboto3": ("invoke", "converse"), "anthropic": ("invoke",)}
"""The apis that each of our clients speaks."""


def client_names() -> list[str]:
    """Every client there is, ours first."""
    return [*CLIENTS, *sorted({point.name for point in entry_points(group=GROUP)} - CLIENTS.keys())]


def supports(name: str, api: str) -> bool:
    """Whether a client speaks an api. One of another package is taken at its word; an unknown one speaks none."""
    return api in APIS[name] if name in APIS else name in client_names()


def make_client(name: str, connection: Connection) -> Client:
    """The client called `name`, not yet entered. EndpointError: there is none, or it cannot be imported."""
    outside = {point.name: point for point in entry_points(group=GROUP)}
    point = EntryPoint(name, CLIENTS[name], GROUP) if name in CLIENTS else outside.get(name)
    if point is None:
        raise EndpointError(f"there is no client {name!r}; known: {', '.join(client_names())}")
    try:
        return cast(Client, point.load()(connection))
    except (ImportError, AttributeError) as error:
        raise EndpointError(f"client {name!r} ({point.value}) cannot be loaded: {error}") from error
