"""`harness sweep`: finds how much load each target takes within its SLOs."""

from __future__ import annotations

from typing import Annotated, Literal, cast

import typer

from harness.cli import options
from harness.cli.places import DEFAULT_RESULTS

By = Literal["rate", "concurrency"]


def parse_by(written: str) -> By:
    """`rate` or `concurrency`. BadParameter: anything else."""
    if written not in ("rate", "concurrency"):
        raise typer.BadParameter(f"{written!r} is not one of rate, concurrency")
    return cast(By, written)


ByOption = Annotated[
    By,
    typer.Option(
        help="Raise requests per second, or concurrent streams.", metavar="[rate|concurrency]", parser=parse_by
    ),
]
RequestsOption = Annotated[
    int | None,
    typer.Option(min=20, max=1_000_000, help="Measured requests in a step. Default: twice what the percentile needs."),
]
SloTtftOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Longest TTFT, such as 2s. Overrides the suite's slo.ttft.")
]
SloE2eOption = Annotated[
    str | None, typer.Option(metavar="TIME", help="Longest E2E latency, such as 6s. Overrides the suite's slo.e2e.")
]
ResolutionOption = Annotated[
    float, typer.Option(metavar="PERCENT", help="Stop once the knee is known this precisely.", min=1, max=100)
]
PercentileOption = Annotated[
    float, typer.Option(help="Percentile of the requests that must meet the SLOs.", min=50, max=99.9)
]


def sweep(
    suite: options.SuiteArgument,
    by: ByOption = "rate",
    first: Annotated[float, typer.Option("--from", help="Start at this level.", min=0.001, max=100_000)] = 4.0,
    highest: Annotated[float, typer.Option("--to", help="Stop at this level.", min=0.001, max=100_000)] = 256.0,
    percentile: PercentileOption = 95.0,
    requests: RequestsOption = None,
    step_time: Annotated[str, typer.Option(metavar="TIME", help="Shortest time of a step, with --by rate.")] = "10s",
    resolution: ResolutionOption = 10.0,
    slo_ttft: SloTtftOption = None,
    slo_e2e: SloE2eOption = None,
    endpoint: options.EndpointOption = None,
    target: options.TargetOption = None,
    out: options.OutOption = DEFAULT_RESULTS,
    seed: options.SeedOption = 1,
    budget: options.BudgetOption = None,
    no_preflight: options.NoPreflightOption = False,
    formats: options.FormatOption = None,
    prometheus: options.PrometheusOption = None,
    json_output: options.JsonOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Find each target's knee: the highest load that meets the SLOs.

    The load on each target doubles until the target misses its SLOs, then the knee is bisected; all targets are swept
    at once. A step that can no longer meet the SLOs ends early. Requests are not retried: a throttled request is load
    that the target did not take.

    If the suite sets quota.tokens_per_minute, every step first waits up to a minute until the quota is full again.

    \b
    harness sweep suites/quickstart.yaml
    harness sweep suites/quickstart.yaml --endpoint aws --from 2 --to 50 --budget 10
    harness sweep suites/quickstart.yaml --by concurrency --percentile 99 --slo-ttft 1s
    """
    from harness.cli.running.overrides import Overrides, load_for_run
    from harness.load.sweep.options import SweepOptions

    plots = options.plots_of(formats)
    sweep_options = SweepOptions(
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
    loaded = load_for_run(suite, Overrides(endpoint=endpoint, targets=tuple(target or ()), budget_usd=budget))
    from harness.cli.running.run_sweep import run_sweep

    context = options.RunContext(
        seed=seed, as_json=json_output, quiet=quiet, plots=plots, prometheus=prometheus, preflight=not no_preflight
    )
    raise typer.Exit(run_sweep(loaded, sweep_options, options.created_in(out, context)))
