"""What the figures compute from a run's columns, and their texts."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from harness.analysis.columns import Columns
from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Winner
from harness.report.drawing.frame import make_view
from harness.report.drawing.style import figure_style
from harness.report.figures import FIGURES
from harness.report.figures.cost import cost_breakdown
from harness.report.figures.latency import (
    client_overhead,
    input_length,
    latency_ecdf,
    output_length,
    percentiles,
    time_spent,
    timeline,
)
from harness.report.figures.load import errors, errors_over_time, offered_load
from harness.report.figures.quality import prompt_heatmap, quality_cost
from harness.report.write import draw_run
from tests.report.conftest import FIT_RUNS

SOMETIMES = {
    "routing",
    "prompt_heatmap",
    "input_length",
    "output_length",
    "client_overhead",
    "offered_load",
    "errors_over_time",
}
"""Figures that need what not every run has."""


NEW = [name for name, module in FIGURES.items() if hasattr(module, "table")]
NAME = "claude-haiku-4-5/us/invoke"
STEPS = FIT_RUNS["offered_load"]["load"]


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def draw(module, view):
    with figure_style():
        figure = module.draw(view)
        if figure is not None:
            figure.draw_without_rendering()
    return figure


def test_a_curve_with_failures_tops_out_at_the_share_answered() -> None:
    times, shares = latency_ecdf.ecdf(np.array([2.0, np.inf, 1.0, np.inf]))
    assert times.tolist() == [1.0, 2.0]
    assert shares.tolist() == [0.25, 0.5]


def test_a_request_without_a_first_chunk_that_succeeded_is_not_a_failure() -> None:
    _, shares = latency_ecdf.ecdf(np.array([np.nan, 1.0]))
    assert shares.tolist() == [1.0]


def test_a_long_curve_is_thinned_but_keeps_both_ends() -> None:
    times, shares = latency_ecdf.ecdf(np.arange(1.0, 100_001.0))
    assert len(times) <= latency_ecdf.MOST_STEPS
    assert (times[0], times[-1], shares[-1]) == (1.0, 100_000.0, 1.0)


def test_the_frontier_leaves_out_a_target_that_costs_more_without_passing_more(make_run) -> None:
    target = make_run(requests=5).summary.targets[0]
    points = [(target, cost, Interval(value=rate)) for cost, rate in [(3.0, 0.9), (1.0, 0.8), (2.0, 0.7), (4.0, 0.9)]]
    assert [cost for _, cost, _ in quality_cost.frontier(points)] == [1.0, 3.0]


def test_the_running_median_groups_neighbours_in_time() -> None:
    at = np.arange(40.0)[::-1]
    middles, medians = timeline.running_median(at, np.where(at < 20, 1.0, 5.0))
    assert middles.tolist() == [4.5, 14.5, 24.5, 34.5]
    assert medians.tolist() == [1.0, 1.0, 5.0, 5.0]


def test_a_long_run_is_drawn_in_minutes_and_its_dots_are_one_picture(make_run) -> None:
    view = make_run(names=["m/us/invoke"], requests=4000)
    figure = draw(timeline, view)
    assert "due, minutes since the first request was due" in texts(figure)
    assert any(artist.get_rasterized() for artist in figure.axes[0].lines)


def test_a_hundred_thousand_dots_are_thinned_to_one_per_cell_and_no_outlier_is_lost(make_run) -> None:
    view = make_run(names=["m/us/invoke"], requests=100_000, failure_rate=0.02)
    (c,) = view.columns.values()
    done = np.where(c.ok, np.minimum(c.done_s, c.due_s + 2.0), c.done_s)
    odd = int(np.flatnonzero(c.ok)[50_000])
    done[odd] = c.due_s[odd] + 9.0
    figure = draw(timeline, make_view(view.summary, {c.target: replace(c, done_s=done)}))
    answered, failed, _ = figure.axes[0].lines
    across, up = timeline.CELLS
    assert across < len(answered.get_xdata()) < across * up / 4
    assert 0 < len(failed.get_xdata()) <= across
    assert 9.0 == pytest.approx(answered.get_ydata().max())


def test_few_dots_are_all_drawn(make_run) -> None:
    view = make_run(names=["m/us/invoke"], requests=2000, failure_rate=0.1)
    answered, failed, _ = draw(timeline, view).axes[0].lines
    assert 2000 == len(answered.get_xdata()) + len(failed.get_xdata())


def test_too_few_answers_have_no_median() -> None:
    assert timeline.running_median(np.arange(3.0), np.arange(3.0))[0].size == 0


def test_without_errors_the_figure_bounds_the_error_rate(make_run) -> None:
    text = texts(draw(errors, make_run(failure_rate=0.0)))
    assert "No error in 160 requests" in text
    assert "may still be at most 7.5% (one-sided 95%, 3/n)" in text


def test_error_kinds_are_sorted_by_frequency_and_the_rarest_combined(make_run) -> None:
    target = make_run(failure_rate=0.5).summary.targets[0]
    many = msgspec.structs.replace(target, error_kinds={f"kind-{i}": 10 - i for i in range(9)})
    assert errors.shown_kinds([many]) == [*(f"kind-{i}" for i in range(5)), errors.REST]


def test_a_missing_upper_bound_is_shown_with_the_n_that_would_give_it(make_run) -> None:
    assert "seen, but no upper bound (takes n = 72 of 24 prompts for p95, 368 of 123 for p99)" in texts(
        draw(percentiles, make_run())
    )
    assert "no upper bound" not in texts(draw(percentiles, make_run(requests=400)))


def lead(metric: str, close: list[str], rivals: int = 3, unit: str = "share", value: float = 0.95) -> Winner:
    return Winner(
        metric=metric,
        target="claude-sonnet-4-6/us/converse",
        value=value,
        unit=unit,
        close=close,
        rivals=rivals,
        clear=not close,
    )


SIBLING, *OTHERS = ["claude-sonnet-4-6/global/invoke", "claude-haiku-4-5/us/invoke", "claude-haiku-4-5/global/converse"]


@pytest.mark.parametrize(
    ("module", "winner", "title"),
    [
        (quality_cost, lead("pass rate", []), "Most answers right: claude-sonnet-4-6/us/converse, 95.0%"),
        (
            quality_cost,
            lead("pass rate", [SIBLING]),
            "claude-sonnet-4-6/us/converse and claude-sonnet-4-6/global/invoke pass most",
        ),
        (quality_cost, lead("pass rate", [SIBLING, *OTHERS]), "Quality too close to call"),
        (
            latency_ecdf,
            lead("TTFT p50", [SIBLING, OTHERS[0]], unit="s"),
            "First token soonest: claude-sonnet-4-6/us/converse and 2 others",
        ),
        (
            percentiles,
            lead("E2E p95", [], unit="s", value=2.5),
            "Shortest tail: claude-sonnet-4-6/us/converse, E2E p95 2.50 s",
        ),
        (percentiles, lead("E2E p95", [SIBLING, *OTHERS], unit="s"), percentiles.TITLE),
    ],
)
def test_a_title_names_the_leader_and_the_rivals_too_close_to_call(
    make_run, module, winner: Winner, title: str
) -> None:
    assert draw(module, make_run(requests=12, winners=[winner])).get_label() == f"SIMULATED: {title}"


def test_one_request_is_written_in_the_singular(make_run) -> None:
    text = texts(draw(errors, make_run(names=["a/us/converse"], requests=1, failure_rate=0.0)))
    assert "No error in 1 request\n" in text
    assert "n per target: 1 request " in text
    assert "1 requests" not in text


def test_a_run_without_a_measured_request_has_no_pictures(make_run) -> None:
    assert draw_run(make_run(names=[])) == []


def test_a_load_test_has_no_quality_figure(make_run, monkeypatch: pytest.MonkeyPatch) -> None:
    view = make_run(requests=5)
    targets = [msgspec.structs.replace(t, scored=0, passed=0, pass_rate=None) for t in view.summary.targets]
    columns = {name: replace(c, passed=np.full(5, np.nan)) for name, c in view.columns.items()}
    ungraded = make_view(msgspec.structs.replace(view.summary, targets=targets, winners=[]), columns)
    assert quality_cost.draw(ungraded) is None
    for name in {*FIGURES} - {"quality_cost", "errors"}:  # drawing one of the others is enough
        monkeypatch.delitem(FIGURES, name)
    assert ["errors"] == [picture.name for picture in draw_run(ungraded)]


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("whole", [1, 4], ids=["one of them", "all of them"])
def test_targets_that_do_not_stream_are_drawn_too(make_run, name: str, whole: int) -> None:
    view = make_run()
    silent = [t.target for t in view.summary.targets[:whole]]
    nothing = dict.fromkeys(("ttft_s", "ttft_from_sent_s", "tpot_s", "stream_tokens_per_s"))
    targets = [msgspec.structs.replace(t, **nothing) if t.target in silent else t for t in view.summary.targets]
    columns = {
        n: replace(c, first_s=np.full(40, np.nan), last_s=np.full(40, np.nan)) if n in silent else c
        for n, c in view.columns.items()
    }
    draw(FIGURES[name], make_view(msgspec.structs.replace(view.summary, targets=targets, winners=[]), columns))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "run",
    [
        {"names": ["only/us/converse"]},
        {"requests": 1, "failure_rate": 0.0},
        {"failure_rate": 1.0},
        {"failure_rate": 1.0, "requests": 60, "load": STEPS},
        {"names": [f"{'long-' * 9}model-{i}/in-region/converse" for i in range(8)], "requests": 12},
        {
            "names": [r"$\frac{1}{0}$_^{/us/<b>&", "日本語 🎉\x1b[31m"],
            "suite": r"$\undefined{$ %s {0}",
            "run_id": "x" * 300,
        },
    ],
    ids=[
        "one target",
        "one request",
        "no success",
        "no success in steps",
        "eight long names",
        "hostile names",
    ],
)
def test_every_figure_can_be_drawn_and_nothing_leaves_the_page(make_run, name: str, run: dict[str, object]) -> None:
    view = make_run(**run)
    figure = draw(FIGURES[name], view)
    if figure is None:
        assert name in SOMETIMES
        return
    width, height = figure.canvas.get_width_height()
    for text in figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y0 >= 0
        assert box.y1 <= height
    if name in NEW:
        assert FIGURES[name].describe(view)


@pytest.mark.parametrize("name", NEW)
def test_a_table_is_there_wherever_a_figure_has_axes_with_data(make_run, name: str) -> None:
    view = make_run(**FIT_RUNS.get(name, {}))
    assert draw(FIGURES[name], view) is not None
    table = FIGURES[name].table(view)
    assert {len(table.columns)} == {len(row) for row in table.rows}


def test_the_tables_hold_what_is_drawn(make_run) -> None:
    view = make_run()
    bars = [patch.get_width() for patch in draw(cost_breakdown, view).axes[0].patches]
    values = sorted(cell.value for row in cost_breakdown.table(view).rows for cell in row[2:] if cell.value)
    assert values == pytest.approx(sorted(bars))
    diamonds = [line.get_xdata()[0] for line in draw(time_spent, view).axes[0].lines]
    assert diamonds == [row[-1].value for row in time_spent.table(view).rows]
    shown = draw(prompt_heatmap, view)
    assert [row[0] for row in prompt_heatmap.table(view).rows] == [
        t.get_text() for t in shown.axes[0].get_yticklabels()
    ]
    steps = make_run(**FIT_RUNS["offered_load"])
    offered = draw(offered_load, steps)
    tails = {line.get_ydata()[0] for line in offered.axes[0].lines if len(line.get_ydata()) == 1}
    assert tails == {row[5].value for row in offered_load.table(steps).rows}
    failed = {row[0].text: sum(row[5:]) for row in errors_over_time.table(view).rows}
    assert set(failed) == {t.target for t in view.targets if t.error_kinds}


def test_a_slope_is_given_for_no_more_tokens_than_lengths_differ_by(make_run) -> None:
    assert "per 100 input tokens" in input_length.describe(make_run())
    assert "per 100 output tokens" in output_length.describe(make_run())


def test_prompts_that_passed_everywhere_are_counted_and_not_drawn(make_run) -> None:
    text = texts(draw(prompt_heatmap, make_run())).replace("\n", " ")
    assert "Targets differ on 16 of 40 prompts" in text
    assert "24 passed everywhere and are not shown." in text


def test_a_client_among_many_is_not_called_slow_by_chance(make_run) -> None:
    names = [f"claude-haiku-4-5/{r}/invoke/{c}" for r in ("global", "us", "eu", "jp", "apac") for c in ("wire", "sdk")]
    for seed in (7, 8, 9):
        view = make_run(names=names, requests=160, seed=seed)
        assert "No client is shown to be slower" in client_overhead.describe(view)
    late = {
        n: replace(c, first_s=c.first_s + 0.5) if n == "claude-haiku-4-5/eu/invoke/sdk" else c
        for n, c in view.columns.items()
    }
    assert "sdk adds 5" in client_overhead.describe(make_view(view.summary, late, view.run))


def test_of_many_targets_the_lowest_knees_are_drawn(make_run) -> None:
    names = [f"claude-{m}-4-5/{r}/converse" for m in ("haiku", "sonnet") for r in ("us", "eu", "jp", "au", "apac")]
    view = make_run(**{**FIT_RUNS["offered_load"], "names": names})
    text = texts(draw(offered_load, view)).replace("\n", " ")
    assert "Drawn are the 8 targets with the lowest knee; the table has all 10." in text
    assert {row[0].text for row in offered_load.table(view).rows} == set(names)


@pytest.mark.parametrize("name", NEW)
def test_forty_targets_are_drawn(make_run, name: str) -> None:
    fit = {**FIT_RUNS.get(name, {}), "requests": 20}
    assert FIGURES[name].draw(make_run(**{**fit, "names": [f"{NAME}/client-{i}" for i in range(40)]})) is not None


@pytest.mark.parametrize("name", NEW)
def test_a_figure_says_how_to_read_it_in_a_sentence(name: str) -> None:
    assert FIGURES[name].READ.endswith(".")


@pytest.mark.parametrize("name", FIGURES)
def test_a_run_of_nothing_but_unknown_values_is_drawn_too(make_run, name: str) -> None:
    view = make_run(**FIT_RUNS.get(name, {}))
    unknown = ("passed", "cost_usd", "input_tokens", "output_tokens", "first_s", "last_s", "server_latency_s")
    columns = {n: replace(c, **{each: np.full(len(c.ok), np.nan) for each in unknown}) for n, c in view.columns.items()}
    run = replace(view.run, data=replace(view.run.data, columns=columns))
    draw(FIGURES[name], make_view(view.summary, columns, run))
    if name in NEW:
        FIGURES[name].table(make_view(view.summary, columns, run))


@pytest.mark.parametrize("name", FIGURES)
def test_a_run_without_columns_is_drawn_too(make_run, name: str) -> None:
    view = make_run(requests=5)
    empty = type(view)(summary=view.summary, columns={}, looks=view.looks)
    draw(FIGURES[name], empty)


@pytest.mark.parametrize("name", FIGURES)
def test_a_target_without_a_request_is_drawn_too(make_run, name: str) -> None:
    view = make_run(requests=5)
    first = view.summary.targets[0].target
    fields = {k: v[:0] if isinstance(v, np.ndarray) else v for k, v in vars(view.columns[first]).items()}
    draw(
        FIGURES[name],
        type(view)(summary=view.summary, columns={**view.columns, first: Columns(**fields)}, looks=view.looks),
    )
