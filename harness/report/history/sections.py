"""A history in words: what changed, when, and what differed then. The same on the terminal, in figures and on pages."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.counted import counted
from harness.analysis.history.history import METRICS, Point, Shift, SuiteHistory, Trend
from harness.analysis.stats.change_points import FEWEST_RUNS
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Unit
from harness.characters import printable
from harness.report.wording import MISSING, date_of, rate_interval, seconds_interval, value_with_unit

CAUTION = "Change points find slow drift; they do not decide an upgrade: harness compare and gate do."
BARS = "▁▂▃▄▅▆▇█"
SPARKS = 20
NOTHING_DIFFERED = "nothing in the manifests: the service, its load, or what a manifest does not record"


def interval_of(point: Point, unit: Unit) -> str:
    """`0.42 s [0.40, 0.47]`; without bounds the value alone."""
    if point.low is None and point.high is None:
        return value_with_unit(point.value, unit)
    interval = Interval(value=point.value, low=point.low, high=point.high)
    return rate_interval(interval) if unit == "share" else seconds_interval(interval)


def size_of(shift: Shift, unit: Unit) -> str:
    """`rose by 31%`, `fell by 4.2 points`."""
    verb = "rose" if shift.after > shift.before else "fell"
    if unit == "share" or shift.before == 0:
        size = f"{100 * abs(shift.after - shift.before):.1f} points"
    else:
        size = f"{100 * abs(shift.after / shift.before - 1):.0f}%"
    return f"{verb} by {size}"


def change_sentence(trend: Trend, shift: Shift) -> str:
    """What changed, from when on, from what to what; one line, printable."""
    return printable(
        f"{METRICS[trend.metric].label} of {trend.target} {size_of(shift, trend.unit)} at {date_of(shift.started_utc)}:"
        f" median {value_with_unit(shift.before, trend.unit)} in the {counted(shift.runs_before, 'run')} before,"
        f" {value_with_unit(shift.after, trend.unit)} in the {counted(shift.runs_since, 'run')} since"
        f" (run {shift.run_id})"
    )


def difference_lines(shift: Shift) -> list[str]:
    """What differed between the run before and the run at the change; never empty, printable."""
    if shift.differed:
        return [printable(line) for line in shift.differed]
    return [NOTHING_DIFFERED, *(printable(line) for line in shift.nearby)]


def search_sentence(history: SuiteHistory) -> str:
    """Whether changes were looked for, and what was found."""
    if not history.trends:
        return "No run has a figure to follow."
    if history.missing:
        return (
            f"Changes are looked for from {FEWEST_RUNS} runs that count on:"
            f" {counted(history.missing, 'more run')} to go."
        )
    short = sum(trend.missing > 0 for trend in history.trends)
    looked = len(history.trends) - short
    found = counted(len(history.shifts), "change")
    rest = f"; {counted(short, 'trend')} with fewer than {FEWEST_RUNS} runs not searched" if short else ""
    return f"{found} in {counted(looked, 'trend')}{rest}."


def digest_changes(history: SuiteHistory) -> list[int]:
    """Indices of the runs whose suite digest is not that of the run before."""
    digests = [run.suite_digest for run in history.runs]
    return [i for i in range(1, len(digests)) if digests[i] != digests[i - 1]]


def scope_sentence(history: SuiteHistory) -> str:
    """How many runs, since when, of which digests."""
    first, last = date_of(history.runs[0].started_utc), date_of(history.runs[-1].started_utc)
    when = first if len(history.runs) == 1 else f"{first} to {last}"
    digests = len({run.suite_digest for run in history.runs})
    several = f", {digests} suite digests (what differs in prompts or targets is not comparable)" if digests > 1 else ""
    return f"{count_sentence(history)}, {when}{several}"


def count_sentence(history: SuiteHistory) -> str:
    """`30 runs`, or `30 runs, 2 of which do not count`."""
    apart = sum(run.trouble is not None for run in history.runs)
    runs = counted(len(history.runs), "run")
    return f"{runs}, {apart} of which {'does' if apart == 1 else 'do'} not count" if apart else runs


def left_out(history: SuiteHistory) -> Sequence[str]:
    """The runs that do not count, and why; printable."""
    return [printable(f"{run.run_id}: {run.trouble}") for run in history.runs if run.trouble is not None]


def ends(trend: Trend) -> tuple[str, str]:
    """The first and the latest figure that count, with their intervals."""
    if not trend.points:
        return MISSING, MISSING
    return interval_of(trend.points[0], trend.unit), interval_of(trend.points[-1], trend.unit)


def changes_cell(trend: Trend) -> str:
    """`2`, or how many runs are missing before any can be found: `12 to go`."""
    return f"{trend.missing} to go" if trend.missing else str(len(trend.shifts))


def sparkline(trend: Trend) -> str:
    """The latest SPARKS runs as bars between the least and the greatest of them; level in the middle."""
    values = [point.value for point in trend.points][-SPARKS:]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    if high <= low:
        return BARS[len(BARS) // 2] * len(values)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in values)
