"""Everything that people look at of a comparison, written into one folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.analysis.compare.comparison import CompareReport
from harness.errors import StoreError
from harness.report.compare import forest
from harness.report.compare import markdown as compare_markdown
from harness.report.compare import page as compare_html
from harness.report.drawing.render import Picture, render_figure, save_pictures
from harness.report.drawing.style import house_style
from harness.store.files import one_writer, write_atomically


def write_comparison(folder: Path, report: CompareReport) -> list[Path]:
    """Write compare.html, compare.md, compare.json and plots/forest.png|svg; their paths, the page first. StoreError.

    Of two comparisons that are written at once into one folder, the second waits.
    """
    pictures = draw_comparison(report)
    texts = {
        "compare.html": compare_html.render_html(report, pictures),
        "compare.md": compare_markdown.render_markdown(report, pictures),
        "compare.json": to_json(report),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror}; choose another folder with --out") from error
    with one_writer(folder):
        for name, text in texts.items():
            write_atomically(folder / name, text.encode())
        return [*(folder / name for name in texts), *save_pictures(pictures, folder / "plots")]


def draw_comparison(report: CompareReport) -> list[Picture]:
    """The forest plot; nothing where there is nothing to compare."""
    if not report.comparisons:
        return []
    with house_style():
        return [render_figure("forest", forest.draw(report))]


def to_json(report: CompareReport) -> str:
    """The report itself, indented."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"
