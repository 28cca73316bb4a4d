"""Load, quota, retries, timeouts, SLOs and gate: from what is written, with units, to seconds and rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from harness.suite.grammar.fields import MOST_REQUESTS
from harness.suite.grammar.file import RetriesEntry, SloEntry, SuiteFile, TimeoutsEntry
from harness.suite.grammar.gate import BY_TAG, GateEntry
from harness.suite.grammar.load import LoadEntry, QuotaEntry
from harness.suite.grammar.mistakes import KeyPath, Mistake
from harness.suite.grammar.structure import unknown_word
from harness.suite.grammar.units import LONGEST_S, parse_duration, parse_rate
from harness.suite.suite import Load, Prompt, Quota, Retries, Slo, Step, Timeouts

DURATIONS = {
    "load": ("duration",),
    "retries": ("base", "cap"),
    "timeouts": ("connect", "first_token", "total"),
    "slo": ("ttft", "e2e"),
}
"""Section → its keys that are durations."""


def make_retries(entry: RetriesEntry | None) -> Retries:
    """The loaded retries; one attempt where the file says nothing."""
    if entry is None:
        return Retries()
    kept = _given(entry, "max_attempts") | _seconds(entry, "base", "cap")
    return Retries(**kept) if entry.on is None else Retries(on=tuple(dict.fromkeys(entry.on)), **kept)


def make_timeouts(entry: TimeoutsEntry | None) -> Timeouts:
    """The loaded deadlines."""
    return Timeouts() if entry is None else Timeouts(**_seconds(entry, "connect", "first_token", "total"))


def make_slo(entry: SloEntry | None) -> Slo:
    """The loaded service-level objectives."""
    return Slo() if entry is None else Slo(**_seconds(entry, "ttft", "e2e"))


def gate_mistakes(entry: GateEntry | None, prompts: Sequence[Prompt]) -> list[Mistake]:
    """Tags of the gate that no prompt has."""
    tags = list(dict.fromkeys(tag for prompt in prompts for tag in prompt.tags))
    named = {} if entry is None else entry.pass_rate_by_tag or {}
    return [
        Mistake(("gate", BY_TAG, tag), unknown_word(tag, tags) if tags else f"no prompt has the tag {tag!r}, or any")
        for tag in named
        if tag not in tags
    ]


def settings_mistakes(file: SuiteFile, broken: AbstractSet[KeyPath] = frozenset()) -> list[Mistake]:
    """What is wrong with these sections beyond their structure.

    `broken`: the structural mistakes' places. Of a section with some, only what holds however they are mended is told.
    """
    mistakes = [*load_mistakes(file.load, _broken_keys(broken, "load")), *_endless(file)]
    timeouts = make_timeouts(file.timeouts)
    if timeouts.first_token_s > timeouts.total_s and _broken_keys(broken, "timeouts") <= {"connect"}:
        told = f"first_token ({timeouts.first_token_s:g} s) is longer than total ({timeouts.total_s:g} s)"
        mistakes.append(Mistake(("timeouts",), told))
    return mistakes


def _endless(file: SuiteFile) -> Iterator[Mistake]:
    """Durations of more than a year."""
    written: list[tuple[KeyPath, str | None]] = []
    for section, keys in DURATIONS.items():
        entry = getattr(file, section)
        written += [((section, key), getattr(entry, key)) for key in keys if entry is not None]
    steps = enumerate(file.load.steps or () if file.load is not None else ())
    written += [(("load", "steps", at, "duration"), step.duration) for at, step in steps]
    for path, duration in written:
        if duration is not None and parse_duration(duration) > LONGEST_S:
            yield Mistake(path, f"must be at most {LONGEST_S / 3600:,.0f}h, a year, got {duration}")


def _broken_keys(broken: AbstractSet[KeyPath], section: str) -> set[str | int]:
    return {path[1] for path in broken if path[:1] == (section,) and len(path) > 1}


def _given(entry: msgspec.Struct, *names: str) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in names if getattr(entry, name) is not None}


def _seconds(entry: msgspec.Struct, *names: str) -> dict[str, float]:
    """Durations that are given, by the loaded type's name: `base` → `base_s`."""
    return {f"{name}_s": parse_duration(written) for name, written in _given(entry, *names).items()}


