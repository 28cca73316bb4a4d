"""Quantities with a unit: what is read, what is refused, and that writing and reading are inverse."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite import fields as units
from harness.suite.fields import Margin, UnitError

SECONDS = st.floats(min_value=1e-60, max_value=units.LONGEST_S)
RATES = st.floats(min_value=units.LEAST_PER_S, max_value=units.MOST_PER_S)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("60s", 60.0), ("500ms", 0.5), ("10m", 600.0), ("2h", 7200.0), ("1.5s", 1.5), ("0.1ms", 0.0001)],
)
def test_a_duration_becomes_seconds(written: str, seconds: float) -> None:
    assert seconds == units.parse_duration(written)


@pytest.mark.parametrize(("written", "per_s"), [("5/s", 5.0), ("300/min", 5.0), ("0.5/s", 0.5)])
def test_a_rate_becomes_per_second(written: str, per_s: float) -> None:
    assert per_s == units.parse_rate(written)


def test_a_margin_keeps_its_unit_and_becomes_a_fraction() -> None:
    assert Margin(value=0.03, unit="pp") == units.parse_margin("3pp")
    assert Margin(value=0.15, unit="%") == units.parse_margin("15%")
    assert Margin(value=0.2, unit="s") == units.parse_margin("200ms")
    assert Margin(value=1.5, unit="s") == units.parse_margin("1.5s")
    assert Margin(value=0.002, unit="usd") == units.parse_margin("$0.002")


@pytest.mark.parametrize(
    ("parse", "written", "told"),
    [
        (units.parse_duration, "60", "'60' has no unit; write 60s"),
        (units.parse_duration, 60, "'60' has no unit; write 60s"),
        (units.parse_duration, 1.5, "'1.5' has no unit; write 1.5s"),
        (units.parse_duration, "0s", "must be more than 0, got 0s"),
        (units.parse_duration, "-1s", "'-1s' is not a duration; for example 500ms, 60s, 10m or 2h"),
        (units.parse_duration, "1 s", "'1 s' is not a duration; for example 500ms, 60s, 10m or 2h"),
        (units.parse_duration, "1s\n", r"'1s\n' is not a duration; for example 500ms, 60s, 10m or 2h"),
        (units.parse_duration, "١s", "'١s' is not a duration; for example 500ms, 60s, 10m or 2h"),
        (units.parse_duration, True, "'true' is not a duration; for example 500ms, 60s, 10m or 2h"),
        (units.parse_duration, "8785h", "must be at most 8,784h (a year), got 8785h"),
        (units.parse_rate, "10001/s", "10001/s is more than a client can send; use at most 10,000/s"),
        (units.parse_rate, "0.0001/min", "0.0001/min is less than one request a day; use at least 0.001/min"),
        (units.parse_rate, "5", "'5' has no unit; write 5/s"),
        (units.parse_rate, "5/h", "'5/h' is not a rate; for example 5/s or 300/min"),
        (units.parse_points, "3%", "'3%' is not a margin in percentage points; for example 3pp"),
        (units.parse_latency_margin, "15", "'15' has no unit; write 15% or 15ms"),
        (units.parse_latency_margin, "2h", "'2h' is not a latency margin; for example 15% or 200ms"),
        (units.parse_cost_margin, 0.002, "'0.002' has no unit; write 0.002% or $0.002"),
        (units.parse_cost_margin, "$0.00", "must be more than 0, got $0.00"),
        (units.parse_cost_margin, "2usd", "'2usd' is not a cost margin; for example 10% or $0.002"),
    ],
)
def test_what_is_not_a_quantity_is_refused_with_the_way_to_write_it(parse, written, told) -> None:
    with pytest.raises(UnitError) as caught:
        parse(written)
    assert told == str(caught.value)


@given(SECONDS)
def test_a_duration_is_written_so_that_it_reads_back_exactly(seconds: float) -> None:
    assert seconds == units.parse_duration(units.format_duration(seconds))


@given(RATES)
def test_a_rate_is_written_so_that_it_reads_back_exactly(per_s: float) -> None:
    assert per_s == units.parse_rate(units.format_rate(per_s))


@given(st.from_regex(re.compile(units.DURATION)))
def test_whatever_the_schema_lets_through_can_be_read(written: str) -> None:
    told = ""
    try:
        assert 0 < units.parse_duration(written) <= units.LONGEST_S
    except UnitError as error:
        told = str(error)
    assert told in ("", f"must be at most 8,784h (a year), got {written}")


@given(st.sampled_from([units.POINTS, units.LATENCY_MARGIN, units.COST_MARGIN]).flatmap(st.from_regex))
def test_whatever_margin_the_schema_lets_through_can_be_read(written: str) -> None:
    assert units.parse_margin(written).value >= 0
