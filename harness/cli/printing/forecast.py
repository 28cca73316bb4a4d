"""The output of `harness run --dry-run`: what a run would do and cost, and which differences it could detect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.characters import counted, rounded
from harness.cli.output import print_json
from harness.suite.suite import Suite

if TYPE_CHECKING:
    from harness.analysis.compare.sample_size.detectable import Detectable, DetectableDifference
    from harness.load.forecast import Forecast, OfferedLoad
    from harness.report.section import Section


def print_forecast(suite: Suite, results: Path, *, seed: int, as_json: bool) -> None:
    """Print the forecast of a suite. Sends nothing. `results`: the folder of its earlier runs."""
    from harness.analysis.compare.sample_size.detectable import find_detectable
    from harness.analysis.past_stalls import past_stalls
    from harness.load.forecast import forecast
    from harness.scoring.judging.forecast import forecast_judging

    expected, judging = forecast(suite, seed=seed), forecast_judging(suite)
    power = find_detectable(suite, rate_per_s=_rate(expected), stalls=past_stalls(results, suite))
    if as_json:
        content = {**msgspec.to_builtins(expected), "power": power}
        if judging is not None:
            content["judging"] = msgspec.to_builtins(judging)
        print_json(content)
        return
    from rich.console import Console

    from harness.report.section import Note, Report, Section
    from harness.report.terminal import print_report

    notes = [Note(text=line) for line in _offered_lines(expected.offered, len(expected.targets))]
    notes.append(Note(text=_summary(suite, expected)))
    if judging is not None:
        cost = _at_most(judging.cost_usd_at_most)
        notes.append(Note(text=f"judging: up to {judging.questions:,} questions, {cost} in addition"))
    sections = [_targets(expected), Section(notes=notes), _detectable(power)]
    print_report(Report(title=suite.name, simulated=False, sections=sections), Console(highlight=False))


def _targets(expected: Forecast) -> Section:
    from harness.report.section import Column, Name, Section, Table

    headings = (("target", 1), ("requests", 3), ("input tokens", 1), ("output tokens", 2), ("cost", 4))
    rows = [
        (
            Name(each.target),
            each.requests,
            f"~{each.input_tokens:,}",
            f"≤{each.output_tokens_at_most:,}",
            _at_most(each.cost_usd_at_most),
        )
        for each in expected.targets
    ]
    columns = [Column(heading=heading, weight=weight) for heading, weight in headings]
    return Section(table=Table(columns=columns, rows=rows))


def _summary(suite: Suite, expected: Forecast) -> str:
    budget = "" if suite.budget_usd is None else f" ({_against_budget(expected.cost_usd_at_most, suite.budget_usd)})"
    requests = f"{'about ' if expected.guessed else ''}{counted(expected.requests, 'request')}"
    return (
        f"{suite.name}: {requests} to {counted(len(expected.targets), 'target')} at {suite.endpoint}, "
        f"cost {_at_most(expected.cost_usd_at_most)}{budget}, about {expected.seconds:.0f} s; nothing was sent"
    )


def _offered_lines(offered: Sequence[OfferedLoad], targets: int) -> Iterator[str]:
    """The load over time on each target: `▁▂▄█  1 to 20/s to each target, 630 requests in 60 s`."""
    from harness.report.wording import sparkline

    for each in offered:
        most, least = max(each.per_s), min(each.per_s)
        rates = f"{rounded(most, 3)}/s"
        if most - least >= 0.1 * most:
            rates = f"{rounded(least, 3)} to {rates}"
        whom = "each target" if len(each.targets) == targets else ", ".join(each.targets)
        seconds = each.bin_s * len(each.per_s)
        bars = sparkline(each.per_s, low=0.0, high=most)
        yield f"{bars}  {rates} to {whom}, {each.requests:,} requests in {rounded(seconds, 3)} s"


def _against_budget(cost_usd: float | None, budget_usd: float) -> str:
    if cost_usd is None:
        return f"the budget of ${budget_usd:g} cannot be enforced: a price is unknown"
    if cost_usd > budget_usd:
        return f"may end early: the budget is ${budget_usd:g}"
    return f"budget ${budget_usd:g}"


def _at_most(cost_usd: float | None) -> str:
    return "unknown" if cost_usd is None else f"up to about ${cost_usd:.4f}"


def _detectable(power: Detectable) -> Section:
    """The power of a suite: the differences that it can detect, and how many prompts its margins need."""
    from harness.report.section import Column, Note, Section, Table

    repeats = "" if power.repeats == 1 else f", {power.repeats} repeats"
    groups = f" in {power.clusters} groups" if power.clusters < power.prompts else ""
    gate = "default gate" if power.default_gate else "gate"
    headings = (("metric", 1), ("margin", 3), ("detectable", 4), ("to detect", 1), ("to rule out", 2))
    columns = [Column(heading=heading, weight=weight) for heading, weight in headings]
    rows = [
        (
            each.metric,
            each.margin,
            _smallest(each),
            _how_many(each.prompts_for_worse, each.minutes_for_worse),
            _how_many(each.prompts_for_no_worse, each.minutes_for_no_worse),
        )
        for each in power.metrics
    ]
    notes = [
        Note(text=f"uses {counted(each.prompts, 'prompt')}", label=each.metric)
        for each in power.metrics
        if each.prompts < power.prompts
    ]
    notes += [
        Note(text=note, label=metric)
        for metric, note in dict.fromkeys((each.metric, each.note) for each in power.metrics if each.note)
    ]
    return Section(
        title=f"What {counted(power.prompts, 'prompt')}{groups}{repeats} can detect "
        f"({gate}, family of {counted(power.family, 'test')})",
        text="detectable: the smallest difference that most runs would detect. to detect: prompts needed to detect "
        "twice the margin. to rule out: prompts needed to rule out the margin. A latency needs both, the prompts and "
        "the minutes: as many prompts in less time meet fewer stalls and are not enough.",
        table=Table(columns=columns, rows=rows),
        notes=[*notes, Note(text=power.assumptions)],
    )


def _rate(expected: Forecast) -> float | None:
    """Requests a second to the target that gets fewest."""
    fewest = min(each.requests for each in expected.targets)
    return fewest / expected.seconds if fewest and expected.seconds else None


def _how_many(prompts: int | None, minutes: float | None) -> int | str | None:
    """`445`, or of a latency `445 in 1.9 min`."""
    return prompts if prompts is None or minutes is None else f"{prompts:,} in {rounded(minutes, 2)} min"


def _smallest(each: DetectableDifference) -> str | None:
    """`3 pp` or `12%`; None if unknown."""
    if each.minimum_detectable is None:
        return None
    return f"{100 * each.minimum_detectable:.0f}{' pp' if each.margin.endswith('pp') else '%'}"
