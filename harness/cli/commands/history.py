"""`harness history`: every run of a suite over time, and where its level changed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from harness.characters import printable
from harness.cli.places import RESULTS, local_path


def history(
    results: Annotated[Path, typer.Argument(help="The folder with the runs.", parser=local_path)] = RESULTS,
    suite: Annotated[str | None, typer.Option(help="Only runs of this suite.", show_default=False)] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="Only this target; may be given several times.", show_default=False)
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this metric: pass_rate, ttft_p50, ttft_p95, e2e_p95, cost_per_request, error_rate;"
            " may be given several times.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="Only runs since a date (2026-11-01, UTC) or of the last days (30d).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Write the page (.html), the figure (.png, .svg), or a folder of both.",
            show_default=False,
            parser=local_path,
        ),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print the history as JSON.")] = False,
) -> None:
    """Show each metric of each target over all runs of a suite, and the run at which its level changed.

    \b
    harness history
    harness history --suite support-triage --since 90d --out history/
    harness history nightly/ --metric ttft_p95 --target claude-sonnet-4-6/us/converse

    Each change is shown with what differed in the manifests: model id, package versions, Region, endpoint, suite, host.
    The search needs 15 valid runs. It finds slow drift; it does not decide an upgrade. Simulated and real runs
    are apart, and so are runs that are not valid. Only summaries are read.
    """
    import sys

    from harness.analysis.history.history import Wanted, load_history
    from harness.errors import HarnessError

    wanted = Wanted(
        suite=suite,
        targets=tuple(target or ()),
        metrics=tuple(_known_metric(name) for name in metric or ()),
        since=None if since is None else _read_since(since),
    )
    found = load_history(results, wanted)
    for message in found.unreadable:
        print(f"warning: left out: {printable(message)}", file=sys.stderr)
    if not found.suites:
        raise HarnessError(_nothing(results))
    written = []
    if out is not None:
        from harness.report.write import write_history

        written = write_history(found, out)
    if json_output:
        import msgspec

        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    from rich.console import Console

    from harness.report.history.sections import history_report
    from harness.report.terminal import print_report

    page = written[0] if written else None
    print_report(history_report(found), Console(highlight=False), written=page)


def _known_metric(name: str) -> str:
    from harness.analysis.history.history import METRICS
    from harness.errors import HarnessError

    if name not in METRICS:
        raise HarnessError(f"--metric {name!r}: not followed (known: {', '.join(METRICS)})")
    return name


def _read_since(text: str) -> datetime:
    """A date, a date and time (UTC unless it says otherwise), or `30d` before now."""
    from datetime import timedelta

    from harness.clock import parse_utc, utc_now
    from harness.errors import HarnessError

    try:
        if text.endswith("d"):
            return utc_now() - timedelta(days=float(text[:-1]))
        return parse_utc(text)
    except (ValueError, OverflowError):
        raise HarnessError(f"--since {text!r}: give a date, 2026-11-01, or days, 30d") from None


def _nothing(results: Path) -> str:
    from harness.store.run_folder import list_runs

    suites = dict.fromkeys(run.read_manifest().suite for run in list_runs(results))
    if not suites:
        return f"{results}: holds no runs that can be read; `harness run SUITE --out {results}` makes one"
    return f"{results}: no run fits --suite and --since (suites there: {', '.join(suites)})"
