"""Which figures are drawn and as which files: names, formats, what an earlier report left."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.report.drawing.render import render_figure, save_pictures
from harness.report.drawing.style import figure_style
from harness.report.figures import FIGURES
from harness.report.markdown import render_markdown
from harness.report.plots import Plots, parse_figures, parse_formats
from harness.report.run.sections import run_report
from harness.report.section import Picture, Report, Section
from harness.report.write import draw_figure, draw_run, write_run


def test_formats_and_figures_are_read_in_their_order_and_once() -> None:
    assert ("png", "pdf") == parse_formats("pdf, png,pdf")
    assert ("errors", "timeline") == parse_figures("timeline,errors", list(FIGURES))


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (
            lambda: parse_formats("png,pfd"),
            r"--format 'pfd': is not a format; did you mean 'pdf'\? Known: png, svg, pdf",
        ),
        (lambda: parse_formats(""), r"--format '': is not a format; known: png, svg, pdf"),
        (
            lambda: parse_figures("eror", ["errors", "timeline"]),
            r"--figures 'eror': is not a figure of a run's report; did you mean 'errors'\? Known: errors, timeline",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_the_closest_and_all_known(parse, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        parse()


def test_only_the_figures_asked_for_are_drawn(make_run) -> None:
    pictures = draw_run(make_run(requests=12), Plots(figures=("errors", "timeline"), formats=("svg",)))
    assert ["errors", "timeline"] == [picture.name for picture in pictures]
    assert all(picture.svg and not picture.png and not picture.pdf for picture in pictures)


def test_with_pdf_alone_the_page_still_shows_its_figures_and_markdown_links_to_the_files(
    make_run, tmp_path: Path
) -> None:
    view = make_run(requests=12)
    pictures = draw_run(view, Plots(formats=("pdf",), figures=("errors",)))
    page, text, *files = write_run(tmp_path, run_report(view.summary, pictures), pictures)
    assert [tmp_path / "plots" / "errors.pdf"] == files
    assert 1 == page.read_text(encoding="utf-8").count("data:image/svg+xml;base64,")
    assert "](plots/errors.pdf)" in text.read_text(encoding="utf-8")
    assert "![" not in text.read_text(encoding="utf-8")


def test_markdown_shows_the_svg_where_there_is_no_png() -> None:
    picture = Picture(name="errors", title="none", svg=b"<svg/>", formats=("svg",))
    report = Report(title="x", simulated=False, sections=[Section(title="Figures", pictures=[picture])])
    assert "![none](plots/errors.svg)" in render_markdown(report)


def test_files_of_an_earlier_report_that_are_not_asked_for_are_removed_and_no_others(tmp_path: Path) -> None:
    plots = tmp_path / "plots"
    plots.mkdir()
    for name in ("errors.png", "errors.svg", "timeline.png", "forest.png", "mine.png"):
        (plots / name).write_bytes(b"old")
    picture = Picture(name="errors", title="", svg=b"<svg/>", pdf=b"%PDF", formats=("pdf",))
    assert [plots / "errors.pdf"] == save_pictures([picture], plots, names=["errors", "timeline"])
    assert ["errors.pdf", "forest.png", "mine.png"] == sorted(path.name for path in plots.iterdir())


def test_a_pdf_holds_no_date_and_its_text_can_be_searched(make_run) -> None:
    pdf = draw_figure("errors", make_run(), ("pdf",)).pdf
    assert b"CreationDate" not in pdf
    assert b"/FontFile2" in pdf  # TrueType: text, not outlines
    assert b"ToUnicode" in pdf
    assert b"/Type3" not in pdf


def test_a_pdf_is_the_same_in_another_process(make_run) -> None:
    code = (
        "import sys; from harness.report.drawing.render import render_figure\n"
        "from harness.report.drawing.style import figure_style\n"
        "from matplotlib.figure import Figure\n"
        "with figure_style():\n"
        "    figure = Figure(); figure.subplots().plot([1, 2], label='abc'); figure.text(.1, .1, 'Größe')\n"
        "    sys.stdout.buffer.write(render_figure('x', figure, ('pdf',)).pdf)"
    )
    drawn = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": seed, "HOME": "/tmp"}
        ).stdout
        for seed in ("1", "2")
    }
    assert 1 == len(drawn)


def test_a_figure_carries_its_values_and_a_description(pictures) -> None:
    for picture in pictures.values():
        assert picture.table is not None
        assert picture.table.rows
        assert picture.description.endswith(".")
        assert re.search(r"\d", picture.description), picture.name


def test_what_is_rendered_is_what_was_asked_for(make_run) -> None:
    with figure_style():
        figure = FIGURES["errors"].draw(make_run())
        both, alone = render_figure("errors", figure), render_figure("errors", figure, ("svg",))
    assert both.svg == alone.svg
    assert both.png
    assert not alone.png
