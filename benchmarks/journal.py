"""What recording costs: microseconds an attempt on the hot path, and the step from journal to Parquet.

    python benchmarks/journal.py                  # 1,000,000 lines of attempts with 100 chunks and 400 characters each
    python benchmarks/journal.py --rows 100000 --chunks 20
    python benchmarks/journal.py --rows 10000000 --chunks 20 --shards 100

The journal of a million such attempts takes 2 GB in the temporary folder (--folder chooses another). Each step of the
conversion runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from measure import peak_mib, print_table

from harness.catalog.target import Target
from harness.load.progress import Progress, Tally
from harness.store.journal import Journal, measure_journal
from harness.store.manifest import new_manifest
from harness.store.parquet import count_rows, write_parquet
from harness.store.records import Attempt
from harness.store.run_folder import RunFolder, create_run
from harness.suite.suite import Suite

RECORDED = 50_000
FLUSH_EVERY = 500
"""Attempts between flushes, which are timed apart."""
RUN_ID = "20261122T024500Z-million-a1b2c3"
TARGET = Target(
    name="claude-sonnet-4-6/us/converse", model="claude-sonnet-4-6", base_model="anthropic.claude-sonnet-4-6",
    model_id="us.anthropic.claude-sonnet-4-6", routing="us", api="converse", client="wire", region="us-east-1",
)  # fmt: skip
MARK = "@@@@@@@@"
"""Stands for a row's number in the line that all lines are made of."""


def make_attempt(name: str, chunks: int) -> Attempt:
    """A streamed answer as a run records it: a chunk each 15 ms, 400 characters."""
    return Attempt(
        run_id=RUN_ID, request_id=f"{name}-0", attempt_id=f"{name}-0-1", try_no=1,
        target=TARGET.name, base_model=TARGET.base_model, model_id=TARGET.model_id, routing=TARGET.routing,
        api=TARGET.api, client=TARGET.client, region=TARGET.region, stream=True,
        prompt_id="capital-fr", repeat=3, phase="measure", due_ns=10**10, sent_ns=10**10 + 300_000,
        headers_ns=10**10 + 200_000_000, first_ns=10**10 + 201_000_000, last_ns=10**10 + 1_700_000_000,
        done_ns=10**10 + 1_702_000_000, chunk_us=[200_000 + 15_000 * i + i * i % 997 for i in range(chunks)],
        input_tokens=420, output_tokens=100, cache_read_tokens=0, cache_write_tokens=0, stop_reason="end_turn",
        text="Paris is the capital of France. " * 12, ok=True, http_status=200,
        aws_request_id="7b0c2f5e-5d0e-4c8e-9f43-0d6c8ed3a1b2", server_latency_ms=1690.0, cost_usd=0.00276,
    )  # fmt: skip


async def time_recording(path: Path, chunks: int) -> dict[str, float]:
    """CPU microseconds an attempt, by what is done with it."""
    attempts = [make_attempt(f"{i:08d}", chunks) for i in range(FLUSH_EVERY)]
    progress = Progress(planned=None, tallies={attempts[0].target: Tally()})
    spent = {"Journal.record": 0, "flush (apart)": 0, "Progress.count": 0}
    async with Journal(path) as journal:
        for _ in range(RECORDED // FLUSH_EVERY):
            start = time.process_time_ns()
            for attempt in attempts:
                journal.record(attempt)
            recorded = time.process_time_ns()
            journal.flush()
            flushed = time.process_time_ns()
            for attempt in attempts:
                progress.count(attempt, attempt.due_ns)
            spent["Progress.count"] += time.process_time_ns() - flushed
            spent["flush (apart)"] += flushed - recorded
            spent["Journal.record"] += recorded - start
    return {name: ns / RECORDED / 1000 for name, ns in spent.items()}


def write_journals(paths: Sequence[Path], rows: int, chunks: int) -> None:
    """Journals of `rows` lines in all, which differ in their ids."""
    before, between, after = msgspec.json.encode(make_attempt(MARK, chunks)).decode().split(MARK)
    for shard, path in enumerate(paths):
        with path.open("w") as file:
            for i in range(shard, rows, len(paths)):
                file.write(f"{before}{i:08d}{between}{i:08d}{after}\n")


def measured(job: Callable[[], object]) -> tuple[float, float, float]:
    """(Wall s, CPU s, peak MiB) of a job in a fresh process, less what that holds before it."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()

    def work() -> None:
        start, cpu = time.perf_counter(), time.process_time()
        job()
        results.put((time.perf_counter() - start, time.process_time() - cpu, peak_mib()))

    child = context.Process(target=work)
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(f"a step ended with {child.exitcode}")
    taken: tuple[float, float, float] = results.get()
    return taken


def time_conversion(run: RunFolder, journals: Sequence[Path]) -> list[tuple[str, ...]]:
    """The steps of `RunFolder.finalise`, then all of it."""
    parquet = run.path / "trial.parquet"
    longest = max(measure_journal(journal).longest for journal in journals)
    steps: dict[str, Callable[[], object]] = {
        "(a process that does nothing)": lambda: None,
        "measure_journal": lambda: [measure_journal(journal) for journal in journals],
        "write_parquet": lambda: write_parquet(Attempt, journals, parquet, longest_line=longest, key="attempt_id"),
        "count_rows": lambda: count_rows(parquet, "attempt_id", "concat(request_id, ' ', try_no)"),
        "RunFolder.finalise": lambda: run.finalise("complete"),
    }
    rows = []
    for name, job in steps.items():
        wall, cpu, peak = measured(job)
        rows.append((name, f"{wall:.2f}", f"{cpu:.2f}", f"{peak:,.0f}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--chunks", type=int, default=100)
    parser.add_argument("--shards", type=int, default=1, help="journals, of which each worker writes one")
    parser.add_argument("--folder", type=Path, help="where the journal goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        costs = asyncio.run(time_recording(Path(folder) / "hot.jsonl", options.chunks))
        print_table(
            (f"an attempt of {options.chunks} chunks", "µs CPU"), [(name, f"{us:.2f}") for name, us in costs.items()]
        )
        suite = Suite(name="million", digest="0123456789ab", endpoint="simulator", targets=(TARGET,), prompts=())
        manifest = new_manifest(suite, endpoint="simulator", simulated=True, seed=1, planned=options.rows)
        manifest = msgspec.structs.replace(manifest, run_id=RUN_ID)
        run = create_run(Path(folder), manifest, suite)
        journals = [run.journal_path(shard) for shard in range(options.shards)]
        write_journals(journals, options.rows, options.chunks)
        size = sum(journal.stat().st_size for journal in journals) / 1e6
        print(f"\n{options.rows:,} lines, {size:,.0f} MB in {len(journals)} journals")
        print_table(("step", "wall s", "CPU s", "peak RSS MiB"), time_conversion(run, journals))
        print(f"{run.attempts_path.stat().st_size / 1e6:,.1f} MB of Parquet")


if __name__ == "__main__":
    main()
