"""The suite as types. Those of load, quota, retries, timeouts, SLOs and messages are the suite file's keys as well.

Times are seconds and rates per second once loaded; a suite file writes them with their unit (see `fields`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from harness.catalog.prices import PriceOverride
from harness.catalog.target import END, Count, Options, Share, Target, Text
from harness.suite.fields import (
    MOST_REQUESTS,
    Digest,
    Duration,
    Entry,
    Name,
    Positive,
    Rate,
    Requests,
    Slots,
    SuiteName,
    Whole,
)

ArrivalName = Literal["closed", "constant", "poisson", "gamma", "ramp", "steps", "trace"]
STATIONARY = ("constant", "poisson", "gamma")
"""Those that keep one rate."""
Replay = Literal["prompts", "sizes", "times"]
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
Endpoint = Annotated[
    str,
    Meta(
        title="endpoint",
        pattern=rf"^(simulator|aws|https?://[^\s/]+\S*){END}",
        description="`simulator` (embedded, free), `aws`, or a URL. `--endpoint` overrides it.",
    ),
]


class Message(Entry, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: Text


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A document or image of a prompt, by digest. In the suite of a run the bytes are gone: `path` is None."""

    name: Name
    """The file's name as written, relative to the suite's folder."""
    media_type: Text
    """`application/pdf`, `image/png`, …"""
    digest: Digest
    """SHA-256 of the bytes, hex."""
    size: Whole
    """Bytes."""
    pages: Count | None = None
    """Of a PDF."""
    path: Path | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check of an answer: the scorer's name and its parameters (each scorer knows its own)."""

    type: Text
    params: dict[str, Any] = {}


class Filler(Entry, frozen=True, kw_only=True):
    """Readable text of a given length before the question, with a sentence hidden in it. Same seed, same text."""

    tokens: Annotated[int, Meta(ge=1, le=1_000_000, description="Its length, about: four characters a token.")]
    seed: Annotated[Whole, Meta(description="Default: 1.")] = 1
    needle: Annotated[Text | None, Meta(description="A sentence that is hidden in the text.")] = None
    depth: Annotated[Share, Meta(description="Where: 0 is the beginning, 1 the end. Default: 0.5.")] = 0.5


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `checks` is never empty once loaded where `expect` was given: the default check fills it."""

    id: Name
    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    filler: Filler | None = None
    """What the first message begins with, where it was generated; `messages` holds the text itself."""
    documents: tuple[Attachment, ...] = ()
    """Sent before the text of the last user turn."""
    images: tuple[Attachment, ...] = ()
    expect: str | None = None
    checks: tuple[Check, ...] = ()
    tags: tuple[Name, ...] = ()
    group: Name | None = None
    options: Options = Options()


class Step(Entry, frozen=True, kw_only=True):
    """A rate that is kept for a while."""

    rate_per_s: Rate
    duration_s: Duration


class TracedCall(msgspec.Struct, frozen=True, gc=False):
    """One request of a trace. `prompt_id` None: the plan's next prompt."""

    at_s: float
    """Since the trace's beginning."""
    prompt_id: str | None = None


