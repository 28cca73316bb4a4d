"""The suite file as it is written. The JSON Schema that `harness schema` prints is made from these types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from harness.catalog.target import Api, Latency, ServiceTier
from harness.suite.grammar.fields import (
    CheckEntry,
    Count,
    Duration,
    Entry,
    Name,
    NotNegative,
    Positive,
    Region,
    Share,
    SuiteName,
    Text,
    Texts,
    Whole,
)
from harness.suite.grammar.gate import GateEntry
from harness.suite.grammar.graders import CheckFileEntry, Judges
from harness.suite.grammar.load import LoadEntry, QuotaEntry, SyntheticEntry
from harness.suite.grammar.options import OptionsEntry
from harness.suite.grammar.units import END

RetryableKind = Literal[
    "throttled",
    "unavailable",
    "server_error",
    "model_timeout",
    "model_error",
    "connect_timeout",
    "first_token_timeout",
    "connection",
    "stream_error",
    "stream_truncated",
]
"""Error kinds for which another attempt can help."""


class ResolvedEntry(Entry, frozen=True, kw_only=True):
    """Ids as the catalog gave them. Written by a run into its frozen suite; the catalog is not asked again."""

    base_model: Text
    model_id: Text


class TargetEntry(OptionsEntry, frozen=True, kw_only=True):
    """What is compared. Lists multiply into a matrix: two models × two routings are four targets."""

    model: Annotated[
        Text | Texts,
        Meta(
            description="Alias, base id, inference profile id or ARN. `harness models` lists them.",
            examples=["claude-haiku-4-5"],
        ),
    ]
    routing: Annotated[
        Text | Texts | None,
        Meta(
            description="`global`, a geography (`us`, `eu`, `jp`, `apac`, `au`) or `in-region` (the bare model id).",
            examples=["global", "us"],
        ),
    ] = None
    api: Annotated[
        Api | Annotated[list[Api], Meta(min_length=1)] | None,
        Meta(
            description="The dialect on the wire: `invoke` (InvokeModel), `converse`, `messages` (the Messages API on "
            "bedrock-runtime), `mantle` (the same on bedrock-mantle) or `openai` (chat completions). Default: converse."
        ),
    ] = None
    client: Annotated[
        Text | Texts | None,
        Meta(
            description="Who puts it on the wire: `wire` (least overhead, speaks every api), or an SDK: `aioboto3` "
            "(invoke, converse), `anthropic` (invoke, mantle). Default: wire.",
            examples=["wire", "aioboto3", "anthropic"],
        ),
    ] = None
    region: Annotated[
        Region | Annotated[list[Region], Meta(min_length=1)] | None,
        Meta(description="The AWS Region that is called. Default: one that serves the routing."),
    ] = None
    stream: Annotated[
        bool | Annotated[list[bool], Meta(min_length=1)] | None,
        Meta(description="Whether the answer is streamed; without it there is no TTFT. Default: true."),
    ] = None
    label: Annotated[
        Name | None, Meta(description="A name of your own, in place of model/routing/api. For a single target.")
    ] = None
    resolved: Annotated[ResolvedEntry | None, Meta(description="Written by a run; leave it out.")] = None


class MessageEntry(Entry, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: Text


class AttachmentEntry(Entry, frozen=True, kw_only=True):
    """A document or image by digest. Written by a run into its frozen suite, which does not hold the bytes."""

    name: Name
    media_type: Text
    digest: Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]
    size: Whole
    pages: Count | None = None


class FillerEntry(Entry, frozen=True, kw_only=True):
    """Readable text of a given length before the question, with a sentence hidden in it. Same seed, same text."""

    tokens: Annotated[int, Meta(ge=1, le=1_000_000, description="Its length, about: four characters a token.")]
    seed: Annotated[Whole | None, Meta(description="Default: 1.")] = None
    needle: Annotated[Text | None, Meta(description="A sentence that is hidden in the text.")] = None
    depth: Annotated[Share | None, Meta(description="Where: 0 is the beginning, 1 the end. Default: 0.5.")] = None


Files = Annotated[list[Name | AttachmentEntry], Meta(min_length=1)]


class PromptEntry(OptionsEntry, frozen=True, kw_only=True):
    """One case: what is asked, the right answer, and how an answer is checked."""

    id: Annotated[Name, Meta(description="Unique in the suite.")]
    prompt: Annotated[Text | None, Meta(description="What the user says; or give `messages`.")] = None
    messages: Annotated[
        Annotated[list[MessageEntry], Meta(min_length=1)] | None,
        Meta(description="A conversation: user and assistant in turn, the last one from the user."),
    ] = None
    filler: Annotated[FillerEntry | None, Meta(description="Text before the question, for long prompts.")] = None
    documents: Annotated[
        Files | None,
        Meta(
            description="Files beside the suite, sent before the question: .pdf, .txt, .md, .csv, .html.",
            examples=[["invoice-7.pdf"]],
        ),
    ] = None
    images: Annotated[
        Files | None,
        Meta(
            description="Files beside the suite, sent before the question: .png, .jpg, .gif, .webp.",
            examples=[["chart.png"]],
        ),
    ] = None
    expect: Annotated[
        str | int | float | bool | None,
        Meta(description="The reference answer. Checks fall back to it; without `checks`, the check is `exact`."),
    ] = None
    checks: Annotated[
        Annotated[list[CheckEntry], Meta(min_length=1)] | None,
        Meta(description="All must pass. Each has a `type` and that type's parameters."),
    ] = None
    tags: Annotated[list[Name] | None, Meta(description="For pass rates by kind of prompt.")] = None
    group: Annotated[
        Name | None, Meta(description="Prompts that share something are not independent: clustered errors.")
    ] = None


class RetriesEntry(Entry, frozen=True, kw_only=True):
    """Attempts per request, with full-jitter exponential backoff between them. Default: one attempt."""

    max_attempts: Annotated[int, Meta(ge=1, le=20, description="1: no retry.")]
    on: Annotated[
        Annotated[list[RetryableKind], Meta(min_length=1)] | None, Meta(description="Error kinds that are tried again.")
    ] = None
    base: Annotated[Duration | None, Meta(description="Backoff before the second attempt, at most.")] = None
    cap: Annotated[Duration | None, Meta(description="Longest backoff.")] = None


class TimeoutsEntry(Entry, frozen=True, kw_only=True):
    """Deadlines of one attempt, from when it enters the client: waiting for a connection counts, and connecting."""

    connect: Annotated[Duration | None, Meta(description="Of opening one connection. Default: 5s.")] = None
    first_token: Annotated[
        Duration | None, Meta(description="Met by the first byte of the answer's body. Default: 120s.")
    ] = None
    total: Annotated[Duration | None, Meta(description="Of the whole answer. Default: 600s.")] = None


class SloEntry(Entry, frozen=True, kw_only=True):
    """A request that meets all of these counts towards goodput. From due."""

    ttft: Annotated[Duration | None, Meta(description="Time to the first token.")] = None
    e2e: Annotated[Duration | None, Meta(description="Time to the end of the answer.")] = None


class RatesEntry(Entry, frozen=True, kw_only=True):
    """USD per million tokens."""

    input: NotNegative
    output: NotNegative
    cache_write_5m: NotNegative | None = None
    cache_write_1h: NotNegative | None = None
    cache_read: NotNegative | None = None


class TierEntry(RatesEntry, frozen=True, kw_only=True):
    """The rates of requests with more input tokens than this."""

    above_input_tokens: Whole


class PriceEntry(RatesEntry, frozen=True, kw_only=True):
    """A price that wins over the catalog's. USD per million tokens."""

    model: Annotated[Text, Meta(description="Short name or base id.")]
    routing: Annotated[Text | None, Meta(description="Default: every routing.")] = None
    service_tier: Annotated[ServiceTier | None, Meta(description="Of this tier alone. Default: `default`.")] = None
    latency: Annotated[Latency | None, Meta(description="Of this latency alone. Default: `standard`.")] = None
    tiers: Annotated[tuple[TierEntry, ...], Meta(description="Long-context rates, in ascending order.")] = ()


