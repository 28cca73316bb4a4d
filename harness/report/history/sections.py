"""The sections of a history's report: each change with what differed at that run, and a table of every metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.analysis.history import ChangePoint, History, Point, SuiteHistory, Trend
from harness.analysis.metrics import METRICS, Unit
from harness.analysis.stats.change_points import FEWEST_RUNS
from harness.characters import counted
from harness.report.drawing.words import say
from harness.report.section import Cell, Column, Name, Note, Number, Picture, Report, Section, Table, filled
from harness.report.wording import BARS, date_of, simulated_title, sparkline, value_with_unit

CAUTION = "Change points show slow drift. To decide on an upgrade, use `harness compare` or `harness gate`."
SPARKS = 20
NOTHING_DIFFERED = "nothing in the manifests; the cause may be the service, its load, or a fact that manifests lack"
COLUMNS: tuple[tuple[Column, Callable[[Trend], Cell]], ...] = (
    (Column(heading="target, metric"), lambda trend: METRICS[trend.metric].label),
    (Column(heading="runs", weight=6), lambda trend: len(trend.points)),
    (Column(heading="first", weight=4), lambda trend: _figure(trend, 0)),
    (Column(heading="latest", weight=8, interval_weight=5), lambda trend: _figure(trend, -1)),
    (Column(heading="trend", weight=3, is_text=True), lambda trend: trend_bars(trend)),
    (Column(heading="changes", weight=7), lambda trend: _changes(trend)),
)


def history_report(history: History, pictures: Mapping[str, Picture] | None = None) -> Report:
    """The whole report. `pictures`: of each suite's key."""
    simulated = all(suite.simulated for suite in history.suites)
    names = [suite.suite if simulated else key_of(suite) for suite in history.suites]
    sections = [
        section
        for suite, name in zip(history.suites, names, strict=True)
        for section in _suite(suite, name, (pictures or {}).get(key_of(suite)))
    ]
    unreadable = [Note(text=line) for line in history.unreadable]
    return Report(
        title=f"History: {', '.join(names)}",
        heading="History",
        simulated=simulated,
        sections=filled([*sections, Section(title="Folders that could not be read", notes=unreadable)]),
    )


def key_of(suite: SuiteHistory) -> str:
    """The suite's name, marked if simulated: simulated and real runs have separate histories."""
    return simulated_title(suite.suite, suite.simulated)


def _suite(suite: SuiteHistory, title: str, picture: Picture | None) -> Iterator[Section]:
    text = f"{scope_sentence(suite)}. {say(about_search(suite))}"
    changes = [
        Note(
            label="Worse" if change.worse else "Better",
            tone="bad" if change.worse else "good",
            text=change_sentence(trend, change),
            details=[f"what differed: {line}" for line in _differences(change)],
        )
        for trend, change in suite.change_points
    ]
    left_out = [
        Note(label="Not counted", tone="warn", text=f"{run.run_id}: {run.trouble}") for run in suite.runs if run.trouble
    ]
    caution = [] if suite.missing else [Note(text=CAUTION)]
    yield Section(title=title, text=text, pictures=[picture] if picture else [], table=_table(suite))
    yield Section(notes=[*changes, *left_out, *caution])


def _table(suite: SuiteHistory) -> Table | None:
    """The metrics of each target under its name; without changes where no trend is searched yet, as the text says."""
    columns = COLUMNS[:-1] if suite.missing else COLUMNS
    rows: list[Sequence[Cell]] = []
    for target in suite.targets:
        rows.append([Name(target.target)])
        rows += [[cell(trend) for _, cell in columns] for trend in suite.trends if trend.target == target.target]
    return Table(columns=[column for column, _ in columns], rows=rows) if suite.trends else None


def _figure(trend: Trend, at: int) -> Number | None:
    """The first or the latest figure that counts, with its interval if the run's summary has one."""
    if not trend.points:
        return None
    point: Point = trend.points[at]
    bounded = point.low is not None or point.high is not None
    return Number(point.value, trend.unit, point.low, point.high, bounded=bounded)


def _changes(trend: Trend) -> Cell:
    """The number of changes, or how many more runs the search needs: `12 to go`."""
    return f"{trend.missing} to go" if trend.missing else len(trend.change_points)


def size_of(change: ChangePoint, unit: Unit) -> str:
    """`rose by 31%`, `fell by 4.2 points`."""
    verb = "rose" if change.after > change.before else "fell"
    if unit == "share" or change.before == 0:
        size = f"{100 * abs(change.after - change.before):.1f} points"
    else:
        size = f"{100 * abs(change.after / change.before - 1):.0f}%"
    return f"{verb} by {size}"


def change_sentence(trend: Trend, change: ChangePoint) -> str:
    """What changed at which run, and the medians before and since."""
    return (
        f"{METRICS[trend.metric].label} of {trend.target} {size_of(change, trend.unit)} at "
        f"{date_of(change.started_utc)}:"
        f" median {value_with_unit(change.before, trend.unit)} in the {counted(change.runs_before, 'run')} before,"
        f" {value_with_unit(change.after, trend.unit)} in the {counted(change.runs_since, 'run')} since"
        f" (run {change.run_id})"
    )


def _differences(change: ChangePoint) -> list[str]:
    """What differed between the previous run and the run at the change; never empty."""
    return change.differed or [NOTHING_DIFFERED, *change.nearby]


def about_search(history: SuiteHistory) -> str:
    """How many changes the search found, or how many more runs it needs: not a sentence yet."""
    if not history.trends:
        return "no run has a metric to track"
    if history.missing:
        return f"the search for changes needs {FEWEST_RUNS} valid runs; {history.missing} to go"
    short = sum(trend.missing > 0 for trend in history.trends)
    searched = len(history.trends) - short
    changes = counted(len(history.change_points), "change")
    rest = f"; {counted(short, 'trend')} with fewer than {FEWEST_RUNS} runs not searched" if short else ""
    return f"{changes} in {counted(searched, 'trend')}{rest}"


def digest_changes(history: SuiteHistory) -> list[int]:
    """Indices of the runs whose suite digest differs from the previous run's."""
    digests = [run.suite_digest for run in history.runs]
    return [i for i in range(1, len(digests)) if digests[i] != digests[i - 1]]


def scope_sentence(history: SuiteHistory) -> str:
    """The number of runs, their time span and the number of suite digests."""
    first, last = date_of(history.runs[0].started_utc), date_of(history.runs[-1].started_utc)
    when = first if len(history.runs) == 1 else f"{first} to {last}"
    digests = len({run.suite_digest for run in history.runs})
    versions = f", {digests} suite digests (other prompts or targets are not comparable)" if digests > 1 else ""
    return f"{count_sentence(history)}, {when}{versions}"


def count_sentence(history: SuiteHistory) -> str:
    """`30 runs`, or `30 runs, 2 of which do not count`."""
    apart = sum(run.trouble is not None for run in history.runs)
    runs = counted(len(history.runs), "run")
    return f"{runs}, {apart} of which {'does' if apart == 1 else 'do'} not count" if apart else runs


def trend_bars(trend: Trend) -> str:
    """The latest SPARKS runs as bars from the lowest to the highest; all in the middle if they are equal."""
    values = [point.value for point in trend.points][-SPARKS:]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    if high <= low:
        return BARS[len(BARS) // 2] * len(values)
    return sparkline(values, low=low, high=high)
