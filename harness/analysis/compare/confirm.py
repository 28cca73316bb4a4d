"""Confirmation by a rerun: `worse` stands only if a second run confirms it."""

from __future__ import annotations

import math

from msgspec.structs import replace

from harness.analysis.columns import RunData
from harness.analysis.compare.comparison import ORDER, CompareReport, Comparison, Difference, add_note, word
from harness.analysis.validity import ERROR_SHARE
from harness.store.finding import Finding

UNCONFIRMED = "not confirmed by a rerun"
OUTAGES = ("credentials", "connection", "connect_timeout")
"""Kinds of errors that are not the model's: a rerun with them says nothing about the model."""


def worse_metrics(report: CompareReport) -> list[str]:
    """Metrics of the gate that are worse for some candidate."""
    rows = (d for c in report.comparisons for d in c.differences if d.verdict == "worse" and not d.exploratory)
    return list(dict.fromkeys(d.metric for d in rows))


def unconfirmed(first: CompareReport, why: Finding) -> CompareReport:
    """The first report with a note that no rerun has confirmed it, and why."""
    return replace(
        first,
        comparisons=tuple(
            replace(c, differences=tuple(map(_mark_unconfirmed, c.differences))) for c in first.comparisons
        ),
        findings=(*first.findings, replace(why, what=f"worse is {UNCONFIRMED}: {why.what}")),
    )


def confirm(first: CompareReport, again: CompareReport) -> CompareReport:
    """The first report; a row that is worse in it but not in the rerun becomes `inconclusive`, with a note.

    A row without a figure in the rerun stays worse and unconfirmed.
    """
    reruns = {c.candidate.target: c for c in again.comparisons}
    comparisons = tuple(_confirm(c, reruns.get(c.candidate.target)) for c in first.comparisons)
    verdict = min((c.verdict for c in comparisons), key=ORDER.index, default=first.verdict)
    return replace(first, comparisons=comparisons, verdict=verdict)


def outage(data: RunData) -> Finding | None:
    """Why a finished rerun says nothing about the model: it lost its endpoint or its credentials."""
    for name, c in data.columns.items():
        lost = [kind for kind in c.error_kind[~c.ok] if kind in OUTAGES]
        if len(lost) > ERROR_SHARE * len(c.ok):
            return Finding(
                what=f"{len(lost)} of {len(c.ok)} requests of {name} failed with {lost[0]}",
                remedy="check the endpoint and the credentials, and gate the run again",
            )
    return None


def _confirm(c: Comparison, again: Comparison | None) -> Comparison:
    if c.verdict != "worse":
        return c
    reruns = {} if again is None else {d.metric: d for d in again.differences}
    rows = tuple(_confirm_row(d, reruns.get(d.metric)) for d in c.differences)
    still = any(d.verdict == "worse" and not d.exploratory for d in rows)
    return replace(c, differences=rows, verdict="worse" if still else "inconclusive")


def _confirm_row(d: Difference, again: Difference | None) -> Difference:
    if d.verdict != "worse" or d.exploratory:
        return d
    if again is None or again.estimate is None:
        return _mark_unconfirmed(d)
    if again.verdict == "worse":
        return add_note(d, f"confirmed by a rerun ({_describe(again)})")
    note = f"worse in the first run, but {word(again.verdict)} in a rerun ({_describe(again)})"
    return add_note(replace(d, verdict="inconclusive"), note)


def _mark_unconfirmed(d: Difference) -> Difference:
    return add_note(d, UNCONFIRMED) if d.verdict == "worse" and not d.exploratory else d


def _describe(d: Difference) -> str:
    """The rerun's difference, + is worse."""
    assert d.estimate is not None
    match d.scale:
        case "points":
            return f"{100 * abs(d.estimate):.1f} pp {_side(d.estimate)}"
        case "log_ratio":
            return f"{100 * math.expm1(d.estimate):+.1f}%"
        case "absolute":
            return f"{abs(d.estimate):.3g} {d.unit} {_side(d.estimate)}"


def _side(estimate: float) -> str:
    return "worse" if estimate > 0 else "better"
