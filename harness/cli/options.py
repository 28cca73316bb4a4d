"""Options and arguments that several commands share, and `RunContext`, which passes them on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.places import RESULTS, Place, complete_run, local_out, local_path, parse_results, parse_run
from harness.report.plots import ALL_PLOTS, DEFAULT_FORMATS, Plots, parse_figures, parse_formats

if TYPE_CHECKING:
    from harness.load.interrupts import Interrupts

MOST_REPEATS = 10_000_000
MOST_SEED = 2**31
MOST_WORKERS = 256


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0: any free one."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """How many processes share the load, and where they run."""

    count: int = 1
    ray: str | None = None
    """The address of a Ray cluster, or `local`. None: on this machine, without Ray."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """How to run: the options that a command passes down."""

    out: Path = RESULTS
    """Create the run's folder in this folder."""
    seed: int = 1
    as_json: bool = False
    """Print JSON on standard output instead of text."""
    quiet: bool = False
    """Show no progress and no notes."""
    plots: Plots = ALL_PLOTS
    """Which figures the report has, and as which files."""
    interrupts: Interrupts | None = None
    """Interrupts from another thread, for a run outside the main one."""
    bucket: Place | None = None
    """Upload the run to this address when it has ended."""
    index: bool = False
    """Bring the index of `out` up to date, or make it."""
    prometheus: Address | None = None
    """Serve the counts of the load here while it runs."""
    workers: Workers = Workers()
    preflight: bool = False
    """Check the account before sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """How a gate asks again before it says `worse`."""

    suite_file: Path | None = None
    """The suite file, next to its documents and check files; the run stores only their digests."""
    endpoint: str | None = None
    """Default: the run's, if that is AWS or this machine."""
    budget_usd: float | None = None
    """Default: the suite's."""
    quiet: bool = False


def created_in(out: Place, context: RunContext) -> RunContext:
    """The same, for a run that --out places. StoreError: a bucket that cannot be used."""
    results, bucket = local_out(out)
    return replace(context, out=results, bucket=bucket)


def plots_of(formats: str | None, figures: str | None = None) -> Plots:
    """What --format and --figures ask for. HarnessError: a name is unknown."""
    known: tuple[str, ...] = ()
    if figures is not None:
        from harness.report.figures import FIGURES

        known = tuple(FIGURES)
    return Plots(
        formats=DEFAULT_FORMATS if formats is None else parse_formats(formats),
        figures=None if figures is None else parse_figures(figures, known),
    )


def parse_address(written: str | Address) -> Address:
    """Parse `PORT`, on 127.0.0.1, or `HOST:PORT`. BadParameter: anything else."""
    if not isinstance(written, str):
        return written
    host, _, port = written.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if ":" in host else host
    is_port = port.isascii() and port.isdigit() and int(port) <= 65_535
    if not is_port or (host == "" and ":" in written) or (":" in bare and bare == host):
        raise typer.BadParameter(f"{written!r} is not PORT or HOST:PORT; write 9464, 0.0.0.0:9464 or [::1]:9464")
    return Address(bare or "127.0.0.1", int(port))


def parse_when(written: str | datetime) -> datetime:
    """Parse a date, a time (UTC without an offset), or `30d`: days before now. BadParameter: anything else."""
    from datetime import timedelta

    from harness.clock import parse_utc, utc_now

    if isinstance(written, datetime):
        return written
    try:
        return utc_now() - timedelta(days=float(written[:-1])) if written.endswith("d") else parse_utc(written)
    except (ValueError, OverflowError):
        how = "write 2026-11-01, 2026-11-01T09:00 (UTC), 2026-11-01T09:00+02:00, or 30d for the last 30 days"
        raise typer.BadParameter(f"{written!r} is not a date or a time; {how}") from None


SuiteArgument = Annotated[Path, typer.Argument(help="The suite file.", parser=local_path)]
RunArgument = Annotated[
    Place,
    typer.Argument(
        help="A run: its folder, its id, the beginning of its id, or `latest`; or s3://BUCKET/PREFIX/RUN.",
        parser=parse_run,
        autocompletion=complete_run,
    ),
]
TargetOption = Annotated[list[str] | None, typer.Option(metavar="TARGET", help="Use only this target. Repeatable.")]
CandidateOption = Annotated[
    list[str] | None, typer.Option(metavar="TARGET", help="Compare only this target. Repeatable.")
]
EndpointOption = Annotated[str | None, typer.Option(help="simulator, aws or a URL. Overrides the suite's endpoint.")]
TrustedEndpointOption = Annotated[
    str | None,
    typer.Option(help="Where to send requests. Required if the run used neither aws nor this machine."),
]
BudgetOption = Annotated[
    float | None, typer.Option(metavar="USD", help="Spend at most this much. Overrides the suite's budget.")
]
OutOption = Annotated[
    Place,
    typer.Option(
        help="Create the run's folder in this folder. s3://BUCKET/PREFIX: in results/, then upload it.",
        parser=parse_results,
    ),
]
ResultsOption = Annotated[
    Place,
    typer.Option("--results", help="The folder that holds the runs, or s3://BUCKET/PREFIX.", parser=parse_results),
]
ResultsArgument = Annotated[
    Place, typer.Argument(help="The folder that holds the runs, or s3://BUCKET/PREFIX.", parser=parse_results)
]
SeedOption = Annotated[
    int,
    typer.Option(help="Seed of everything random: the same suite and seed give the same plan.", min=0, max=MOST_SEED),
]
NoPreflightOption = Annotated[
    bool, typer.Option("--no-preflight", help="With aws: do not check the account before sending.")
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMATS", help="Files of each figure: png, svg, pdf. Default: png,svg."),
]
FiguresOption = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="Draw only these figures, such as errors,timeline. Default: all."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
PrometheusOption = Annotated[
    Address | None,
    typer.Option(
        metavar="[HOST:]PORT",
        help="While the load is sent, serve its counts to Prometheus at http://HOST:PORT/metrics. Default host: "
        "127.0.0.1.",
        parser=parse_address,
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        metavar="WHEN",
        help="Leave out anything earlier: a date or time (2026-11-01, 2026-11-01T09:00+02:00; UTC without an offset), "
        "or days before now (30d).",
        parser=parse_when,
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option(
        metavar="WHEN", help="Leave out anything at this time or later; same format as --since.", parser=parse_when
    ),
]
