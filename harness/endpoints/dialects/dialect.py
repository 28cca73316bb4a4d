"""The table of dialects, each of which builds a request's body and headers, and reads its answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from harness.catalog.target import Api, Options
from harness.endpoints.dialects import converse, invoke, mantle, openai
from harness.endpoints.dialects.eventstream import Frame
from harness.endpoints.reply import Reply
from harness.suite.suite import Prompt


class StreamDecoder(Protocol):
    """Splits a stream into frames. `pending`: bytes of an incomplete frame."""

    @property
    def pending(self) -> int: ...

    def feed(self, data: bytes) -> Iterator[Frame]: ...


class Dialect(Protocol):
    """The interface of a dialect's module."""

    @property
    def TERMINAL(self) -> str: ...

    def build_body(self, prompt: Prompt, options: Options) -> dict[str, Any]: ...

    def build_headers(self, options: Options) -> dict[str, str]: ...

    def make_decoder(self) -> StreamDecoder: ...

    def read_event(self, event_type: str, payload: bytes, at_ns: int, reply: Reply) -> None: ...

    def read_body(self, body: bytes, at_ns: int, reply: Reply) -> None: ...


DIALECTS: dict[Api, Dialect] = {
    "invoke": invoke,
    "converse": converse,
    "messages": mantle,  # the same body at another address
    "mantle": mantle,
    "openai": openai,
}
