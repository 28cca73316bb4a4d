"""What a lost node leaves: the journal it sent here against its part of the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.endpoints.base import Tape
from harness.endpoints.reply import Reply
from harness.load.cluster.rest import cancelled_lines, find_rest
from harness.load.plan import Part, PlannedRequest, Recorded, Tries
from harness.load.progress import Progress, Tally
from harness.load.recorder import Recorder
from harness.load.session import Job
from harness.store.records import Attempt
from harness.suite.suite import Load, Retries, Suite

MakeSuite = Callable[..., Suite]
JOB = Job(run_id="r", seed=3, origin_ns=1_000, start_ns=5_000)


class Worker:
    """Sends a part in order, and may be lost at any moment."""

    def __init__(self, part: Part, journal: Path) -> None:
        self.part = part
        self.journal = journal
        self.started: dict[str, int] = {}
        self._recorder = Recorder(
            part.suite,
            run_id=JOB.run_id,
            origin_ns=JOB.origin_ns,
            write=self._write,
            progress=Progress(planned=None, tallies={each.name: Tally() for each in part.suite.targets}),
        )

    def send(self, most: int, outcomes: Iterator[str]) -> None:
        """Start so many requests. Outcomes: `ok`, `fails`, `throttled` (to be tried again), `lost` (no answer),
        `cancelled` by the node itself."""
        requests = (each for one in self.part.rounds(seed=JOB.seed) for each in one.requests)
        for _, planned in zip(range(most), requests, strict=False):
            self.started[planned.target] = self.started.get(planned.target, 0) + 1
            self._record(planned, next(outcomes))

    def _record(self, planned: PlannedRequest, outcome: str) -> None:
        if outcome == "lost":
            return
        kinds = {"ok": None, "fails": "validation", "throttled": "throttled", "cancelled": "cancelled"}
        reply = Reply(error_kind=kinds[outcome], complete=outcome == "ok")  # type: ignore[arg-type]
        self._recorder.record(planned, 2_000, planned.tries.made + 1, 2_000, Tape(), reply)

    def _write(self, attempt: Attempt) -> None:
        with self.journal.open("ab") as file:
            file.write(msgspec.json.encode(attempt) + b"\n")


def ids(part: Part) -> list[str]:
    return [each.request_id for one in part.rounds(seed=JOB.seed) for each in one.requests]


def lose(first: Part, worker: Worker) -> tuple[Part, list[Attempt], Mapping[str, int]]:
    """Go on as the main process does: what is left, what was cancelled, what is done."""
    rest = find_rest(first, worker.part, worker.journal, worker.started, seed=JOB.seed)
    lines, recorded, _ = cancelled_lines(worker.part, rest, JOB, at_ns=9_000)
    with worker.journal.open("ab") as file:
        file.write(lines)
    rows = [msgspec.json.decode(line, type=Attempt) for line in lines.splitlines()]
    return msgspec.structs.replace(first, recorded=recorded), rows, rest.done


@settings(max_examples=50)
@given(
    arrival=st.sampled_from(["closed", "constant"]),
    targets=st.integers(1, 3),
    sent=st.lists(st.integers(0, 15), min_size=1, max_size=3),
    outcomes=st.lists(st.sampled_from(["ok", "fails", "throttled", "lost", "cancelled"]), min_size=1),
    before=st.integers(0, 6),
)
def test_however_often_a_node_is_lost_every_request_is_completed_once(
    make_suite: MakeSuite,
    tmp_path_factory: pytest.TempPathFactory,
    arrival: str,
    targets: int,
    sent: list[int],
    outcomes: list[str],
    before: int,
) -> None:
    load, retries = Load(arrival=arrival, rate_per_s=3.0, repeats=3, warmup=2), Retries(max_attempts=99)
    suite = make_suite(load, prompts=4, targets=targets, retries=retries)
    whole = ids(Part(suite=suite, index=1, of=2))
    first = Part(suite=suite, index=1, of=2, recorded=Recorded(done=frozenset(whole[:before])))
    journal = tmp_path_factory.mktemp("rest") / "attempts-1.jsonl"
    journal.touch()
    part = first
    for most in sent:
        worker = Worker(part, journal)
        worker.send(most, iter(outcomes * 20))
        part, _, _ = lose(first, worker)
    Worker(part, journal).send(len(whole), iter(["ok"] * len(whole)))
    rows = [msgspec.json.decode(line, type=Attempt) for line in journal.read_bytes().splitlines()]
    completed = [each.request_id for each in rows if each.ok or each.error_kind == "validation"]
    assert sorted(whole[before:]) == sorted(completed)
    numbers = sorted((each.request_id, each.try_no) for each in rows)
    assert numbers == sorted(set(numbers))
    for each in dict.fromkeys(each.request_id for each in rows):
        made = [number for request, number in numbers if request == each]
        assert list(range(1, len(made) + 1)) == made


def test_only_what_had_started_without_an_answer_is_cancelled(make_suite: MakeSuite, tmp_path: Path) -> None:
    suite = make_suite(Load(arrival="constant", rate_per_s=2.0, repeats=8), retries=Retries(max_attempts=2))
    part = Part(suite=suite)
    worker = Worker(part, tmp_path / "attempts.jsonl")
    worker.send(5, iter(["ok", "lost", "throttled", "ok", "lost"]))
    rest, rows, done = lose(part, worker)
    first, *_ = ids(part)
    assert ["000001-00", "000002-00", "000004-00"] == [each.request_id for each in rows]
    assert [1, 2, 1] == [each.try_no for each in rows]
    assert {"cancelled"} == {each.error_kind for each in rows}
    assert [500_004_000, 1_000_004_000, 2_000_004_000] == [each.due_ns for each in rows]  # on the run's clock
    assert {None} == {each.sent_ns for each in rows}
    assert {rows[0].target: 2} == done
    assert first not in ids(rest)
    once, twice = Tries(made=1, repeated=1), Tries(made=2, repeated=1)
    assert {"000001-00": once, "000002-00": twice, "000004-00": once} == rest.recorded.tries


def test_in_a_closed_load_a_cancelled_request_is_due_when_its_node_was_lost(
    make_suite: MakeSuite, tmp_path: Path
) -> None:
    part = Part(suite=make_suite(Load(repeats=2)))
    worker = Worker(part, tmp_path / "attempts.jsonl")
    worker.send(2, iter(["ok", "lost"]))
    assert [9_000 - JOB.origin_ns] == [each.due_ns for each in lose(part, worker)[1]]


def test_what_the_node_itself_has_cancelled_is_not_cancelled_twice(make_suite: MakeSuite, tmp_path: Path) -> None:
    first = Part(suite=make_suite(Load(repeats=3)))
    worker = Worker(first, tmp_path / "attempts.jsonl")
    worker.send(2, iter(["cancelled", "lost"]))
    assert 1 == find_rest(first, first, worker.journal, worker.started, seed=JOB.seed).cancelled
    part, rows, _ = lose(first, worker)
    assert ["000001-00"] == [each.request_id for each in rows]
    again = Worker(part, worker.journal)
    again.send(2, iter(["lost", "lost"]))
    _, rows, _ = lose(first, again)
    assert [("000000-00", 2), ("000001-00", 2)] == [(each.request_id, each.try_no) for each in rows]
