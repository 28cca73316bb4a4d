"""What people write for a time, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.clock import parse_utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T09:00", datetime(2026, 11, 1, 9, tzinfo=UTC)),
        ("2026-11-01 09:00:30Z", datetime(2026, 11, 1, 9, 0, 30, tzinfo=UTC)),
        ("2027-01-01T02:15+05:45", datetime(2026, 12, 31, 20, 30, tzinfo=UTC)),
        ("2026-02-28T21:00-03:30", datetime(2026, 3, 1, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_date_or_a_time_is_told_in_utc(text: str, expected: datetime) -> None:
    found = parse_utc(text)
    assert (expected, UTC) == (found, found.tzinfo)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "2026-11-01T25:00", "0001-01-01T00:00+05:00", "9999-12-31"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_utc(text)
