"""SQL over attempts: requests that a stop cancelled, for good or until the run was resumed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from harness.store.query import connect
from harness.store.records import MEASURED, Attempt, last_attempts
from harness.store.run_folder import RunFolder

Tries = list[tuple[str | None, int, int]]
"""(error kind, due, done) of each attempt of one request."""

THROTTLED_THEN_CANCELLED: Tries = [("throttled", 0, 10), ("cancelled", 20, 90), (None, 100, 150)]
CANCELLED_FIRST: Tries = [("cancelled", 0, 90), ("throttled", 100, 110), (None, 130, 150)]


@pytest.fixture
def store(
    make_run: Callable[..., RunFolder], make_attempt: Callable[..., Attempt], write_journal: Callable[..., None]
) -> Callable[[Tries], RunFolder]:
    """A run of one request with these attempts."""

    def make(tries: Tries) -> RunFolder:
        run = make_run()
        attempts = [
            make_attempt(0, attempt_id=f"0-0-{n}", try_no=n, ok=kind is None, error_kind=kind, due_ns=due_ns,
                         sent_ns=due_ns, done_ns=done_ns)
            for n, (kind, due_ns, done_ns) in enumerate(tries, start=1)
        ]  # fmt: skip
        write_journal(run.journal_path(), attempts)
        run.finalise("complete")
        return run

    return make


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        (THROTTLED_THEN_CANCELLED, (3, 0, 0, 1, 90)),
        (CANCELLED_FIRST, (3, 100, 100, 1, 20)),
        ([("cancelled", 0, 90), ("cancelled", 100, 110)], (2, 0, 0, 0, 0)),
    ],
    ids=["in between", "first", "always"],
)
def test_the_time_of_a_cancelled_attempt_is_not_that_of_its_request(
    store: Callable[[Tries], RunFolder], tries: Tries, expected: tuple[int, ...]
) -> None:
    columns = "attempts, first_due_ns, first_try_sent_ns, throttled, backoff_ns"
    with closing(connect([store(tries)])) as connection:
        assert [expected] == connection.execute(f"SELECT {columns} FROM ({last_attempts()})").fetchall()


@pytest.mark.parametrize(
    ("tries", "measured"),
    [
        (THROTTLED_THEN_CANCELLED, [1, 3]),
        (CANCELLED_FIRST, [2, 3]),
        ([("throttled", 0, 10), ("cancelled", 20, 30)], []),
        ([("cancelled", 0, 10)], []),
        ([("throttled", 0, 10)], [1]),
    ],
)
def test_what_was_stopped_for_good_or_for_a_while_is_not_measured(
    store: Callable[[Tries], RunFolder], tries: Tries, measured: list[int]
) -> None:
    with closing(connect([store(tries)])) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(f"SELECT try_no FROM ({MEASURED}) ORDER BY ALL").fetchall()
    assert measured == [try_no for (try_no,) in rows]
