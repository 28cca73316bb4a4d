"""Forecasts a run before anything is sent: requests, tokens, maximum cost, duration and offered load."""

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
"""Rounds. A longer plan is not walked through: the forecast only counts its rounds."""
TYPICAL_E2E_S = 3.0
"""Assumed for closed loads, whose duration depends on the answers. The forecast says that it is a guess."""


class TargetForecast(msgspec.Struct, frozen=True, kw_only=True):
    """The forecast for one target. Token counts are estimates."""

    target: str
    requests: int
    input_tokens: int
    output_tokens_at_most: int
    """If every answer is as long as `max_tokens` allows."""
    cost_usd_at_most: float | None
    """None: the price is unknown."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The forecast for the whole run, without retries."""

    targets: list[TargetForecast]
    requests: int
    guessed: bool
    """True if only a duration bounds the run: the number of requests is then a guess, from answers of 3 s."""
    cost_usd_at_most: float | None
    seconds: float
    """Open arrivals: the schedule's length. Closed: rounds × 3 s / slots, or the duration."""
    offered: list[OfferedLoad] = []
    """Open arrivals: the load over time, one entry for each group of targets with the same rate."""


def forecast(suite: Suite, *, seed: int, walk_at_most: int = PLANNED_AT_MOST) -> Forecast:
    """Count what the plan sends to each target. `walk_at_most`: rounds of the longest plan that is walked through."""
    guessed = measured_rounds(suite) is None and suite.load.arrival == "closed"
    names = [target.name for target in suite.targets]
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    due_times_by_group = DueTimes()
    if not guessed and suite.load.calls is None and _requests_at_most(suite) > walk_at_most:
        counts = _count_by_rounds(suite, due_times_by_group, seed=seed)
    else:
        for each in islice(make_plan(suite, seed=seed), _fitting_rounds(suite) if guessed else None):
            for planned in each.requests:
                counts[planned.target][planned.prompt_id] += 1
            due_times_by_group.add(each)
    prompts = {prompt.id: prompt for prompt in suite.prompts}
    targets = [_forecast_target(target, counts[target.name], prompts, suite.prices) for target in suite.targets]
    costs = [each.cost_usd_at_most for each in targets if each.cost_usd_at_most is not None]
    return Forecast(
        targets=targets,
        requests=sum(each.requests for each in targets),
        guessed=guessed,
        cost_usd_at_most=sum(costs) if len(costs) == len(targets) else None,
        seconds=_seconds(suite, counts[names[0]].total(), due_times_by_group.last_s),
        offered=due_times_by_group.result(names),
    )


def _requests_at_most(suite: Suite) -> float:
    """About how many requests the busiest target gets."""
    rates = {suite.load.rate_per_s, *(suite.load.rates_per_s or {}).values()}
    return max(rounds_at_most(suite.load, prompts=len(suite.prompts), rate_per_s=rate) for rate in rates)


def _count_by_rounds(suite: Suite, due: DueTimes, *, seed: int) -> dict[str, Counter[str]]:
    """Target → prompt id → requests, from the number of rounds: walking through a long plan would take minutes.

    Prompts take turns, so their counts differ by at most one.
    """
    counts: dict[str, Counter[str]] = {}
    ids = [prompt.id for prompt in suite.prompts]
    for schedule in make_schedules(suite):
        names = [suite.targets[at].name for at in schedule.targets]
        if suite.load.arrival == "closed":
            rounds = suite.load.warmup + (measured_rounds(suite) or 0)
        else:
            rounds = due.add_all(names, due_times(suite, schedule, seed=seed))
        whole, more = divmod(rounds, len(ids))
        counts |= {name: Counter({each: whole + (at < more) for at, each in enumerate(ids)}) for name in names}
    return counts


def _fitting_rounds(suite: Suite) -> int:
    return suite.load.warmup + max(1, round((suite.load.duration_s or 0) * suite.load.concurrency / TYPICAL_E2E_S))


def _forecast_target(
    target: Target, counts: Mapping[str, int], prompts: Mapping[str, Prompt], prices: tuple[PriceOverride, ...]
) -> TargetForecast:
    input_tokens = output_tokens = 0
    cost: float | None = 0.0
    for prompt_id, times in counts.items():
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
            cache_write = prompt_input if options.cache else 0  # upper bound: the whole prompt is written every time
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
        requests=sum(counts.values()),
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
"""On average, at least. The rate of a bin with fewer requests would be mostly noise."""
LAST_GAPS = 20
"""Gaps whose mean stands for the gap after the last request."""


class OfferedLoad(msgspec.Struct, frozen=True, kw_only=True):
    """The load over time on each target of a group that shares its due times, warm-up included."""

    targets: tuple[str, ...]
    requests: int
    bin_s: float
    per_s: tuple[float, ...]
    """Requests per second in each consecutive bin of `bin_s`."""


class DueTimes:
    """Collects the due times of an open load, by group of targets that share them."""

    def __init__(self) -> None:
        self._due: dict[frozenset[str], array[float]] = {}

    def add(self, each: Round) -> None:
        if each.offset_s is not None:
            self._due.setdefault(frozenset(one.target for one in each.requests), array("d")).append(each.offset_s)

    def add_all(self, targets: Sequence[str], due_s: Iterable[float]) -> int:
        """Add all due times (s after the start) of one group; returns how many there are."""
        times = self._due.setdefault(frozenset(targets), array("d"))
        times.extend(due_s)
        return len(times)

    @property
    def last_s(self) -> float | None:
        """When the last request is due, s after the start. None: the load is closed."""
        return max((times[-1] for times in self._due.values() if times), default=None)

    def result(self, targets: Sequence[str]) -> list[OfferedLoad]:
        """One entry for each group, in the order of `targets`; empty for a closed load."""
        groups = sorted(self._due, key=lambda group: min(map(targets.index, group)))
        return [_binned(tuple(name for name in targets if name in group), self._due[group]) for group in groups]


def _binned(targets: tuple[str, ...], due: array[float]) -> OfferedLoad:
    """Divide the time up to the last request, plus one mean gap, into equal bins."""
    last = due[-LAST_GAPS - 1 :]
    span_s = due[-1] + ((last[-1] - last[0]) / (len(last) - 1) if last[-1] > last[0] else 1.0)
    bins = max(1, min(MOST_BINS, len(due) // REQUESTS_A_BIN))
    counts = [0] * bins
    for at_s in due:
        counts[min(bins - 1, int(at_s / span_s * bins))] += 1
    bin_s = span_s / bins
    return OfferedLoad(
        targets=targets, requests=len(due), bin_s=bin_s, per_s=tuple(round(each / bin_s, 6) for each in counts)
    )
