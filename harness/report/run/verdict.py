"""What a run says of its suite's baseline: the verdict on top of the report, the rows behind it, what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from harness.analysis.compare.comparison import ORDER, CompareReport, Comparison, Flip, word
from harness.analysis.compare.in_run import compare_in_run, has_baseline
from harness.analysis.compare.pairing import FinishedRun
from harness.analysis.summary.summary import CandidateVerdict, RunSummary
from harness.characters import counted
from harness.errors import CompareError
from harness.report.compare.sections import COLUMNS, remarks
from harness.report.compare.verdicts import (
    TONES,
    describe_correct_cost,
    describe_flips,
    describe_shares,
    gated,
    headline,
    mark,
    worst_first,
)
from harness.report.section import Cell, Column, Mark, Name, Note, Section, Table, tabulate
from harness.report.wording import interval_note
from harness.store.finding import Finding

MOST_CARDS = 5
"""Candidates with a sentence of their own; the rows of the others are folded."""
MOST_FLIPS = 50
"""Changed prompts in the table, over all candidates."""
NOT_A_GATE = "This is not a gate: harness gate exits with the verdict."


def add_verdicts(summary: RunSummary, run: FinishedRun) -> tuple[RunSummary, CompareReport | None]:
    """The summary with a verdict on each target, and the comparison behind them; unchanged without a baseline."""
    if not has_baseline(run.suite):
        return summary, None
    if not _decides(summary):
        return msgspec.structs.replace(summary, no_verdict="an invalid run decides nothing"), None
    try:
        report = compare_in_run(run.manifest, run.suite, run.data)
    except CompareError as error:
        return msgspec.structs.replace(summary, no_verdict=str(error)), None
    return msgspec.structs.replace(summary, verdicts=verdicts_of(report)), report


def verdicts_of(report: CompareReport) -> list[CandidateVerdict]:
    """The verdict on each candidate, the worst first."""
    return [
        CandidateVerdict(
            target=c.candidate.target,
            baseline=c.baseline.target,
            verdict=c.verdict,
            headline=headline(c, report.level),
        )
        for c in worst_first(report)
    ]


def is_valid(summary: RunSummary) -> bool:
    """Whether the run is complete and no finding invalidates it."""
    return summary.state == "complete" and not any(f.invalidates for f in summary.findings)


def _decides(summary: RunSummary) -> bool:
    """Whether its targets may be compared, apart from those that were stopped early."""
    return summary.state == "complete" and not any(f.invalidates and f.target is None for f in summary.findings)


def verdict_section(summary: RunSummary) -> Section:
    """A sentence for each candidate, the worst verdict first; empty without a baseline."""
    if summary.no_verdict:
        notes = [Note(label="no verdict", tone="warn", text=summary.no_verdict)]
        return Section(title="Verdict", notes=notes, layout="cards")
    if not summary.verdicts:
        return Section()
    notes = [
        Note(label=mark(each.verdict), tone=TONES[each.verdict], text=each.headline)
        for each in summary.verdicts[:MOST_CARDS]
    ]
    if len(summary.verdicts) == 1:
        notes = [msgspec.structs.replace(notes[0], details=[NOT_A_GATE])]
    return Section(title="Verdict", text=_counted(summary.verdicts), notes=notes, layout="cards")


def _counted(verdicts: Sequence[CandidateVerdict]) -> str:
    """`7 targets against a/b: 2 worse, 5 no worse. …`; empty for a single one, whose sentence says it all."""
    if len(verdicts) == 1:
        return ""
    number = Counter(each.verdict for each in verdicts)
    parts = ", ".join(f"{number[verdict]} {word(verdict)}" for verdict in ORDER if number[verdict])
    few = f" The worst {MOST_CARDS}:" if len(verdicts) > MOST_CARDS else ""
    return f"{len(verdicts)} targets against {verdicts[0].baseline}: {parts}. {NOT_A_GATE}{few}"


def other_findings(summary: RunSummary, report: CompareReport | None) -> list[Finding]:
    """The comparison's findings that are not the run's own."""
    return [] if report is None else [each for each in report.findings if each not in summary.findings]


def rows_sections(report: CompareReport | None) -> list[Section]:
    """The gate's rows of each candidate, with what would settle those that are open."""
    if report is None:
        return []
    comparisons = worst_first(report)
    first = comparisons[0]
    about = (
        f"Baseline: {first.baseline.target}. {counted(first.prompts, 'prompt')} on both sides, "
        f"{interval_note(report.level)}, Holm over {report.family}. harness compare adds a forest plot and rows by tag."
    )
    return [
        Section(title="Against the baseline", text=about),
        *(
            Section(
                title=c.candidate.target,
                level=3,
                table=tabulate(gated(c), COLUMNS),
                notes=_notes(c),
                layout="plain" if place < MOST_CARDS else "folded",
            )
            for place, c in enumerate(comparisons)
        ),
    ]


def _notes(c: Comparison) -> list[Note]:
    lines = [c.drift.summary, describe_correct_cost(c)]
    return [*remarks(c, gated(c)), *(Note(text=line) for line in lines if line)]


def changed_section(report: CompareReport | None) -> Section:
    """How many prompts changed, how many an unchanged model would change, and the first of them, losses first."""
    comparisons = [] if report is None else [c for c in worst_first(report) if c.prompts > c.unscored]
    if not comparisons:
        return Section()
    most = max(1, MOST_FLIPS // len(comparisons))
    several = len(comparisons) > 1
    rows: list[Sequence[Cell]] = []
    for c in comparisons:
        rows += [(Name(c.candidate.target),)] if several and c.flips else []
        rows += map(_flip_row, c.flips[:most])
    columns = [Column(heading=heading, is_text=True) for heading in ("prompt", "change", "passed", "tags")]
    first = describe_flips(comparisons[0])
    left_out = any(len(c.flips) > most for c in comparisons)
    return Section(
        title="Prompts that changed",
        text="" if several else first[0].upper() + first[1:] + (f". The first {most}:" if left_out else ""),
        table=Table(columns=columns, rows=rows),
        notes=[Note(label=c.candidate.target, text=describe_flips(c)) for c in comparisons] if several else [],
        layout="folded",
    )


def _flip_row(flip: Flip) -> tuple[Cell, ...]:
    return flip.prompt_id, _change(flip), describe_shares(flip), ", ".join(flip.tags)


def _change(flip: Flip) -> Mark:
    return Mark(flip.direction, "bad" if flip.direction == "worse" else "good")
