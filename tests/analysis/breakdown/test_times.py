import numpy as np
import pytest

from harness.analysis.breakdown.times import time_parts


def test_without_the_services_time_network_and_service_are_one(make_columns) -> None:
    parts = time_parts(make_columns())
    assert {"queue": 0.0, "unknown": pytest.approx(1.6)} == parts.medians
    assert (parts.n, parts.e2e_s) == (10, pytest.approx(1.6))


def test_the_parts_of_like_requests_add_up_to_the_whole(make_columns) -> None:
    due = np.arange(10.0)
    c = make_columns(
        first_try_sent_s=due + 0.1,
        sent_s=due + 0.4,
        attempts=np.full(10, 2),
        server_latency_s=np.full(10, 1.0),
        server_first_byte_s=np.full(10, 0.3),
    )
    parts = time_parts(c)
    expected = {"queue": 0.1, "retries": 0.3, "network": 0.2, "first byte": 0.3, "rest": 0.7}
    assert expected == pytest.approx(parts.medians)
    assert sum(parts.medians.values()) == pytest.approx(parts.e2e_s)


def test_only_answers_with_the_services_time_count_where_some_have_it(make_columns) -> None:
    latency = np.where(np.arange(10) < 4, 1.0, np.nan)
    parts = time_parts(make_columns(server_latency_s=latency))
    assert (parts.n, parts.successes) == (4, 10)
    assert {"queue", "network", "service"} == set(parts.medians)


def test_without_a_success_there_is_nothing(make_columns) -> None:
    assert time_parts(make_columns(ok=np.zeros(10, dtype=bool))) is None
