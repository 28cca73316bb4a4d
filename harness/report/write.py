"""Everything that people look at, written into a run's folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.analysis.columns import Columns
from harness.analysis.summary.samples import Answer
from harness.analysis.summary.summary import RunSummary
from harness.report.drawing.render import Picture, render_figure, save_pictures
from harness.report.drawing.style import house_style
from harness.report.drawing.view import RunView, make_view
from harness.report.figures import FIGURES
from harness.report.page import render_html
from harness.report.run.markdown import render_markdown
from harness.store.files import write_atomically


def write_reports(
    folder: Path, summary: RunSummary, columns: Mapping[str, Columns], answers: Iterable[Answer] = ()
) -> list[Path]:
    """Write report.html, report.md and plots/*.png|svg into `folder`; their paths, the page first. StoreError."""
    pictures = draw_pictures(make_view(summary, columns))
    page, text = folder / "report.html", folder / "report.md"
    write_atomically(page, render_html(summary, pictures, answers).encode())
    write_atomically(text, render_markdown(summary, pictures).encode())
    return [page, text, *save_pictures(pictures, folder / "plots")]


def draw_pictures(view: RunView) -> list[Picture]:
    """Every figure that the run has data for, in reading order; none without a measured request."""
    if not view.targets:
        return []
    with house_style():
        drawn = [(name, module.draw(view)) for name, module in FIGURES.items()]
        return [render_figure(name, figure) for name, figure in drawn if figure is not None]
