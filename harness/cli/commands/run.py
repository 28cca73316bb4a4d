"""`harness run`: the main job, from a suite to a verdict-ready report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.places import RESULTS, local_path


def run(
    suite: Annotated[Path, typer.Argument(help="The suite file.", show_default=False, parser=local_path)],
    endpoint: Annotated[
        str | None, typer.Option(help="simulator, aws or a URL; overrides the suite's.", show_default=False)
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Only this target; may be given several times.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the run's folder goes.", parser=local_path)] = RESULTS,
    seed: Annotated[int, typer.Option(help="Same suite and seed: same plan.", min=0, max=2**31)] = 1,
    repeats: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="Overrides the suite's.", show_default=False)
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", help="Overrides the suite's.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that share the load; one core each.", min=1, max=256)] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what the run would do and cost; send nothing.")
    ] = False,
    no_preflight: Annotated[
        bool, typer.Option("--no-preflight", help="aws: do not ask the account first whether the run can work.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Send a suite's prompts at all its targets, grade the answers, and write the report.

    \b
    harness run suites/quickstart.yaml
    harness run suites/quickstart.yaml --endpoint aws --budget 2 --dry-run
    harness run suites/quickstart.yaml --endpoint http://127.0.0.1:9000 --seed 7
    harness run load.yaml --workers 2
    """
    from harness.cli.running.overrides import Overrides, load_for_run
    from harness.cli.running.run_suite import perform

    overrides = Overrides(endpoint=endpoint, targets=tuple(target or ()), repeats=repeats, budget_usd=budget)
    loaded = load_for_run(suite, overrides)
    if dry_run:
        from harness.cli.printing.forecast import print_forecast

        print_forecast(loaded, seed=seed, as_json=json_output)
        return
    if loaded.endpoint == "aws" and not no_preflight:
        from harness.cli.commands.doctor import check_before_run

        check_before_run(loaded)
    raise typer.Exit(perform(loaded, out=out, seed=seed, workers=workers, as_json=json_output, quiet=quiet))
