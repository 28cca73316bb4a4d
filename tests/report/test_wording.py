"""How numbers, intervals and dates are written."""

import math
from typing import Any, Literal

import msgspec
import pytest

from harness.analysis.stats.interval import Interval
from harness.analysis.summary.summary import Winner
from harness.report.section import number
from harness.report.wording import (
    MISSING,
    best_of,
    counts,
    date_of,
    error_rate,
    percent,
    sentence,
    shorten,
    significant,
    sparkline,
    usd,
    value_of,
    verdict_of,
    write_cell,
)
from harness.store.finding import Finding


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, "0"),
        (0.000123456, "0.000123"),
        (0.4229, "0.423"),
        (1.005, "1.00"),
        (63.44, "63.4"),
        (999.4, "999"),
        (999.6, "1,000"),
        (1234567.0, "1,234,567"),
        (-2.5, "-2.50"),
        (None, MISSING),
        (math.nan, MISSING),
    ],
)
def test_numbers_have_three_significant_digits_and_no_exponent(value: float | None, expected: str) -> None:
    assert significant(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, MISSING), (0.0, "$0.00"), (0.00114, "$0.00114"), (12.3456, "$12.35"), (1e4, "$10,000.00")],
)
def test_dollars_have_cents_from_one_dollar_up(value: float | None, expected: str) -> None:
    assert usd(value) == expected


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [("share", 0.975, "97.5%"), ("s", 0.5, "0.500 s"), ("tokens/s", 63.4, "63.4 tokens/s"), ("usd", 0.01, "$0.0100")],
)
def test_a_leaders_value_has_its_unit(unit: Literal["share", "s", "tokens/s", "usd"], value: float, expected) -> None:
    winner = Winner(metric="m", target="a", value=value, unit=unit, rivals=1, clear=True)
    assert (value_of(winner), verdict_of(winner)) == (expected, "clear")


def test_an_unknown_rate_is_a_dash_and_never_zero() -> None:
    assert percent(None) == MISSING
    assert write_cell(number(None, "share")) == MISSING


def test_a_rate_has_its_interval() -> None:
    rate = number(Interval(value=0.975, low=0.871, high=0.9956), "share")
    assert write_cell(rate) == "97.5% [87.1, 99.6]"
    assert write_cell(rate, short=True) == "97.5% [87, 100]"
    assert write_cell(rate, intervals=False) == "97.5%"


def test_a_missing_bound_is_written_as_infinity() -> None:
    assert write_cell(number(Interval(value=1.06, low=0.852), "s")) == "1.06 s [0.852, ∞]"
    assert write_cell(number(Interval(value=1.06), "s")) == "1.06 s [0, ∞]"


def test_short_times_are_written_in_milliseconds() -> None:
    assert write_cell(number(Interval(value=0.0075, low=0.007, high=0.0081), "ms")) == "7.50 ms [7.00, 8.10]"


def test_shortened_names_keep_both_ends_and_fit_the_width() -> None:
    assert shorten("claude-sonnet-4-6/global/invoke", 15) == "claude-…/invoke"
    assert len(shorten("x" * 99, 20)) == 20
    assert shorten("short", 20) == "short"


def test_counts_that_differ_are_a_range() -> None:
    assert (counts([40, 40]), counts([38, 1040]), counts([])) == ("40", "38 to 1,040", "0")


def test_a_finding_is_one_sentence_with_its_remedy() -> None:
    finding = Finding(what="p99 rests on 40 samples.", remedy="ask for\n368")
    assert sentence(finding) == "p99 rests on 40 samples; ask for 368"


def test_dates_are_written_in_utc() -> None:
    assert date_of("2026-11-22T02:40:00Z") == "2026-11-22 02:40:00 UTC"


def test_a_tie_is_not_close_to_itself() -> None:
    tie = Winner(metric="m", target="a", value=1.0, unit="s", close=["b"], tied_with=["b"], rivals=2, clear=False)
    assert "clear of the others" == verdict_of(tie)
    near = Winner(metric="m", target="a", value=1.0, unit="s", close=["b", "c"], tied_with=["b"], rivals=3, clear=False)
    assert "too close to call with c; clear of the others" == verdict_of(near)


def test_bars_rise_from_low_to_high_and_are_flat_without_a_range() -> None:
    drawn = [sparkline(values, low=0, high=max(values, default=0)) for values in ([], [0, 0], [0, 1, 2])]
    assert ["", "▁▁", "▁▅█"] == drawn


def test_no_failure_in_n_requests_is_said_with_its_one_sided_bound(make_run: Any) -> None:
    target = make_run(requests=200).summary.targets[0]
    flawless = msgspec.structs.replace(target, requests=200, succeeded=200, success_rate=Interval(value=1.0))
    assert "at most 1.5% (one-sided 95%, 3/n)" == error_rate(flawless)
    some = msgspec.structs.replace(flawless, succeeded=190, success_rate=Interval(value=0.95, low=0.91, high=0.98))
    assert "5.0% [2.0, 9.0]" == write_cell(error_rate(some))


def test_the_best_of_three_and_more_is_said_to_look_better_than_it_is() -> None:
    def leader(rivals: int) -> Winner:
        return Winner(metric="m", target="a", value=1.0, unit="s", rivals=rivals, clear=True)

    assert "" == best_of([]) == best_of([leader(1)])
    told = "Chosen as the best of 5, a leader looks better than it is; confirm it with a new run."
    assert told == best_of([leader(1), leader(4)])
