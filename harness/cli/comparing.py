"""What `harness compare` and `harness gate` share: the comparison itself, its files, and what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.analysis.comparison import CompareReport
from harness.cli.sides import Pair


def print_and_write(report: CompareReport, folder: Path, *, as_json: bool) -> None:
    """Write every file of a comparison, then print it."""
    from harness.report.write_compare import to_json, write_comparison

    page, *_ = write_comparison(folder, report)
    if as_json:
        print(to_json(report), end="")
        return
    from rich.console import Console

    from harness.report.compare_console import print_report

    print_report(report, Console(highlight=False), page=page)
