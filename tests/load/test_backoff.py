from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.sender import backoff_ns, retry_after_s
from harness.suite.suite import Retries


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-amz-retry-after": "250"}, 0.25),
        ({"retry-after": "7", "retry-after-ms": "20"}, 0.02),
        ({"retry-after": "7", "retry-after-ms": "soon"}, 7.0),
        ({"retry-after": "Wed, 25 Nov 2026 17:00:00 GMT"}, None),
        *(({"retry-after": garbage}, None) for garbage in ("", "-1", "1e9", "nan", "inf", "٣", "9" * 400, "3;4", "\n")),
        ({}, None),
    ],
)
def test_a_hint_is_a_plain_number_or_none(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds == retry_after_s(headers)


@given(seed=st.integers(), try_no=st.integers(1, 20), cap_s=st.floats(0.001, 100), asked_s=st.integers(0, 10**8))
def test_the_wait_is_no_shorter_than_asked_and_never_above_the_cap(
    seed: int, try_no: int, cap_s: float, asked_s: int
) -> None:
    wait_s = backoff_ns(Retries(max_attempts=1, cap_s=cap_s), try_no, {"retry-after": str(asked_s)}, Random(seed)) / 1e9
    assert min(asked_s, cap_s) - 1e-6 <= wait_s <= cap_s


def test_without_a_hint_the_jitter_is_full() -> None:
    waits = [backoff_ns(Retries(max_attempts=1, base_s=1.0), 3, {}, Random(seed)) / 1e9 for seed in range(200)]
    assert min(waits) < 0.2
    assert 3.8 < max(waits) <= 4.0
