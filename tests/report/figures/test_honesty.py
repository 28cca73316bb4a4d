"""What the data cannot bound is not drawn as if it were known; what is large stays small."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from harness.analysis.stats.interval import Interval
from harness.report.drawing.frame import make_view
from harness.report.drawing.scales import write_tick
from harness.report.drawing.style import assign_looks, figure_style
from harness.report.drawing.words import list_few, say, span_of
from harness.report.figures import FIGURES
from harness.report.figures.cost import routing
from harness.report.figures.latency import latency_ecdf, percentiles, timeline
from harness.report.figures.load import errors, throughput
from harness.report.figures.quality import quality_cost
from harness.report.section import Number
from harness.report.write import draw_figure


def drawn(module, view):
    with figure_style():
        figure = module.draw(view)
        figure.draw_without_rendering()
    return figure


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def markers(axes) -> list[bool]:
    """Of each target's point: whether it is hollow."""
    points = [line for line in axes.lines if len(line.get_xdata()) == 1 and line.get_marker() in ("o", "s", "^", "D")]
    return [line.get_markerfacecolor() == "white" for line in points]


def test_a_percentile_without_an_upper_bound_is_hollow_and_its_number_in_brackets(make_run) -> None:
    figure = drawn(percentiles, make_run(names=["m/us/invoke"]))
    assert [False, False, True, True] == markers(figure.axes[0])
    written = [text.get_text() for text in figure.axes[0].texts]
    assert [False, False, True, True] == [text.startswith("(") for text in written]
    assert "hollow, (in brackets): seen, but no upper bound" in texts(figure)


def test_a_percentile_beside_stalls_is_hollow_however_many_samples_it_has(make_run) -> None:
    view = make_run(names=["m/us/invoke"], requests=2000)
    (t,) = view.summary.targets
    stalled = msgspec.structs.replace(t.e2e_s, p95=Interval(value=t.e2e_s.p95.value, low=t.e2e_s.p95.low))
    summary = msgspec.structs.replace(view.summary, targets=[msgspec.structs.replace(t, e2e_s=stalled)])
    figure = drawn(percentiles, make_view(summary, view.columns))
    assert [False, False, True, False] == markers(figure.axes[1])
    assert "E2E latency p95" not in percentiles.describe(make_view(summary, view.columns))


def test_a_curve_is_thin_beyond_the_last_percentile_with_an_upper_bound(make_run) -> None:
    view = make_run(names=["m/us/invoke"], failure_rate=0.0)
    thick, thin = drawn(latency_ecdf, view).axes[1].lines[:2]
    assert thick.get_linewidth() > thin.get_linewidth()
    assert 0.9 == pytest.approx(max(thick.get_ydata()))  # p90 is bounded at n = 40, p95 is not
    assert thick.get_xdata()[-1] == thin.get_xdata()[0]
    assert 1.0 == max(thin.get_ydata())
    known = drawn(latency_ecdf, make_run(names=["m/us/invoke"], requests=2000, failure_rate=0.0))
    assert 1.0 == max(known.axes[1].lines[0].get_ydata())
    assert "thin:" not in texts(known)


def test_the_known_share_of_a_curve_counts_failures(make_run) -> None:
    (t,) = make_run(names=["m/us/invoke"], requests=400, failure_rate=0.0).summary.targets
    half = msgspec.structs.replace(t, requests=2 * t.succeeded)
    assert 1.0 == latency_ecdf.bounded_share(half, t.e2e_s)
    loose = msgspec.structs.replace(t.e2e_s, p99=Interval(value=t.e2e_s.p99.value))
    assert 0.475 == pytest.approx(latency_ecdf.bounded_share(half, loose))
    assert 0.0 == latency_ecdf.bounded_share(half, None)


def test_a_median_of_too_few_streams_is_a_hollow_bar(make_run) -> None:
    figure = drawn(throughput, make_run(names=["m/us/invoke"], requests=3, failure_rate=0.0))
    assert (1.0, 1.0, 1.0, 1.0) == figure.axes[2].patches[0].get_facecolor()
    assert "hollow: a median without an upper bound" in texts(figure)
    assert "hollow" not in texts(drawn(throughput, make_run()))


