"""What a worker on a lost node leaves: the requests that it had in flight, and those that it had not sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from harness.endpoints.base import Tape
from harness.endpoints.reply import Reply
from harness.files import read_lines
from harness.load.plan import MEASURE, NO_TRIES, Part, PlannedRequest, Recorded, Tries, is_done
from harness.load.progress import Progress, Tally
from harness.load.recorder import Recorder
from harness.load.session import Job
from harness.store.records import REPEATED, Attempt

MESSAGE = "the node that had sent it was lost"


class _Row(msgspec.Struct, frozen=True):
    """What counts here of an attempt in the journal."""

    request_id: str
    target: str
    try_no: int
    phase: str
    due_ns: int
    ok: bool
    error_kind: str | None = None


class _Tried(msgspec.Struct):
    """A request with attempts: the last one, and how many are made again."""

    last: _Row
    repeated: int


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a part."""

    recorded: Recorded
    """All that is recorded of the plan, as far as this part is concerned."""
    done: Mapping[str, int]
    """Requests that this part has completed, by target."""
    in_flight: tuple[tuple[PlannedRequest, float | None], ...]
    """Requests that the lost node had started and not completed, each with its offset in an open schedule, s."""
    cancelled: int
    """Further requests that it had started, and recorded itself as cancelled."""
    measured_from_ns: int | None
    """When the first measured request was due, on the run's clock."""


def find_rest(first: Part, part: Part, journal: Path, started: Mapping[str, int], *, seed: int) -> Rest:
    """Compare the journal of a worker with its part.

    `first`: its part at the start. `part`: what the lost node had to send of it. `started`: how many requests that node
    had started, by target. They are the first ones of its part, since requests start in the order of the plan.
    """
    tried, measured_from_ns = _read(journal)
    done, tries, completed = set(first.recorded.done), dict(first.recorded.tries), Counter[str]()
    for request_id, each in tried.items():
        last, repeated = each.last, each.repeated + first.recorded.tries.get(request_id, NO_TRIES).repeated
        if is_done(first.suite, last.try_no, repeated, ok=last.ok, error_kind=last.error_kind or ""):
            done.add(request_id)
            tries.pop(request_id, None)
            completed[last.target] += 1
        else:
            tries[request_id] = Tries(made=last.try_no, repeated=repeated)
    unfinished = [each for each in _started(part, started, seed) if each[0].request_id not in done]
    in_flight = [each for each in unfinished if not _is_cancelled(each[0], tried.get(each[0].request_id))]
    return Rest(
        recorded=Recorded(done=done, tries=tries),
        done=completed,
        in_flight=tuple(in_flight),
        cancelled=len(unfinished) - len(in_flight),
        measured_from_ns=measured_from_ns,
    )


def _is_cancelled(planned: PlannedRequest, tried: _Tried | None) -> bool:
    """Whether the node itself recorded that it cancelled the request."""
    return tried is not None and tried.last.error_kind in REPEATED and tried.last.try_no > planned.tries.made


def _read(journal: Path) -> tuple[dict[str, _Tried], int | None]:
    """The requests of a journal, and when the first measured one was due."""
    decode = msgspec.json.Decoder(_Row).decode
    tried: dict[str, _Tried] = {}
    first_ns: int | None = None
    for line in read_lines(journal, follow=False):
        if line is None:
            continue
        row = decode(line)
        if row.phase == MEASURE:
            first_ns = row.due_ns if first_ns is None else min(first_ns, row.due_ns)
        each = tried.setdefault(row.request_id, _Tried(last=row, repeated=0))
        each.repeated += row.error_kind in REPEATED
        if row.try_no >= each.last.try_no:
            each.last = row
    return tried, first_ns


def _started(part: Part, started: Mapping[str, int], seed: int) -> Iterator[tuple[PlannedRequest, float | None]]:
    """The first requests of a part, so many of each target, with their offsets."""
    left = {target: count for target, count in started.items() if count > 0}
    rounds = part.rounds(seed=seed)
    while left and (each := next(rounds, None)) is not None:
        for planned in each.requests:
            if planned.target in left:
                left[planned.target] -= 1
                if not left[planned.target]:
                    del left[planned.target]
                yield planned, each.offset_s


def cancelled_lines(part: Part, rest: Rest, job: Job, *, at_ns: int) -> tuple[bytes, Recorded, dict[str, Tally]]:
    """Journal lines for what was in flight, as cancelled attempts; what is recorded with them; and their counts.

    In a closed load nobody knows any more when they were due, so they are due at `at_ns` (on CLOCK_MONOTONIC, like the
    job's times), when the node was lost.
    """
    rows: list[Attempt] = []
    tallies = {target.name: Tally() for target in part.suite.targets}
    recorder = Recorder(
        part.suite,
        run_id=job.run_id,
        origin_ns=job.origin_ns,
        write=rows.append,
        progress=Progress(planned=None, tallies=tallies),
    )
    tries = dict(rest.recorded.tries)
    for planned, offset_s in rest.in_flight:
        before = tries.get(planned.request_id, NO_TRIES)
        due_ns = at_ns if offset_s is None or job.start_ns is None else job.start_ns + int(offset_s * 1e9)
        reply = Reply(error_kind="cancelled", error_message=MESSAGE)
        recorder.record(planned, due_ns, before.made + 1, due_ns, Tape(), reply)
        tries[planned.request_id] = Tries(made=before.made + 1, repeated=before.repeated + 1)
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in rows)
    return lines, Recorded(done=rest.recorded.done, tries=tries), tallies