class Load(Entry, frozen=True, kw_only=True):
    """When requests are sent. Rates are for each target; all targets share the due times.

    Whatever bounds it, whichever ends first: a count, repeats, a duration, the schedule.
    """

    arrival: Annotated[
        ArrivalName,
        Meta(
            description="`closed`: a slot sends when it is free. Open, whatever answers take: `constant` (evenly "
            "spaced), `poisson` (independent users), `gamma` (burstier or smoother than Poisson), `ramp` (from one "
            "rate to another), `steps` (one rate after another), `trace` (as recorded traffic came)."
        ),
    ] = "closed"
    concurrency: Annotated[
        Slots,
        Meta(description="closed: slots. When paired, each asks all targets before it is free again. Default: 8."),
    ] = 8
    paired: Annotated[
        bool,
        Meta(
            description="closed: a slot sends its prompt to all targets, one after the other, a few milliseconds "
            "apart, without waiting for answers; each request is due when its turn comes. Default: true."
        ),
    ] = True
    rate_per_s: Annotated[
        Rate | None, Meta(description="constant, poisson, gamma: requests for each target. ramp: from.")
    ] = None
    rates_per_s: Annotated[
        dict[str, Rate] | None,
        Meta(
            description="constant, poisson, gamma: rates of single targets, by name; the others keep `rate`. Only "
            "targets of the same rate share their due times.",
            examples=[{"claude-haiku-4-5/global/converse": "20/s"}],
        ),
    ] = None
    to_per_s: Annotated[Rate | None, Meta(description="ramp: the rate at the end of `duration`.")] = None
    burstiness: Annotated[
        Annotated[float, Meta(ge=0.001, le=1000)] | None,
        Meta(
            description="gamma, ramp, steps: shape of the gaps between arrivals, CV² = 1/burstiness. 1 is Poisson, "
            "less is burstier. ramp, steps: without, arrivals are evenly spaced."
        ),
    ] = None
    burst: Annotated[
        Slots | None,
        Meta(description="So many requests arrive together, so much further apart: the rate stays what it is."),
    ] = None
    steps: Annotated[
        Annotated[tuple[Step, ...], Meta(min_length=1)] | None,
        Meta(description="steps: the rates, in order.", examples=[[{"rate": "5/s", "duration": "60s"}]]),
    ] = None
    trace: Annotated[
        Name | None,
        Meta(
            description="trace: a .jsonl or .csv file beside the suite, a line for each call: offset_s (or timestamp), "
            "and if it has them prompt_id, input_tokens, output_tokens. `harness import` writes one.",
            examples=["my.trace.jsonl"],
        ),
    ] = None
    replay: Annotated[
        Replay | None,
        Meta(
            description="trace: `prompts` asks those that the trace names, `sizes` generated ones of its sizes, "
            "`times` the suite's own in turn. Default: what each line has, in this order."
        ),
    ] = None
    speed: Annotated[
        Annotated[float, Meta(ge=0.001, le=100_000)] | None,
        Meta(description="trace: 2 replays it in half the time. Default: 1."),
    ] = None
    calls: tuple[TracedCall, ...] | None = None
    """What the trace holds, in the order of arrival, never empty. No key of the file."""
    requests: Annotated[
        Requests | None, Meta(description="Requests for each target; the prompts are asked in turn until then.")
    ] = None
    repeats: Annotated[
        Requests | None,
        Meta(
            description="How often each prompt is asked. Default: once, or until `requests`, `duration` or the "
            "schedule is over."
        ),
    ] = None
    warmup: Annotated[
        int,
        Meta(ge=0, le=MOST_REQUESTS, description="Prompts sent to every target before counting starts."),
    ] = 0
    duration_s: Annotated[
        Duration | None,
        Meta(description="No request is handed out after this long. With `repeats`: whichever ends first."),
    ] = None
    max_in_flight: Annotated[
        Slots | None,
        Meta(
            description="Open arrivals: requests of each target that may be under way at once. What has to wait is "
            "counted; the wait shows as queue delay."
        ),
    ] = None
    store_text: Annotated[
        bool | Share | None,
        Meta(
            description="Whether answers are kept, or the share of them that is: without its text an answer takes less "
            "room and cannot be graded. Default: true."
        ),
    ] = None
    """Once loaded the share; None: all."""


class Retries(Entry, frozen=True, kw_only=True):
    """Attempts per request, with full-jitter exponential backoff between them. Default: one attempt."""

    max_attempts: Annotated[int, Meta(ge=1, le=20, description="1: no retry.")]
    on: Annotated[tuple[RetryableKind, ...], Meta(min_length=1, description="Error kinds that are tried again.")] = (
        "throttled",
        "unavailable",
        "connection",
    )
    base_s: Annotated[Duration, Meta(description="Backoff before the second attempt, at most.")] = 0.5
    cap_s: Annotated[Duration, Meta(description="Longest backoff.")] = 20.0


