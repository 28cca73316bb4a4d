"""`harness sweep`: how much load each target takes within the SLOs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.places import RESULTS, local_path


def sweep(
    suite: Annotated[Path, typer.Argument(help="The suite file.", show_default=False, parser=local_path)],
    by: Annotated[
        Literal["rate", "concurrency"], typer.Option(help="What climbs: requests per second, or concurrent streams.")
    ] = "rate",
    first: Annotated[float, typer.Option("--from", help="The first level tried.", min=0.001, max=100_000)] = 4.0,
    highest: Annotated[
        float, typer.Option("--to", help="No level above this is tried.", min=0.001, max=100_000)
    ] = 256.0,
    percentile: Annotated[
        float, typer.Option(help="This percentile of the requests must meet the SLOs.", min=50, max=99.9)
    ] = 95.0,
    requests: Annotated[
        int | None,
        typer.Option(
            min=20,
            max=1_000_000,
            help="Measured requests of a step. Default: twice what the percentile needs.",
            show_default=False,
        ),
    ] = None,
    step_time: Annotated[str, typer.Option(metavar="TIME", help="By rate: a step lasts this long at least.")] = "10s",
    resolution: Annotated[
        float, typer.Option(metavar="PERCENT", help="How closely the knee is bracketed.", min=1, max=100)
    ] = 10.0,
    slo_ttft: Annotated[
        str | None, typer.Option(metavar="TIME", help="Overrides the suite's slo.ttft, e.g. 2s.", show_default=False)
    ] = None,
    slo_e2e: Annotated[
        str | None, typer.Option(metavar="TIME", help="Overrides the suite's slo.e2e, e.g. 6s.", show_default=False)
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="simulator, aws or a URL; overrides the suite's.", show_default=False)
    ] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Only this target; may be given several times.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the sweep's folder goes.", parser=local_path)] = RESULTS,
    seed: Annotated[int, typer.Option(help="Same suite and seed: same steps.", min=0, max=2**31)] = 1,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", help="Overrides the suite's.", show_default=False)
    ] = None,
    no_preflight: Annotated[
        bool, typer.Option("--no-preflight", help="aws: do not ask the account first whether the sweep can work.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Find each target's knee: the highest load at which it still meets the SLOs.

    Every target climbs by doubling until it misses, then the knee is bisected, all targets at once. A step that cannot
    meet any more ends early. Retries are off: a throttled request is one that this load did not get answered.

    Under the suite's quota.tokens_per_minute, every step waits up to a minute until the quota is unused.

    \b
    harness sweep suites/quickstart.yaml
    harness sweep suites/quickstart.yaml --endpoint aws --from 2 --to 50 --budget 10
    harness sweep suites/quickstart.yaml --by concurrency --percentile 99 --slo-ttft 1s
    """
    from harness.cli.running.overrides import Overrides, load_for_run
    from harness.cli.running.run_sweep import SweepOptions, find_knees

    overrides = Overrides(endpoint=endpoint, targets=tuple(target or ()), budget_usd=budget)
    asked = SweepOptions(
        by=by,
        first=first,
        highest=highest,
        share=percentile / 100,
        requests=requests,
        resolution=resolution / 100,
        step_time=step_time,
        slo_ttft=slo_ttft,
        slo_e2e=slo_e2e,
    )
    loaded = load_for_run(suite, overrides)
    if loaded.endpoint == "aws" and not no_preflight:
        from harness.cli.commands.doctor import check_before_run

        check_before_run(loaded)
    code = find_knees(loaded, asked, out=out, seed=seed, as_json=json_output, quiet=quiet)
    raise typer.Exit(code)
