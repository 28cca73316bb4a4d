"""What a webhook says of a verdict, whoever receives it, and the same as plain JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import msgspec

from harness.analysis.against_history.rows import HistoryReport
from harness.analysis.compare.comparison import ORDER, CompareReport, Verdict, word
from harness.characters import printable
from harness.errors import HarnessError
from harness.report.against_history.sections import describe_row
from harness.report.against_history.sections import headline as history_headline
from harness.report.compare.verdicts import SYMBOLS, candidate_of, change_in_words, gated, metric_name, worst_first
from harness.report.compare.verdicts import headline as compare_headline
from harness.report.wording import sentence, shorten, simulated_title

MOST_SENTENCES, MOST_ROWS = 5, 6
MOST_CHARACTERS = 500
"""Of a sentence or a row, so that a message stays below Slack's and Teams' limits."""
MOST_URL = 2_000


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one target."""

    target: str
    metric: str
    verdict: Verdict
    change: str


class VerdictMessage(msgspec.Struct, frozen=True, kw_only=True):
    """All texts are on one line, without control characters, and may hold any markup: escape it."""

    suite: str
    run_id: str
    verdict: Verdict | Literal["invalid"]
    simulated: bool
    title: str
    sentences: tuple[str, ...]
    """The verdict on each target, the worst first, or why the run is invalid."""
    rows: tuple[Row, ...]
    """The worst rows of the gate."""
    report_url: str | None = None
    picture_url: str | None = None


class Links(msgspec.Struct, frozen=True):
    """Where the files of a run's folder can be seen. `url` None: nowhere."""

    url: str | None = None
    """Of the folder, or of a page in it."""

    def of(self, folder: Path, page: str, picture: str) -> tuple[str | None, str | None]:
        """The addresses of a page, and of a picture if there is one and it can be told from the page's."""
        if self.url is None:
            return None, None
        path, query = urlsplit(self.url).path, urlsplit(self.url).query
        if query:  # as of a signed address, which is of that page alone
            return self.url, None
        at = self.url if path.endswith(".html") else urljoin(f"{self.url.rstrip('/')}/", page)
        return at, urljoin(at, picture) if (folder / picture).is_file() else None


def checked_links(url: str | None) -> Links:
    """The links. HarnessError: not a web address, or one with a password."""
    if url is None:
        return Links()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        usable = False
    plain = url.isascii() and url.isprintable() and not set(' <>|"\\^`{}') & set(url)
    if not usable or not plain or len(url) > MOST_URL:
        raise HarnessError(
            f"--report-url {printable(shorten(url, 100))}: must be an http:// or https:// address without a password, "
            "spaces or quotes"
        )
    return Links(url)


def compare_message(report: CompareReport, folder: Path, run_id: str, links: Links) -> VerdictMessage:
    """The message of a gate against a baseline."""
    rows = [
        Row(target=printable(candidate_of(c)), metric=metric_name(d.metric), verdict=d.verdict, change=change)
        for c in report.comparisons
        for d in gated(c)
        if (change := printable(change_in_words(d, report.level)))
    ]
    sentences = [compare_headline(c, report.level) for c in worst_first(report)]
    page, picture = links.of(folder, "compare.html", "plots/forest.png")
    return _message(report, run_id, sentences, rows, page, picture)


def history_message(report: HistoryReport, folder: Path, links: Links) -> VerdictMessage:
    """The message of a gate against history."""
    rows = [
        Row(
            target=printable(row.target),
            metric=metric_name(row.metric),
            verdict=row.verdict,
            change=describe_row(row).removeprefix(f"{metric_name(row.metric)}: "),
        )
        for row in report.rows
    ]
    sentences = [history_headline(report, target) for target in report.targets]
    page, picture = links.of(folder, "against-history.html", "plots/against-history.png")
    return _message(report, report.run_id, sentences, rows, page, picture)


def _message(
    report: CompareReport | HistoryReport,
    run_id: str,
    sentences: Sequence[str],
    rows: Sequence[Row],
    report_url: str | None,
    picture_url: str | None,
) -> VerdictMessage:
    invalid = [sentence(finding) for finding in report.findings if finding.invalidates]
    verdict: Verdict | Literal["invalid"] = report.verdict if report.valid else "invalid"
    said = f"{SYMBOLS[report.verdict]} {word(report.verdict)}" if report.valid else "✗ invalid"
    worst = sorted(rows, key=lambda row: ORDER.index(row.verdict))[:MOST_ROWS]
    return VerdictMessage(
        suite=printable(report.suite),
        run_id=printable(run_id),
        verdict=verdict,
        simulated=report.simulated,
        title=simulated_title(f"{said}: {shorten(printable(report.suite), 80)}", report.simulated),
        sentences=tuple(_cut(each) for each in (*invalid, *sentences)[:MOST_SENTENCES]),
        rows=tuple(msgspec.structs.replace(row, target=_cut(row.target), change=_cut(row.change)) for row in worst),
        report_url=report_url,
        picture_url=picture_url,
    )


def _cut(text: str) -> str:
    return shorten(printable(text), MOST_CHARACTERS)


def plain_payload(message: VerdictMessage) -> dict[str, Any]:
    """The message as JSON for a program of your own."""
    return {"schema_version": 1, **msgspec.to_builtins(message)}
