"""A verdict seen twice: `worse` stands only where a second run says so too."""

from __future__ import annotations

import math

from msgspec.structs import replace

from harness.analysis.comparison import CompareReport, Comparison, Difference, Verdict

ORDER: tuple[Verdict, ...] = ("worse", "inconclusive", "equivalent", "better")


def fallen(report: CompareReport) -> list[str]:
    """Metrics of the gate that are worse for some candidate."""
    rows = (d for c in report.comparisons for d in c.differences if d.verdict == "worse" and not d.exploratory)
    return list(dict.fromkeys(d.metric for d in rows))


def confirm(first: CompareReport, again: CompareReport | None) -> CompareReport:
    """The first report; what is worse in it and not in the second one is `inconclusive`, and both are told.

    None: the second run may not be believed, so that nothing is confirmed.
    """
    seen = {} if again is None else {c.candidate.target: c for c in again.comparisons}
    comparisons = tuple(_confirm(c, seen.get(c.candidate.target)) for c in first.comparisons)
    verdict = min((c.verdict for c in comparisons), key=ORDER.index, default=first.verdict)
    return replace(first, comparisons=comparisons, verdict=verdict)


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
    if again is not None and again.verdict == "worse":
        return replace(d, note=_joined(d.note, f"confirmed by a rerun ({_told(again)})"))
    told = "a rerun could not tell" if again is None else f"a rerun says {again.verdict} ({_told(again)})"
    return replace(d, verdict="inconclusive", note=_joined(d.note, f"worse at first, but {told}"))


def _joined(note: str, more: str) -> str:
    return f"{note}; {more}" if note else more


def _told(d: Difference) -> str:
    """The rerun's difference, + is worse."""
    if d.estimate is None:
        return "no estimate"
    match d.scale:
        case "points":
            return f"{100 * abs(d.estimate):.1f} pp {_side(d.estimate)}"
        case "log_ratio":
            return f"{100 * math.expm1(d.estimate):+.1f}%"
        case "absolute":
            return f"{abs(d.estimate):.3g} {d.unit} {_side(d.estimate)}"


def _side(estimate: float) -> str:
    return "worse" if estimate > 0 else "better"
