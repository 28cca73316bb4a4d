"""Memory against the number of attempts: the real engine and journal, sent through a client without a network.

    python benchmarks/memory.py                    # 1,000,000 attempts of 100 chunks
    python benchmarks/memory.py --attempts 200000

The client hands canned answers to the tape, so that a million fit into minutes: everything else, plan, slots, decoding,
record, journal, is what a run does. Resident memory is read from the system after every tenth. Goals: under 200 MB at
1,000,000 attempts, and no growth after the first 100,000.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Self

import uvloop
from measure import print_table

from harness.clock import now_ns
from harness.endpoints.base import Tape, WireRequest
from harness.endpoints.dialects.eventstream import encode_event
from harness.load.limits.in_flight import Connections, InFlightLimit
from harness.load.limits.quota import make_admission
from harness.load.plan import Part, make_plan
from harness.load.progress import Progress, Tally
from harness.load.sender import Channel
from harness.load.session import Job, Session, run_load
from harness.load.stop import Stop
from harness.store.journal import Journal
from harness.store.records import Attempt
from harness.suite.loader import load_suite

SLOTS, PROMPTS, CHUNKS = 100, 50, 100
SUITE = """\
suite: memory
targets: [{{model: claude-haiku-4-5, routing: global, api: converse, client: wire, label: t}}]
load: {{arrival: closed, concurrency: {slots}, repeats: {repeats}}}
prompts:
{prompts}
"""
PIECES = [
    encode_event("messageStart", b'{"role":"assistant"}'),
    *[encode_event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"hello "}}')] * CHUNKS,
    encode_event("messageStop", b'{"stopReason":"end_turn"}'),
    encode_event("metadata", b'{"usage":{"inputTokens":10,"outputTokens":100},"metrics":{"latencyMs":5}}'),
]


class CannedClient:
    """Answers at once, every chunk with a stamp of its own."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        return None

    async def send(self, request: WireRequest, tape: Tape) -> None:
        tape.mark_sent()
        await asyncio.sleep(0)
        tape.mark_head(200, {"x-amzn-requestid": "r"})
        for piece in PIECES:
            tape.add(piece, now_ns())
        tape.mark_done()


def resident_mb() -> float:
    """What this process has resident now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def record_all(attempts: int, folder: Path) -> list[tuple[int, float, float]]:
    """(attempts so far, resident MB, seconds) at every tenth."""
    prompts = "\n".join(f"  - {{id: p{i}, prompt: Say hello {i}.}}" for i in range(PROMPTS))
    (folder / "s.yaml").write_text(SUITE.format(slots=SLOTS, repeats=attempts // PROMPTS, prompts=prompts))
    suite = load_suite(folder / "s.yaml")
    (target,) = suite.targets
    stop = Stop()
    channel = Channel(
        target=target,
        client=CannedClient(),
        connections=Connections(SLOTS),
        admission=make_admission(suite.quota, target, stop),
        in_flight_limit=InFlightLimit(None),
        stop=stop.part(),
    )
    progress = Progress(planned=attempts, tallies={target.name: Tally()})
    seen: list[tuple[int, float, float]] = []
    began = time.perf_counter()
    async with Journal(folder / "attempts.jsonl") as journal:
        count = 0

        def write(attempt: Attempt) -> None:
            nonlocal count
            journal.record(attempt)
            count += 1
            if count % (attempts // 10) == 0:
                seen.append((count, resident_mb(), time.perf_counter() - began))

        job = Job(run_id="r", seed=1, origin_ns=now_ns())
        assert sum(1 for _ in make_plan(suite, seed=1)) == attempts
        channels = {target.name: channel}
        session = Session(job=job, part=Part(suite=suite), channels=channels, progress=progress, stop=stop)
        await run_load(session, write)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(record_all(asked.attempts, Path(folder)))
        journal_mb = (Path(folder) / "attempts.jsonl").stat().st_size / 1e6
    rows, before = [], (0, 0.0, 0.0)
    for count, resident, seconds in seen:
        each_us = 1e6 * (seconds - before[2]) / (count - before[0])
        rows.append((f"{count:,}", f"{resident:.0f}", f"{resident / seen[0][1]:.2f}", f"{each_us:.0f}"))
        before = (count, resident, seconds)
    print_table(("attempts", "resident MB", "/ first tenth", "µs each"), rows)
    print(f"journal: {journal_mb:,.0f} MB; goal: 200 MB resident ({seen[-1][1] / 200:.2f} of it)")


if __name__ == "__main__":
    main()
