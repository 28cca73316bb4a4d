"""`harness run`: from a suite to a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import options
from harness.cli.places import DEFAULT_RESULTS, RESULTS, Place, complete_run, find_run, local_path
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.cli.running.overrides import Overrides
    from harness.suite.suite import Suite


SuiteArgument = Annotated[
    Path | None,
    typer.Argument(
        help="The suite file. With --resume only needed for what the folder lacks: documents, check files, "
        "texts that are not stored.",
        show_default=False,
        parser=local_path,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        help="Seed of everything random: the same suite and seed give the same plan. Default: 1.",
        min=0,
        max=options.MOST_SEED,
    ),
]
RepeatsOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=options.MOST_REPEATS, help="Ask every prompt this many times. Overrides the suite's repeats."
    ),
]
WorkersOption = Annotated[
    int, typer.Option(help="Share the load among this many processes.", min=1, max=options.MOST_WORKERS)
]
RayOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run the workers on the nodes of a Ray cluster: its address, auto, or local to start one here.",
    ),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Send what this run lacks of its plan, then grade and report it: its folder, its id, or `latest`.",
        parser=find_run,
        autocompletion=complete_run,
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what the run would do and cost. Sends nothing.")]


def run(
    suite: SuiteArgument = None,
    endpoint: options.EndpointOption = None,
    target: options.TargetOption = None,
    out: options.OutOption = DEFAULT_RESULTS,
    seed: SeedOption = None,
    repeats: RepeatsOption = None,
    budget: options.BudgetOption = None,
    workers: WorkersOption = 1,
    ray: RayOption = None,
    resume: ResumeOption = None,
    dry_run: DryRunOption = False,
    no_preflight: options.NoPreflightOption = False,
    figures: options.FiguresOption = None,
    formats: options.FormatOption = None,
    prometheus: options.PrometheusOption = None,
    json_output: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Send a suite to all its targets, grade the answers, and report.

    \b
    harness run suites/quickstart.yaml
    harness run suites/quickstart.yaml --endpoint aws --budget 2 --dry-run
    harness run suites/quickstart.yaml --endpoint http://127.0.0.1:9000 --seed 7
    harness run load.yaml --workers 2 --prometheus 9464
    harness run load.yaml --workers 8 --ray auto
    harness run --resume latest
    harness run nightly.yaml --endpoint aws --out s3://my-bench/results
    """
    from harness.cli.running.overrides import Overrides, load_for_run

    overrides = Overrides(endpoint=endpoint, targets=tuple(target or ()), repeats=repeats, budget_usd=budget)
    context = options.RunContext(
        seed=1 if seed is None else seed,
        as_json=json_output,
        quiet=quiet,
        plots=options.plots_of(formats, figures),
        index=True,
        prometheus=prometheus,
        workers=options.Workers(count=workers, ray=ray),
        preflight=not no_preflight,
    )
    if resume is not None:
        _check_resume(suite, overrides, dry_run=dry_run)
        raise typer.Exit(_resume(resume, suite, overrides, seed, options.created_in(out, context)))
    if suite is None:
        raise typer.BadParameter("give a suite, or a run with --resume", param_hint="SUITE")
    loaded = load_for_run(suite, overrides)
    if dry_run:
        _show_plan(loaded, out, context)
        return
    from harness.cli.running.run_suite import run_suite

    raise typer.Exit(run_suite(loaded, options.created_in(out, context)))


def _resume(run: Path, suite: Path | None, overrides: Overrides, seed: int | None, context: options.RunContext) -> int:
    from harness.cli.running.overrides import load_for_run
    from harness.cli.running.resume.resume_run import Resume, resume_run

    given = None if suite is None else load_for_run(suite, overrides)
    how = Resume(suite=given, endpoint=overrides.endpoint, budget_usd=overrides.budget_usd, seed=seed)
    return resume_run(run, how, context)


def _show_plan(suite: Suite, out: Place, context: options.RunContext) -> None:
    for warning in suite.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    from harness.cli.printing.forecast import print_forecast

    print_forecast(suite, RESULTS if out.in_bucket else Path(out), seed=context.seed, as_json=context.as_json)


def _check_resume(suite: Path | None, overrides: Overrides, *, dry_run: bool) -> None:
    """HarnessError: an option that does not go with --resume."""
    if dry_run or (suite is None and (overrides.targets or overrides.repeats is not None)):
        raise HarnessError(
            "--resume: sends the rest of the run as it was planned; leave out --dry-run, --target and --repeats "
            "(with SUITE, give --target and --repeats as for the run)"
        )
