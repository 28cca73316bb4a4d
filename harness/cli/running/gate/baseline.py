"""`harness gate`: a run against its baseline, its files, and what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import typer

from harness.analysis.compare.gate import exit_code
from harness.characters import printable
from harness.cli.index import update_index
from harness.cli.running.compare_runs import choose_sides, compare_sides, load_compared_answers, print_comparison
from harness.cli.running.gate.confirm import Rerun, compare_and_confirm
from harness.cli.running.gate.files import GateFiles
from harness.cli.running.gate.notify import Notification
from harness.report.webhook.message import compare_message
from harness.store.opening import open_run


def gate_with_baseline(
    run: Path,
    baseline: str | None,
    targets: Sequence[str],
    *,
    rerun: Rerun | None,
    junit: Path | None,
    markdown: Path | None,
    as_json: bool,
    notification: Notification,
) -> int:
    """Compare a run, write its files and print the report; returns the exit code.

    `baseline`: as --baseline. `rerun`: ask again what is worse or open; None: do not. KeyboardInterrupt: the rerun was
    interrupted; the files say so.
    """
    sides, which = choose_sides(open_run(run), baseline, targets)
    typer.echo(printable(f"baseline: {which}"), err=True)
    answers = partial(load_compared_answers, sides=sides)
    files = GateFiles(sides.run.path, against=which, load_answers=answers, junit=junit, markdown=markdown)
    if rerun is None:
        report, interrupted = compare_sides(sides), False
        files.write(report)
    else:
        report, interrupted = compare_and_confirm(sides, rerun, files.write)
    update_index(sides.run.path.resolve().parent)
    print_comparison(report, files.page, as_json=as_json)
    run_id = sides.run.read_manifest().run_id
    notification.send(compare_message(report, sides.run.path, run_id, notification.links))
    if interrupted:
        raise KeyboardInterrupt
    files.check()
    return exit_code(report)
