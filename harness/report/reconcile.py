"""The sections of a reconciliation: a run compared with Bedrock's own invocation log."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.analysis.reconcile.reconciliation import DISAGREEING, REASONS, Reconciliation, TargetMatch
from harness.characters import counted
from harness.report.section import Cell, Column, Name, Note, Report, Section, filled, number, tabulate
from harness.report.wording import usd

REGIONS = 4
"""Regions listed for each target; reconcile.json has all of them."""
DETAILS = 10
"""Examples of each kind; reconcile.json has more."""
COLUMNS: tuple[tuple[Column, Callable[[TargetMatch], Cell]], ...] = (
    (Column(heading="target"), lambda each: Name(each.target)),
    (Column(heading="attempts", weight=3), lambda each: each.attempts),
    (Column(heading="logged", weight=4), lambda each: each.logged),
    (Column(heading="not", weight=6), lambda each: each.attempts - each.logged),
    (Column(heading="differ", weight=5), lambda each: each.differing),
    (Column(heading="cost, run", weight=1), lambda each: number(each.cost_usd, "usd")),
    (Column(heading="cost, log", weight=2), lambda each: number(each.logged_cost_usd, "usd")),
)


def reconcile_report(result: Reconciliation) -> Report:
    """The targets, what the log covers, what it lacks, what differs, and whether run and log agree."""
    verdict = "run and log agree" if result.agrees else "run and log do NOT agree"
    return Report(
        title=f"Reconciliation of {result.run_id}",
        simulated=result.simulated,
        sections=filled(
            [
                Section(table=tabulate(result.targets, COLUMNS), notes=[*_served(result), *_scope(result)]),
                Section(notes=[*_reasons(result), *_differences(result), *_records(result)]),
                Section(text=verdict),
            ]
        ),
    )


def _served(result: Reconciliation) -> Iterator[Note]:
    """The Regions that served most calls of each target."""
    for each in result.targets:
        regions = sorted(each.served_in.items(), key=lambda item: -item[1])
        if regions:
            shown = ", ".join(f"{region} {count:,}" for region, count in regions[:REGIONS])
            more = f" and {len(regions) - REGIONS} more Regions" if len(regions) > REGIONS else ""
            yield Note(label=each.target, text=f"served in {shown}{more}")


def _scope(result: Reconciliation) -> Iterator[Note]:
    if result.sources:
        span = f"from {result.since:%Y-%m-%d %H:%M} to {result.until:%Y-%m-%d %H:%M} UTC"
        yield Note(label="log", text=f"{', '.join(result.sources)}: {counted(result.records, 'record')} {span}")
    if result.without_log:
        off = f"invocation logging is off in {', '.join(result.without_log)}"
        yield Note(tone="warn", text=f"{off}; `harness doctor` shows how to turn it on")
    if result.broken:
        lines = counted(result.broken, "line")
        text = f"{lines} of the log cannot be read; the first is {result.broken_places[0]}"
        yield Note(tone="warn", text=text)


def _reasons(result: Reconciliation) -> Iterator[Note]:
    """Attempts that are not in the log, by reason."""
    for reason, text in REASONS.items():
        count = sum(each.unlogged.get(reason, 0) for each in result.targets)
        if count:
            yield Note(tone="bad" if reason in DISAGREEING else "", text=f"{count:,} attempts {text}")
    unseen = sum(each.unseen_cost_usd for each in result.targets)
    if unseen:
        yield Note(text=f"according to the log, calls without a complete reply cost {usd(unseen)} more")


def _differences(result: Reconciliation) -> Iterator[Note]:
    for each in result.differences[:DETAILS]:
        values = f"{each.what} is {each.run} in the run, {each.log} in the log"
        yield Note(tone="bad", text=f"{each.aws_request_id} ({each.target}): {values}")


def _records(result: Reconciliation) -> Iterator[Note]:
    if result.other_traffic:
        yield Note(text=f"{result.other_traffic:,} records of the same models and time are from other callers")
    if result.unanswered:
        yield Note(text=f"{result.unanswered:,} records correspond to attempts that got no reply")
    if result.not_in_run:
        foreign = [f"{each.aws_request_id} at {each.at}, {each.model_id} in {each.region}" for each in result.foreign]
        text = f"{result.not_in_run:,} records of the run's own caller are not in the run, such as:"
        yield Note(tone="bad", text=text, details=foreign[:DETAILS])
