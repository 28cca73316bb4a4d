"""The forest plot: honest axes, every row in it, nothing off the page."""

from __future__ import annotations

import io
import os
from pathlib import Path

import matplotlib.image
import msgspec
import numpy as np
import pytest

from harness.report.compare import forest
from harness.report.drawing.style import figure_style

GOLDEN = Path(__file__).parents[1] / "golden" / "forest.png"
GOLDEN_DPI = 36
TOLERANCE = 1.5


def draw(report):
    with figure_style():
        figure = forest.draw(report)
        figure.draw_without_rendering()
    return figure


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_the_figure_looks_like_its_golden_picture(make_report) -> None:
    drawn = io.BytesIO()
    with figure_style():
        forest.draw(make_report()).savefig(drawn, format="png", dpi=GOLDEN_DPI, metadata={"Software": None})
    if os.environ.get("WRITE_GOLDENS"):
        GOLDEN.write_bytes(drawn.getvalue())
    expected, actual = (matplotlib.image.imread(file, format="png") for file in (GOLDEN, io.BytesIO(drawn.getvalue())))
    assert expected.shape == actual.shape
    assert 255 * np.sqrt(np.mean((expected - actual) ** 2)) < TOLERANCE


def test_rates_and_ratios_have_an_axis_each_with_zero_in_the_middle_and_worse_to_the_right(make_report) -> None:
    relative, rates = draw(make_report()).axes
    for axes in (relative, rates):
        low, high = axes.get_xlim()
        assert -low == high
        assert "← better" in axes.get_xlabel()
        assert "worse →" in axes.get_xlabel()
    assert [label.get_text() for label in relative.get_yticklabels()] == ["TTFT p95", "E2E p99", "cost per request"]
    assert [label.get_text() for label in rates.get_yticklabels()] == ["pass rate", "error rate"]


def test_a_lower_pass_rate_is_drawn_as_worse_and_written_as_lower(make_report) -> None:
    figure = draw(make_report())
    assert "−5.0 pp  ? inconclusive" in texts(figure)
    markers = [line.get_xdata() for line in figure.axes[1].lines if line.get_marker() == "s"]
    assert markers[0][0] == 0.05


def test_ratios_are_marked_as_percent_where_their_logarithm_is(make_report) -> None:
    axes = draw(make_report()).axes[0]
    ticks = {label.get_text(): at for label, at in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    assert ticks["0"] == 0
    assert ticks["+20%"] == pytest.approx(np.log(1.2))


def test_a_missing_bound_is_an_arrow_and_the_legend_says_so(make_report) -> None:
    figure = draw(make_report())
    assert "no bound on that side at this n" in texts(figure)
    assert [line.get_marker() for line in figure.axes[0].lines].count(">") == 1


def test_the_margin_of_each_row_is_shaded_around_zero(make_report) -> None:
    spans = [patch.get_x() for patch in draw(make_report()).axes[0].patches]
    assert [-0.1398, -0.1398, -0.0953] == spans


@pytest.mark.parametrize("reach", [0.001, 0.03, 0.2, 0.7, 4.0])
def test_every_relative_axis_has_a_few_ticks_within_its_reach(reach: float) -> None:
    ticks = forest._ratio_ticks(reach)
    assert 3 <= len(ticks) <= 15
    assert all(abs(tick) <= reach for tick in ticks)


@pytest.mark.parametrize("candidates", [1, 4, 7])
def test_few_and_many_rows_are_drawn_and_nothing_leaves_the_page(make_report, make_comparison, candidates: int) -> None:
    names = [f"{'long-' * 9}model-{i}$/<b>/日本語" for i in range(candidates)]
    comparisons = tuple(
        make_comparison(candidate=msgspec.structs.replace(make_comparison().candidate, target=name)) for name in names
    )
    figure = draw(make_report(comparisons=comparisons))
    width, height = figure.canvas.get_width_height()
    for text in figure.findobj(lambda artist: hasattr(artist, "get_text") and artist.get_text()):
        box = text.get_window_extent()
        assert box.x0 >= -1
        assert box.x1 <= width + 1
        assert box.y0 >= -1
        assert box.y1 <= height + 1


def test_seconds_and_dollars_do_not_share_an_axis(make_report) -> None:
    rate, *_, cost, _ = make_report().comparisons[0].differences
    in_usd = msgspec.structs.replace(cost, scale="absolute", estimate=0.002, low=0.001, high=0.003, margin=0.001)
    in_s = msgspec.structs.replace(in_usd, metric="ttft_p95", unit="s", estimate=0.2, low=0.1, high=0.3, margin=0.2)
    panels = draw(make_report(rows=(rate, in_usd, in_s))).axes
    assert ["Rates", "Candidate − baseline", "Candidate − baseline"] == [axes.get_title("left") for axes in panels]
    assert "usd" in panels[1].get_xlabel()
    assert " s " in panels[2].get_xlabel()


def test_without_rows_the_figure_says_so(make_report) -> None:
    assert "Nothing could be compared." in texts(draw(make_report(rows=())))
    unknown = msgspec.structs.replace(make_report().comparisons[0].differences[0], estimate=None, low=None, high=None)
    assert " unknown " in texts(draw(make_report(rows=(unknown,))))


def test_only_a_simulated_figure_says_so(make_report) -> None:
    assert "SIMULATED" in texts(draw(make_report()))
    assert "SIMULATED" not in texts(draw(make_report(simulated=False)))
