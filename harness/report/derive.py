"""Everything after the journal is derived, and can be derived again: scores, summary, figures, pages."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.loader import load_run
from harness.analysis.samples import load_samples
from harness.analysis.summarise import summarise
from harness.analysis.summary import RunSummary, write_summary
from harness.report.write import write_reports
from harness.scoring.score import score_run
from harness.store.run_folder import RunFolder
from harness.suite.loader import load_frozen
from harness.suite.schema import Suite


async def score(folder: RunFolder) -> Suite:
    """Grade the stored answers anew, with the checks of the frozen suite; returns that suite."""
    suite = load_frozen(folder.suite_path)
    await score_run(folder, suite)
    return suite


def derive(folder: RunFolder, suite: Suite) -> tuple[RunSummary, Path]:
    """Summarise scored attempts and write all reports; returns the summary and the page to open."""
    data = load_run(folder)
    summary = summarise(folder.read_manifest(), suite, data)
    write_summary(folder.summary_path, summary)
    page, *_ = write_reports(folder.path, summary, data.columns, load_samples(folder))
    return summary, page
