"""The search for the knee, against endpoints whose knee is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.load.sweep.search import Ladder, Search


def climb(ladder: Ladder, knee: float) -> tuple[Search, list[float]]:
    """Search where every level up to `knee` meets; the levels that were tried."""
    search, tried = Search(ladder), []
    while (level := search.next_level()) is not None:
        tried.append(level)
        search.report(level, met=level <= knee)
        assert len(tried) < 60
    return search, tried


@given(knee=st.floats(0.02, 900.0), first=st.floats(0.5, 50.0), resolution=st.sampled_from([0.05, 0.1, 0.25]))
def test_the_knee_is_bracketed_as_closely_as_asked(knee: float, first: float, resolution: float) -> None:
    search, tried = climb(Ladder(first=first, lowest=0.01, highest=1000.0, resolution=resolution), knee)
    assert search.met is not None
    assert search.missed is not None
    assert search.met <= knee < search.missed <= search.met * (1 + resolution) * 1.01
    assert len(tried) == len(set(tried))


@given(knee=st.integers(1, 999))
def test_slots_are_whole_numbers(knee: int) -> None:
    search, tried = climb(Ladder(first=1, lowest=1, highest=1000, resolution=0.01, whole=True), knee)
    assert all(level == int(level) for level in tried)
    assert search.met is not None
    assert search.met <= knee
    assert knee - search.met <= max(1, 0.01 * knee)


def test_it_doubles_until_a_level_misses_and_then_bisects() -> None:
    _, tried = climb(Ladder(first=1, lowest=0.1, highest=100, resolution=0.1), 6.5)
    assert [1.0, 2.0, 4.0, 8.0, 5.66, 6.73, 6.17] == tried


def test_a_knee_above_the_ladder_is_known_to_be_at_least_its_top() -> None:
    search, tried = climb(Ladder(first=4, lowest=1, highest=10, resolution=0.1), 1000)
    assert ([4.0, 8.0, 10.0], 10.0, None) == (tried, search.met, search.missed)


def test_a_knee_below_the_ladder_is_known_to_be_less_than_its_foot() -> None:
    search, tried = climb(Ladder(first=4, lowest=1, highest=10, resolution=0.1), 0.1)
    assert ([4.0, 2.0, 1.0], None, 1.0) == (tried, search.met, search.missed)


@pytest.mark.parametrize(
    ("lowest", "first", "highest"), [(0, 1, 2), (-1, 1, 2), (2, 1, 3), (1, 3, 2), (1, 2, float("inf"))]
)
def test_impossible_ladders_are_refused(lowest: float, first: float, highest: float) -> None:
    with pytest.raises(HarnessError, match="levels must be above zero and in this order"):
        Ladder(first=first, lowest=lowest, highest=highest, resolution=0.1)
