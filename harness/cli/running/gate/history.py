"""`harness gate --against history`: a run against the last runs of its suite, its files, and what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis.against_history.figures import find_left_out
from harness.analysis.against_history.judge import compare_with_history
from harness.analysis.against_history.rows import LAST, HistoryReport
from harness.analysis.compare.gate import EXIT_CODES, INVALID
from harness.analysis.past_runs import find_past_runs, read_stored_run
from harness.cli.output import print_json
from harness.cli.running.gate.files import GateFiles, GateOutput
from harness.errors import StoreError
from harness.report.against_history.junit import render_history_junit
from harness.report.against_history.sections import history_gate_brief
from harness.report.markdown import render_markdown
from harness.report.webhook.message import history_message
from harness.report.write import write_against_history
from harness.store.run_folder import RunFolder


def gate_with_history(folder: Path, targets: Sequence[str], output: GateOutput, *, last: int | None) -> int:
    """Judge a run, write its files, print the report and post it; returns the exit code. `last`: None as LAST."""
    files, notification = GateFiles(folder, output), output.notification
    report = _judge_run(folder, last=LAST if last is None else last, targets=targets)
    page = write_against_history(folder, report)
    files.put(render_history_junit(report), render_markdown(history_gate_brief(report), top=3).encode())
    _print(report, page, as_json=output.as_json)
    notification.send(history_message(report, folder, notification.links))
    files.check()
    return EXIT_CODES[report.verdict] if report.valid else INVALID


def _judge_run(run: Path, *, last: int, targets: Sequence[str]) -> HistoryReport:
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


def _print(report: HistoryReport, page: Path, *, as_json: bool) -> None:
    """Print the report as text or as JSON."""
    if as_json:
        print_json(report)
        return
    from rich.console import Console

    from harness.report.terminal import print_report

    print_report(history_gate_brief(report), Console(highlight=False), written=page)
