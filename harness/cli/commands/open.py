"""`harness open`: opens a report in the browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.characters import printable
from harness.cli.options import RunArgument, RunContext
from harness.cli.places import DEFAULT_RUN, Place, local_index, local_run


def open_page(
    run: RunArgument = DEFAULT_RUN,
    compare: Annotated[bool, typer.Option("--compare", help="Open the run's comparison instead.")] = False,
    index: Annotated[
        bool, typer.Option("--index", help="Open the list of all runs in the folder that holds the run.")
    ] = False,
) -> None:
    """Open a run's report in the browser, and print its path.

    If the report is missing, this makes it first, as `harness report` does. Without a display, or over SSH, it only
    prints the path; the variable BROWSER names a browser to use all the same.

    \b
    harness open
    harness open 20261122T0245 --compare
    harness open --index
    harness open s3://my-bench/results/latest
    """
    page = _find_page(run, compare=compare, index=index)
    typer.echo(printable(str(page)))
    if not _show(page):
        typer.echo("no browser can be opened here; open the file yourself, or copy it to where one is", err=True)


def _find_page(place: Place, *, compare: bool, index: bool) -> Path:
    """The page, which exists. HarnessError: there is none, and it cannot be made."""
    from harness.errors import HarnessError
    from harness.store.run_folder import RunFolder

    if compare and index:
        raise HarnessError("--compare and --index cannot be used together; choose one")
    if index and place.in_bucket:
        return _make_index(local_index(place), str(place.address.split()[0]))
    run = local_run(place)
    if index:
        RunFolder(run).read_manifest()  # a folder beside anything else gets no index
        return _make_index(run.resolve().parent)
    page = run / ("compare.html" if compare else "report.html")
    if page.is_file():
        return page
    if compare:
        RunFolder(run).read_manifest()
        raise HarnessError(f"{run}: has no comparison; `harness compare {run}` makes one")
    from harness.cli.running.grade_and_report import report_again

    report_again(run, RunContext())
    return page


def _make_index(results: Path, name: str | None = None) -> Path:
    from harness.errors import HarnessError
    from harness.report.index import FILE, write_index

    if results.is_relative_to(Path.cwd()):
        results = results.relative_to(Path.cwd())
    page = write_index(results, create=True, name=name)
    if page is None:
        raise HarnessError(f"{results / FILE}: was not written by harness; move it away to get a list of the runs")
    return page


def _show(page: Path) -> bool:
    """Open the page in a browser; returns whether that is possible here."""
    import webbrowser

    if "BROWSER" not in os.environ and not _has_display():
        return False
    try:
        return webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        return False


def _has_display() -> bool:
    """Whether a window would open in front of the user."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
