"""The forecast of a run before anything is sent: requests, tokens, maximum cost, time, and offered load."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import msgspec

from harness.catalog.prices import PriceOverride, cost_usd, price_for, terms_of
from harness.catalog.target import Target
from harness.endpoints.request import DEFAULT_MAX_TOKENS, sent_options
from harness.load.plan import Round, due_times, make_plan, make_schedules, measured_rounds
from harness.suite.check.load import rounds_at_most
from harness.suite.check.size import prompt_tokens
from harness.suite.suite import Prompt, Suite

PLANNED_AT_MOST = 100_000
"""Rounds. Of a longer plan, the forecast counts the rounds only."""
TYPICAL_E2E_S = 3.0
"""A closed load lasts as long as its answers take; the forecast says that this is a guess."""


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
    input_tokens = output_tokens = 0
    cost: float | None = 0.0
    for prompt_id, times in asked.items():
        prompt = prompts[prompt_id]
        options = sent_options(target, prompt)
        prompt_input = prompt_tokens(prompt, options, target.api)
        prompt_output = options.max_tokens or DEFAULT_MAX_TOKENS
        input_tokens += times * prompt_input
        output_tokens += times * prompt_output
        price = price_for(target.base_model, target.routing, prices, terms_of(options))
        if price is None:
            cost = None
        elif cost is not None:
            cache_write = prompt_input if options.cache else 0  # at most: all of it is written to the cache, each time
            cost += times * cost_usd(
                price,
                input_tokens=prompt_input - cache_write,
                output_tokens=prompt_output,
                cache_read_tokens=0,
                cache_write_tokens=cache_write,
                cache_ttl=options.cache,
            )
    return TargetForecast(
        target=target.name,
        requests=sum(asked.values()),
        input_tokens=input_tokens,
        output_tokens_at_most=output_tokens,
        cost_usd_at_most=cost,
    )


def _seconds(suite: Suite, rounds: int, last_s: float | None) -> float:
    if last_s is not None:
        return last_s + TYPICAL_E2E_S
    by_answers = rounds * TYPICAL_E2E_S / suite.load.concurrency
    return by_answers if suite.load.duration_s is None else min(by_answers, suite.load.duration_s)


MOST_BINS = 60
REQUESTS_A_BIN = 10
"""At least, on average: with fewer, a rate is a matter of luck."""
LAST_GAPS = 20


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What targets that share due times are offered, each of them, warm-up included."""

    targets: tuple[str, ...]
    requests: int
    bin_s: float
    per_s: tuple[float, ...]
    """Requests per second, one figure for every `bin_s` from the start on."""


class OfferedLoad:
    """Takes the rounds of an open load one by one."""

    def __init__(self) -> None:
        self._due: dict[frozenset[str], array[float]] = {}

    def add(self, each: Round) -> None:
        if each.offset_s is not None:
            self._due.setdefault(frozenset(one.target for one in each.requests), array("d")).append(each.offset_s)

    def add_all(self, targets: Sequence[str], due_s: Iterable[float]) -> int:
        """All that these targets are asked at once; how many times that is."""
        times = self._due.setdefault(frozenset(targets), array("d"))
        times.extend(due_s)
        return len(times)

    @property
    def last_s(self) -> float | None:
        """When the last request is due; None: no open load."""
        return max((times[-1] for times in self._due.values() if times), default=None)

    def result(self, targets: Sequence[str]) -> list[Offered]:
        """One for each group of targets, in the order of `targets`; none where the answers set the pace."""
        groups = sorted(self._due, key=lambda group: min(map(targets.index, group)))
        return [_binned(tuple(name for name in targets if name in group), self._due[group]) for group in groups]


def _binned(targets: tuple[str, ...], due: array[float]) -> Offered:
    """Bins divide the time to the last request and the gap that would follow, a mean of those before it."""
    last = due[-LAST_GAPS - 1 :]
    span_s = due[-1] + ((last[-1] - last[0]) / (len(last) - 1) if last[-1] > last[0] else 1.0)
    bins = max(1, min(MOST_BINS, len(due) // REQUESTS_A_BIN))
    counts = [0] * bins
    for at_s in due:
        counts[min(bins - 1, int(at_s / span_s * bins))] += 1
    bin_s = span_s / bins
    return Offered(
        targets=targets, requests=len(due), bin_s=bin_s, per_s=tuple(round(each / bin_s, 6) for each in counts)
    )
