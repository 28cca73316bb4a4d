"""What is sent along with a prompt, as a suite writes it: on the defaults, a target or the prompt itself."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from harness.catalog.target import Latency, ServiceTier
from harness.suite.grammar.fields import Count, Entry, Share, Text, Texts
from harness.suite.grammar.units import END

BetaName = Annotated[str, Meta(pattern=rf"^[!-~]+{END}")]
"""Some apis take it in a header."""
InputSchema = Annotated[
    dict[str, Any],
    Meta(extra_json_schema={"properties": {"type": {"const": "object"}}, "required": ["type"]}),
]


class ToolEntry(Entry, frozen=True, kw_only=True):
    """A tool that the model may call. Calls are recorded with the answer and never run."""

    name: Annotated[str, Meta(pattern=rf"^[A-Za-z0-9_-]{{1,64}}{END}", examples=["get_weather"])]
    description: str = ""
    input_schema: Annotated[InputSchema, Meta(description="JSON Schema of the tool's input, of type object.")]


class OptionsEntry(Entry, frozen=True, kw_only=True):
    """What is sent along with a prompt. A prompt's own value wins over a target's, a target's over the defaults."""

    max_tokens: Annotated[Count | None, Meta(description="Most tokens an answer may have.")] = None
    system: Annotated[Text | None, Meta(description="The system prompt.")] = None
    temperature: Annotated[Share | None, Meta(description="Newer models refuse it.")] = None
    top_p: Annotated[Share | None, Meta(description="Newer models refuse it.")] = None
    top_k: Annotated[Count | None, Meta(description="Newer models refuse it.")] = None
    stop_sequences: Annotated[Texts | None, Meta(description="Texts that end an answer.")] = None
    thinking: Annotated[
        Annotated[int, Meta(ge=1024)] | Literal["adaptive"] | None,
        Meta(description="Extended thinking: a budget in tokens, less than max_tokens, or `adaptive`."),
    ] = None
    tools: Annotated[
        Annotated[list[ToolEntry], Meta(min_length=1)] | None, Meta(description="Tools that the model may call.")
    ] = None
    tool_choice: Annotated[Text | None, Meta(description="`auto`, `any`, `none` or the name of a tool.")] = None
    cache: Annotated[
        Literal["5m", "1h"] | None,
        Meta(description="Prompt caching: how long tools, system prompt and documents are kept."),
    ] = None
    citations: Annotated[
        bool | None,
        Meta(description="Answers cite the documents. Without, Converse reads only the text of a PDF."),
    ] = None
    beta: Annotated[
        Annotated[list[BetaName], Meta(min_length=1)] | None,
        Meta(description="Values of `anthropic_beta`.", examples=[["context-1m-2025-08-07"]]),
    ] = None
    service_tier: Annotated[ServiceTier | None, Meta(description="Where the model has it.")] = None
    latency: Annotated[
        Latency | None, Meta(description="`optimized`: latency-optimised inference, where the model has it.")
    ] = None
