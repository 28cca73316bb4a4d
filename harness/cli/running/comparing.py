"""What `harness compare` and `harness gate` share: the comparison itself, its files, and what is printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from harness.analysis.compare.compare import compare_targets, load_side
from harness.analysis.compare.comparison import CompareReport
from harness.cli.output import defused_json
from harness.cli.running.sides import Sides


def compare_sides(sides: Sides, *, gate: Mapping[str, str] | None = None) -> CompareReport:
    """Every candidate against its baseline. `gate`: other margins than the suite's. CompareError, StoreError."""
    side = load_side(sides.run)
    earlier = None if sides.earlier is None else load_side(sides.earlier)
    return compare_targets(
        earlier or side,
        side if earlier else None,
        baseline_target=sides.baseline,
        candidate_targets=sides.candidates,
        gate=gate,
    )


def print_and_write(report: CompareReport, folder: Path, *, as_json: bool) -> None:
    """Write every file of a comparison, then print it."""
    print_comparison(report, write_files(report, folder), as_json=as_json)


def write_files(report: CompareReport, folder: Path) -> Path:
    """Write every file of a comparison; the path of its page."""
    from harness.report.write import write_comparison

    return write_comparison(folder, report)[0]


def print_comparison(report: CompareReport, page: Path, *, as_json: bool) -> None:
    """Print a comparison as text or as JSON."""
    if as_json:
        from harness.report.write import comparison_json

        text = comparison_json(report)
        print(defused_json(text) if sys.stdout.isatty() else text, end="")
        return
    from rich.console import Console

    from harness.report.compare.sections import compare_brief
    from harness.report.terminal import print_report

    print_report(compare_brief(report), Console(highlight=False), written=page)
