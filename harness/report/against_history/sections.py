"""The sections of a run against its history: what is outside, by how much, and what differed; for every renderer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.analysis.against_history.rows import HistoryReport, HistoryRow, LeftOut
from harness.analysis.compare.comparison import ORDER, Verdict, word
from harness.analysis.compare.verdict import worst
from harness.characters import counted, printable
from harness.report.compare.verdicts import (
    TONES,
    change_alone,
    difference,
    list_names,
    margin,
    mark,
    metric_name,
)
from harness.report.history.sections import NOTHING_DIFFERED
from harness.report.section import Cell, Column, Mark, Note, Number, Picture, Report, Section, filled, number, tabulate
from harness.report.wording import MISSING, date_of, findings_section, interval_note, value_with_unit

MOST_NAMED = 3
"""Metrics with their figures in a sentence."""


COLUMNS: tuple[tuple[Column, Callable[[HistoryRow], Cell]], ...] = (
    (Column(heading="metric"), lambda row: metric_name(row.metric)),
    (Column(heading="today", weight=5), lambda row: number(row.today, row.unit)),
    (Column(heading="predicted", weight=4, interval_weight=5), lambda row: _predicted(row)),
    (Column(heading="change", weight=3, interval_weight=2), lambda row: difference(row.difference)),
    (Column(heading="margin", weight=2), lambda row: margin(row.difference)),
    (Column(heading="verdict", weight=6, is_text=True), lambda row: Mark(mark(row.verdict), TONES[row.verdict])),
    (Column(heading="runs", weight=1), lambda row: len(row.past)),
)


def history_gate_report(report: HistoryReport, pictures: Sequence[Picture] = ()) -> Report:
    """The whole report, for a page or Markdown."""
    terms = Section(title="How to read it", notes=_terms(report), layout="terms")
    shown = Section(title="Today and the runs before", pictures=pictures)
    return _report(report, facts=[_about(report)], sections=[*_sections(report), shown, terms])


def history_gate_brief(report: HistoryReport) -> Report:
    """What a terminal shows, and the comment on a pull request or in a step's summary."""
    return _report(report, sections=[*_sections(report), Section(text=_about(report))])


def target_verdict(report: HistoryReport, target: str) -> Verdict:
    """The worst of a target's rows; `inconclusive` of an invalid run."""
    return worst(row.verdict for row in report.of(target)) if report.valid else "inconclusive"


def headline(report: HistoryReport, target: str) -> str:
    """A target's verdict as a sentence, with the rows behind it."""
    name, verdict, rows = printable(target), target_verdict(report, target), report.of(target)
    runs = f"the last {counted(max(len(row.past) for row in rows), 'run')}"
    named = [row for row in rows if row.verdict == verdict]
    match verdict:
        case "worse" | "better":
            return f"{name} is {verdict} than {runs} predict on {_described(named)}"
        case "no_worse":
            return f"{name} is no worse than {runs}: any loss is below the margin on {_names(rows)}"
    if not report.valid:
        return f"{name}: today's run is invalid"
    outside = [row for row in named if row.inside is False]
    if outside:
        return f"{name} is outside of what {runs} predict, without being clearly worse, on {_described(outside)}"
    if all(row.inside is None for row in named):
        return f"{name} cannot be judged yet on {_names(named)}: {_missing(named)}"
    return f"{name} is inside what {runs} predict, but a loss of the margin cannot be ruled out on {_names(named)}"


def describe_row(row: HistoryRow) -> str:
    """`TTFT p95: 2.53 s, predicted 1.30 to 1.90 s (+42.0%, margin 25%)`."""
    today = f"{metric_name(row.metric)}: {value_with_unit(row.today, row.unit)}"
    if row.low is None or row.high is None:
        return today
    low, high = value_with_unit(row.low, row.unit), value_with_unit(row.high, row.unit)
    return f"{today}, predicted {low} to {high} ({change_alone(row.difference)}, margin {margin(row.difference)})"


def settled_by_runs(row: HistoryRow) -> str:
    """How many more runs would settle an inconclusive row; empty if they would not, or it has no prediction yet."""
    if row.runs_needed is None or row.expected is None:
        return ""
    return f"needs {counted(row.runs_needed, 'more run')} to settle"


def describe_left_out(left_out: LeftOut) -> str:
    """`2 runs (the latest 0031-nightly): another endpoint (…)`."""
    ids = left_out.run_ids
    which = ids[-1] if len(ids) == 1 else f"{counted(len(ids), 'run')} (the latest {ids[-1]})"
    return printable(f"{which}: {left_out.why}")


