"""The suite as types: prompts, checks, judges, targets, load, gate. Times in seconds, rates per second, once loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.catalog.prices import PriceOverride
from harness.catalog.target import Options, Target


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a conversation."""

    role: Literal["user", "assistant"]
    content: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A document or image of a prompt, by digest. In a frozen suite the bytes are gone: `path` is None."""

    name: str
    """The file's name as written, relative to the suite's folder."""
    media_type: str
    """`application/pdf`, `image/png`, …"""
    digest: str
    """SHA-256 of the bytes, hex."""
    size: int
    """Bytes."""
    pages: int | None = None
    """Of a PDF."""
    path: Path | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check of an answer: the scorer's name and its parameters (each scorer knows its own)."""

    type: str
    params: dict[str, Any] = {}


class Filler(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Readable text of a given length that stands before a prompt's question, the same for the same seed."""

    tokens: int
    """About so many, at four characters each."""
    seed: int = 1
    needle: str | None = None
    """A sentence that is hidden in the text."""
    depth: float = 0.5
    """Where: 0 is the beginning, 1 the end."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One case. `checks` is never empty once loaded where `expect` was given: the default check fills it."""

    id: str
    messages: tuple[Message, ...]
    filler: Filler | None = None
    """What the first message begins with, where it was generated; `messages` holds the text itself."""
    documents: tuple[Attachment, ...] = ()
    """Sent before the text of the last user turn."""
    images: tuple[Attachment, ...] = ()
    expect: str | None = None
    checks: tuple[Check, ...] = ()
    tags: tuple[str, ...] = ()
    group: str | None = None
    options: Options = Options()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a load: a rate that is kept for a while."""

    rate_per_s: float
    duration_s: float


class TracedCall(msgspec.Struct, frozen=True, gc=False):
    """One request of a trace. `prompt_id` None: the plan's next prompt."""

    at_s: float
    """Since the trace's beginning."""
    prompt_id: str | None = None


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """When requests are sent. Whatever bounds it, whichever ends first: a count, repeats, a duration, the schedule.

    Rates are requests per second for each target; None: not given.
    """

    arrival: str = "closed"
    concurrency: int = 8
    """closed: slots. Open arrivals: not used."""
    rate_per_s: float | None = None
    """constant, poisson, gamma: the rate; ramp: where it begins."""
    rates_per_s: dict[str, float] | None = None
    """constant, poisson, gamma: target → its own rate; the others keep `rate_per_s`."""
    to_per_s: float | None = None
    """ramp: where it ends, after `duration_s`."""
    burstiness: float | None = None
    """Gaps are gamma-distributed with this shape: CV² = 1/burstiness. None: evenly spaced, unless `poisson` (1)."""
    burst: int | None = None
    """Requests that arrive together; the rate stays what it is. None: one."""
    steps: tuple[Step, ...] | None = None
    calls: tuple[TracedCall, ...] | None = None
    """trace: in the order of arrival, never empty."""
    speed: float | None = None
    """trace: 2 replays it in half the time. None: 1."""
    requests: int | None = None
    """Measured requests of each target, at most."""
    repeats: int | None = None
    """How often each prompt is asked. None: once, or again and again until something else ends the run."""
    warmup: int = 0
    """Prompts sent to every target before counting starts (phase `warmup`)."""
    duration_s: float | None = None
    """Stop handing out requests after this long."""
    max_in_flight: int | None = None
    """Open arrivals: requests of each target that may be under way at once."""
    store_text: float | None = None
    """Share of the requests whose answers are stored with their text; the others cannot be graded. None: all."""
    paired: bool = True
    """closed: a slot sends its prompt to all targets in shuffled order, a few milliseconds apart."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts per request. `on`: error kinds that are tried again, with full-jitter exponential backoff."""

    max_attempts: int = 1
    on: tuple[str, ...] = ("throttled", "unavailable", "connection")
    base_s: float = 0.5
    cap_s: float = 20.0


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Client-side cap for each target."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    """As Bedrock counts them: see `load.token_budget`."""


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines of one attempt, seconds from when it enters the client, which may yet have to wait and connect."""

    connect_s: float = 5.0
    """Of opening one connection."""
    first_token_s: float = 120.0
    """Met by the first byte of the answer's body."""
    total_s: float = 600.0


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    """A request that meets all of these counts towards goodput. Seconds from due."""

    ttft_s: float | None = None
    e2e_s: float | None = None


class CheckFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of Python functions that grade answers, by digest. A frozen suite holds no text of it, nor its place."""

    name: str
    """As written, relative to the suite's folder."""
    digest: str
    """SHA-256 of the bytes, hex."""
    functions: tuple[str, ...] = ()
    """Those at its top level."""
    source: bytes | None = None
    """What is run. None: the suite is that of a run, which names no code."""


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of an answer to a prompt: a judge that grades it too can be compared with the person."""

    prompt_id: str
    answer: str
    passed: bool


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """A model that grades answers and gives none itself. The target has the judge's name."""

    name: str
    target: Target
    labels: tuple[Label, ...] = ()


class Graders(msgspec.Struct, frozen=True, kw_only=True):
    """All of a suite's."""

    judges: tuple[Judge, ...] = ()
    check_files: tuple[CheckFile, ...] = ()
    unread: bool = False
    """A judge is written that has a mistake: a name that nobody has may be its."""


class Suite(msgspec.Struct, frozen=True, kw_only=True):
    """A loaded, checked suite."""

    name: str
    digest: str
    """First 12 hex digits of SHA-256 over the canonical content (datasets included), not over the file's bytes.

    A changed suite (`msgspec.structs.replace`) needs a new one: `digest.digest_suite`."""
    endpoint: str
    targets: tuple[Target, ...]
    prompts: tuple[Prompt, ...]
    baseline: str | None = None
    load: Load = Load()
    retries: Retries = Retries()
    quota: Quota = Quota()
    timeouts: Timeouts = Timeouts()
    slo: Slo = Slo()
    gate: dict[str, str] = {}
    """Metric → margin as written (`3pp`, `15%`, `200ms`, `$0.002`); the grammar is checked on loading.

    The pass rate of a tag is `pass_rate[tag]`."""
    budget_usd: float | None = None
    prices: tuple[PriceOverride, ...] = ()
    graders: Graders = Graders()
    notes: tuple[str, ...] = ()
    """What the loader decided where the file says nothing: which prompts got the default check."""
    warnings: tuple[str, ...] = ()
    """What to know before a run: legacy models, prompts that nothing grades."""
