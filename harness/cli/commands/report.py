"""`harness report`: makes the report of a run again from its stored attempts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import (
    FiguresOption,
    FormatOption,
    JsonOption,
    RunArgument,
    RunContext,
    TrustedEndpointOption,
    plots_of,
)
from harness.cli.places import DEFAULT_RUN, local_path, local_run, stored_run


def report(
    run: RunArgument = DEFAULT_RUN,
    judge: Annotated[
        bool,
        typer.Option("--judge", help="Ask the suite's judges for missing verdicts. This costs money."),
    ] = False,
    suite: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Your suite file, to grade with its check functions what they have not graded, or failed to grade, as "
            "after a timeout. Code named in a run's folder is never run.",
            parser=local_path,
        ),
    ] = None,
    endpoint: TrustedEndpointOption = None,
    figures: FiguresOption = None,
    formats: FormatOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make a run's report again, even if the run was killed.

    Reuses stored verdicts of judges and results of check functions. Files that an earlier report left in plots/ and
    that are not asked for any more are removed.

    \b
    harness report
    harness report results/20261122T024500Z-quickstart-a1b2c3
    harness report 20261122T0245 --judge
    harness report latest --suite suites/judged.yaml
    harness report --figures latency_ecdf,percentiles --format pdf
    harness report s3://my-bench/results/latest                     and uploads it
    """
    from harness.cli.running.grade_and_report import check_files_of, report_again
    from harness.endpoints.address import aws_settings_restored
    from harness.store.run_folder import RunFolder

    plots = plots_of(formats, figures)
    folder = local_run(run)
    check_files = () if suite is None else check_files_of(suite, RunFolder(folder))
    context = RunContext(as_json=json_output, plots=plots)
    with aws_settings_restored():
        code = report_again(folder, context, judge=judge, endpoint=endpoint, check_files=check_files)
    raise typer.Exit(stored_run(run, folder, code))
