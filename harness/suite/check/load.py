"""Checks that a suite's settings are consistent: its load, its timeouts, and the tags of its gate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from harness.suite.fields import LONGEST_S, MOST_REQUESTS
from harness.suite.grammar.decode import ParsedSuite
from harness.suite.grammar.gate import BY_TAG
from harness.suite.grammar.mistakes import Mistake
from harness.suite.grammar.structure import unknown_word
from harness.suite.suite import STATIONARY, Load, Prompt, Timeouts

RATED = (*STATIONARY, "ramp")
SPACED = (*RATED, "steps")
OPEN = (*SPACED, "trace")
ARRIVALS_BY_KEY = {
    "concurrency": ("closed",),
    "paired": ("closed",),
    "rate": RATED,
    "rates": STATIONARY,
    "to": ("ramp",),
    "burstiness": ("gamma", "ramp", "steps"),
    "burst": SPACED,
    "steps": ("steps",),
    "trace": ("trace",),
    "replay": ("trace",),
    "speed": ("trace",),
    "repeats": ("closed", *SPACED),
    "max_in_flight": OPEN,
}
"""Key → the arrival processes that accept it. All loads accept the other keys."""
NEEDS: dict[str, dict[tuple[str, ...], str]] = {
    "constant": {("rate", "rates"): "rate: 5/s"},
    "poisson": {("rate", "rates"): "rate: 5/s"},
    "gamma": {("rate", "rates"): "rate: 5/s", ("burstiness",): "burstiness: 0.5 (1 is Poisson, less is burstier)"},
    "ramp": {("rate",): "rate: 1/s", ("to",): "to: 20/s", ("duration",): "duration: 60s"},
    "steps": {("steps",): "steps: [{rate: 5/s, duration: 60s}, {rate: 10/s, duration: 60s}]"},
    "trace": {("trace", "calls"): "trace: my.trace.jsonl"},
}
"""Arrival process → alternative keys, one of which is required → an example."""
FIELDS = dict(zip(Load.__struct_encode_fields__, Load.__struct_fields__, strict=True))
"""Key → field: `rate` → `rate_per_s`."""


def settings_mistakes(suite: ParsedSuite) -> Iterator[Mistake]:
    """Mistakes in load and timeouts beyond their structure.

    In a section with structural mistakes, only those that fixing these cannot resolve.
    """
    if suite.file.load is not None:
        yield from load_mistakes(suite.file.load, suite.keys("load"), suite.broken_keys("load"))
    if suite.file.timeouts is not None and suite.broken_keys("timeouts") <= {"connect"}:
        yield from timeout_mistakes(suite.file.timeouts)


def timeout_mistakes(timeouts: Timeouts) -> Iterator[Mistake]:
    """Deadlines that contradict each other."""
    if timeouts.first_token_s > timeouts.total_s:
        message = f"first_token ({timeouts.first_token_s:g} s) is longer than total ({timeouts.total_s:g} s)"
        yield Mistake(("timeouts",), message)


def gate_mistakes(tags: Sequence[str], prompts: Sequence[Prompt]) -> Iterator[Mistake]:
    """Tags in the gate that no prompt has."""
    known = list(dict.fromkeys(tag for prompt in prompts for tag in prompt.tags))
    for tag in tags:
        if tag not in known:
            message = unknown_word(tag, known) if known else f"no prompt has any tag, so none has {tag!r}"
            yield Mistake(("gate", BY_TAG, tag), message)


def load_mistakes(
    load: Load, given: AbstractSet[str], broken: AbstractSet[str | int] = frozenset()
) -> Iterator[Mistake]:
    """Mistakes in a load beyond its structure. `given`: the keys in the file.

    `broken`: the keys with a structural mistake. An unknown key may be any key misspelt, so nothing is checked then.
    """
    yield from _pattern_mistakes(load.redact or ())
    if broken <= FIELDS.keys() - {"arrival"}:
        yield from _unused_keys(load, given)
        yield from _missing_keys(load, broken)


def given_keys(load: Load) -> set[str]:
    """The keys whose values differ from the defaults."""
    return {key for key, field in FIELDS.items() if getattr(load, field) != getattr(_DEFAULTS, field)}


_DEFAULTS = Load()


def _pattern_mistakes(patterns: tuple[str, ...]) -> Iterator[Mistake]:
    for at, pattern in enumerate(patterns):
        from harness.suite.grammar.patterns import PatternError, compile_pattern

        try:
            compile_pattern(pattern)
        except PatternError as error:
            yield Mistake(("load", "redact", at), str(error))


def _unused_keys(load: Load, given: AbstractSet[str]) -> Iterator[Mistake]:
    for key, arrivals in ARRIVALS_BY_KEY.items():
        if load.arrival not in arrivals and key in given:
            message = f"{_only(arrivals)} {key!r}, but this load is {load.arrival!r}"
            yield Mistake(("load", key), message + ("; use requests or duration instead" if key == "repeats" else ""))


def _only(arrivals: Sequence[str]) -> str:
    """`only arrival 'ramp' takes`, `only arrivals 'gamma' and 'ramp' take`, `only open arrivals take`."""
    if len(arrivals) == 1:
        return f"only arrival {arrivals[0]!r} takes"
    if arrivals == OPEN:
        return "only open arrivals take"
    names = [repr(name) for name in arrivals]
    return f"only arrivals {', '.join(names[:-1])} and {names[-1]} take"


def _missing_keys(load: Load, broken: AbstractSet[str | int]) -> Iterator[Mistake]:
    for keys, example in NEEDS.get(load.arrival, {}).items():
        if not any(getattr(load, FIELDS[key]) for key in keys) and not broken & set(keys):
            yield Mistake(("load",), f"arrival {load.arrival!r} needs {keys[0]!r}; for example {example}")


def plan_mistakes(load: Load, *, prompts: int, targets: Sequence[str]) -> Iterator[Mistake]:
    """Plans with too many requests or of too long a duration."""
    rounds = [rounds_at_most(load, prompts=prompts, rate_per_s=rate) for rate in _rates(load, targets)]
    requests = sum(rounds) + load.warmup * len(targets)
    if requests > MOST_REQUESTS:
        message = f"has about {requests:,.0f} requests, more than the {MOST_REQUESTS:,} allowed; lower the rate"
        yield Mistake(("load",), f"{message}, the repeats or the warm-up, shorten the duration, or set requests")
        return
    longest_s = max(
        (_schedule_s(load, each, rate) for each, rate in zip(rounds, _rates(load, targets), strict=True)), default=0.0
    )
    if longest_s > LONGEST_S:
        message = f"would take about {longest_s / 86_400:,.0f} days, more than the {LONGEST_S / 86_400:.0f} allowed"
        yield Mistake(("load",), f"{message}; raise the rate, or set a duration")


def _rates(load: Load, targets: Sequence[str]) -> list[float | None]:
    """The rate of each target."""
    own = load.rates_per_s or {}
    return [own.get(name, load.rate_per_s) for name in targets]


def rounds_at_most(load: Load, *, prompts: int, rate_per_s: float | None) -> float:
    """About how many requests a target with this rate gets; 0 if only the answers bound the load."""
    bounds: list[float] = [] if load.requests is None else [load.requests]
    if load.repeats is not None:
        bounds.append(load.repeats * prompts)
    if load.steps:
        bounds.append(sum(step.rate_per_s * step.duration_s for step in load.steps))
    elif load.calls:
        bounds.append(len(load.calls))
    elif load.duration_s is not None and load.arrival != "closed":
        bounds.append(max(rate_per_s or 0.0, load.to_per_s or 0.0) * load.duration_s + (load.burst or 1))
    elif load.duration_s is not None:
        return min(bounds, default=0)
    return min(bounds, default=prompts)


def _schedule_s(load: Load, rounds: float, rate_per_s: float | None) -> float:
    """The duration of the schedule, s."""
    if load.steps:
        return sum(step.duration_s for step in load.steps)
    if load.calls:
        return load.calls[-1].at_s / (load.speed or 1.0)
    if load.duration_s is not None or rate_per_s is None:
        return load.duration_s or 0.0
    return rounds / rate_per_s


def rates_mistakes(load: Load | None, targets: Sequence[str]) -> Iterator[Mistake]:
    """Rates of unknown targets, and targets without a rate. `targets`: the names of all targets."""
    if load is None or not load.rates_per_s or load.arrival not in STATIONARY:
        return
    for name in load.rates_per_s:
        if name not in targets:
            yield Mistake(("load", "rates", name), f"no target has this name (targets: {', '.join(targets)})")
    lacking = [name for name in targets if name not in load.rates_per_s]
    if lacking and load.rate_per_s is None:
        yield Mistake(("load", "rates"), f"no rate for {', '.join(lacking)}; add it here, or set `rate` for all others")
