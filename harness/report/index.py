"""`results/index.html`: the runs of a results folder, the latest first, each with a link to its pages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import msgspec

from harness.analysis.compare.comparison import word
from harness.analysis.run_list import ListedRun, RunList, read_known, read_run_list
from harness.characters import counted
from harness.clock import utc_from_ns, utc_now
from harness.files import open_regular
from harness.report.compare.verdicts import TONES
from harness.report.page import render_page
from harness.report.section import Cell, Column, Link, Mark, Note, Number, Report, Section, Table, Tone, tabulate
from harness.report.wording import MISSING, SIMULATED, shorten
from harness.store.files import one_writer, write_atomically

FILE = "index.html"
CACHE = ".index.json"
"""What the last index was made of, so that only new and changed runs are read."""
OURS = b"<!-- harness: the runs of this folder -->\n"
"""The end of an index that this module wrote. Any other index.html is somebody's own."""
WIDEST = 60
MOST_UNREADABLE = 20
STATES: dict[str, Tone] = {"complete": "good", "running": "", "interrupted": "warn", "failed": "bad"}


def write_index(results: Path, *, create: bool, name: str | None = None) -> Path | None:
    """Write the index of a results folder; returns its path. StoreError: it cannot be written.

    `create`: also where there is none yet. `name`: for the title, if it is not the folder's. None: there is none, or an
    index.html that this did not write.
    If another process is writing into the folder, this one waits, so that no run is lost from the index.
    """
    path = results / FILE
    if not _may_write(path, create=create):
        return None
    with one_writer(results):
        listed = read_run_list(results, read_known(results / CACHE))
        write_atomically(path, render_index(name or results.resolve().name, listed))
        write_atomically(results / CACHE, msgspec.json.encode(listed.known))
    return path


def render_index(folder: str, listed: RunList) -> bytes:
    """The page, with the mark at its end by which `write_index` knows it. `folder`: its name, for the title."""
    return render_page(index_report(folder, listed.runs, listed.unreadable)).encode() + OURS


def _may_write(path: Path, *, create: bool) -> bool:
    if not os.path.lexists(path):
        return create
    try:
        with open_regular(path, follow=False) as file:
            file.seek(-len(OURS), os.SEEK_END)
            return file.read() == OURS
    except OSError:
        return False


def index_report(folder: str, runs: Sequence[ListedRun], unreadable: Sequence[str] = ()) -> Report:
    """The runs as a report. `unreadable`: a message for each run that cannot be read."""
    left_out = [Note(text=message, label="Left out", tone="warn") for message in unreadable[:MOST_UNREADABLE]]
    if len(unreadable) > MOST_UNREADABLE:
        left_out.append(Note(text=f"{counted(len(unreadable) - MOST_UNREADABLE, 'more run')} cannot be read"))
    return Report(
        title=f"Runs in {folder}",
        simulated=bool(runs) and all(run.simulated for run in runs),
        facts=[f"{counted(len(runs), 'run')}, the latest first · as of {utc_now():%Y-%m-%d %H:%M:%S} UTC"],
        sections=[
            Section(title="Runs", table=_table(runs)),
            *([Section(title="Findings", notes=left_out)] if left_out else []),
        ],
    )


def _table(runs: Sequence[ListedRun]) -> Table:
    return tabulate(
        runs,
        [
            (Column(heading="run", is_text=True), _report_link),
            (Column(heading="suite", is_text=True), lambda run: shorten(run.suite, WIDEST)),
            (Column(heading="started, UTC", is_text=True), _started),
            (Column(heading="state", is_text=True), _state),
            (Column(heading="verdict", is_text=True), _verdict),
            (Column(heading="best pass rate"), _pass_rate),
            (Column(heading="leads on it", is_text=True), lambda run: shorten(run.leader, WIDEST) or MISSING),
            (Column(heading="targets"), lambda run: run.targets),
            (Column(heading="cost"), lambda run: None if run.cost_usd is None else Number(run.cost_usd, "usd")),
            (Column(heading="endpoint", is_text=True), _endpoint),
        ],
    )


def _link(run: ListedRun, page: str, text: str, tone: Tone = "") -> Link:
    """A link to a page in the run's folder, whatever characters its name has."""
    return Link(text, f"{quote(os.fsencode(run.folder), safe='')}/{page}", tone)


def _report_link(run: ListedRun) -> Cell:
    page = next((page for page in ("report.html", "sweep.md") if page in run.pages), None)
    text = shorten(run.folder, WIDEST)
    return text if page is None else _link(run, page, text)


def _started(run: ListedRun) -> str:
    return f"{utc_from_ns(run.started_utc_ns):%Y-%m-%d %H:%M:%S}"


def _state(run: ListedRun) -> Mark:
    if run.invalid:
        return Mark("invalid", "bad")
    return Mark(f"sweep, {run.state}" if run.kind == "sweep" else run.state, STATES[run.state])


def _verdict(run: ListedRun) -> Cell:
    """The verdict with a link to its page: that of the comparison, or the run's own report."""
    text = "comparison" if run.verdict is None else word(run.verdict)
    tone: Tone = "" if run.verdict is None else TONES[run.verdict]
    if "compare.html" in run.pages:
        return _link(run, "compare.html", text, tone)
    if run.verdict is None:
        return MISSING
    return _link(run, "report.html", text, tone) if "report.html" in run.pages else Mark(text, tone)


def _pass_rate(run: ListedRun) -> Cell:
    return None if run.pass_rate is None else Number(run.pass_rate, "share")


def _endpoint(run: ListedRun) -> Mark:
    return Mark(SIMULATED, "warn") if run.simulated else Mark(shorten(run.endpoint, WIDEST))
