"""Dates and times on the command line, as `parse_when` reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import typer

from harness.cli.options import parse_when


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T09:00", datetime(2026, 11, 1, 9, tzinfo=UTC)),
        ("2026-11-01T09:00+02:00", datetime(2026, 11, 1, 7, tzinfo=UTC)),
        ("2026-11-01T09:00Z", datetime(2026, 11, 1, 9, tzinfo=UTC)),
    ],
)
def test_a_date_or_time_is_utc_unless_it_names_an_offset(written: str, expected: datetime) -> None:
    assert expected == parse_when(written) == parse_when(parse_when(written))


def test_days_count_back_from_now() -> None:
    then = parse_when("1.5d")
    ago = datetime.now(UTC) - then
    assert timedelta(days=1.5) <= ago < timedelta(days=1.5, minutes=1)


@pytest.mark.parametrize("written", ["", "d", "soon", "30", "1e99d", "nand", "infd", "2026-13-01", "9999-12-31T23:59"])
def test_anything_else_is_answered_with_what_to_write(written: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a date or a time; write 2026-11-01, "):
        parse_when(written)


@pytest.mark.parametrize(
    "line", ["history --since", "import log --out a.yaml --since", "import log --out a.yaml --until"]
)
def test_the_error_names_the_option(command: Any, line: str) -> None:
    done = command(*line.split(), "soon")
    assert 2 == done.returncode
    assert f"Invalid value for '{line.split()[-1]}': 'soon' is not a date or a time" in done.stderr
