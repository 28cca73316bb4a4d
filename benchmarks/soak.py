"""A long load with faults: do memory, descriptors, tasks and threads stay level, and is every request accounted for?

    python benchmarks/soak.py                             # 30 minutes, 20 requests a second, 2 % faults
    python benchmarks/soak.py --minutes 2 --rate 50

The real session with one target for each client, against the embedded Bedrock in a process of its own. Of its requests,
1 % are throttled, 0.5 % are answered with 503, and 0.5 % of the streams are cut off. The first and last quarter of
the samples are compared after the first tenth, in which pools fill and caches warm up. The event loop's own pool starts
a thread whenever a call finds none idle, up to a limit; it is counted apart. Exits with 1 if anything grew, was left
open, or if planned requests differ from those that succeeded or failed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import linear_regression, median

import msgspec
import uvloop
from measure import print_table

from harness.cli.running.endpoint import embedded_bedrock
from harness.clock import now_ns
from harness.load.plan import Part, count_requests
from harness.load.progress import Progress, Tally
from harness.load.session import Job, Session, open_channels, send_part
from harness.load.stop import Stop
from harness.store.records import Attempt
from harness.suite.loader import load_suite
from harness.suite.suite import Suite

SUITE = """\
suite: soak
targets:
  - {{model: claude-haiku-4-5, routing: global, api: converse, client: wire}}
  - {{model: claude-haiku-4-5, routing: global, api: converse, client: aioboto3}}
  - {{model: claude-haiku-4-5, routing: global, api: invoke, client: anthropic}}
load: {{arrival: constant, rate: {rate}/s, duration: {seconds}s, max_in_flight: 100}}
defaults: {{max_tokens: 50}}
prompts:
{prompts}
"""
CLIENTS = 3
FAULTS = ("--throttle-rate", "0.01", "--unavailable-rate", "0.005", "--interrupt-rate", "0.005", "--speed", "4")
SAMPLES = 200
POOL_LIMIT = min(32, (os.cpu_count() or 1) + 4)
"""Threads of the event loop's pool at most: the default of ThreadPoolExecutor."""
MOST_GROWTH = {"resident_mb": 3.0, "descriptors": 3.0, "tasks": 3.0, "threads": 0.0, "pool_threads": POOL_LIMIT}
"""The largest rise from the first quarter's median to the last's that still counts as level.

Descriptors and tasks follow the requests in flight. Memory: the samples of the loop's lag are 1.4 MB an hour.
"""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What this process holds at one moment."""

    minutes: float
    resident_mb: float
    descriptors: float
    tasks: float
    threads: float
    """Without those of the event loop's pool."""
    pool_threads: float


def take_sample(began_ns: int) -> Sample:
    """A sample of this process, from /proc."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    pool_threads = sum(thread is not threading.main_thread() for thread in threading.enumerate())
    return Sample(
        minutes=(now_ns() - began_ns) / 60e9,
        resident_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        descriptors=len(os.listdir("/proc/self/fd")),
        tasks=len(asyncio.all_tasks()),
        threads=len(os.listdir("/proc/self/task")) - pool_threads,
        pool_threads=pool_threads,
    )


async def soak(suite: Suite, journal: Path, every_s: float) -> tuple[list[Sample], Sample, Sample]:
    """Send the load. Returns samples during it, one before the clients are opened, and one after they are closed."""
    samples: list[Sample] = []
    began_ns = now_ns()

    async def keep_sampling() -> None:
        while True:
            await asyncio.sleep(every_s)
            samples.append(take_sample(began_ns))

    async with embedded_bedrock(suite, seed=1, options=FAULTS) as url:
        before, stop = take_sample(began_ns), Stop()
        async with open_channels(suite, url, stop) as channels, asyncio.TaskGroup() as tasks:
            progress = Progress(planned=None, tallies={name: Tally() for name in channels})
            job = Job(run_id="soak", seed=1, origin_ns=began_ns)
            session = Session(job=job, part=Part(suite=suite), channels=channels, progress=progress, stop=stop)
            sampling = tasks.create_task(keep_sampling())
            await send_part(session, journal)
            sampling.cancel()
        await asyncio.sleep(1)  # closing a socket takes a few turns of the loop
        return samples, before, take_sample(began_ns)


def count_outcomes(journal: Path) -> tuple[Counter[str], Counter[str]]:
    """Requests by outcome (`ok`, or the error kind of the last attempt) and failed attempts by kind."""
    last: dict[str, tuple[int, str]] = {}
    attempts: Counter[str] = Counter()
    decode = msgspec.json.Decoder(Attempt).decode
    with journal.open("rb") as lines:
        for line in lines:
            attempt = decode(line)
            outcome = attempt.error_kind or "ok"
            attempts[outcome] += 1
            last[attempt.request_id] = max(last.get(attempt.request_id, (0, "")), (attempt.try_no, outcome))
    del attempts["ok"]
    return Counter(outcome for _, outcome in last.values()), attempts


def growth_table(samples: Sequence[Sample]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Rows of first quarter, last quarter, rise and slope; and the names of what grew."""
    steady = samples[len(samples) // 10 :]
    quarter = max(1, len(steady) // 4)
    hours = [each.minutes / 60 for each in steady]
    rows, grew = [], []
    for name, most in MOST_GROWTH.items():
        values = [float(getattr(each, name)) for each in steady]
        first, last = median(values[:quarter]), median(values[-quarter:])
        slope = linear_regression(hours, values).slope
        rows.append(
            (name, f"{first:.1f}", f"{last:.1f}", f"{last - first:+.1f}", f"{max(values):.1f}", f"{slope:+.2f}")
        )
        if last - first > most:
            grew.append(name)
    return rows, grew


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=20, help="requests a second, over all targets")
    parser.add_argument("--samples", type=Path, help="write every sample to this CSV file")
    asked = parser.parse_args()
    seconds = 60 * asked.minutes
    prompts = "\n".join(f"  - {{id: p{i}, prompt: Say hello {i}.}}" for i in range(50))
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        file, journal = Path(folder) / "soak.yaml", Path(folder) / "attempts.jsonl"
        file.write_text(SUITE.format(rate=asked.rate / CLIENTS, seconds=f"{seconds:g}", prompts=prompts))
        suite = load_suite(file)
        planned = sum((count_requests(suite, seed=1) or {}).values())
        samples, before, after = runner.run(soak(suite, journal, seconds / SAMPLES))
        outcomes, failed_attempts = count_outcomes(journal)
    if asked.samples is not None:
        lines = [
            ",".join(each.name for each in fields(Sample)),
            *(",".join(map(str, astuple(each))) for each in samples),
        ]
        asked.samples.write_text("\n".join(lines) + "\n")
    rows, problems = growth_table(samples)
    print_table(("", "first quarter", "last quarter", "rise", "most", "slope per hour"), rows)
    if after.descriptors > before.descriptors or after.tasks > before.tasks:
        problems.append(
            f"left open: {after.descriptors - before.descriptors} descriptors, {after.tasks - before.tasks} tasks"
        )
    told = ", ".join(f"{kind} {count:,}" for kind, count in outcomes.most_common())
    print(f"planned {planned:,} = {outcomes.total():,} ({told})")
    print(f"failed attempts: {', '.join(f'{kind} {count:,}' for kind, count in failed_attempts.most_common())}")
    if (most := max(each.pool_threads for each in samples)) > POOL_LIMIT:
        problems.append(f"{most:.0f} threads in the pool, whose limit is {POOL_LIMIT}")
    if outcomes.total() != planned:
        problems.append("planned and recorded requests differ")
    print("level" if not problems else f"NOT level: {', '.join(problems)}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
