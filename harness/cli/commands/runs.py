"""`harness runs`: lists the runs of a folder, how far they are, and how to complete them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from harness.cli.options import JsonOption, ResultsArgument
from harness.cli.output import print_json
from harness.cli.places import DEFAULT_RESULTS, ROWS, SUMMARIES, local_results
from harness.errors import StoreError

if TYPE_CHECKING:
    from harness.cli.running.resume.states import RunProgress, RunsProgress
    from harness.report.section import Report, Tone

TONES: dict[str, Tone] = {"complete": "good", "running": "", "ungraded": "warn", "interrupted": "warn"}


def runs(
    results: ResultsArgument = DEFAULT_RESULTS,
    json_output: JsonOption = False,
) -> None:
    """List the runs of a folder, the latest first: how far they are, and the command that completes them.

    running: a process is at work. killed: its process is gone. interrupted, failed: it stopped early. ungraded: all
    answers are there, but not all grades or no report.

    \b
    harness runs
    harness runs ci-results --json
    harness runs s3://my-bench/results
    """
    from harness.cli.running.resume.states import read_progress

    folder = local_results(results, (*SUMMARIES, *ROWS))
    if results != DEFAULT_RESULTS and not folder.is_dir():
        what = "is not a folder" if folder.exists() else "there is no such folder"
        raise StoreError(f"{results}: {what}; give the folder that holds the runs")
    progress = read_progress(folder)
    if results.in_bucket:
        progress = _without_commands(progress)
    if json_output:
        print_json(progress)
        return
    if not progress.runs and not progress.unreadable:
        typer.echo(f"{results} holds no runs; `harness run SUITE` makes one")
        return
    from rich.console import Console

    from harness.report.terminal import print_report

    print_report(_report(progress), Console(highlight=False))


def _without_commands(progress: RunsProgress) -> RunsProgress:
    """A run is completed where its own folder is, not in a copy of it."""
    from msgspec.structs import replace

    return replace(progress, runs=[replace(run, resume=None) for run in progress.runs])


def _report(progress: RunsProgress) -> Report:
    from harness.report.section import Column, Mark, Note, Report, Section, tabulate

    table = tabulate(
        progress.runs,
        [
            (Column(heading="run", is_text=True, is_whole=True), lambda run: run.run_id),
            (Column(heading="state", is_text=True, weight=8), lambda run: Mark(run.state, TONES.get(run.state, "bad"))),
            (Column(heading="requests", weight=7), _requests),
            (Column(heading="started, UTC", is_text=True), lambda run: run.started_utc),
            (Column(heading="suite", is_text=True), lambda run: run.suite),
        ],
    )
    notes = [
        *(Note(text=run.process, label=f"{run.run_id} is at work") for run in progress.runs if run.process),
        *(Note(text=run.resume, label="to complete it") for run in progress.runs if run.resume),
        *(Note(text=message, tone="warn") for message in progress.unreadable),
    ]
    return Report(title="Runs", simulated=False, sections=[Section(table=table, notes=notes)])


def _requests(run: RunProgress) -> str:
    """`372/580`; `?` for what is unknown."""
    recorded = "?" if run.recorded is None else f"{run.recorded}"
    return recorded if run.planned is None else f"{recorded}/{run.planned}"
