"""A rerun: `worse` stands only if it confirms it, and it decides what two runs at two times left open."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from harness.analysis.columns import RunData
from harness.analysis.compare.comparison import CompareReport, Comparison, Difference, add_note, word
from harness.analysis.compare.verdict import worst, worst_of_comparisons
from harness.analysis.findings import ERROR_SHARE
from harness.store.finding import Finding

UNCONFIRMED = "not confirmed by a rerun"
OUTAGES = ("credentials", "connection", "connect_timeout")
"""Kinds of errors that are not the model's: a rerun with them says nothing about the model."""


def metrics_to_rerun(comparisons: Iterable[Comparison]) -> list[str]:
    """Metrics of the gate that are worse for some candidate, or that two runs left open for want of a history."""
    rows = (d for c in comparisons for d in c.differences if not d.exploratory and (d.verdict == "worse" or is_open(d)))
    return list(dict.fromkeys(d.metric for d in rows))


def is_open(d: Difference) -> bool:
    """Whether two runs at two times left this row open, for want of a history."""
    return d.between_runs is not None and d.between_runs.spread is None and not d.exploratory


def unconfirmed(first: CompareReport, why: Finding) -> CompareReport:
    """The first report with a note that no rerun has confirmed it, and why."""
    what = f"worse is {UNCONFIRMED}" if first.verdict == "worse" else "no rerun has decided what is open"
    return replace(
        first,
        comparisons=tuple(
            replace(c, differences=tuple(map(_mark_unconfirmed, c.differences))) for c in first.comparisons
        ),
        findings=(*first.findings, replace(why, what=f"{what}: {why.what}")),
    )


def confirm(first: CompareReport, again: Sequence[Comparison]) -> CompareReport:
    """The first report; a row that is worse in it but not in the rerun becomes `inconclusive`, with a note.

    A row without a figure in the rerun stays worse and unconfirmed. A row that two runs left open is replaced by that
    of a rerun which asked both targets in one run.
    """
    reruns = {c.candidate.target: c for c in again}
    comparisons = tuple(_confirm(c, reruns.get(c.candidate.target)) for c in first.comparisons)
    return replace(first, comparisons=comparisons, verdict=worst_of_comparisons(c.verdict for c in comparisons))


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
    if again is None and c.verdict != "worse":
        return c
    reruns = {} if again is None else {d.metric: d for d in again.differences}
    in_one_run = again is not None and again.time == "cancels"
    rows = tuple(
        _decide_row(d, reruns[d.metric]) if in_one_run and is_open(d) and d.metric in reruns
        else _confirm_row(d, reruns.get(d.metric))
        for d in c.differences
    )  # fmt: skip
    decided = in_one_run and any(is_open(d) for d in c.differences)
    verdict = worst(d.verdict for d in rows if not d.exploratory)
    return replace(c, differences=rows, verdict=verdict, time="rerun" if decided else c.time)


def _decide_row(d: Difference, again: Difference) -> Difference:
    """The rerun's row in place of one that two runs left open."""
    before = f"; the two runs at two times said {_describe(d)}" if d.estimate is not None else ""
    return add_note(again, f"decided by a rerun of both targets in one run{before}")


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
    """The difference in words."""
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
