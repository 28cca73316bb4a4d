"""What a run will do before anything is sent: requests, tokens, cost at most, and time."""

from __future__ import annotations

import msgspec

from harness.catalog.prices import cost_usd, price_for
from harness.catalog.target import Options, Target
from harness.endpoints.request import DEFAULT_MAX_TOKENS, merge_options
from harness.load.plan import Round, make_plan, planned_repeats
from harness.suite.schema import Prompt, Suite

CHARS_PER_TOKEN = 4
"""A rule of thumb for English; the service's own count decides what is paid."""
TYPICAL_E2E_S = 3.0
"""A closed load lasts as long as its answers take; this guess is said as one."""


class TargetForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What one target will be asked. Tokens are estimates; the output is what the answers may have at most."""

    target: str
    requests: int
    input_tokens: int
    output_tokens_at_most: int
    cost_usd_at_most: float | None
    """None: the price is unknown."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The whole run."""

    targets: list[TargetForecast]
    requests: int
    cost_usd_at_most: float | None
    seconds: float
    """Open arrivals: the schedule's length. Closed: rounds × 3 s / slots, or the duration."""


def forecast(suite: Suite, *, seed: int) -> Forecast | None:
    """None for a closed load that only a duration bounds: the answers decide how many requests fit."""
    if planned_repeats(suite) is None and suite.load.arrival == "closed":
        return None
    rounds = list(make_plan(suite, seed=seed))
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    asked = [prompts[each.requests[0].prompt_id] for each in rounds]
    targets = [_forecast_target(target, asked) for target in suite.targets]
    costs = [each.cost_usd_at_most for each in targets if each.cost_usd_at_most is not None]
    return Forecast(
        targets=targets,
        requests=sum(each.requests for each in targets),
        cost_usd_at_most=sum(costs) if len(costs) == len(targets) else None,
        seconds=_seconds(suite, rounds),
    )


def _forecast_target(target: Target, asked: list[Prompt]) -> TargetForecast:
    options = [merge_options(target.options, prompt.options) for prompt in asked]
    inputs = [estimate_input_tokens(each, prompt) for each, prompt in zip(options, asked, strict=True)]
    outputs = [each.max_tokens or DEFAULT_MAX_TOKENS for each in options]
    price = price_for(target.base_model, target.routing)
    costs = [
        cost_usd(price, input_tokens=given, output_tokens=made, cache_read_tokens=0, cache_write_tokens=0)
        for given, made in zip(inputs, outputs, strict=True)
        if price is not None
    ]
    return TargetForecast(
        target=target.name,
        requests=len(asked),
        input_tokens=sum(inputs),
        output_tokens_at_most=sum(outputs),
        cost_usd_at_most=None if price is None else sum(costs),
    )


def estimate_input_tokens(options: Options, prompt: Prompt) -> int:
    """Roughly how many tokens a prompt is, sent with these (merged) options."""
    return _tokens(options.system or "") + sum(_tokens(message.content) for message in prompt.messages)


def _tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)


def _seconds(suite: Suite, rounds: list[Round]) -> float:
    last = rounds[-1].offset_s
    if last is not None:
        return last + TYPICAL_E2E_S
    by_answers = len(rounds) * TYPICAL_E2E_S / suite.load.concurrency
    return by_answers if suite.load.duration_s is None else min(by_answers, suite.load.duration_s)
