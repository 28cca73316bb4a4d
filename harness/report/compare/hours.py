"""What became of the time of day in a comparison, in a sentence, the same in every report."""

from __future__ import annotations

import math

from harness.analysis.compare.between_runs import FEWEST_RUNS
from harness.analysis.compare.comparison import Comparison, Difference
from harness.characters import counted
from harness.report.compare.verdicts import gated, list_names, metric_name
from harness.report.section import Note
from harness.report.wording import value_with_unit


def hours_note(c: Comparison) -> list[Note]:
    """Which of the ways a comparison counts what the hours did; empty if time moves none of its metrics."""
    text = _sentence(c)
    return [Note(label="Time", text=text, tone="warn" if c.time == "unknown" else "")] if text else []


def _sentence(c: Comparison) -> str:
    rows = [d for d in gated(c) if d.between_runs is not None]
    match c.time:
        case "cancels":
            return "one run asked both sides, so what the hour did to both cancels out"
        case "counted":
            spreads = ", ".join(f"{metric_name(d.metric)} ±{_spread(d)}" for d in rows)
            return f"two runs; intervals count the spread of {_fewest(rows)} of this suite ({spreads} a run)"
        case "unknown":
            undecided = list_names([d.metric for d in rows if _is_open(d)])
            return (
                f"two runs at two times, and {_fewest(rows)} of this suite and target where {FEWEST_RUNS} are needed: "
                f"what the hours did is unknown, so nothing is decided on {undecided}"
            )
        case "rerun":
            return "two runs at two times; a rerun of both targets in one run decided what time can move"
        case None:
            return ""


def _fewest(rows: list[Difference]) -> str:
    runs = min(d.between_runs.runs for d in rows if d.between_runs is not None)
    return counted(runs, "earlier run") if runs else "no earlier run"


def _is_open(d: Difference) -> bool:
    return d.between_runs is not None and d.between_runs.spread is None


def _spread(d: Difference) -> str:
    """Of one run's value, a standard deviation."""
    spread = (d.between_runs.spread if d.between_runs is not None else None) or 0.0
    match d.scale:
        case "points":
            return f"{100 * spread:.1f} pp"
        case "log_ratio":
            return f"{100 * math.expm1(spread):.1f}%"
        case "absolute":
            return value_with_unit(spread, d.unit)