STATIONARY = ("constant", "poisson", "gamma")
RATED = (*STATIONARY, "ramp")
SPACED = (*RATED, "steps")
OPEN = (*SPACED, "trace")
TAKEN_BY = {
    "concurrency": ("closed",),
    "paired": ("closed",),
    "rate": RATED,
    "rates": STATIONARY,
    "to": ("ramp",),
    "burstiness": ("gamma", "ramp", "steps"),
    "burst": SPACED,
    "steps": ("steps",),
    "trace": ("trace",),
    "calls": ("trace",),
    "replay": ("trace",),
    "speed": ("trace",),
    "repeats": ("closed", *SPACED),
    "max_in_flight": OPEN,
}
"""Key → the arrival processes that take it; the others belong to every load."""
NEEDS: dict[str, dict[tuple[str, ...], str]] = {
    "constant": {("rate", "rates"): "rate: 5/s"},
    "poisson": {("rate", "rates"): "rate: 5/s"},
    "gamma": {("rate", "rates"): "rate: 5/s", ("burstiness",): "burstiness: 0.5 (1 is Poisson, less is burstier)"},
    "ramp": {("rate",): "rate: 1/s", ("to",): "to: 20/s", ("duration",): "duration: 60s"},
    "steps": {("steps",): "steps: [{rate: 5/s, duration: 60s}, {rate: 10/s, duration: 60s}]"},
    "trace": {("trace", "calls"): "trace: my.trace.jsonl"},
}
"""Arrival process → keys of which it needs one → an example."""
MOST_PER_S = 10_000.0
LEAST_PER_S = 1 / 86_400


def make_load(entry: LoadEntry | None) -> Load:
    """The loaded load; `closed` with eight slots where the file says nothing. The trace is read by `replay`."""
    if entry is None:
        return Load()
    kept = ("arrival", "concurrency", "paired", "burstiness", "burst", "speed", "requests", "repeats", "warmup")
    given = {name: getattr(entry, name) for name in (*kept, "max_in_flight") if getattr(entry, name) is not None}
    return Load(
        rate_per_s=_rate(entry.rate),
        rates_per_s={name: parse_rate(rate) for name, rate in (entry.rates or {}).items()} or None,
        to_per_s=_rate(entry.to),
        steps=tuple(
            Step(rate_per_s=parse_rate(step.rate), duration_s=parse_duration(step.duration)) for step in entry.steps
        )
        if entry.steps
        else None,
        store_text=None if entry.store_text in (None, True) else float(entry.store_text),
        duration_s=None if entry.duration is None else parse_duration(entry.duration),
        **given,
    )


def make_quota(entry: QuotaEntry | None) -> Quota:
    """The loaded client-side caps."""
    return Quota() if entry is None else Quota(**msgspec.structs.asdict(entry))


def _rate(written: str | None) -> float | None:
    return None if written is None else parse_rate(written)


def load_mistakes(load: LoadEntry | None, broken: AbstractSet[str | int]) -> list[Mistake]:
    """What is wrong with a load beyond its structure.

    `broken`: keys with a structural mistake. An unknown key may be any other, so that with one nothing is sure.
    """
    if load is None or not broken <= set(LoadEntry.__struct_fields__) - {"arrival"}:
        return []
    return [*_strange_keys(load, broken), *_missing_keys(load, broken), *_impossible(load)]


def _strange_keys(load: LoadEntry, broken: AbstractSet[str | int]) -> Iterator[Mistake]:
    for key, takers in TAKEN_BY.items():
        if load.arrival not in takers and (getattr(load, key) is not None or key in broken):
            told = f"{_only(takers)} {key!r}, and this load is {load.arrival!r}"
            yield Mistake(("load", key), told + ("; bound it by requests or duration" if key == "repeats" else ""))