def _sections(report: HistoryReport) -> list[Section]:
    """The verdicts, the table of each target, the worst first, and the findings."""
    several = len(report.targets) > 1
    verdicts = {target: target_verdict(report, target) for target in report.targets}
    targets = sorted(report.targets, key=lambda target: ORDER.index(verdicts[target]))
    cards = [
        Note(label=mark(verdicts[target]), tone=TONES[verdicts[target]], text=headline(report, target))
        for target in targets
    ]
    tables = [
        Section(
            title=target if several else "", table=tabulate(report.of(target), COLUMNS), notes=_remarks(report, target)
        )
        for target in targets
    ]
    left_out = [Note(label="Left out", tone="warn", text=describe_left_out(each)) for each in report.left_out]
    return [
        Section(notes=cards, layout="cards"),
        *tables,
        Section(notes=[*left_out, *findings_section(report.findings).notes]),
    ]


def _remarks(report: HistoryReport, target: str) -> list[Note]:
    """What is to be said of the target's rows; what is the same of several is said once."""
    rows, said = report.of(target), dict[tuple[str, ...], list[str]]()
    for row in rows:
        outside = row.inside is False
        text = "; ".join(part for part in (row.note, settled_by_runs(row)) if part)
        if text or outside:
            details = _differed(row) if outside else []
            said.setdefault((text or "outside of what is predicted", *details), []).append(row.metric)
    return [
        Note(label="all metrics" if len(of) == len(rows) > 1 else list_names(of), text=text, details=details)
        for (text, *details), of in said.items()
    ]


def _differed(row: HistoryRow) -> list[str]:
    """What differed since the run before; never empty."""
    since = row.past[-1].run_id
    return [f"what differed from run {since}: {line}" for line in row.differed or (NOTHING_DIFFERED,)]


def _report(report: HistoryReport, *, facts: Sequence[str] = (), sections: Sequence[Section]) -> Report:
    return Report(
        title=f"{report.suite}: {word(report.verdict)}",
        heading=f"{mark(report.verdict)}: {report.suite}, today against its history",
        simulated=report.simulated,
        invalid="" if report.valid else "Today's run is invalid, so it gets no verdict.",
        facts=facts,
        sections=filled(sections),
    )


def _about(report: HistoryReport) -> str:
    return (
        f"Run {report.run_id} of {date_of(report.started_utc)} against {counted(len(report.past_runs), 'earlier run')} "
        f"(at most the last {report.last}). {interval_note(report.level)} of prediction, Holm over {report.family}."
    )


def _predicted(row: HistoryRow) -> Number | None:
    return None if row.expected is None else Number(row.expected, row.unit, row.low, row.high, bounded=True)


def _described(rows: Sequence[HistoryRow]) -> str:
    more = f"; and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
    return "; ".join(map(describe_row, rows[:MOST_NAMED])) + more


def _names(rows: Sequence[HistoryRow]) -> str:
    return list_names([row.metric for row in rows])


def _missing(rows: Sequence[HistoryRow]) -> str:
    missing = [row.runs_needed for row in rows if row.runs_needed is not None]
    return f"{counted(max(missing), 'more comparable run')} needed" if missing else rows[0].note or MISSING


def _terms(report: HistoryReport) -> list[Note]:
    level = f"{100 * report.level:g}%"
    terms = [
        (
            "predicted",
            f"the middle of the past runs and their {level} prediction interval: where one more run lies in {level} of "
            "cases if nothing has changed. From ten past runs on, the one farthest from the others does not count.",
        ),
        (
            "change",
            "today less what is predicted (points of a rate, percent of a latency or cost), with an interval as wide "
            "as the prediction's.",
        ),
        ("worse", "outside on the worse side, after Holm's correction, and the change is the margin or more."),
        ("better", "the same on the other side."),
        ("no worse", "the interval of the change ends below the margin."),
        (
            "inconclusive",
            "none of these: inside, but the runs differ too much among themselves to rule a loss of the margin out; or "
            "outside by less than a verdict takes. The notes say what would settle it.",
        ),
        (
            "one run",
            "a single night may be an odd one. What is outside is worth a second run; what is outside twice in a row "
            "has changed. Slow drift is what `harness history` looks for.",
        ),
    ]
    return [Note(label=term, text=text) for term, text in terms]
