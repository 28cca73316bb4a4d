"""From a target and a prompt to the request that goes on the wire."""

from __future__ import annotations

import msgspec

from harness.catalog.target import Options, Target
from harness.endpoints.base import WireRequest
from harness.endpoints.dialects.dialect import DIALECTS
from harness.suite.suite import Prompt

DEFAULT_MAX_TOKENS = 1024
"""Sent when neither the prompt nor the target says: Bedrock would reserve the model's maximum against the quota."""


def build_request(target: Target, prompt: Prompt) -> WireRequest:
    """What `target` is asked for `prompt`; the prompt's own options win over the target's.

    Reads the prompt's attachments. EndpointError: one of them is gone or has changed.
    """
    options = merge_options(target.options, prompt.options)
    dialect = DIALECTS[target.api]
    return WireRequest(
        api=target.api,
        model_id=target.model_id,
        stream=target.stream,
        body=dialect.build_body(prompt, options),
        headers=dialect.build_headers(options),
    )


def merge_options(target: Options, prompt: Options) -> Options:
    """The target's options under the prompt's own, over the default for `max_tokens`."""
    own = {name: value for name, value in msgspec.structs.asdict(prompt).items() if value is not None}
    merged = msgspec.structs.replace(target, **own)
    if merged.max_tokens is None:
        return msgspec.structs.replace(merged, max_tokens=DEFAULT_MAX_TOKENS)
    return merged
