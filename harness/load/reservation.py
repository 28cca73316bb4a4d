"""Tokens per minute that a suite's load takes from each target's quota: reserved first, then charged."""

from __future__ import annotations

from math import inf
from statistics import fmean

import msgspec

from harness.catalog.limits import burndown
from harness.catalog.target import Target
from harness.endpoints.request import DEFAULT_MAX_TOKENS, sent_options
from harness.load.arrivals import make_arrival
from harness.load.forecast import TYPICAL_E2E_S
from harness.load.plan import count_requests, make_schedules
from harness.suite.check.size import prompt_tokens
from harness.suite.suite import Suite


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """What the load on one target takes at its highest rate, from means over the prompts."""

    target: str
    requests_per_minute: float
    reserved_per_minute: float
    """Admission: input + cache write + max_tokens. Bedrock throttles a request if less than this is left."""
    settled_per_minute_at_most: float
    """Settlement: input + cache write + output × burndown, if answers are as long as max_tokens allows."""
    burndown: float
    """Tokens of quota charged for one token of output."""
    assumed_e2e_s: float | None
    """Closed load: the assumed duration of an answer, which determines the rate. None: the plan determines it."""


def reservations(suite: Suite) -> list[Reservation]:
    """One reservation for each target. Cached input counts as written, as if no cache were warm."""
    assumed = TYPICAL_E2E_S if suite.load.arrival == "closed" else None
    found: dict[str, Reservation] = {}
    for schedule in make_schedules(suite):
        sharing = [suite.targets[at] for at in schedule.targets]
        rate = requests_per_minute(msgspec.structs.replace(suite, load=schedule.load, targets=tuple(sharing[:1])))
        found |= {target.name: _reserve(suite, target, rate, assumed) for target in sharing}
    return [found[target.name] for target in suite.targets]


def requests_per_minute(suite: Suite) -> float:
    """The most requests that one target gets in a minute, but no more than the plan holds.

    An open load has its peak rate. A closed load sends one request per slot every `TYPICAL_E2E_S`. If targets have
    their own rates, the first target counts.
    """
    load, counts = make_schedules(suite)[0].load, count_requests(suite, seed=0)
    peak_per_s = make_arrival(load).peak_per_s
    bounds = [60 * (load.concurrency / TYPICAL_E2E_S if peak_per_s is None else peak_per_s)]
    if suite.quota.requests_per_minute is not None:
        bounds.append(suite.quota.requests_per_minute)
    if counts is not None:
        bounds.append(sum(counts.values()) / len(suite.targets))
    return min(bounds)


def _reserve(suite: Suite, target: Target, rate: float, assumed_e2e_s: float | None) -> Reservation:
    options = [sent_options(target, prompt) for prompt in suite.prompts]
    input_tokens = fmean(
        prompt_tokens(prompt, each, target.api) for each, prompt in zip(options, suite.prompts, strict=True)
    )
    output_tokens = fmean(each.max_tokens or DEFAULT_MAX_TOKENS for each in options)
    charged = output_burndown(target)
    cap = inf if suite.quota.tokens_per_minute is None else suite.quota.tokens_per_minute
    return Reservation(
        target=target.name,
        requests_per_minute=rate,
        reserved_per_minute=min(cap, rate * (input_tokens + output_tokens)),
        settled_per_minute_at_most=min(cap, rate * (input_tokens + output_tokens * charged)),
        burndown=charged,
        assumed_e2e_s=assumed_e2e_s,
    )


def output_burndown(target: Target) -> float:
    """Tokens of quota charged for one token of the target's output.

    0 on bedrock-mantle, which has a separate output quota; its input quota still reserves max_tokens.
    """
    return 0.0 if target.api == "mantle" else float(burndown(target.base_model))
