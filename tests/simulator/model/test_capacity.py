"""The limits of a route: queues, token quotas, stalls. All in numbers, without a clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.simulator.faults import Stall
from harness.simulator.model.capacity import MINUTE_NS, Capacity, TokenQuota


def test_a_request_beyond_the_capacity_begins_when_the_first_one_ends() -> None:
    capacity = Capacity({"": 2})
    waits = [capacity.begin("m", "us", at, 100) for at in (0, 10, 20, 30, 500)]
    assert [0, 0, 80, 80, 0] == waits


def test_each_route_has_its_own_capacity_and_others_are_unlimited() -> None:
    capacity = Capacity({"us": 1})
    assert [0, 100] == [capacity.begin("m", "us", 0, 100) for _ in range(2)]
    assert [0, 0] == [capacity.begin("m", "global", 0, 100) for _ in range(2)]


@given(arrivals=st.lists(st.tuples(st.integers(0, 50), st.integers(1, 200)), max_size=60), limit=st.integers(1, 5))
def test_never_more_than_the_capacity_is_served_at_once(arrivals: list[tuple[int, int]], limit: int) -> None:
    capacity, now, spans = Capacity({"": limit}), 0, []
    for gap, service in arrivals:
        now += gap
        start = now + capacity.begin("m", "us", now, service)
        spans.append((start, start + service))
    assert all(sum(begun <= at < ended for begun, ended in spans) <= limit for at, _ in spans)


def test_a_reservation_throttles_and_its_unused_part_is_returned_at_the_end() -> None:
    quota = TokenQuota({"": 1000})
    assert quota.admit("m", "us", 0, 900)
    assert not quota.admit("m", "us", 0, 200)
    quota.settle("m", 10, reserved=900, charged=300)
    assert not quota.admit("m", "us", 9, 200)
    assert quota.admit("m", "us", 10, 600)


def test_the_bucket_refills_within_a_minute_and_never_overflows() -> None:
    quota = TokenQuota({"": 1000})
    assert quota.admit("m", "us", 0, 1000)
    assert not quota.admit("m", "us", MINUTE_NS // 2, 501)
    assert quota.admit("m", "us", MINUTE_NS // 2, 499)
    assert not quota.admit("m", "us", 100 * MINUTE_NS, 1001)
    assert quota.admit("m", "us", 100 * MINUTE_NS, 1000)


def test_a_stall_delays_what_is_due_in_it() -> None:
    stall = Stall(after_ns=100, lasts_ns=50)
    assert [1099, 1150, 1150, 1150] == [stall.delay(due, 1000) for due in (1099, 1100, 1149, 1150)]
