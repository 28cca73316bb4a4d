"""Tokens per minute that a suite's load takes from each target's quota: what is reserved, and what is charged."""

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
    """What one target's load takes, each figure a mean over the prompts at the load's highest rate."""

    target: str
    requests_per_minute: float
    reserved_per_minute: float
    """Admission: input + cache write + max_tokens. A request is throttled when this much is not left."""
    settled_per_minute_at_most: float
    """Settlement: input + cache write + output × burndown, with answers as long as max_tokens allows."""
    burndown: float
    """How many tokens of quota a token of output is charged as."""
    assumed_e2e_s: float | None
    """Closed load: how long an answer was assumed to take; the rate follows from it. None: the rate is the plan's."""


def reservations(suite: Suite) -> list[Reservation]:
    """One for each target. Cached input counts as written: the estimate knows of no cache that is already warm."""
    assumed = TYPICAL_E2E_S if suite.load.arrival == "closed" else None
    found: dict[str, Reservation] = {}
    for schedule in make_schedules(suite):
        alike = [suite.targets[at] for at in schedule.targets]
        rate = requests_per_minute(msgspec.structs.replace(suite, load=schedule.load, targets=tuple(alike[:1])))
        found |= {target.name: _reserve(suite, target, rate, assumed) for target in alike}
    return [found[target.name] for target in suite.targets]


def requests_per_minute(suite: Suite) -> float:
    """The most that one target is sent in a minute: the highest rate, or what the slots manage; no more than there is
    to send. Of targets with rates of their own, the first.

    A closed load's slots are each free again after an answer, which is taken to last `TYPICAL_E2E_S`.
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
    """How many tokens of quota a token of the target's output is charged as.

    bedrock-mantle keeps a quota of its own for output; its input quota still admits by max_tokens.
    """
    return 0.0 if target.api == "mantle" else float(burndown(target.base_model))
