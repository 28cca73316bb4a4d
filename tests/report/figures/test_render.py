"""Figures as files: golden pictures, provenance, reproducible bytes."""

import io
import os
from pathlib import Path

import matplotlib
import matplotlib.image
import numpy as np
import pytest

from harness.report.drawing.render import render_figure
from harness.report.drawing.style import figure_style
from harness.report.figures import FIGURES
from harness.report.write import draw_run
from tests.report.conftest import FIT_RUNS, draw_every_figure

WITHOUT_INTERVALS = {
    "latency_ecdf",
    "timeline",
    "prompt_heatmap",
    "cost_breakdown",
    "time_spent",
    "errors_over_time",
}
GOLDEN = Path(__file__).parents[1] / "golden"
GOLDEN_DPI = 36
TOLERANCE = 1.5
"""Root mean square of the difference in grey levels of 255. WRITE_GOLDENS=1 writes new pictures: look at them."""


@pytest.fixture(scope="module")
def real_pictures(make_run, made_once):
    asked = {"formats": ("svg",), "simulated": False, "endpoint": "aws"}
    drawn = made_once("real-pictures", lambda: draw_every_figure(make_run, **asked))
    return {picture.name: picture for picture in drawn}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_like_its_golden_picture(make_run, name: str) -> None:
    drawn = io.BytesIO()
    with figure_style():
        FIGURES[name].draw(make_run(**FIT_RUNS.get(name, {}))).savefig(
            drawn, format="png", dpi=GOLDEN_DPI, metadata={"Software": None}
        )
    golden = GOLDEN / f"{name}.png"
    if os.environ.get("WRITE_GOLDENS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(drawn.getvalue())
    expected, actual = (matplotlib.image.imread(file, format="png") for file in (golden, io.BytesIO(drawn.getvalue())))
    assert expected.shape == actual.shape
    assert 255 * np.sqrt(np.mean((expected - actual) ** 2)) < TOLERANCE


@pytest.mark.parametrize("name", FIGURES)
def test_a_simulated_figure_says_so_in_the_corner_the_footer_and_the_title(pictures, name: str) -> None:
    svg = pictures[name].svg.decode()
    assert "<!-- SIMULATED -->" in svg
    assert "<!-- SIMULATED: answered by a stand-in" in svg
    assert "<title>SIMULATED: " in svg
    assert pictures[name].title.startswith("SIMULATED: ")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_a_real_run_does_not_say_simulated(real_pictures, name: str) -> None:
    assert "SIMULATED" not in real_pictures[name].svg.decode()
    assert "SIMULATED" not in real_pictures[name].title


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_carries_n_level_suite_digest_date_and_run(pictures, name: str) -> None:
    svg = pictures[name].svg.decode()
    assert (name not in WITHOUT_INTERVALS) == ("95% intervals (" in svg)
    for fact in (
        f"n per target: {FIT_RUNS.get(name, {}).get('requests', 40)} requests",
        "suite quickstart",
        "digest 9f86d081884c",
        "2026-11-22 02:40:00 UTC",
        "run 20261122T024000Z-quickstart-a1b2c3",
    ):
        assert fact in svg


def test_the_same_run_gives_the_same_bytes_whatever_the_users_matplotlib_settings(make_run, pictures) -> None:
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "savefig.dpi": 10, "text.usetex": True}):
        before = dict(matplotlib.rcParams)
        drawn = {picture.name: picture for picture in draw_run(make_run())}
        assert dict(matplotlib.rcParams) == before
    assert drawn == {name: picture for name, picture in pictures.items() if name not in FIT_RUNS}


def test_a_figure_can_be_rendered_again_and_gives_the_bytes_of_savefig(make_run) -> None:
    saved = io.BytesIO()
    with figure_style():
        figure = FIGURES["errors"].draw(make_run())
        first, again = render_figure("errors", figure), render_figure("errors", figure)
        figure.savefig(saved, format="png", metadata={"Title": first.title, "Software": None})
    assert first == again
    assert saved.getvalue() == first.png
