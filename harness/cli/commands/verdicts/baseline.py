"""`harness baseline`: the run that is the baseline of a suite."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.characters import printable
from harness.cli.options import JsonOption, ResultsOption, RunArgument
from harness.cli.output import print_json
from harness.cli.places import DEFAULT_RESULTS, local_results, local_run

baseline = typer.Typer(no_args_is_help=True, help="Set or show the run that `harness gate` compares with.")


@baseline.command("set")
def set_run(
    run: RunArgument,
    name: Annotated[str, typer.Option(help="Name of the baseline, for `harness gate --baseline NAME`.")] = "default",
) -> None:
    """Make a run the baseline of its suite: `harness gate` compares later runs with it.

    \b
    harness baseline set results/20261122T024500Z-quickstart-a1b2c3
    harness baseline set 20261122T0245 --name release
    harness baseline set s3://my-bench/results/latest
    """
    from harness.errors import HarnessError
    from harness.store.baselines import FILE, set_baseline
    from harness.store.opening import open_run

    folder = open_run(local_run(run))
    manifest = folder.read_manifest()
    if manifest.state != "complete":
        raise HarnessError(f"{folder.path}: the run is {manifest.state}; a baseline must be a complete run")
    path = folder.path.resolve()
    where = str(folder.path.parent / FILE)
    if run.in_bucket:
        from harness.cli.remote import set_remote_baseline

        results, _ = run.address.split()
        set_remote_baseline(results, manifest.suite, name, path.name)
        where = str(results.below(FILE))
    else:
        set_baseline(folder, name=name)
    typer.echo(f"{manifest.suite}: the baseline ({name}) is {path.name}, stored in {where}")


@baseline.command("show")
def show_runs(
    results: ResultsOption = DEFAULT_RESULTS,
    json_output: JsonOption = False,
) -> None:
    """Show the baseline of each suite.

    \b
    harness baseline show
    harness baseline show --results s3://my-bench/results
    """
    from harness.store.baselines import FILE, read_baselines

    folder = local_results(results, ("manifest.json", FILE))
    stored = read_baselines(folder)
    if json_output:
        print_json(stored)
        return
    if not stored:
        typer.echo(f"{results} has no baseline; set one with `harness baseline set RUN`")
    for suite, names in stored.items():
        for name, run_id in names.items():
            gone = "" if (folder / run_id / "manifest.json").exists() else "  (missing)"
            typer.echo("  ".join(map(printable, (suite, name, run_id))) + gone)
