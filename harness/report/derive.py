"""Everything after the journal is derived, and can be derived again: scores, summary, figures, pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from harness.analysis.loader import load_run
from harness.analysis.summary.judges import add_judging
from harness.analysis.summary.samples import load_samples
from harness.analysis.summary.summarise import summarise
from harness.analysis.summary.summary import RunSummary, write_summary
from harness.report.write import write_reports
from harness.scoring.judgements import read_judgements
from harness.scoring.judging.judges import Judges
from harness.scoring.score import score_run
from harness.store.query import connect
from harness.store.run_folder import RunFolder
from harness.suite.suite import CheckFile, Suite


async def score(
    folder: RunFolder, suite: Suite, judges: Judges | None = None, check_files: Sequence[CheckFile] = ()
) -> None:
    """Grade the stored answers anew, with the checks of the run's frozen suite; the others: see `score_run`."""
    await score_run(folder, suite, judges, check_files)


def spent_usd(folder: RunFolder) -> float:
    """What the run's attempts and judgements have cost so far, as far as that is known."""
    judged = sum(each.cost_usd or 0.0 for each in read_judgements(folder.judgements_path))
    with closing(connect([folder])) as connection:
        ((answered,),) = connection.execute("SELECT coalesce(sum(cost_usd), 0) FROM attempts").fetchall()
    return float(answered) + judged


def count_scores(folder: RunFolder, *, reason: str) -> int:
    """The checks of answers that were scored with this reason."""
    with closing(connect([folder])) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM scores WHERE reason = ?", [reason]).fetchall()
    return int(count)


def derive(folder: RunFolder, suite: Suite) -> tuple[RunSummary, Path]:
    """Summarise scored attempts and write all reports; returns the summary and the page to open."""
    data = load_run(folder)
    summary = summarise(folder.read_manifest(), suite, data)
    summary = add_judging(summary, suite, read_judgements(folder.judgements_path))
    write_summary(folder.summary_path, summary)
    page, *_ = write_reports(folder.path, summary, data.columns, load_samples(folder))
    return summary, page
