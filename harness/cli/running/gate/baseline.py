"""`harness gate`: a run against its baseline, its files, and what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import typer

from harness.analysis.compare.gate import exit_code
from harness.characters import printable
from harness.cli.index import update_index
from harness.cli.options import Rerun
from harness.cli.running.compare_runs import choose_sides, compare_sides, load_compared_answers, print_comparison
from harness.cli.running.gate.confirm import compare_and_confirm
from harness.cli.running.gate.files import GateFiles, GateOutput
from harness.endpoints.address import aws_settings_restored
from harness.report.webhook.message import compare_message
from harness.store.opening import open_run


def gate_with_baseline(
    folder: Path, targets: Sequence[str], output: GateOutput, *, baseline: str | None, rerun: Rerun | None
) -> int:
    """Compare a run, write its files, print the report and post it; returns the exit code.

    `baseline`: as --baseline. `rerun`: ask again what is worse or open; None: do not. KeyboardInterrupt: the rerun was
    interrupted; the files say so.
    """
    sides, which = choose_sides(open_run(folder), baseline, targets)
    typer.echo(printable(f"baseline: {which}"), err=True)
    answers = partial(load_compared_answers, sides=sides)
    files = GateFiles(sides.run.path, output, against=which, load_answers=answers)
    if rerun is None:
        report, interrupted = compare_sides(sides), False
        files.write(report)
    else:
        with aws_settings_restored():
            report, interrupted = compare_and_confirm(sides, rerun, files.write)
    update_index(sides.run.path.resolve().parent)
    print_comparison(report, files.page, as_json=output.as_json)
    run_id, notification = sides.run.read_manifest().run_id, output.notification
    notification.send(compare_message(report, sides.run.path, run_id, notification.links))
    if interrupted:
        raise KeyboardInterrupt
    files.check()
    return exit_code(report)
