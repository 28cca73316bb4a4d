"""When requests are sent and how many, as a suite file writes it: `load`, `quota` and `synthetic`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from harness.suite.grammar.fields import MOST_REQUESTS, Duration, Entry, Name, Rate, Requests, Share, Slots, Text, Whole

ArrivalName = Literal["closed", "constant", "poisson", "gamma", "ramp", "steps", "trace"]
Replay = Literal["prompts", "sizes", "times"]


class StepEntry(Entry, frozen=True, kw_only=True):
    """A rate that is kept for a while."""

    rate: Rate
    duration: Duration


class LoadEntry(Entry, frozen=True, kw_only=True):
    """When requests are sent. Rates are for each target; all targets share the due times."""

    arrival: Annotated[
        ArrivalName,
        Meta(
            description="`closed`: a slot sends when it is free. Open, whatever answers take: `constant` (evenly "
            "spaced), `poisson` (independent users), `gamma` (burstier or smoother than Poisson), `ramp` (from one "
            "rate to another), `steps` (one rate after another), `trace` (as recorded traffic came)."
        ),
    ] = "closed"
    concurrency: Annotated[
        Slots | None,
        Meta(description="closed: slots. When paired, each asks all targets before it is free again. Default: 8."),
    ] = None
    paired: Annotated[
        bool | None,
        Meta(
            description="closed: a slot sends its prompt to all targets, one after the other, a few milliseconds "
            "apart, without waiting for answers; each request is due when its turn comes. Default: true."
        ),
    ] = None
    rate: Annotated[
        Rate | None, Meta(description="constant, poisson, gamma: requests for each target. ramp: from.")
    ] = None
    rates: Annotated[
        dict[str, Rate] | None,
        Meta(
            description="constant, poisson, gamma: rates of single targets, by name; the others keep `rate`. Only "
            "targets of the same rate share their due times.",
            examples=[{"claude-haiku-4-5/global/converse": "20/s"}],
        ),
    ] = None
    to: Annotated[Rate | None, Meta(description="ramp: the rate at the end of `duration`.")] = None
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
        Annotated[list[StepEntry], Meta(min_length=1)] | None,
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
    calls: Annotated[Text | None, Meta(description="trace: written by a run; leave it out.")] = None
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
        Annotated[int, Meta(ge=0, le=MOST_REQUESTS)] | None,
        Meta(description="Prompts sent to every target before counting starts."),
    ] = None
    duration: Annotated[
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


class QuotaEntry(Entry, frozen=True, kw_only=True):
    """Client-side caps for each target. What has to wait shows as queue delay."""

    requests_per_minute: Annotated[float, Meta(ge=0.01, le=1e9)] | None = None
    tokens_per_minute: Annotated[
        Annotated[float, Meta(ge=1, le=1e12)] | None,
        Meta(
            description="As Bedrock counts: input + cache write + max_tokens are reserved before an attempt is sent; "
            "input + cache write + output × the model's burndown are kept once it is over."
        ),
    ] = None


Tokens = Annotated[int, Meta(ge=1, le=1_000_000)]


class LengthEntry(Entry, frozen=True, kw_only=True):
    """A number of tokens, log-normally distributed."""

    mean: Annotated[float, Meta(ge=1, le=1_000_000, description="Before `min` and `max` cut it.")]
    sigma: Annotated[
        Annotated[float, Meta(ge=0, le=5)] | None,
        Meta(description="Of its logarithm: 0.5 is a moderate spread. Default: 0, all alike."),
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
        Meta(description="max_tokens of each; the prompt asks for a text that is longer.", examples=[{"mean": 150}]),
    ] = None
    seed: Annotated[Whole | None, Meta(description="Default: 1.")] = None
