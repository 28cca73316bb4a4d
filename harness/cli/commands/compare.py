"""`harness compare`: two runs of one suite, or the targets inside one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.places import local_path


def compare(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run: its folder or id; the baseline where there is a second. Default: the latest under results/.",
            show_default=False,
        ),
    ] = None,
    later: Annotated[
        str | None, typer.Argument(help="A second run, to compare with the first.", show_default=False)
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET", help="Default: the suite's, or with two runs each target itself.", show_default=False
        ),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(metavar="TARGET", help="Only this target; may be given several times.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Default: the candidate's run folder.", show_default=False, parser=local_path),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print compare.json.")] = False,
) -> None:
    """Say whether it is safe to move: quality, latency, errors and cost against a baseline, with error bars.

    \b
    harness compare                                             the latest run, against its suite's baseline
    harness compare RUN --baseline claude-haiku-4-5/us/invoke
    harness compare LAST_WEEK TODAY                             every target that both have
    harness compare LAST_WEEK TODAY --baseline OLD_MODEL --candidate NEW_MODEL

    Writes compare.html, compare.md, compare.json and plots/forest.png. A comparison reports; `harness gate` decides.

    Exit codes: 0 compared, whatever the verdict · 2 no such run or target, unequal suites · 4 a run is invalid.
    """
    from harness.cli.running.compare_runs import find_run, make_sides
    from harness.cli.running.comparing import compare_sides, print_and_write
    from harness.errors import RunInvalid

    first = find_run(run)
    second = None if later is None else find_run(later)
    sides = make_sides(second or first, second and first, baseline=baseline, candidates=candidate or [])
    report = compare_sides(sides)
    print_and_write(report, out or sides.run.path, as_json=json_output)
    raise typer.Exit(0 if report.valid else RunInvalid.exit_code)
