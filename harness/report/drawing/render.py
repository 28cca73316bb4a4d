"""Figures as files: PNG for slides, SVG for pages. The same data gives the same bytes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from harness.report.section import Picture
from harness.store.files import make_subfolder, write_atomically


def save_pictures(pictures: list[Picture], folder: Path) -> list[Path]:
    """Write `<name>.png` and `<name>.svg` for each picture into `folder`, creating it if needed. StoreError."""
    make_subfolder(folder)
    paths = []
    for picture in pictures:
        for suffix, data in ((".png", picture.png), (".svg", picture.svg)):
            path = folder / f"{picture.name}{suffix}"
            write_atomically(path, data)
            paths.append(path)
    return paths


def render_figure(name: str, figure: Figure) -> Picture:
    """The figure as PNG and SVG, without dates or versions in their metadata."""
    _fix_layout(figure)
    title, dpi = str(figure.get_label()), figure.dpi
    png, svg = io.BytesIO(), io.BytesIO()
    # savefig would draw everything once more before each of these, only to compute the layout again
    FigureCanvasAgg(figure).print_png(png, metadata={"Title": title, "Software": None})  # type: ignore[no-untyped-call]
    svg_facts = {"Title": title, "Date": None, "Creator": None}
    FigureCanvasSVG(figure).print_svg(svg, metadata=svg_facts)  # type: ignore[no-untyped-call]
    FigureCanvasAgg(figure)
    figure.set_dpi(dpi)  # print_svg changes it
    return Picture(name=name, title=title, png=png.getvalue(), svg=svg.getvalue())


def _fix_layout(figure: Figure) -> None:
    """Lay the figure out once and round the positions: their last digits vary, and the SVG's ids depend on them."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(np.round(axes.get_position().get_points(), 5)))
