"""`harness compare`: two runs of one suite, or the targets inside one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import CandidateOption, FormatOption, JsonOption, RunArgument, plots_of
from harness.cli.places import DEFAULT_RUN, Place, complete_run, local_path, local_run, parse_run


def compare(
    run: RunArgument = DEFAULT_RUN,
    later: Annotated[
        Place | None,
        typer.Argument(
            help="A second run, compared with the first as its baseline.", parser=parse_run, autocompletion=complete_run
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="TARGET", help="Baseline target. Default: the suite's; with two runs, the same target."),
    ] = None,
    candidate: CandidateOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write the files into this folder. Default: the candidate run's.", parser=local_path
        ),
    ] = None,
    formats: FormatOption = None,
    json_output: JsonOption = False,
) -> None:
    """Compare quality, latency, errors and cost with a baseline's.

    \b
    harness compare                                             the latest run, against its suite's baseline
    harness compare RUN --baseline claude-haiku-4-5/us/invoke
    harness compare LAST_WEEK latest                            every target that both runs have
    harness compare LAST_WEEK TODAY --baseline OLD_MODEL --candidate NEW_MODEL
    harness compare s3://my-bench/results/LAST_WEEK results/TODAY

    Writes compare.html, compare.md, compare.json and plots/forest.png and .svg, for a run in a bucket into its copy on
    this machine. `harness gate` exits with the verdict.

    Exit codes: 0 compared, whatever the verdict · 2 no such run or target, different suites · 4 a run is invalid.
    """
    from harness.cli.index import update_index
    from harness.cli.running.compare_runs import (
        compare_sides,
        load_compared_answers,
        make_sides,
        print_comparison,
        write_files,
    )
    from harness.errors import RunInvalid
    from harness.store.opening import open_run

    plots = plots_of(formats)
    first = open_run(local_run(run, compared=True))
    second = None if later is None else open_run(local_run(later, compared=True))
    sides = make_sides(second or first, second and first, baseline=baseline, candidates=candidate or [])
    report = compare_sides(sides)
    page = write_files(report, out or sides.run.path, load_compared_answers(report, sides), plots)
    update_index(sides.run.path.resolve().parent)
    print_comparison(report, page, as_json=json_output)
    raise typer.Exit(0 if report.valid else RunInvalid.exit_code)
