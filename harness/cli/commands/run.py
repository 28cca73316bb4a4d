"""`harness run`: from a suite to a report."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli import options
from harness.cli.places import RESULTS


def run(
    suite: options.SuiteArgument,
    endpoint: options.EndpointOption = None,
    target: options.TargetOption = None,
    out: options.OutOption = RESULTS,
    seed: options.SeedOption = 1,
    repeats: Annotated[
        int | None,
        typer.Option(
            min=1, max=options.MOST_REPEATS, help="Ask every prompt this many times. Overrides the suite's repeats."
        ),
    ] = None,
    budget: options.BudgetOption = None,
    workers: Annotated[
        int, typer.Option(help="Share the load among this many processes.", min=1, max=options.MOST_WORKERS)
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what the run would do and cost. Sends nothing.")
    ] = False,
    no_preflight: options.NoPreflightOption = False,
    figures: options.FiguresOption = None,
    formats: options.FormatOption = None,
    json_output: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Send a suite to all its targets, grade the answers, and report.

    \b
    harness run suites/quickstart.yaml
    harness run suites/quickstart.yaml --endpoint aws --budget 2 --dry-run
    harness run suites/quickstart.yaml --endpoint http://127.0.0.1:9000 --seed 7
    harness run load.yaml --workers 2
    """
    from harness.cli.running.overrides import Overrides, check_account, load_for_run

    plots = options.plots_of(formats, figures)
    overrides = Overrides(endpoint=endpoint, targets=tuple(target or ()), repeats=repeats, budget_usd=budget)
    loaded = load_for_run(suite, overrides)
    if dry_run:
        from harness.cli.printing.forecast import print_forecast

        print_forecast(loaded, out, seed=seed, as_json=json_output)
        return
    if not no_preflight:
        check_account(loaded)
    from harness.cli.running.run_suite import run_suite

    context = options.RunContext(out=out, seed=seed, as_json=json_output, quiet=quiet, plots=plots, index=True)
    raise typer.Exit(run_suite(loaded, context, workers=workers))
