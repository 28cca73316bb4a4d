"""The types of the suite file, from which `harness schema` makes its JSON Schema.

Parts that loading does not change are in `suite`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from harness.catalog.prices import PriceOverride
from harness.catalog.target import Api, Count, Options, Share, Text, Texts
from harness.suite.fields import CheckEntry, Entry, Name, Positive, Region, SuiteName, Whole
from harness.suite.grammar.gate import GateEntry
from harness.suite.suite import Endpoint, Filler, Label, Load, Message, Quota, Retries, Slo, StopRules, Timeouts


class TargetEntry(Options, frozen=True, kw_only=True):
    """Targets to compare. Lists multiply: two models × two routings are four targets."""

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
        Meta(description="The AWS Region to call. Default: one that carries the routing."),
    ] = None
    stream: Annotated[
        bool | Annotated[list[bool], Meta(min_length=1)] | None,
        Meta(description="Whether the answer is streamed. Without streaming there is no TTFT. Default: true."),
    ] = None
    label: Annotated[
        Name | None, Meta(description="Your own name in place of model/routing/api. For a single target.")
    ] = None


Files = Annotated[list[Name], Meta(min_length=1)]


class PromptEntry(Options, frozen=True, kw_only=True):
    """One case: a prompt, the expected answer, and how answers are checked."""

    id: Annotated[Name, Meta(description="Unique in the suite.")]
    prompt: Annotated[Text | None, Meta(description="The user's message. For a conversation, use `messages`.")] = None
    messages: Annotated[
        Annotated[list[Message], Meta(min_length=1)] | None,
        Meta(description="A conversation: user and assistant take turns; the last message is the user's."),
    ] = None
    filler: Annotated[Filler | None, Meta(description="Text before the question, for long prompts.")] = None
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
    tags: Annotated[list[Name] | None, Meta(description="For pass rates by tag.")] = None
    group: Annotated[
        Name | None, Meta(description="Prompts of a group are not independent, so their errors are clustered.")
    ] = None


class JudgeEntry(Entry, frozen=True, kw_only=True):
    """A model that grades answers by a rubric. It must not be one of the compared models."""

    model: Annotated[Text, Meta(description="As for a target.", examples=["claude-opus-4-5"])]
    routing: Annotated[Text | None, Meta(description="As for a target.")] = None
    api: Annotated[Api | None, Meta(description="As for a target.")] = None
    client: Annotated[Text | None, Meta(description="As for a target.")] = None
    region: Annotated[Region | None, Meta(description="As for a target.")] = None
    max_tokens: Annotated[Count | None, Meta(description="The longest judgement, in tokens. Default: 1024.")] = None
    temperature: Annotated[Share | None, Meta(description="Newer models refuse it.")] = None
    thinking: Annotated[
        Annotated[int, Meta(ge=1024)] | Literal["adaptive"] | None, Meta(description="As for a target.")
    ] = None
    calibration: Annotated[
        Text | tuple[Label, ...] | None,
        Meta(
            description="Answers graded by people, a .csv beside the suite: prompt_id, answer, passed. The judge "
            "grades them too, and Cohen's kappa shows how well it agrees.",
            examples=["labels.csv"],
        ),
    ] = None


Judges = Annotated[
    dict[Name, JudgeEntry],
    Meta(description="Models that grade, by your own names. The checks `judge` and `pairwise` use them."),
]


Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]


class LengthEntry(Entry, frozen=True, kw_only=True):
    """A number of tokens, log-normally distributed."""

    mean: Annotated[float, Meta(ge=1, le=1_000_000, description="Before clipping to `min` and `max`.")]
    sigma: Annotated[
        Annotated[float, Meta(ge=0, le=5)] | None,
        Meta(description="Standard deviation of the logarithm: 0.5 is a moderate spread. Default: 0, all the same."),
    ] = None
    min: Tokens | None = None
    max: Tokens | None = None


Length = Tokens | LengthEntry


class SyntheticEntry(Entry, frozen=True, kw_only=True):
    """Generated prompts for a load test: readable text, nothing to grade. Same seed, same prompts."""

    prompts: Annotated[int, Meta(ge=1, le=100_000, description="How many.")]
    input_tokens: Annotated[Length, Meta(description="Their length, at four characters a token.", examples=[500])]
    output_tokens: Annotated[
        Length | None,
        Meta(description="max_tokens of each; the prompt asks for a longer text.", examples=[{"mean": 150}]),
    ] = None
    seed: Annotated[Whole | None, Meta(description="Default: 1.")] = None


class SuiteFile(Entry, frozen=True, kw_only=True):
    """A suite of the Bedrock harness: prompts, checks, targets, load, gate."""

    suite: Annotated[SuiteName, Meta(description="The suite's name, which appears in the names of its runs.")]
    endpoint: Endpoint = "simulator"
    defaults: Annotated[Options | None, Meta(description="Options for targets that do not set them.")] = None
    targets: Annotated[list[TargetEntry], Meta(description="What to compare.", extra_json_schema={"minItems": 1})]
    baseline: Annotated[Text | None, Meta(description="The name of the target to compare the others with.")] = None
    load: Load | None = None
    retries: Retries | None = None
    quota: Quota | None = None
    timeouts: Timeouts | None = None
    slo: Slo | None = None
    gate: GateEntry | None = None
    budget_usd: Annotated[
        Positive | None,
        Meta(
            description="The most that a run may spend. A request is sent only if what it may cost at most is left; "
            "if what is left can never pay it, the run ends."
        ),
    ] = None
    stop: StopRules | None = None
    prices: Annotated[
        Text | Annotated[list[PriceOverride], Meta(min_length=1)] | None,
        Meta(
            description="Your own prices: a .toml file beside the suite, or the prices themselves.",
            examples=["my-prices.toml"],
        ),
    ] = None
    judges: Judges | None = None
    prompts: Annotated[list[PromptEntry] | None, Meta(description="Prompts in this file.")] = None
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
