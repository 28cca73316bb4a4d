"""The files that `harness gate` writes: of the run, copies that were asked for, and the summary of a CI step."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.analysis.answers.book import AnswerBook
from harness.analysis.compare.comparison import CompareReport
from harness.cli.running.compare_runs import write_files
from harness.cli.running.gate.notify import Notification
from harness.errors import StoreError
from harness.report.compare.junit import render_junit
from harness.report.compare.sections import gate_comment
from harness.report.markdown import render_markdown
from harness.store.files import one_writer, write_atomically

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


class GateOutput(msgspec.Struct, frozen=True, kw_only=True):
    """Where a verdict goes, besides the run's folder and the exit code."""

    junit: Path | None
    """A copy of the JUnit report."""
    markdown: Path | None
    """A copy of the Markdown comment."""
    as_json: bool
    """Print JSON on standard output instead of text."""
    notification: Notification


class GateFiles:
    """The files that a gate writes; each write replaces the last.

    `against`: which baseline was used. `load_answers`: reads the answers of what a report compares.
    """

    def __init__(
        self,
        folder: Path,
        output: GateOutput,
        *,
        against: str = "",
        load_answers: Callable[[CompareReport], AnswerBook] | None = None,
    ) -> None:
        self.folder = folder
        self._load_answers = load_answers
        self._book: AnswerBook | None = None
        self._against = against
        self._junit = output.junit
        self._markdown = output.markdown
        self._step_summary = StepSummary(os.environ.get(STEP_SUMMARY))
        self.page = folder
        self.lost: dict[Path, str] = {}
        """Path of a copy that cannot be written → error message."""

    def write(self, report: CompareReport) -> None:
        """Write all files. StoreError: one in the run's folder cannot be written; copies that fail are in `lost`."""
        junit = render_junit(report, self._against)
        comment = render_markdown(gate_comment(report, self._against), top=3).encode()
        self.put(junit, comment)
        if self._book is None and self._load_answers is not None:
            self._book = self._load_answers(report)  # a rerun changes verdicts, not which answers are compared
        self.page = write_files(report, self.folder, self._book)

    def put(self, junit: bytes, comment: bytes) -> None:
        """junit.xml and gate.md in the folder and wherever else they are asked for."""
        with one_writer(self.folder):
            write_atomically(self.folder / "junit.xml", junit)
            write_atomically(self.folder / "gate.md", comment)
        self._copy(self._junit, junit)
        self._copy(self._markdown, comment)
        self._step_summary.write(comment)

    def check(self) -> None:
        """StoreError: a copy was lost."""
        if self.lost:
            raise StoreError("\n".join(self.lost.values()))

    def _copy(self, path: Path | None, content: bytes) -> None:
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content, mode=0o666)
        except (StoreError, OSError) as error:
            self.lost[path] = str(error) if isinstance(error, StoreError) else f"{path}: {error.strerror}"


class StepSummary:
    """The summary file of a CI step, which other tools may have written to before."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._before = os.path.getsize(path) if path and os.path.isfile(path) else 0

    def write(self, comment: bytes) -> None:
        """Append the comment in place of an earlier one. If the file cannot be written, only warn."""
        if not self._path:
            return
        try:
            with open(self._path, "ab") as file:
                if os.path.isfile(self._path):
                    file.truncate(self._before)
                file.write(comment)
        except OSError as error:
            print(f"warning: {STEP_SUMMARY} ({self._path}) cannot be written: {error.strerror}", file=sys.stderr)