def _only(takers: Sequence[str]) -> str:
    """`only arrival 'ramp' takes`, `only arrivals 'gamma' and 'ramp' take`, `no closed load takes`."""
    if len(takers) == 1:
        return f"only arrival {takers[0]!r} takes"
    if takers == OPEN:
        return "only open arrivals take"
    names = [repr(name) for name in takers]
    return f"only arrivals {', '.join(names[:-1])} and {names[-1]} take"


def _missing_keys(load: LoadEntry, broken: AbstractSet[str | int]) -> Iterator[Mistake]:
    for keys, example in NEEDS.get(load.arrival, {}).items():
        if all(getattr(load, key) is None for key in keys) and not broken & set(keys):
            yield Mistake(("load",), f"arrival {load.arrival!r} needs {keys[0]!r}; write for example {example}")


def _impossible(load: LoadEntry) -> Iterator[Mistake]:
    """Rates that no client sends, or that send next to nothing."""
    rates: list[tuple[KeyPath, str | None]] = [(("rate",), load.rate), (("to",), load.to)]
    rates += [(("rates", name), rate) for name, rate in (load.rates or {}).items()]
    rates += [(("steps", at, "rate"), step.rate) for at, step in enumerate(load.steps or ())]
    for path, written in rates:
        per_s = _rate(written)
        if per_s is not None and per_s > MOST_PER_S:
            yield Mistake(("load", *path), f"{written} is more than a client can send; at most {MOST_PER_S:,.0f}/s")
        elif per_s is not None and per_s < LEAST_PER_S:
            yield Mistake(("load", *path), f"{written} is less than one request a day; at least 0.001/min")


def plan_mistakes(load: Load, *, prompts: int, targets: Sequence[str]) -> Iterator[Mistake]:
    """Plans of more requests than can be planned, and those that would take years."""
    rounds = [rounds_at_most(load, prompts=prompts, rate_per_s=rate) for rate in _rates(load, targets)]
    asked = sum(rounds) + load.warmup * len(targets)
    if asked > MOST_REQUESTS:
        told = f"asks for about {asked:,.0f} requests in all, and {MOST_REQUESTS:,} are the most; lower the rate"
        yield Mistake(("load",), f"{told}, the repeats or the warm-up, shorten the duration, or give requests")
        return
    longest_s = max(
        (_schedule_s(load, each, rate) for each, rate in zip(rounds, _rates(load, targets), strict=True)), default=0.0
    )
    if longest_s > LONGEST_S:
        told = f"would take about {longest_s / 86_400:,.0f} days, and {LONGEST_S / 86_400:.0f} are the most"
        yield Mistake(("load",), f"{told}; raise the rate, or give a duration")


def _rates(load: Load, targets: Sequence[str]) -> list[float | None]:
    """Each target's."""
    own = load.rates_per_s or {}
    return [own.get(name, load.rate_per_s) for name in targets]


def rounds_at_most(load: Load, *, prompts: int, rate_per_s: float | None) -> float:
    """How often a target of this rate is asked, about; of a load that only its answers bound, 0."""
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
    """How long the schedule takes."""
    if load.steps:
        return sum(step.duration_s for step in load.steps)
    if load.calls:
        return load.calls[-1].at_s / (load.speed or 1.0)
    if load.duration_s is not None or rate_per_s is None:
        return load.duration_s or 0.0
    return rounds / rate_per_s


def rates_mistakes(load: LoadEntry | None, targets: Sequence[str]) -> Iterator[Mistake]:
    """Rates of targets that there are not, and targets without a rate. `targets`: all names."""
    if load is None or not load.rates or load.arrival not in STATIONARY:
        return
    for name in load.rates:
        if name not in targets:
            yield Mistake(("load", "rates", name), f"no target has this name (targets: {', '.join(targets)})")
    lacking = [name for name in targets if name not in load.rates]
    if lacking and load.rate is None:
        yield Mistake(("load", "rates"), f"no rate for {', '.join(lacking)}; give it here, or `rate` for all others")
