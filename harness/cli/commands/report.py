"""`harness report`: makes the reports of a run again, from what it stored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.characters import printable
from harness.cli.places import RESULTS, local_path


def report(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="A run's folder. Default: the latest under results/.", show_default=False, parser=local_path
        ),
    ] = None,
    judge: Annotated[
        bool, typer.Option("--judge", help="Ask the suite's judges for what they have not said yet; it costs.")
    ] = False,
    suite: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Your suite file: its check functions grade what they have not yet. A run's folder names no code.",
            show_default=False,
            parser=local_path,
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="--judge: where to ask. Needed where the run's own endpoint is neither aws nor on this machine.",
            show_default=False,
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Grade, summarise and draw a run again; a run that was killed is finished from its journal.

    What judges and check functions have said of an answer is kept: no one is asked twice.

    \b
    harness report
    harness report results/20261122T024500Z-quickstart-a1b2c3
    harness report results/20261122T024500Z-judged-a1b2c3 --judge
    harness report results/20261122T024500Z-judged-a1b2c3 --suite suites/judged.yaml
    """
    from harness.cli.running.grade_and_report import check_files_of, finish
    from harness.store.files import one_writer, remove_leftovers
    from harness.store.opening import open_run
    from harness.store.run_folder import RunFolder, latest_run, unreadable_runs

    if run is None:
        for told in unreadable_runs(RESULTS):
            print(f"warning: left out: {printable(told)}", file=sys.stderr)
    path = run if run is not None else latest_run(RESULTS).path
    check_files = () if suite is None else check_files_of(suite, RunFolder(path))
    with one_writer(path):
        remove_leftovers(path)
        remove_leftovers(path / "plots")
        folder = open_run(path, recover=True)
        code = finish(folder, as_json=json_output, judge=judge, endpoint=endpoint, check_files=check_files)
    raise typer.Exit(code)
