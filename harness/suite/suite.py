"""The types of a loaded suite. Load, quota, retries, timeouts, SLOs and messages also define the suite file's keys.

Once loaded, times are in seconds and rates per second; in the file they have units (see `fields`).
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
"""Arrival processes with a constant rate."""
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
"""Error kinds for which a retry can help."""
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
    """A document or image of a prompt, by digest."""

    name: Name
    """The file's name as written, relative to the suite's folder."""
    media_type: Text
    """`application/pdf`, `image/png`, …"""
    digest: Digest
    """SHA-256 of the bytes, hex."""
    size: Whole
    """Bytes."""
    pages: Count | None = None
    """For a PDF."""
    path: Path | None = None
    """None: in a stored suite, which does not have the content."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check of an answer: the scorer's name and parameters."""

    type: Text
    params: dict[str, Any] = {}


class Filler(Entry, frozen=True, kw_only=True):
    """Generated text before the question, optionally with a sentence hidden in it. Same seed, same text."""

    tokens: Annotated[int, Meta(ge=1, le=1_000_000, description="Approximate length, at four characters per token.")]
    seed: Annotated[Whole, Meta(description="Default: 1.")] = 1
    needle: Annotated[Text | None, Meta(description="A sentence to hide in the text.")] = None
    depth: Annotated[Share, Meta(description="Where the needle is: 0 is the start, 1 the end. Default: 0.5.")] = 0.5


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One case. A prompt with `expect` has at least one check, the default one."""

    id: Name
    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    filler: Filler | None = None
    """The parameters of the generated text at the start of `messages`, if any."""
    documents: tuple[Attachment, ...] = ()
    """Sent before the text of the last user turn."""
    images: tuple[Attachment, ...] = ()
    expect: str | None = None
    checks: tuple[Check, ...] = ()
    tags: tuple[Name, ...] = ()
    group: Name | None = None
    options: Options = Options()


class Step(Entry, frozen=True, kw_only=True):
    """A rate and how long it lasts."""

    rate_per_s: Rate
    duration_s: Duration


class TracedCall(msgspec.Struct, frozen=True, gc=False):
    """One request of a trace."""

    at_s: float
    """Since the start of the trace."""
    prompt_id: str | None = None
    """None: the plan's next prompt."""


class Load(Entry, frozen=True, kw_only=True):
    """When requests are sent. Rates are for each target, and all targets share the due times.

    The load ends with the first of its bounds: requests, repeats, duration or schedule.
    """

    arrival: Annotated[
        ArrivalName,
        Meta(
            description="`closed`: a slot sends when it is free. Open, independent of answers: `constant` (evenly "
            "spaced), `poisson` (independent users), `gamma` (burstier or smoother than Poisson), `ramp` (from one "
            "rate to another), `steps` (one rate after another), `trace` (like recorded traffic)."
        ),
    ] = "closed"
    concurrency: Annotated[
        Slots,
        Meta(description="closed: slots. A paired slot is free again once all targets have answered. Default: 8."),
    ] = 8
    paired: Annotated[
        bool,
        Meta(
            description="closed: a slot sends its prompt to all targets, one after the other, a few milliseconds "
            "apart, without waiting for answers. Each request is due at its turn. Default: true."
        ),
    ] = True
    rate_per_s: Annotated[
        Rate | None, Meta(description="constant, poisson, gamma: requests for each target. ramp: the initial rate.")
    ] = None
    rates_per_s: Annotated[
        dict[str, Rate] | None,
        Meta(
            description="constant, poisson, gamma: rates of individual targets, by name; the others use `rate`. "
            "Only targets with the same rate share due times.",
            examples=[{"claude-haiku-4-5/global/converse": "20/s"}],
        ),
    ] = None
    to_per_s: Annotated[Rate | None, Meta(description="ramp: the rate at the end of `duration`.")] = None
    burstiness: Annotated[
        Annotated[float, Meta(ge=0.001, le=1000)] | None,
        Meta(
            description="gamma, ramp, steps: shape of the gaps between arrivals, CV² = 1/burstiness. 1 is Poisson, "
            "less is burstier. Default for ramp and steps: evenly spaced."
        ),
    ] = None
    burst: Annotated[
        Slots | None,
        Meta(description="Requests that arrive at the same time. The rate does not change."),
    ] = None
    steps: Annotated[
        Annotated[tuple[Step, ...], Meta(min_length=1)] | None,
        Meta(description="steps: the rates, in order.", examples=[[{"rate": "5/s", "duration": "60s"}]]),
    ] = None
    trace: Annotated[
        Name | None,
        Meta(
            description="trace: a .jsonl or .csv file beside the suite, one line per call: offset_s or timestamp, and "
            "optionally prompt_id, input_tokens, output_tokens. `harness import` writes one.",
            examples=["my.trace.jsonl"],
        ),
    ] = None
    replay: Annotated[
        Replay | None,
        Meta(
            description="trace: `prompts` sends the prompts that the trace names, `sizes` generated ones of its sizes, "
            "`times` the suite's own in turn. Default: whichever each line has, in this order."
        ),
    ] = None
    speed: Annotated[
        Annotated[float, Meta(ge=0.001, le=100_000)] | None,
        Meta(description="trace: 2 replays it in half the time. Default: 1."),
    ] = None
    calls: tuple[TracedCall, ...] | None = None
    """The trace's calls in order of arrival, never empty. Not a key of the file."""
    requests: Annotated[Requests | None, Meta(description="Requests for each target; prompts take turns.")] = None
    repeats: Annotated[
        Requests | None,
        Meta(
            description="How often each prompt is sent. Default: once, or until `requests`, `duration` or the "
            "schedule ends."
        ),
    ] = None
    warmup: Annotated[
        int,
        Meta(ge=0, le=MOST_REQUESTS, description="Requests to every target before measuring starts."),
    ] = 0
    duration_s: Annotated[
        Duration | None,
        Meta(description="No request starts after this time. With `repeats`: whichever ends first."),
    ] = None
    max_in_flight: Annotated[
        Slots | None,
        Meta(
            description="Open arrivals: the most requests in flight for each target. Requests that have to wait are "
            "counted, and the wait is part of the queue delay."
        ),
    ] = None
    store_text: Annotated[
        bool | Share | None,
        Meta(
            description="Whether the text of answers is stored, or of which share of them. Answers without text take "
            "less space and cannot be graded. `false`: the run's folder has no prompts either. Default: true."
        ),
    ] = None
    """Once loaded, the share. None: all."""
    redact: Annotated[
        tuple[Annotated[str, Meta(min_length=1)], ...] | None,
        Meta(
            description="Regular expressions. In prompts and answers, what they match is stored as `[redacted]`.",
            examples=[["ACME-\\d+"]],
        ),
    ] = None
    """Valid patterns. None in a stored suite, as they may quote what they redact."""


