"""What people look at of a sweep, written into its folder."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.loader import load_run
from harness.analysis.summary.summarise import summarise
from harness.analysis.sweep import SweepReport
from harness.report.drawing.render import render_figure, save_pictures
from harness.report.drawing.style import house_style
from harness.report.drawing.view import make_view
from harness.report.sweep import figure
from harness.report.sweep.sections import render_sweep_markdown
from harness.store.files import write_atomically
from harness.store.run_folder import RunFolder
from harness.suite.suite import Suite


def write_sweep_report(folder: RunFolder, suite: Suite, report: SweepReport) -> Path:
    """Write `sweep.md` and plots/sweep.png|svg; the path of the picture. StoreError."""
    data = load_run(folder)
    view = make_view(summarise(folder.read_manifest(), suite, data), data.columns)
    with house_style():
        picture = render_figure("sweep", figure.draw(view, report))
    write_atomically(folder.path / "sweep.md", render_sweep_markdown(report).encode())
    return save_pictures([picture], folder.path / "plots")[0]
