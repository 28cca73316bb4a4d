"""What a run will do before anything is sent: requests, tokens, cost at most, and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice

import msgspec

from harness.catalog.prices import PriceOverride, cost_usd, price_for, terms_of
from harness.catalog.target import Target
from harness.endpoints.request import DEFAULT_MAX_TOKENS, merge_options
from harness.load.offered import Offered, OfferedLoad
from harness.load.plan import due_times, make_plan, make_schedules, measured_rounds
from harness.suite.check.size import prompt_tokens
from harness.suite.load_settings import rounds_at_most
from harness.suite.suite import Prompt, Suite

PLANNED_AT_MOST = 100_000
"""Rounds. Of a longer plan, the forecast counts the rounds only."""
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
    """The whole run. Retries come on top."""

    targets: list[TargetForecast]
    requests: int
    guessed: bool
    """Only a duration bounds the run: how many requests fit is guessed from answers of 3 s."""
    cost_usd_at_most: float | None
    seconds: float
    """Open arrivals: the schedule's length. Closed: rounds × 3 s / slots, or the duration."""
    offered: list[Offered] = []
    """Open arrivals: the load over time; one for each rate where targets have their own."""


def forecast(suite: Suite, *, seed: int) -> Forecast:
    """What the plan asks of each target."""
    guessed = measured_rounds(suite) is None and suite.load.arrival == "closed"
    names = [target.name for target in suite.targets]
    asked: dict[str, Counter[str]] = {name: Counter() for name in names}
    offered = OfferedLoad()
    if not guessed and suite.load.calls is None and _requests_at_most(suite) > PLANNED_AT_MOST:
        asked = _in_turn(suite, offered, seed=seed)
    else:
        for each in islice(make_plan(suite, seed=seed), _fitting_rounds(suite) if guessed else None):
            for planned in each.requests:
                asked[planned.target][planned.prompt_id] += 1
            offered.add(each)
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    targets = [_forecast_target(target, asked[target.name], prompts, suite.prices) for target in suite.targets]
    costs = [each.cost_usd_at_most for each in targets if each.cost_usd_at_most is not None]
    return Forecast(
        targets=targets,
        requests=sum(each.requests for each in targets),
        guessed=guessed,
        cost_usd_at_most=sum(costs) if len(costs) == len(targets) else None,
        seconds=_seconds(suite, asked[names[0]].total(), offered.last_s),
        offered=offered.result(names),
    )


def _requests_at_most(suite: Suite) -> float:
    """Rounds of the target that is asked most often, about."""
    rates = {suite.load.rate_per_s, *(suite.load.rates_per_s or {}).values()}
    return max(rounds_at_most(suite.load, prompts=len(suite.prompts), rate_per_s=rate) for rate in rates)


def _in_turn(suite: Suite, offered: OfferedLoad, *, seed: int) -> dict[str, Counter[str]]:
    """How often each target is asked each prompt, by the count of rounds alone: to walk through a long plan takes
    minutes. Every prompt is asked as often as any other, or once more."""
    asked: dict[str, Counter[str]] = {}
    ids = [prompt.id for prompt in suite.prompts]
    for schedule in make_schedules(suite):
        names = [suite.targets[at].name for at in schedule.targets]
        if suite.load.arrival == "closed":
            rounds = suite.load.warmup + (measured_rounds(suite) or 0)
        else:
            rounds = offered.add_all(names, due_times(suite, schedule, seed=seed))
        whole, more = divmod(rounds, len(ids))
        asked |= {name: Counter({each: whole + (at < more) for at, each in enumerate(ids)}) for name in names}
    return asked


def _fitting_rounds(suite: Suite) -> int:
    return suite.load.warmup + max(1, round((suite.load.duration_s or 0) * suite.load.concurrency / TYPICAL_E2E_S))


def _forecast_target(
    target: Target, asked: Mapping[str, int], prompts: Mapping[str, Prompt], prices: tuple[PriceOverride, ...]
) -> TargetForecast:
    given = made = 0
    cost: float | None = 0.0
    for prompt_id, times in asked.items():
        prompt = prompts[prompt_id]
        options = merge_options(target.options, prompt.options)
        each_given = prompt_tokens(prompt, options, target.api)
        each_made = options.max_tokens or DEFAULT_MAX_TOKENS
        given += times * each_given
        made += times * each_made
        price = price_for(target.base_model, target.routing, prices, terms_of(options))
        if price is None:
            cost = None
        elif cost is not None:
            written = each_given if options.cache else 0  # at most: all of it is written to the cache, each time
            cost += times * cost_usd(
                price,
                input_tokens=each_given - written,
                output_tokens=each_made,
                cache_read_tokens=0,
                cache_write_tokens=written,
                cache_ttl=options.cache,
            )
    return TargetForecast(
        target=target.name,
        requests=sum(asked.values()),
        input_tokens=given,
        output_tokens_at_most=made,
        cost_usd_at_most=cost,
    )


def _seconds(suite: Suite, rounds: int, last_s: float | None) -> float:
    if last_s is not None:
        return last_s + TYPICAL_E2E_S
    by_answers = rounds * TYPICAL_E2E_S / suite.load.concurrency
    return by_answers if suite.load.duration_s is None else min(by_answers, suite.load.duration_s)