class Retries(Entry, frozen=True, kw_only=True):
    """Attempts per request, with exponential backoff and full jitter. Default: one attempt."""

    max_attempts: Annotated[int, Meta(ge=1, le=20, description="1: no retry.")]
    on: Annotated[tuple[RetryableKind, ...], Meta(min_length=1, description="Error kinds to retry.")] = (
        "throttled",
        "unavailable",
        "connection",
    )
    base_s: Annotated[Duration, Meta(description="Longest backoff before the second attempt.")] = 0.5
    cap_s: Annotated[Duration, Meta(description="Longest backoff.")] = 20.0


class Quota(Entry, frozen=True, kw_only=True):
    """Client-side caps for each target. Waiting for them is part of the queue delay."""

    requests_per_minute: Annotated[float, Meta(ge=0.01, le=1e9)] | None = None
    tokens_per_minute: Annotated[
        Annotated[float, Meta(ge=1, le=1e12)] | None,
        Meta(
            description="Counted like Bedrock does: input + cache write + max_tokens are reserved when an attempt is "
            "sent, and input + cache write + output × the model's burndown are charged once it is over."
        ),
    ] = None


class StopRules(Entry, frozen=True, kw_only=True):
    """When a target is stopped early. The others go on."""

    max_error_rate: Annotated[
        float,
        Meta(
            gt=0,
            lt=1,
            description="Stop a target once a larger share of its latest measured requests failed, retries included: "
            "its other requests are not sent.",
            examples=[0.5],
        ),
    ]
    window: Annotated[
        int,
        Meta(ge=10, le=100_000, description="How many of the latest requests count, and must have ended. Default: 50."),
    ] = 50


class Timeouts(Entry, frozen=True, kw_only=True):
    """Deadlines of one attempt, from when it enters the client, so waiting for a connection and connecting count."""

    connect_s: Annotated[Duration, Meta(description="For opening a connection. Default: 5s.")] = 5.0
    first_token_s: Annotated[Duration, Meta(description="For the first byte of the answer's body. Default: 120s.")] = (
        120.0
    )
    total_s: Annotated[Duration, Meta(description="For the whole answer. Default: 600s.")] = 600.0


class Slo(Entry, frozen=True, kw_only=True):
    """A request that meets all of these, measured from when it was due, counts towards goodput."""

    ttft_s: Annotated[Duration | None, Meta(description="Time to the first token.")] = None
    e2e_s: Annotated[Duration | None, Meta(description="Time to the end of the answer.")] = None


class CheckFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of Python functions that grade answers, by digest."""

    name: Name
    """As written, relative to the suite's folder."""
    digest: Digest
    """SHA-256 of the bytes, hex."""
    functions: tuple[str, ...] = ()
    """Names of its top-level functions."""
    source: bytes | None = None
    """The code to run. None: in a stored suite, which holds no code."""


class Label(Entry, frozen=True, kw_only=True):
    """An answer graded by a person, with which a judge's own grade is compared."""

    prompt_id: Name
    answer: str
    passed: bool


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """A model that grades answers. Its target has the judge's name."""

    name: Name
    target: Target
    labels: tuple[Label, ...] = ()
    usual_region: str | None = None
    """See `Suite.usual_regions`."""


class Graders(msgspec.Struct, frozen=True, kw_only=True):
    """A suite's judges and check files."""

    judges: tuple[Judge, ...] = ()
    check_files: tuple[CheckFile, ...] = ()
    unread: bool = False
    """True if a judge has a mistake, so that an unknown judge name may be its."""


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded, checked suite."""

    name: SuiteName
    digest: Annotated[str, Meta(pattern=rf"^[0-9a-f]*{END}", max_length=64)]
    """First 12 hex digits of SHA-256 over the content, datasets included.

    Must be recomputed (`digest.digest_suite`) when the suite is changed."""
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
    """Metric → margin as written (`3pp`, `15%`, `200ms`, `$0.002`), checked on loading. A tag's pass rate is
    `pass_rate[tag]`."""
    budget_usd: Positive | None = None
    stop: StopRules | None = None
    prices: tuple[PriceOverride, ...] = ()
    graders: Graders = Graders()
    usual_regions: dict[str, str] = {}
    """Target → its Region without AWS_REGION, if AWS_REGION changed it. The digest uses this one."""
    texts_as_sent: bool = True
    """False: of a run that left out or redacted its texts before it stored the suite, so it cannot be sent again."""
    notes: tuple[str, ...] = ()
    """Decisions of the loader, such as which prompts got the default check."""
    warnings: tuple[str, ...] = ()
    """What to know before a run, such as legacy models and ungraded prompts."""
