"""Confirmation by a rerun: `worse` stands only where a second run says so too."""

from __future__ import annotations

import math

from msgspec.structs import replace

from harness.analysis.columns import RunData
from harness.analysis.compare.comparison import ORDER, CompareReport, Comparison, Difference, add_note
from harness.analysis.validity import ERROR_SHARE
from harness.store.finding import Finding

UNCONFIRMED = "not confirmed by a rerun"
OUTAGES = ("credentials", "connection", "connect_timeout")
"""Kinds of errors that are not the model's: a rerun with them says nothing about it."""


def worse_metrics(report: CompareReport) -> list[str]:
    """Metrics of the gate that are worse for some candidate."""
    rows = (d for c in report.comparisons for d in c.differences if d.verdict == "worse" and not d.exploratory)
    return list(dict.fromkeys(d.metric for d in rows))


def unconfirmed(first: CompareReport, why: Finding) -> CompareReport:
    """The first report as it is, with a note that no rerun has confirmed it, and why."""
    return replace(
        first,
        comparisons=tuple(replace(c, differences=tuple(map(_doubt, c.differences))) for c in first.comparisons),
        findings=(*first.findings, replace(why, what=f"worse is {UNCONFIRMED}: {why.what}")),
    )


def confirm(first: CompareReport, again: CompareReport) -> CompareReport:
    """The first report; what is worse in it and not in the second one is `inconclusive`, and its note says both.

    Without a figure in the second one, a row stays worse and unconfirmed.
    """
    seen = {c.candidate.target: c for c in again.comparisons}
    comparisons = tuple(_confirm(c, seen.get(c.candidate.target)) for c in first.comparisons)
    verdict = min((c.verdict for c in comparisons), key=ORDER.index, default=first.verdict)
    return replace(first, comparisons=comparisons, verdict=verdict)


def outage(data: RunData) -> Finding | None:
    """Why a finished rerun says nothing about the model: it lost its endpoint, or its credentials."""
    for name, c in data.columns.items():
        lost = [kind for kind in c.error_kind[~c.ok] if kind in OUTAGES]
        if len(lost) > ERROR_SHARE * len(c.ok):
            return Finding(
                what=f"{len(lost)} of {len(c.ok)} requests of {name} failed with {lost[0]}",
                remedy="see to the endpoint and the credentials, and gate the run again",
            )
    return None


def _confirm(c: Comparison, again: Comparison | None) -> Comparison:
    if c.verdict != "worse":
        return c
    seen = {} if again is None else {d.metric: d for d in again.differences}
    rows = tuple(_weigh(d, seen.get(d.metric)) for d in c.differences)
    still = any(d.verdict == "worse" and not d.exploratory for d in rows)
    return replace(c, differences=rows, verdict="worse" if still else "inconclusive")


def _weigh(d: Difference, again: Difference | None) -> Difference:
    if d.verdict != "worse" or d.exploratory:
        return d
    if again is None or again.estimate is None:
        return _doubt(d)
    if again.verdict == "worse":
        return add_note(d, f"confirmed by a rerun ({_describe(again)})")
    note = f"worse at first, but a rerun says {again.verdict} ({_describe(again)})"
    return add_note(replace(d, verdict="inconclusive"), note)


def _doubt(d: Difference) -> Difference:
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
