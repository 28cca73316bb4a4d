"""`harness gate --against history`: a run against the last runs of its suite, its files, and what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis.against_history.figures import find_left_out
from harness.analysis.against_history.judge import compare_with_history
from harness.analysis.against_history.rows import HistoryReport
from harness.analysis.compare.gate import EXIT_CODES, INVALID
from harness.analysis.past_runs import find_past_runs, read_stored_run
from harness.cli.output import print_json
from harness.errors import StoreError
from harness.store.run_folder import RunFolder


def judge_run(run: Path, *, last: int, targets: Sequence[str]) -> HistoryReport:
    """The run against the last valid, comparable ones of its suite in the same folder. Reads no run's rows.

    StoreError, SuiteError: the run cannot be read, or is a sweep. CompareError: see `compare_with_history`.
    """
    folder = RunFolder(run)
    today = read_stored_run(folder)
    if today.manifest.kind == "sweep":
        raise StoreError(f"{run}: is a sweep, which has no single load; name a run")
    suite, results = folder.read_suite(), run.resolve().parent
    past = find_past_runs(results, today.manifest, suite)
    left_out = find_left_out(results, today.manifest, [each.manifest.run_id for each in past])
    return compare_with_history(today, suite, past, last=last, targets=targets, left_out=left_out)


def exit_code(report: HistoryReport) -> int:
    """0 better or no worse, 1 worse, 3 inconclusive, 4 today's run is invalid."""
    return EXIT_CODES[report.verdict] if report.valid else INVALID


def print_judged(report: HistoryReport, page: Path, *, as_json: bool) -> None:
    """Print the report as text or as JSON."""
    if as_json:
        print_json(report)
        return
    from rich.console import Console

    from harness.report.against_history.sections import history_gate_brief
    from harness.report.terminal import print_report

    print_report(history_gate_brief(report), Console(highlight=False), written=page)