class SuiteFile(Entry, frozen=True, kw_only=True):
    """A suite of the Bedrock harness: prompts, checks, targets, load, gate."""

    suite: Annotated[SuiteName, Meta(description="The suite's name; runs and their folders carry it.")]
    endpoint: Annotated[
        str,
        Meta(
            title="endpoint",
            pattern=rf"^(simulator|aws|https?://[^\s/]+\S*){END}",
            description="`simulator` (embedded, free), `aws`, or a URL. `--endpoint` overrides it.",
        ),
    ] = "simulator"
    defaults: Annotated[OptionsEntry | None, Meta(description="Options of every target that sets none itself.")] = None
    targets: Annotated[list[TargetEntry], Meta(description="What is compared.", extra_json_schema={"minItems": 1})]
    baseline: Annotated[Text | None, Meta(description="The name of the target that others are compared with.")] = None
    load: LoadEntry | None = None
    retries: RetriesEntry | None = None
    quota: QuotaEntry | None = None
    timeouts: TimeoutsEntry | None = None
    slo: SloEntry | None = None
    gate: GateEntry | None = None
    budget_usd: Annotated[
        Positive | None,
        Meta(
            description="Nothing more is sent once the answers so far have cost this. What is then on the wire costs "
            "on top."
        ),
    ] = None
    prices: Annotated[
        Text | Annotated[list[PriceEntry], Meta(min_length=1)] | None,
        Meta(
            description="Your own prices: a .toml file beside the suite, or the prices themselves.",
            examples=["my-prices.toml"],
        ),
    ] = None
    judges: Judges | None = None
    check_files: Annotated[list[CheckFileEntry] | None, Meta(description="Written by a run; leave it out.")] = None
    prompts: Annotated[list[PromptEntry] | None, Meta(description="Prompts written right here.")] = None
    synthetic: Annotated[
        SyntheticEntry | None, Meta(description="Generated prompts of given lengths, for a load test.")
    ] = None
    dataset: Annotated[
        Name | None,
        Meta(
            description="More prompts, .csv or .jsonl beside the suite: id, prompt, expect, check, tags (`a; b`), "
            "group.",
            examples=["more.csv"],
        ),
    ] = None
