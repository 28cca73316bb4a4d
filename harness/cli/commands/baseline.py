"""`harness baseline`: which run is the baseline of a suite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.characters import printable
from harness.cli.places import RESULTS, local_path

baseline = typer.Typer(no_args_is_help=True, help="Keep which run is the baseline of its suite; see `harness gate`.")


@baseline.command("set")
def keep(
    run: Annotated[str, typer.Argument(help="A run: its folder, its id or the beginning of one.", show_default=False)],
    name: Annotated[str, typer.Option(help="Keep it under this name, for `gate --baseline NAME`.")] = "default",
) -> None:
    """Make a run the baseline of its suite: `harness gate` compares with it from now on.

    \b
    harness baseline set results/20261122T024500Z-quickstart-a1b2c3
    harness baseline set 20261122T0245 --name release
    """
    from harness.cli.running.compare_runs import find_run
    from harness.errors import HarnessError
    from harness.store.baselines import FILE, keep_baseline

    folder = find_run(run)
    manifest = folder.read_manifest()
    if manifest.state != "complete":
        raise HarnessError(f"{folder.path}: is {manifest.state}; a baseline must be a complete run")
    keep_baseline(folder, name=name)
    typer.echo(
        f"{manifest.suite}: the baseline ({name}) is {folder.path.resolve().name}, kept in {folder.path.parent / FILE}"
    )


@baseline.command("show")
def show(
    results: Annotated[Path, typer.Option("--results", help="Where the runs are.", parser=local_path)] = RESULTS,
    json_output: Annotated[bool, typer.Option("--json", help="Print baselines.json.")] = False,
) -> None:
    """Say which runs are kept as baselines.

    \b
    harness baseline show
    """
    import msgspec

    from harness.store.baselines import read_baselines

    kept = read_baselines(results)
    if json_output:
        typer.echo(msgspec.json.format(msgspec.json.encode(kept), indent=2).decode())
        return
    if not kept:
        typer.echo(f"no baseline is kept in {results}; `harness baseline set RUN` keeps one")
    for suite, names in kept.items():
        for name, run_id in names.items():
            gone = "" if (results / run_id / "manifest.json").exists() else "  (is not there)"
            typer.echo("  ".join(map(printable, (suite, name, run_id))) + gone)
