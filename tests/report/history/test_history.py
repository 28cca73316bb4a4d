"""A history in words, as a figure, as a page and on a terminal."""

from __future__ import annotations

import html
import io
import os
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import msgspec
import numpy as np
import pytest
from rich.console import Console

from harness.analysis.history import History, HistoryFilter, load_history
from harness.errors import StoreError
from harness.report.drawing.style import figure_style
from harness.report.history import figure
from harness.report.history.sections import history_report
from harness.report.page import render_page
from harness.report.terminal import print_report
from harness.report.write import draw_history, write_history
from harness.store.finding import Finding
from harness.store.run_folder import RunFolder

GOLDEN = Path(__file__).parents[1] / "golden" / "history.png"
HOSTILE = "<script>alert(1)</script>\x1b[2J$_^{"
PastRuns = Callable[..., list[RunFolder]]


@pytest.fixture
def month(tmp_path: Path, past_runs: PastRuns) -> History:
    """Thirty nights: the suite changes after eight, two runs are invalid, the first target is slower from the 21st."""
    past_runs(
        tmp_path,
        30,
        slower_from=20,
        changes=lambda i: {"suite_digest": "ba9876543210"} if i >= 8 else {},
        findings=lambda i: [Finding(what="starved", remedy="", invalidates=True)] if i in (5, 24) else [],
    )
    return load_history(tmp_path, HistoryFilter())


def printed(history: History, width: int) -> str:
    out = io.StringIO()
    print_report(history_report(history), Console(file=out, width=width, highlight=False))
    return out.getvalue()


def texts(drawn) -> str:
    return "\n".join(text.get_text() for text in drawn.findobj(lambda artist: hasattr(artist, "get_text")))


def test_the_figure_looks_like_its_golden_picture(month: History) -> None:
    drawn = io.BytesIO()
    with figure_style():
        figure.draw(month.suites[0]).savefig(drawn, format="png", dpi=36, metadata={"Software": None})
    if os.environ.get("WRITE_GOLDENS"):
        GOLDEN.write_bytes(drawn.getvalue())
    expected, actual = (matplotlib.image.imread(file, format="png") for file in (GOLDEN, io.BytesIO(drawn.getvalue())))
    assert expected.shape == actual.shape
    assert 255 * np.sqrt(np.mean((expected - actual) ** 2)) < 1.5


def test_a_line_is_broken_where_the_suite_changed_and_its_changes_are_marked(month: History) -> None:
    with figure_style():
        axes = figure.draw(month.suites[0]).axes[1]
    lines = {tuple(np.round(line.get_xdata()).astype(int)): line for line in axes.lines}
    lengths = sorted(len(days) for days, line in lines.items() if line.get_marker() == "o")
    assert [7, 21] == lengths  # of each target: 8 and 22 nights, one of each invalid
    assert 1 == sum(line.get_marker() == "v" for line in axes.lines)


@pytest.mark.parametrize("n", [1, 3])
def test_few_runs_are_drawn_with_how_many_are_missing(tmp_path: Path, past_runs: PastRuns, n: int) -> None:
    past_runs(tmp_path, n)
    with figure_style():
        drawn = figure.draw(load_history(tmp_path, HistoryFilter()).suites[0])
        drawn.draw_without_rendering()
    text = texts(drawn)
    assert f"{15 - n} to go" in text
    assert "2026-10-03 02:00" in text
    assert "SIMULATED" in text


def test_a_table_of_few_runs_says_once_how_many_are_missing(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path, 2)
    text = printed(load_history(tmp_path, HistoryFilter()), 100)
    assert 1 == text.count("13 to go")
    assert "changes" not in text.partition("target, metric")[2].splitlines()[0]


def test_many_runs_have_bands_instead_of_bars(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path, 50, targets=("a/us/converse",), changes=lambda _: {"simulated": False})
    with figure_style():
        drawn = figure.draw(load_history(tmp_path, HistoryFilter()).suites[0])
    assert {"FillBetweenPolyCollection"} == {type(each).__name__ for each in drawn.axes[0].collections}
    assert "SIMULATED" not in texts(drawn)


def test_hostile_names_stay_text_on_the_page_and_the_figure(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path / "runs", 16, slower_from=8, targets=(HOSTILE,), changes=lambda _: {"suite": HOSTILE})
    history = load_history(tmp_path / "runs", HistoryFilter())
    page = render_page(history_report(history, draw_history(history)))
    assert 1 == page.count("<script")
    assert "\x1b" not in page
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in html.unescape(page)
    assert "\x1b" not in printed(history, 100)


def test_the_page_tells_changes_and_what_differed(month: History) -> None:
    page = render_page(history_report(month, draw_history(month)))
    for part in (
        "SIMULATED",
        "TTFT p95 of claude-sonnet-4-6/us/converse rose by",
        "what differed: aiobotocore 2.25.1 → 2.26.0",
        "the run is invalid: starved",
        "Change points show slow drift",
        "data:image/svg+xml;base64,",
    ):
        assert part in page


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_a_narrow_terminal_drops_columns_and_cuts_no_number(month: History, width: int) -> None:
    table = printed(month, width).split("\n\n")[0].splitlines()[3:]
    assert all(len(line.rstrip()) <= width for line in table)
    assert "…" not in "".join(table)
    columns = {40: "latest", 60: "changes", 80: "first", 100: "first", 160: "trend"}
    assert columns[width] in table[0]


def test_the_terminal_tells_the_change_in_one_line_and_what_differed_below(month: History) -> None:
    text = printed(month, 100)
    assert "at 2026-10-23 02:00:00 UTC: median " in text
    assert "    what differed: aiobotocore 2.25.1 → 2.26.0\n" in text
    assert "30 runs, 2 of which do not count" in text
    assert "Not counted: 0005-nightly: the run is invalid: starved" in text


def test_nothing_that_differed_is_said_so(tmp_path: Path, past_runs: PastRuns) -> None:
    runs = past_runs(tmp_path, 20, slower_from=10)
    for run in runs[10:]:
        run.write_manifest(msgspec.structs.replace(run.read_manifest(), versions=runs[0].read_manifest().versions))
    assert "what differed: nothing in the manifests" in printed(load_history(tmp_path, HistoryFilter()), 100)


@pytest.mark.parametrize(
    ("out", "written"),
    [
        ("page.html", ["page.html"]),
        ("trend.svg", ["trend.svg"]),
        ("folder", ["history.html", "history-nightly-simulated.png", "history-nightly-simulated.svg"]),
    ],
)
def test_out_is_a_page_a_figure_or_a_folder_of_both(
    tmp_path: Path, past_runs: PastRuns, out: str, written: list[str]
) -> None:
    past_runs(tmp_path / "runs", 2)
    paths = write_history(load_history(tmp_path / "runs", HistoryFilter()), tmp_path / "new" / out)
    assert written == [path.name for path in paths]
    assert all(path.stat().st_size > 1000 for path in paths)


def test_one_file_cannot_hold_the_figures_of_two_suites(tmp_path: Path, past_runs: PastRuns) -> None:
    past_runs(tmp_path, 1)
    past_runs(tmp_path, 1, suite="other")
    with pytest.raises(StoreError, match="can hold only one figure, but there are 2"):
        write_history(load_history(tmp_path, HistoryFilter()), tmp_path / "x.png")
