"""Builds the request for a target and a prompt."""

from __future__ import annotations

import msgspec

from harness.catalog.target import Options, Target, merge_options
from harness.endpoints.base import WireRequest
from harness.endpoints.dialects.dialect import DIALECTS
from harness.suite.check.size import prompt_tokens
from harness.suite.suite import Prompt

DEFAULT_MAX_TOKENS = 1024
"""Sent if neither prompt nor target sets it, as Bedrock would reserve the model's maximum from the quota."""


def build_request(target: Target, prompt: Prompt) -> WireRequest:
    """The request that sends `prompt` to `target`. The prompt's options win over the target's.

    Reads the prompt's attachments. EndpointError: one of them is missing or has changed.
    """
    options = sent_options(target, prompt)
    dialect = DIALECTS[target.api]
    return WireRequest(
        api=target.api,
        model_id=target.model_id,
        stream=target.stream,
        body=dialect.build_body(prompt, options),
        headers=dialect.build_headers(options),
        reserved_tokens=reserved_tokens(target, prompt),
    )


def sent_options(target: Target, prompt: Prompt) -> Options:
    """The prompt's options merged over the target's, with the default for `max_tokens`."""
    options = merge_options(target.options, prompt.options)
    if options.max_tokens is None:
        return msgspec.structs.replace(options, max_tokens=DEFAULT_MAX_TOKENS)
    return options


def reserved_tokens(target: Target, prompt: Prompt) -> int:
    """Estimated tokens that an attempt takes from the quota at admission: input (cache write included) + max_tokens."""
    options = sent_options(target, prompt)
    return prompt_tokens(prompt, options, target.api) + (options.max_tokens or DEFAULT_MAX_TOKENS)
