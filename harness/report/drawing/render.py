"""Figures as files: PNG for slides, SVG for pages, PDF for papers. The same data gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from harness.errors import StoreError
from harness.report.plots import DEFAULT_FORMATS, FORMATS
from harness.report.section import Picture, Table
from harness.store.files import make_subfolder, write_atomically


def save_pictures(pictures: Sequence[Picture], folder: Path, *, names: Iterable[str] = ()) -> list[Path]:
    """Write each picture in its formats as `<name>.<format>` into `folder`, creating it if needed. StoreError.

    Removes the files that an earlier report left there of these pictures or of `names`: none is older than the report.
    """
    make_subfolder(folder)
    files = {folder / f"{each.name}.{kind}": each.content(kind) for each in pictures for kind in each.formats}
    for path, content in files.items():
        write_atomically(path, content)
    for name in {*names, *(each.name for each in pictures)}:
        for kind in FORMATS:
            if (path := folder / f"{name}.{kind}") not in files:
                _remove(path)
    return list(files)


def render_figure(
    name: str,
    figure: Figure,
    formats: Sequence[str] = DEFAULT_FORMATS,
    *,
    description: str = "",
    table: Table | None = None,
) -> Picture:
    """The figure as SVG, which pages embed, and in `formats`, without dates or versions in their metadata."""
    _fix_layout(figure)
    title, dpi = str(figure.get_label()), figure.dpi
    png, svg, pdf = io.BytesIO(), io.BytesIO(), io.BytesIO()
    # savefig would draw everything once more before each of these, only to compute the layout again
    if "png" in formats:
        FigureCanvasAgg(figure).print_png(png, metadata={"Title": title, "Software": None})  # type: ignore[no-untyped-call]
    svg_facts = {"Title": title, "Date": None, "Creator": None}
    FigureCanvasSVG(figure).print_svg(svg, metadata=svg_facts)  # type: ignore[no-untyped-call]
    figure.set_dpi(dpi)  # print_svg changes it
    if "pdf" in formats:
        from matplotlib.backends.backend_pdf import FigureCanvasPdf  # takes a seventh of a second to load

        pdf_facts = {"Title": title, "CreationDate": None, "Creator": None, "Producer": None}
        FigureCanvasPdf(figure).print_pdf(pdf, metadata=pdf_facts)  # type: ignore[no-untyped-call]
        figure.set_dpi(dpi)
    FigureCanvasAgg(figure)
    return Picture(
        name=name,
        title=title,
        png=png.getvalue(),
        svg=svg.getvalue(),
        pdf=pdf.getvalue(),
        formats=tuple(formats),
        description=description,
        table=table,
    )


def _fix_layout(figure: Figure) -> None:
    """Lay the figure out once and round the positions: their last digits vary, and the SVG's ids depend on them."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(Bbox(np.round(axes.get_position().get_points(), 5)))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: of an earlier report, cannot be removed: {error.strerror}") from error
