"""The sections of a reconciliation: a run beside Bedrock's own invocation log."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.analysis.reconcile.reconciliation import DISAGREEING, REASONS, Reconciliation, TargetMatch
from harness.report.section import Cell, Column, Name, Note, Report, Section, filled, number, tabulate
from harness.report.wording import usd

REGIONS = 4
"""Regions listed for each target; reconcile.json has all."""
DETAILS = 10
"""Examples of each kind; reconcile.json holds more."""
COLUMNS: tuple[tuple[Column, Callable[[TargetMatch], Cell]], ...] = (
    (Column(heading="target"), lambda each: Name(each.target)),
    (Column(heading="attempts", weight=3), lambda each: each.attempts),
    (Column(heading="logged", weight=4), lambda each: each.logged),
    (Column(heading="not", weight=6), lambda each: each.attempts - each.logged),
    (Column(heading="differ", weight=5), lambda each: each.differing),
    (Column(heading="cost, run", weight=1), lambda each: number(each.cost_usd, "usd")),
    (Column(heading="cost, log", weight=2), lambda each: number(each.logged_cost_usd, "usd")),
)


def reconcile_report(found: Reconciliation) -> Report:
    """The targets, what the log covers, what is not in it, what differs, and the verdict."""
    verdict = "run and log agree" if found.agrees else "run and log do NOT agree"
    return Report(
        title=f"Reconciliation of {found.run_id}",
        simulated=found.simulated,
        sections=filled(
            [
                Section(table=tabulate(found.targets, COLUMNS), notes=[*_served(found), *_scope(found)]),
                Section(notes=[*_reasons(found), *_differences(found), *_records(found)]),
                Section(text=verdict),
            ]
        ),
    )


def _served(found: Reconciliation) -> Iterator[Note]:
    """Where the calls were answered: the Regions that answered most of a target's."""
    for each in found.targets:
        regions = sorted(each.served_in.items(), key=lambda item: -item[1])
        if regions:
            shown = ", ".join(f"{region} {count:,}" for region, count in regions[:REGIONS])
            more = f" and {len(regions) - REGIONS} more Regions" if len(regions) > REGIONS else ""
            yield Note(label=each.target, text=f"served in {shown}{more}")


def _scope(found: Reconciliation) -> Iterator[Note]:
    if found.sources:
        span = f"from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
        yield Note(label="log", text=f"{', '.join(found.sources)}: {found.records:,} records {span}")
    if found.without_log:
        off = f"invocation logging is off in {', '.join(found.without_log)}"
        yield Note(tone="warn", text=f"{off}; `harness doctor` says how to turn it on")
    if found.broken:
        text = f"{found.broken:,} lines of the log cannot be read, the first: {found.broken_places[0]}"
        yield Note(tone="warn", text=text)


def _reasons(found: Reconciliation) -> Iterator[Note]:
    """Attempts that are not in the log, by why."""
    for reason, why in REASONS.items():
        count = sum(each.unlogged.get(reason, 0) for each in found.targets)
        if count:
            yield Note(tone="bad" if reason in DISAGREEING else "", text=f"{count:,} attempts {why}")
    unseen = sum(each.unseen_cost_usd for each in found.targets)
    if unseen:
        yield Note(text=f"by the log, calls whose reply the run did not read to its end cost {usd(unseen)} more")


def _differences(found: Reconciliation) -> Iterator[Note]:
    for each in found.differences[:DETAILS]:
        values = f"{each.what} is {each.run} in the run, {each.log} in the log"
        yield Note(tone="bad", text=f"{each.aws_request_id} ({each.target}): {values}")


def _records(found: Reconciliation) -> Iterator[Note]:
    if found.other_traffic:
        text = f"{found.other_traffic:,} records of the same models and time are other callers' traffic"
        yield Note(text=text)
    if found.unanswered:
        yield Note(text=f"{found.unanswered:,} records are accounted for by attempts that got no reply")
    if found.not_in_run:
        foreign = [f"{each.aws_request_id} at {each.at}, {each.model_id} in {each.region}" for each in found.foreign]
        text = f"{found.not_in_run:,} records of the run's own caller are not in the run, such as:"
        yield Note(tone="bad", text=text, details=foreign[:DETAILS])