class Quota(Entry, frozen=True, kw_only=True):
    """Client-side caps for each target. What has to wait shows as queue delay."""

    requests_per_minute: Annotated[float, Meta(ge=0.01, le=1e9)] | None = None
    tokens_per_minute: Annotated[
        Annotated[float, Meta(ge=1, le=1e12)] | None,
        Meta(
            description="As Bedrock counts: input + cache write + max_tokens are reserved before an attempt is sent; "
            "input + cache write + output × the model's burndown are kept once it is over."
        ),
    ] = None


class Timeouts(Entry, frozen=True, kw_only=True):
    """Deadlines of one attempt, from when it enters the client: waiting for a connection counts, and connecting."""

    connect_s: Annotated[Duration, Meta(description="Of opening one connection. Default: 5s.")] = 5.0
    first_token_s: Annotated[
        Duration, Meta(description="Met by the first byte of the answer's body. Default: 120s.")
    ] = 120.0
    total_s: Annotated[Duration, Meta(description="Of the whole answer. Default: 600s.")] = 600.0


class Slo(Entry, frozen=True, kw_only=True):
    """A request that meets all of these counts towards goodput. From due."""

    ttft_s: Annotated[Duration | None, Meta(description="Time to the first token.")] = None
    e2e_s: Annotated[Duration | None, Meta(description="Time to the end of the answer.")] = None


class CheckFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of Python functions that grade answers, by digest. A run's suite holds no text of it, nor its place."""

    name: Name
    """As written, relative to the suite's folder."""
    digest: Digest
    """SHA-256 of the bytes, hex."""
    functions: tuple[str, ...] = ()
    """Those at its top level."""
    source: bytes | None = None
    """What is run. None: the suite is that of a run, which names no code."""


class Label(Entry, frozen=True, kw_only=True):
    """An answer that a person has graded: a judge that grades it too can be compared with the person."""

    prompt_id: Name
    answer: str
    passed: bool


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """A model that grades answers and gives none itself. The target has the judge's name."""

    name: Name
    target: Target
    labels: tuple[Label, ...] = ()
    usual_region: str | None = None
    """As of `Suite.usual_regions`."""


class Graders(msgspec.Struct, frozen=True, kw_only=True):
    """All of a suite's."""

    judges: tuple[Judge, ...] = ()
    check_files: tuple[CheckFile, ...] = ()
    unread: bool = False
    """A judge is written that has a mistake: a name that nobody has may be its."""


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded, checked suite."""

    name: SuiteName
    digest: Annotated[str, Meta(pattern=rf"^[0-9a-f]*{END}", max_length=64)]
    """First 12 hex digits of SHA-256 over the canonical content (datasets included), not over the file's bytes.

    A changed suite (`msgspec.structs.replace`) needs a new one: `digest.digest_suite`."""
    endpoint: Endpoint
    targets: tuple[Target, ...]
    prompts: tuple[Prompt, ...]
    baseline: str | None = None
    load: Load = Load()
    retries: Retries = Retries(max_attempts=1)
    quota: Quota = Quota()
    timeouts: Timeouts = Timeouts()
    slo: Slo = Slo()
    gate: dict[str, str] = {}
    """Metric → margin as written (`3pp`, `15%`, `200ms`, `$0.002`); the grammar is checked on loading.

    The pass rate of a tag is `pass_rate[tag]`."""
    budget_usd: Positive | None = None
    prices: tuple[PriceOverride, ...] = ()
    graders: Graders = Graders()
    usual_regions: dict[str, str] = {}
    """Target → the Region that the suite alone gives it, where AWS_REGION chose another. The digest counts this one."""
    notes: tuple[str, ...] = ()
    """What the loader decided where the file says nothing: which prompts got the default check."""
    warnings: tuple[str, ...] = ()
    """What to know before a run: legacy models, prompts that nothing grades."""
