"""The dialect of the Messages API on bedrock-mantle and bedrock-runtime: a plain body, and server-sent events.

Version and beta features are headers; the client adds the version.
"""

from __future__ import annotations

from typing import Any

from harness.catalog.target import Options
from harness.endpoints.dialects.messages import TERMINAL, build_messages, fold_event, read_body
from harness.endpoints.dialects.sse import SseDecoder
from harness.endpoints.reply import Reply
from harness.suite.suite import Prompt

__all__ = ["TERMINAL", "build_body", "build_headers", "make_decoder", "read_body", "read_event"]

BETA_HEADER = "anthropic-beta"

make_decoder = SseDecoder


def build_body(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The JSON body of a Messages request, without `model` and `stream`. Options that are not set are left out."""
    return build_messages(prompt, options)


def build_headers(options: Options) -> dict[str, str]:
    """The beta features, in one header."""
    return {BETA_HEADER: ",".join(options.beta)} if options.beta else {}


def read_event(event_type: str, payload: bytes, at_ns: int, reply: Reply) -> None:
    """Fold one event that was complete at `at_ns`. msgspec.DecodeError: no such event; StreamFailure: an error."""
    fold_event(payload, at_ns, reply)