def test_a_routing_tail_without_an_upper_bound_is_hollow(make_run) -> None:
    figure = drawn(routing, make_run())
    assert [False, False] == markers(figure.axes[1])
    assert [True, True] == markers(figure.axes[2])
    assert "hollow, dotted" in texts(figure)


def test_tables_hold_the_values_that_are_drawn(make_run) -> None:
    view = make_run()
    for t, row in zip(view.targets, percentiles.table(view).rows, strict=True):
        assert Number(t.ttft_s.p99.value, "s", t.ttft_s.p99.low, None, bounded=True) == row[4]
    for t, row in zip(view.targets, quality_cost.table(view).rows, strict=True):
        assert (t.pass_rate.value, t.cost_per_1000_usd) == (row[1].value, row[2].value)
    for t, row in zip(view.targets, errors.table(view).rows, strict=True):
        assert (t.requests, t.requests - t.succeeded) == row[1:3]
        assert sum(t.error_kinds.values()) == sum(row[5:])
    for t, row in zip(view.targets, throughput.table(view).rows, strict=True):
        assert t.achieved_per_s == row[2].value


def test_a_share_of_requests_that_was_never_reached_has_no_time(make_run) -> None:
    view = make_run(names=["m/us/invoke"], requests=40, failure_rate=0.5)
    (row,) = latency_ecdf.table(view).rows
    assert row[4] is None  # 95% of all requests were not answered
    assert row[1] is not None


def test_the_quarters_of_a_run_show_a_drift(make_run) -> None:
    view = make_run(names=["m/us/invoke"], requests=80, failure_rate=0.0)
    (c,) = view.columns.values()
    late = c.due_s > np.quantile(c.due_s, 0.75)
    slower = make_view(view.summary, {c.target: replace(c, done_s=c.due_s + np.where(late, 5.0, 1.0))})
    assert "1.00 s to 5.00 s (m/us/invoke)" in timeline.describe(slower)


@pytest.mark.parametrize("name", ["latency_ecdf", "timeline", "percentiles", "errors"])
def test_a_hundred_thousand_attempts_make_a_small_picture(make_run, name: str) -> None:
    picture = draw_figure(name, make_run(names=["a/us/invoke", "b/us/invoke"], requests=50_000), ("svg",))
    assert len(picture.svg) < 300_000


def test_forty_targets_look_different_and_share_three_columns_of_the_legend(make_run) -> None:
    names = [f"model-{i}/{routing}/{api}" for i in range(10) for routing in ("us", "eu") for api in ("a", "b")]
    view = make_run(names=names, requests=8)
    looks = {(look.colour, look.marker, look.line) for look in assign_looks(view.summary.targets).values()}
    assert 40 == len(looks)
    figure = drawn(latency_ecdf, view)
    assert 3 == figure.legends[0]._ncols
    assert figure.get_figheight() < 9


@pytest.mark.parametrize("name", FIGURES)
def test_forty_targets_are_drawn(make_run, name: str) -> None:
    with figure_style():
        FIGURES[name].draw(make_run(names=[f"model-{i}/us/converse" for i in range(40)], requests=9))


def test_errors_alone_are_described_too(make_run) -> None:
    view = make_run(failure_rate=1.0)
    for module in (quality_cost, latency_ecdf, percentiles, timeline, errors, throughput):
        assert module.describe(view).endswith(".")
    assert "No request succeeded" in timeline.describe(view)


@pytest.mark.parametrize(
    ("value", "text"), [(1e-6, "1e-6"), (2.5e-7, "2.5e-7"), (0.001, "0.001"), (5e7, "5e7"), (0, "0")]
)
def test_a_tick_far_from_one_has_an_exponent(value: float, text: str) -> None:
    assert text == write_tick(value)


def test_words_for_values() -> None:
    assert "p50: 1 (a) to 3 (b)" == span_of("p50", [("b", 3.0), ("a", 1.0), ("c", None)], "{:g}".format)
    assert "p50: 1 (a)" == span_of("p50", [("a", 1.0)], "{:g}".format)
    assert "p50: 1 (all)" == span_of("p50", [("a", 1.0), ("b", 1.0)], "{:g}".format)
    assert "" == span_of("p50", [("a", None)], "{:g}".format)
    assert "One; two." == say("one", "", "two")
    assert "a, b, c and 2 more" == list_few(["a", "b", "c", "d", "e"])
