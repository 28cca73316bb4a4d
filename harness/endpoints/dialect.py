"""The dialects by api: who writes a request's body and reads what comes back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from harness.catalog.target import Api, Options
from harness.endpoints import converse, messages
from harness.endpoints.content import Content
from harness.suite.schema import Message


class Dialect(Protocol):
    """What a dialect's module offers."""

    @property
    def TERMINAL(self) -> str: ...

    def build_body(self, messages: Iterable[Message], options: Options) -> dict[str, Any]: ...

    def read_event(self, event_type: str, payload: bytes, at_ns: int, content: Content) -> None: ...

    def read_body(self, body: bytes, at_ns: int, content: Content) -> None: ...


DIALECTS: dict[Api, Dialect] = {"invoke": messages, "converse": converse}
