"""`harness history`: every run of a suite over time, and where its level changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.characters import printable
from harness.cli.options import FormatOption, JsonOption, ResultsArgument, SinceOption, plots_of
from harness.cli.output import print_json
from harness.cli.places import DEFAULT_RESULTS, SUMMARIES, Place, local_path, local_results
from harness.report.plots import FORMATS, Plots

if TYPE_CHECKING:
    from harness.analysis.history import History


def history(
    results: ResultsArgument = DEFAULT_RESULTS,
    suite: Annotated[str | None, typer.Option(help="Show only runs of this suite.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="TARGET", help="Show only this target. Repeatable.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Show only this metric: pass_rate, ttft_p50, ttft_p95, e2e_p95, cost_per_request, error_rate. "
            "Repeatable."
        ),
    ] = None,
    since: SinceOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Write the page (.html), the figure (.png, .svg, .pdf), or a folder with both.",
            parser=local_path,
        ),
    ] = None,
    formats: FormatOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show how each metric of a suite develops from run to run, and where it changed.

    \b
    harness history
    harness history --suite support-triage --since 90d --out history/
    harness history nightly/ --metric ttft_p95 --target claude-sonnet-4-6/us/converse
    harness history s3://my-bench/results --since 90d

    For each change it lists what differs between the runs before and after: model id, package versions, Region,
    endpoint, suite, host. Finding changes needs 15 runs; use `harness gate` to decide an upgrade. Simulated and real
    runs are kept apart, and invalid runs are not searched for changes. Only summaries are read.
    """
    import sys

    from harness.analysis.history import HistoryFilter, load_history
    from harness.errors import HarnessError

    plots = plots_of(formats)
    if formats is not None and (out is None or out.suffix in (".html", *(f".{kind}" for kind in FORMATS))):
        raise HarnessError(
            "--format: chooses the figures' files in a folder; name one with --out, such as --out history/"
        )
    wanted = HistoryFilter(
        suite=suite,
        targets=tuple(target or ()),
        metrics=tuple(_known_metric(name) for name in metric or ()),
        since=since,
    )
    folder = local_results(results, SUMMARIES)
    loaded = load_history(folder, wanted)
    for message in loaded.unreadable:
        print(f"warning: left out: {printable(message)}", file=sys.stderr)
    if not loaded.suites:
        raise HarnessError(_no_runs(folder, results))
    _report(loaded, out, plots, as_json=json_output)


def _report(history: History, out: Path | None, plots: Plots, *, as_json: bool) -> None:
    """Write the files of --out, then print the history."""
    written = []
    if out is not None:
        from harness.report.write import write_history

        written = write_history(history, out, plots)
    if as_json:
        print_json(history)
        return
    from rich.console import Console

    from harness.report.history.sections import history_report
    from harness.report.terminal import print_report

    page = written[0] if written else None
    print_report(history_report(history), Console(highlight=False), written=page)


def _known_metric(name: str) -> str:
    from harness.analysis.history import FOLLOWED
    from harness.errors import HarnessError

    if name not in FOLLOWED:
        raise HarnessError(f"--metric {name!r}: unknown (known: {', '.join(FOLLOWED)})")
    return name


def _no_runs(folder: Path, results: Place) -> str:
    from harness.store.run_folder import list_runs

    suites = dict.fromkeys(run.read_manifest().suite for run in list_runs(folder))
    if not suites:
        return f"{results}: holds no readable runs; make one with `harness run SUITE --out {results}`"
    return f"{results}: no run matches --suite and --since (known suites: {', '.join(suites)})"
