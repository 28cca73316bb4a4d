"""A finished run, for a script or a notebook: its rows, its summary, its figures, and its comparison with another."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harness.analysis.compare.comparison import CompareReport
from harness.analysis.past_runs import read_stored_run
from harness.analysis.summary.summary import RunSummary
from harness.cli.places import local_run, parse_run
from harness.cli.remote import LATEST
from harness.errors import HarnessError, StoreError
from harness.store.manifest import Manifest
from harness.store.opening import open_run as open_folder
from harness.store.query import connect
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from harness.report.section import Picture


def open_run(run: str | Path = LATEST) -> Run:
    """Open a run that has ended.

    `run`: its folder, its id, the beginning of its id, or `latest`; ids are looked up in results/. A run in a bucket,
    `s3://BUCKET/PREFIX/RUN`, is fetched into the user's cache folder. StoreError: no such run, it has not ended, or it
    cannot be read.
    """
    place = parse_run(run)
    if not place.in_bucket:
        return Run(open_folder(Path(place)))
    with ThreadPoolExecutor(1) as pool:  # a notebook's own thread runs an event loop
        return Run(open_folder(pool.submit(local_run, place).result()))


class Run:
    """A finished run; make one with `harness.open_run` or `harness.run`. Nothing here changes its files.

    The folder may be somebody else's: no code that it names is run, and no file outside it is read. Its texts are what
    models wrote, so treat them as hostile input.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self._folder.path

    @cached_property
    def manifest(self) -> Manifest:
        """State, seed, targets, prices, versions and host. StoreError: it cannot be read."""
        return self._folder.read_manifest()

    @cached_property
    def suite(self) -> Suite:
        """The suite as it ran. SuiteError: it cannot be read."""
        return self._folder.read_suite()

    @cached_property
    def summary(self) -> RunSummary:
        """Every number in the report, of summary.json. StoreError: the run has no readable summary."""
        stored = read_stored_run(self._folder)
        if stored.summary is None:
            raise StoreError(f"{self.path}: {stored.trouble}")
        return stored.summary

    @property
    def valid(self) -> bool:
        """Whether the run is complete and no finding invalidates it. StoreError as for `summary`."""
        from harness.report.run.verdict import is_valid

        return is_valid(self.summary)

    def requests(self) -> DuckDBPyRelation:
        """One row for each request, with the text of its last attempt and its verdict: start here."""
        return self._connection.sql("FROM requests")

    def attempts(self) -> DuckDBPyRelation:
        """One row for each attempt, as in attempts.parquet; a retried request has several."""
        return self._connection.sql("FROM attempts")

    def scores(self) -> DuckDBPyRelation:
        """One row for each check of each answer, as in scores.parquet, with `run_id`."""
        return self._connection.sql("FROM scores")

    @cached_property
    def _connection(self) -> DuckDBPyConnection:
        """Read-only and sandboxed; see `store.query.connect`. Each relation keeps it open."""
        return connect([self._folder])

    def compare(
        self,
        earlier: Run | str | Path | None = None,
        *,
        baseline: str | None = None,
        candidates: Sequence[str] = (),
    ) -> Comparison:
        """Compare targets of this run with a baseline target, or this run with an earlier one.

        `earlier`: the baseline's run, as for `open_run`; None: this run. `baseline`: a target of it; by default the
        suite's `baseline`, or with two runs the target of the same name. `candidates`: targets of this run; by default
        all. CompareError: no baseline, an unknown target, or runs that cannot be compared. StoreError, SuiteError: a
        run cannot be read.
        """
        from harness.cli.running.compare_runs import compare_sides, make_sides

        other = open_run(earlier) if isinstance(earlier, str | Path) else earlier
        folder = None if other is None else other._folder
        sides = make_sides(self._folder, folder, baseline=baseline, candidates=candidates)
        return Comparison(**msgspec.structs.asdict(compare_sides(sides)))

    def figure(self, name: str) -> Picture:
        """A figure of the report, which a notebook shows; its `png` and `svg` are the content of files.

        `name`: as in plots/, such as `quality_cost`. HarnessError: no such figure, or the run has no data for it.
        """
        from harness.analysis.loader import load_run
        from harness.report.drawing.frame import make_view
        from harness.report.figures import FIGURES
        from harness.report.plots import A_FIGURE, require_known
        from harness.report.write import draw_figure

        require_known(name, tuple(FIGURES), "figure", A_FIGURE)
        view = make_view(self.summary, load_run(self._folder).columns)
        picture = draw_figure(name, view) if view.targets else None
        if picture is None:
            raise HarnessError(f"figure {name!r}: {self.path} has no data for it")
        return picture

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.manifest.state})"

    def _repr_html_(self) -> str:
        """The short report, for a notebook. StoreError as for `summary`."""
        from harness.report.html.fragment import render_fragment
        from harness.report.run.sections import run_brief

        return render_fragment(run_brief(self.summary))


class Comparison(CompareReport, frozen=True, kw_only=True):
    """A comparison that a notebook shows as its short report. `verdict` is that of all its `comparisons`."""

    def _repr_html_(self) -> str:
        from harness.report.compare.sections import compare_brief
        from harness.report.html.fragment import render_fragment

        return render_fragment(compare_brief(self))
