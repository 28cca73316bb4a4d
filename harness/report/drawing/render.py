"""Figures as files: PNG for slides, SVG for pages; the same bytes whenever the data is the same."""

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
    """Write `<name>.png` and `<name>.svg` for each picture into `folder`, which is made if need be. StoreError."""
    make_subfolder(folder)
    paths = []
    for picture in pictures:
        for suffix, data in ((".png", picture.png), (".svg", picture.svg)):
            path = folder / f"{picture.name}{suffix}"
            write_atomically(path, data)
            paths.append(path)
    return paths


def render_figure(name: str, figure: Figure) -> Picture:
    """The figure's files, without a date or a version in them."""
    _settle(figure)
    title, dpi = str(figure.get_label()), figure.dpi
    png, svg = io.BytesIO(), io.BytesIO()
    # savefig would draw everything once more before each of these, to find a layout that is settled already
    FigureCanvasAgg(figure).print_png(png, metadata={"Title": title, "Software": None})  # type: ignore[no-untyped-call]
    svg_facts = {"Title": title, "Date": None, "Creator": None}
    FigureCanvasSVG(figure).print_svg(svg, metadata=svg_facts)  # type: ignore[no-untyped-call]
    FigureCanvasAgg(figure)
    figure.set_dpi(dpi)  # print_svg leaves its own behind
    return Picture(name=name, title=title, png=png.getvalue(), svg=svg.getvalue())


def _settle(figure: Figure) -> None:
    """Lay the figure out once, on rounded positions: their last digits vary, and the SVG file's ids hold them."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(np.round(axes.get_position().get_points(), 5)))
