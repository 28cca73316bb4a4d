"""The dialect of InvokeModel: a Messages body with a version, and Messages events in event stream frames.

A stream frame's payload is `{"bytes": "<base64 of one Messages event>", "p": "<padding>"}`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from harness.catalog.target import Options
from harness.endpoints.dialects.eventstream import FrameDecoder
from harness.endpoints.dialects.messages import TERMINAL, build_messages, fold_event, read_body
from harness.endpoints.reply import Reply
from harness.suite.suite import Prompt

__all__ = ["TERMINAL", "build_body", "build_headers", "make_decoder", "read_body", "read_event"]

ANTHROPIC_VERSION = "bedrock-2023-05-31"
"""Accepted by every Claude model on Bedrock; the SDK's default is refused by models up to Opus 4.6."""

TIER_HEADER = "X-Amzn-Bedrock-Service-Tier"
LATENCY_HEADER = "X-Amzn-Bedrock-PerformanceConfig-Latency"

make_decoder = FrameDecoder


def build_body(prompt: Prompt, options: Options) -> dict[str, Any]:
    """The JSON body of InvokeModel. Options that are not set are left out."""
    body = {"anthropic_version": ANTHROPIC_VERSION, **build_messages(prompt, options)}
    return body | ({"anthropic_beta": options.beta} if options.beta else {})


def build_headers(options: Options) -> dict[str, str]:
    """Service tier and latency, which InvokeModel takes as headers."""
    headers = {TIER_HEADER: options.service_tier, LATENCY_HEADER: options.latency}
    return {name: value for name, value in headers.items() if value is not None}


class _Chunk(msgspec.Struct, frozen=True, gc=False):
    event: bytes = msgspec.field(name="bytes")


_chunk = msgspec.json.Decoder(_Chunk)


def read_event(event_type: str, payload: bytes, at_ns: int, reply: Reply) -> None:
    """Fold one frame that was complete at `at_ns`. msgspec.DecodeError: no such event; StreamFailure: an error."""
    if event_type == "chunk":
        fold_event(_chunk.decode(payload).event, at_ns, reply)
